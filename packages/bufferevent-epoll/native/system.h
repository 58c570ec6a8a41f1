// Small things that system calls need everywhere.
#pragma once

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define BUFFEREVENT_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define BUFFEREVENT_SANITIZED
#endif
#endif

namespace bufferevent {

// Repeats a call that a signal has interrupted. Its result, or a negated errno.
template <typename Call>
inline ssize_t Retrying(Call call) {
  ssize_t result;
  do result = call();
  while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

// The system calls of every message. The C library makes each of them a point where a thread can be cancelled, which costs
// two locked operations in a process with several threads; these threads are never cancelled. Sanitizers know only the
// calls of the library.
inline ssize_t Receive(int descriptor, void* memory, size_t bytes) {
#ifdef BUFFEREVENT_SANITIZED
  return recv(descriptor, memory, bytes, 0);
#else
  return syscall(SYS_recvfrom, descriptor, memory, bytes, 0, nullptr, nullptr);
#endif
}

inline ssize_t SendBytes(int descriptor, const void* memory, size_t bytes) {
#ifdef BUFFEREVENT_SANITIZED
  return send(descriptor, memory, bytes, MSG_NOSIGNAL);
#else
  return syscall(SYS_sendto, descriptor, memory, bytes, MSG_NOSIGNAL, nullptr, 0);
#endif
}

inline ssize_t SendMessage(int descriptor, const msghdr& message) {
#ifdef BUFFEREVENT_SANITIZED
  return sendmsg(descriptor, &message, MSG_NOSIGNAL);
#else
  return syscall(SYS_sendmsg, descriptor, &message, MSG_NOSIGNAL);
#endif
}

// 0, or a negated errno.
inline int SetFlag(int descriptor, int level, int option, int value) {
  return setsockopt(descriptor, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

}  // namespace bufferevent
