{
  "targets": [
    {
      "target_name": "bufferevent_openssl",
      "sources": [
        "native/addon.cc",
        "native/call.cc",
        "native/certificate.cc",
        "native/connection.cc",
        "native/connection_calls.cc",
        "native/context.cc",
        "native/context_calls.cc",
        "native/credentials.cc",
        "native/demonstration.cc",
        "native/engine.cc",
        "native/environment.cc",
        "native/errors.cc",
        "native/hello.cc",
        "native/memory_bio.cc",
        "native/psk.cc",
        "native/runtime.cc",
        "native/tickets.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node:path').dirname(require.resolve('bufferevent-addon/package.json'))\")/native"],
      "defines": ["NAPI_VERSION=8", "OPENSSL_API_COMPAT=30000", "OPENSSL_NO_DEPRECATED"],
      "cflags_cc": ["-std=c++20", "-O2", "-Wall", "-Wextra", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden"],
      "msvs_settings": {
        "VCCLCompilerTool": { "AdditionalOptions": ["/std:c++20", "/permissive-", "/utf-8"], "WarningLevel": "4" }
      },
      "ldflags": ["-static-libstdc++", "-static-libgcc", "-Wl,--exclude-libs,ALL", "-Wl,-Bsymbolic-functions"]
    }
  ]
}
