{
  "targets": [
    {
      "target_name": "bufferevent_iocp",
      "sources": [
        "native/addon.cc",
        "native/completion-port.cc",
        "native/detached-sockets.cc",
        "native/errors.cc",
        "native/listeners.cc",
        "native/port.cc",
        "native/sending.cc",
        "native/sockets.cc",
        "native/streams.cc",
        "native/test-door.cc"
      ],
      "include_dirs": [
        "<!(node -p \"require('node:path').dirname(require.resolve('bufferevent-backend/package.json'))\")/native"
      ],
      "defines": ["NAPI_VERSION=8", "WIN32_LEAN_AND_MEAN", "NOMINMAX", "_WIN32_WINNT=0x0A00"],
      "cflags_cc": ["-std=c++20", "-O2", "-Wall", "-Wextra", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden"],
      "ldflags": ["-static-libstdc++", "-static-libgcc"],
      "libraries": ["-lws2_32", "-lmswsock", "-lntdll"],
      "msvs_settings": {
        "VCCLCompilerTool": { "AdditionalOptions": ["/std:c++20", "/utf-8"], "WarningLevel": "3" }
      }
    }
  ]
}
