// The epoll descriptor: what is watched, and the events that one wait brought and nobody has handled yet.
#pragma once

#include <ring-port.h>
#include <stdint.h>
#include <sys/epoll.h>

namespace bufferevent {

class Reactor {
 public:
  explicit Reactor(Counters* counters) : counters_(counters) {}
  ~Reactor() { Close(); }

  // 0 or a negated errno.
  int Open();
  void Close();
  int descriptor() const { return epoll_; }

  // Makes `events` of a descriptor be watched, level-triggered; 0 watches nothing, and forgets a descriptor that was
  // watched. `tag` comes back with its events. Returns 0 or a negated errno.
  int Watch(int descriptor, bool watched, uint32_t events, uint64_t tag);

  // Looks for events, without waiting, unless some are left from the last look.
  void Look();
  // The next event, or nullptr. What is left over is handled first next time, so that nobody starves.
  const epoll_event* Next() { return next_ < count_ ? &events_[next_++] : nullptr; }
  bool HasEvents() const { return next_ < count_; }

 private:
  static constexpr int kMaxEvents = 512;

  Counters* counters_;
  int epoll_ = -1;
  int next_ = 0;
  int count_ = 0;
  epoll_event events_[kMaxEvents];
};

}  // namespace bufferevent
