// The codes of Windows as numbers of the one table (C13).
#pragma once

#include <winsock2.h>
#include <windows.h>

#include <stdint.h>

namespace bufferevent {

// A negated errno for a code of `WSAGetLastError` or `GetLastError`, which carry the NTSTATUS of an operation, too; 0 for 0.
int32_t ErrnoOf(DWORD error);

}  // namespace bufferevent
