// What Windows has for sockets beside the calls of BSD: functions that have to be asked for, and calls of its kernel.
#pragma once

#include <winsock2.h>
#include <ws2tcpip.h>
#include <mstcpip.h>
#include <mswsock.h>
#include <windows.h>

#include <stdint.h>

namespace bufferevent {

// The extensions of TCP sockets, the same for the whole process.
struct Extensions {
  LPFN_ACCEPTEX acceptEx = nullptr;
  LPFN_GETACCEPTEXSOCKADDRS getAcceptExSockaddrs = nullptr;
  LPFN_CONNECTEX connectEx = nullptr;
  LPFN_TRANSMITFILE transmitFile = nullptr;
};

// Of the call of Winsock that failed.
inline DWORD LastError() { return static_cast<DWORD>(WSAGetLastError()); }

// Starts Winsock, once. 0 or an error of Windows; after an error it can be asked for again.
DWORD StartWinsock();
const Extensions& WinsockExtensions();
// For tests: sockets are given to `acceptEx` from now on. Returns what they were given to.
LPFN_ACCEPTEX ReplaceAcceptEx(LPFN_ACCEPTEX acceptEx);

// A stream socket for overlapped operations that child processes do not inherit, or INVALID_SOCKET and why.
SOCKET OpenSocket(int family, DWORD* error);

// Calls on the socket without an OVERLAPPED never wait.
DWORD SetNonBlocking(SOCKET socket);

template <typename Value>
inline DWORD SetSocketOption(SOCKET socket, int level, int option, const Value& value) {
  const int failed = setsockopt(socket, level, option, reinterpret_cast<const char*>(&value), sizeof value);
  return failed == 0 ? 0 : LastError();
}

// Whether the system still has a connection: not after a reset, and not after both ends have ended.
bool HasPeer(SOCKET socket);

// Lets a socket leave its completion port, where the system can.
bool LeaveCompletionPort(SOCKET socket);

}  // namespace bufferevent
