#include "sockets.h"

#include <winternl.h>

#include <utility>

extern "C" NTSTATUS NTAPI NtSetInformationFile(HANDLE file, PIO_STATUS_BLOCK status, PVOID information, ULONG bytes,
                                                FILE_INFORMATION_CLASS kind);

namespace bufferevent {

namespace {

constexpr int kReplaceCompletionInformation = 61;

// Written under the lock, until that has succeeded once.
Extensions extensions;
SRWLOCK extensions_lock = SRWLOCK_INIT;
bool extensions_loaded = false;

template <typename Function>
DWORD Load(SOCKET socket, GUID id, Function* function) {
  DWORD bytes;
  const int failed = WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, function, sizeof *function, &bytes,
                              nullptr, nullptr);
  return failed == 0 ? 0 : LastError();
}

DWORD LoadExtensions() {
  WSADATA data;
  DWORD error = static_cast<DWORD>(WSAStartup(MAKEWORD(2, 2), &data));
  if (error != 0) return error;
  const SOCKET socket = OpenSocket(AF_INET, &error);
  if (socket == INVALID_SOCKET) {
    WSACleanup();
    return error;
  }
  error = Load(socket, GUID WSAID_ACCEPTEX, &extensions.acceptEx);
  if (error == 0) error = Load(socket, GUID WSAID_GETACCEPTEXSOCKADDRS, &extensions.getAcceptExSockaddrs);
  if (error == 0) error = Load(socket, GUID WSAID_CONNECTEX, &extensions.connectEx);
  if (error == 0) error = Load(socket, GUID WSAID_TRANSMITFILE, &extensions.transmitFile);
  closesocket(socket);
  if (error != 0) WSACleanup();
  return error;
}

}  // namespace

// What failed for want of sockets, or of memory, is tried again by the next port.
DWORD StartWinsock() {
  AcquireSRWLockExclusive(&extensions_lock);
  const DWORD error = extensions_loaded ? 0 : LoadExtensions();
  if (error == 0) extensions_loaded = true;
  ReleaseSRWLockExclusive(&extensions_lock);
  return error;
}

const Extensions& WinsockExtensions() { return extensions; }

LPFN_ACCEPTEX ReplaceAcceptEx(LPFN_ACCEPTEX acceptEx) { return std::exchange(extensions.acceptEx, acceptEx); }

SOCKET OpenSocket(int family, DWORD* error) {
  const DWORD flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;
  const SOCKET socket = WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, flags);
  *error = socket == INVALID_SOCKET ? LastError() : 0;
  return socket;
}

DWORD SetNonBlocking(SOCKET socket) {
  u_long on = 1;
  return ioctlsocket(socket, FIONBIO, &on) == 0 ? 0 : LastError();
}

bool HasPeer(SOCKET socket) {
  sockaddr_storage peer;
  int length = sizeof peer;
  return getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

bool LeaveCompletionPort(SOCKET socket) {
  struct {
    HANDLE port;
    PVOID key;
  } none = {nullptr, nullptr};
  IO_STATUS_BLOCK status;
  const auto kind = static_cast<FILE_INFORMATION_CLASS>(kReplaceCompletionInformation);
  return NtSetInformationFile(reinterpret_cast<HANDLE>(socket), &status, &none, sizeof none, kind) == 0;
}

}  // namespace bufferevent
