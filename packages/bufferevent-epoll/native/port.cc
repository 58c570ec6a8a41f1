#include "port.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace bufferevent {

namespace {

constexpr uint32_t kBroken = EPOLLERR | EPOLLHUP;

}  // namespace

Port::Port(napi_env env, const PortMemory& memory) : RingPort(env, memory), reactor_(counters_) {}

int Port::Start(const Arguments& arguments) {
  uv_loop_t* loop;
  if (napi_get_uv_event_loop(env_, &loop) != napi_ok) return -ENOTSUP;
  int error = reactor_.Open();
  if (error < 0) return error;
  error = uv_poll_init(loop, &poll_, reactor_.descriptor());
  if (error < 0) {
    reactor_.Close();
    return error;
  }
  uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* poll, int, int) { WakeupOf(poll); });
  Join(loop, reinterpret_cast<uv_handle_t*>(&poll_), arguments.values[4], arguments.values[5], "BUFFEREVENT_EPOLL");
  return 0;
}

void Port::Stop(void (*done)(void*), void* argument) {
  on_stopped_ = done;
  on_stopped_argument_ = argument;
  if (stopping_) return;
  stopping_ = true;
  for (uint32_t slot = 0; slot < handles_.size(); slot++) {
    Handle& handle = handles_[static_cast<int32_t>(slot)];
    if (handle.descriptor >= 0) close(handle.descriptor);
    handle.descriptor = -1;
  }
  for (const auto& [slot, listener] : listeners_) {
    if (listener.file) RemoveFile(*listener.file);
  }
  Leave();
  reactor_.Close();
}

// Turns

int Port::HandleEvents() {
  reactor_.Look();
  int handled = 0;
  while (bytes_left_ > 0) {
    const epoll_event* event = reactor_.Next();
    if (event == nullptr) break;
    handled++;
    const auto slot = static_cast<int32_t>(event->data.u64 & 0xffffffff);
    const Handle& handle = handles_[slot];
    if (handle.life == event->data.u64 >> 32 && !handle.closed) HandleEvent(slot, event->events);
  }
  return handled;
}

// Level-triggered interest stays while it is of use, and is dropped when an event comes that nobody waits for.
void Port::HandleEvent(int32_t slot, uint32_t events) {
  Handle& handle = handles_[slot];
  if (handle.kind == Kind::kListener) {
    if (listeners_[slot].credits > 0) AcceptSome(slot);
    else Unwatch(slot, EPOLLIN);
    return;
  }
  if (handle.connecting) {
    FinishConnect(slot);
    return;
  }
  const uint32_t broken = (events & kBroken) != 0 ? EPOLLIN | EPOLLOUT | EPOLLRDHUP : 0;
  events = (events | broken) & (EPOLLIN | EPOLLOUT | EPOLLRDHUP);
  uint32_t unused = handle.watched & events;
  if (handle.recvMax > 0 && (events & EPOLLIN) != 0) {
    unused &= ~static_cast<uint32_t>(EPOLLIN);
    Read(slot);
  }
  if (handle.blocked && (events & EPOLLOUT) != 0) {
    unused &= ~static_cast<uint32_t>(EPOLLOUT);
    SendBlocked(slot);
  }
  if (handle.watchingPeer && (events & EPOLLRDHUP) != 0) {
    FinishWatch(slot);
  }
  if (unused != 0) Unwatch(slot, unused);
}

// Slots

int32_t Port::OpenSlot(Kind kind, int descriptor) {
  const int32_t slot = handles_.Open();
  Handle& handle = handles_[slot];
  handle.kind = kind;
  handle.descriptor = descriptor;
  return slot;
}

bool Port::Watch(int32_t slot, uint32_t events) {
  Handle& handle = handles_[slot];
  if ((handle.watched & events) == events) return true;
  const uint32_t wanted = handle.watched | events;
  if (reactor_.Watch(handle.descriptor, handle.watched != 0, wanted, Tag(slot, handle.life)) < 0) return false;
  handle.watched = wanted;
  return true;
}

void Port::Unwatch(int32_t slot, uint32_t events) {
  Handle& handle = handles_[slot];
  if ((handle.watched & events) == 0) return;
  handle.watched &= ~events;
  reactor_.Watch(handle.descriptor, true, handle.watched, Tag(slot, handle.life));
}

// Endings

void Port::Cancel(int32_t slot, int32_t operation) {
  Handle& handle = handles_[slot];
  if (operation == kRecv && handle.recvMax > 0) {
    handle.recvMax = 0;
    Complete(kRecv, slot, -ECANCELED);
  } else if ((operation == kSend || operation == kSendFile) && handle.blocked) {
    if ((handle.blocked->descriptor >= 0) == (operation == kSendFile)) FinishSend(slot, operation, -ECANCELED);
  } else if (operation == kWatchPeer && handle.watchingPeer) {
    handle.watchingPeer = false;
    Complete(kWatchPeer, slot, -ECANCELED);
  } else if (operation == kAccept && handle.kind == Kind::kListener) {
    CancelAccept(slot);
  } else if (operation == kConnect && handle.connecting) {
    handle.connecting = false;
    Unwatch(slot, handle.watched);
    close(handle.descriptor);
    handle.descriptor = -1;
    Complete(kConnect, slot, -ECANCELED);
  }
}

void Port::Close(int32_t slot, int32_t operation) {
  for (const int32_t flight : {kConnect, kAccept, kRecv, kSend, kSendFile, kWatchPeer}) Cancel(slot, flight);
  Handle& handle = handles_[slot];
  handle.closed = true;
  int32_t result = 0;
  if (operation == kDetach) {
    Unwatch(slot, handle.watched);
    result = handle.descriptor < 0 ? -ENOTCONN : handle.descriptor;
  } else if (handle.descriptor >= 0) {
    const linger abort{1, 0};
    if (operation == kReset) setsockopt(handle.descriptor, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    // A descriptor that was duplicated goes on being watched unless told not to.
    if (handle.shared) Unwatch(slot, handle.watched);
    close(handle.descriptor);
  }
  handle.descriptor = -1;
  if (handle.kind == Kind::kListener) CloseListener(slot);
  Complete(operation, slot, result);
}

}  // namespace bufferevent
