#include "reactor.h"

#include <errno.h>
#include <unistd.h>

namespace bufferevent {

int Reactor::Open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  return epoll_ < 0 ? -errno : 0;
}

void Reactor::Close() {
  if (epoll_ >= 0) close(epoll_);
  epoll_ = -1;
  next_ = count_ = 0;
}

int Reactor::Watch(int descriptor, bool watched, uint32_t events, uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  counters_->controls++;
  const int operation = events == 0 ? EPOLL_CTL_DEL : watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  return epoll_ctl(epoll_, operation, descriptor, &event) < 0 ? -errno : 0;
}

void Reactor::Look() {
  if (HasEvents()) return;
  counters_->waits++;
  next_ = 0;
  count_ = epoll_wait(epoll_, events_, kMaxEvents, 0);
  if (count_ < 0) count_ = 0;
}

}  // namespace bufferevent
