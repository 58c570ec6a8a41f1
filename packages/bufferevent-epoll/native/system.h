// Small things that system calls need everywhere.
#pragma once

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>

namespace bufferevent {

// Repeats a call that a signal has interrupted. Its result, or a negated errno.
template <typename Call>
inline ssize_t Retrying(Call call) {
  ssize_t result;
  do result = call();
  while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

// 0, or a negated errno.
inline int SetFlag(int descriptor, int level, int option, int value) {
  return setsockopt(descriptor, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

}  // namespace bufferevent
