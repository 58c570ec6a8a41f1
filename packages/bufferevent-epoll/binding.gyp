{
  "targets": [
    {
      "target_name": "bufferevent_epoll",
      "sources": [
        "native/addon.cc",
        "native/listeners.cc",
        "native/port.cc",
        "native/reactor.cc",
        "native/runtime.cc",
        "native/sending.cc",
        "native/streams.cc"
      ],
      "include_dirs": [
        "<!(node -p \"require('node:path').dirname(require.resolve('bufferevent-addon/package.json'))\")/native",
        "<!(node -p \"require('node:path').dirname(require.resolve('bufferevent-backend/package.json'))\")/native"
      ],
      "defines": ["NAPI_VERSION=8"],
      "cflags_cc": ["-std=c++20", "-O2", "-Wall", "-Wextra", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden"],
      "ldflags": ["-static-libstdc++", "-static-libgcc", "-Wl,--exclude-libs,ALL", "-Wl,-Bsymbolic-functions"]
    }
  ]
}
