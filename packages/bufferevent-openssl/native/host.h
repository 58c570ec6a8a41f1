// Whether the process has an OpenSSL for us: where it has none it must be possible to say so, instead of ending at the first
// call.
#pragma once

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#endif

#include "openssl.h"

#ifndef _WIN32
#pragma weak OpenSSL_version_num
#endif

namespace bufferevent {

using VersionFunction = unsigned long (*)();

// nullptr where it has none.
inline VersionFunction HostVersionFunction() {
#ifdef _WIN32
  // As the hook for delayed loading looks for it: Node is a library in some builds, and otherwise the executable.
  HMODULE host = GetModuleHandleA("libnode.dll");
  if (host == nullptr) host = GetModuleHandleA(nullptr);
  const FARPROC function = GetProcAddress(host, "OpenSSL_version_num");
  // Through `void*`: compilers warn of a cast between functions of different types.
  return reinterpret_cast<VersionFunction>(reinterpret_cast<void*>(function));
#else
  return OpenSSL_version_num;
#endif
}

}  // namespace bufferevent
