#include "port.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace bufferevent {

namespace {

constexpr uint32_t kBroken = EPOLLERR | EPOLLHUP;
// Received bytes after which JavaScript has its turn: what was read is still in the cache then.
constexpr int64_t kBytesPerLook = 256 * 1024;
// How many events make another look in the same turn of the loop worth while, and for how long: then the timers and the
// other handles of the loop have their turn.
constexpr int kManyEvents = 8;
constexpr uint64_t kNanosecondsPerWakeup = 2'000'000;
constexpr uint64_t kRetryMs = 50;

}  // namespace

Port::Port(napi_env env, const PortMemory& memory)
    : env_(env),
      shared_(memory),
      counters_(reinterpret_cast<Counters*>(memory.counters)),
      reactor_(counters_),
      memory_(env) {
  memory_.SetControl(memory.control);
}

Port::~Port() {
  if (on_wakeup_ != nullptr) napi_delete_reference(env_, on_wakeup_);
  if (holder_ != nullptr) napi_delete_reference(env_, holder_);
  if (context_ != nullptr) napi_async_destroy(env_, context_);
}

int Port::Start(napi_value on_wakeup, napi_value memory_holder) {
  uv_loop_t* loop;
  if (napi_get_uv_event_loop(env_, &loop) != napi_ok) return -ENOTSUP;
  int error = reactor_.Open();
  if (error < 0) return error;
  poll_.data = idle_.data = retry_.data = this;
  error = uv_poll_init(loop, &poll_, reactor_.descriptor());
  if (error < 0) {
    reactor_.Close();
    return error;
  }
  uv_idle_init(loop, &idle_);
  uv_timer_init(loop, &retry_);
  open_loop_handles_ = 3;
  uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* poll, int, int) { static_cast<Port*>(poll->data)->Wakeup(); });
  napi_value name;
  napi_create_string_utf8(env_, "BUFFEREVENT_EPOLL", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env_, nullptr, name, &context_);
  napi_create_reference(env_, on_wakeup, 1, &on_wakeup_);
  napi_create_reference(env_, memory_holder, 1, &holder_);
  UpdateLoop();
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
  const uv_close_cb closed = [](uv_handle_t* handle) {
    auto* port = static_cast<Port*>(handle->data);
    if (--port->open_loop_handles_ > 0) return;
    void (*then)(void*) = port->on_stopped_;
    void* argument = port->on_stopped_argument_;
    delete port;
    if (then != nullptr) then(argument);
  };
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&retry_), closed);
  reactor_.Close();
}

// Turns

void Port::Wakeup() {
  if (stopping_) return;
  napi_handle_scope scope;
  napi_open_handle_scope(env_, &scope);
  shared_.control[kInWakeup] = 1;
  // While there is much to do, there is more by the time that this is done: going round by the loop would cost as much as
  // a message. What sends have come to is then told together with what has arrived.
  const uint64_t until = uv_hrtime() + kNanosecondsPerWakeup;
  int handled;
  do {
    memory_.BeginPass();
    handled = HandleEvents();
    Exchange();
  } while (handled >= kManyEvents && uv_hrtime() < until);
  Exchange();
  shared_.control[kInWakeup] = 0;
  napi_close_handle_scope(env_, scope);
  UpdateLoop();
}

// Tells JavaScript what is completed, and does what it answers.
void Port::Exchange() {
  if (stopping_ || (completions_.empty() && !out_of_slabs_)) return;
  Deliver();
  if (!stopping_) Submit();
}

void Port::Flush() {
  if (stopping_) return;
  napi_handle_scope scope;
  napi_open_handle_scope(env_, &scope);
  Submit();
  napi_close_handle_scope(env_, scope);
  if (shared_.control[kInWakeup] == 0) UpdateLoop();
}

// Makes the loop come back when something is left, and live as long as JavaScript says.
void Port::UpdateLoop() {
  if (stopping_) return;
  if (!completions_.empty() || reactor_.HasEvents()) {
    uv_idle_start(&idle_, [](uv_idle_t* idle) { static_cast<Port*>(idle->data)->Wakeup(); });
  } else {
    uv_idle_stop(&idle_);
  }
  if (starved_ > 0 && !uv_is_active(reinterpret_cast<uv_handle_t*>(&retry_))) {
    uv_timer_start(&retry_, [](uv_timer_t* timer) { static_cast<Port*>(timer->data)->RetryStarved(); }, kRetryMs, 0);
  }
  const bool referenced = shared_.control[kReferenced] != 0;
  if (referenced == referenced_) return;
  referenced_ = referenced;
  for (uv_handle_t* handle : {reinterpret_cast<uv_handle_t*>(&poll_), reinterpret_cast<uv_handle_t*>(&idle_),
                              reinterpret_cast<uv_handle_t*>(&retry_)}) {
    if (referenced) uv_ref(handle);
    else uv_unref(handle);
  }
}

int Port::HandleEvents() {
  if (stopping_) return 0;
  reactor_.Look();
  bytes_left_ = kBytesPerLook;
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

void Port::Deliver() {
  out_of_slabs_ = false;
  const size_t count = std::min<size_t>(completions_.size() - delivered_, shared_.completionRecords);
  for (size_t index = 0; index < count; index++) {
    const Completion& completion = completions_[delivered_ + index];
    memcpy(shared_.completions + index * kCompletionWords, &completion, sizeof completion);
    switch (completion.operation) {
      case kConnect:
        // Only now: what JavaScript submitted before it knew is refused.
        handles_[completion.slot].connected = completion.result == 0;
        break;
      case kClose:
      case kReset:
      case kDetach:
      case kCloseSilently:
        FreeSlot(completion.slot);
        break;
    }
  }
  delivered_ += count;
  if (delivered_ == completions_.size()) {
    completions_.clear();
    delivered_ = 0;
  }
  shared_.control[kCompletionCount] = static_cast<int32_t>(count);
  counters_->calls++;
  napi_value callback, receiver, result;
  napi_get_reference_value(env_, on_wakeup_, &callback);
  napi_get_global(env_, &receiver);
  const napi_status status = napi_make_callback(env_, context_, receiver, callback, 0, nullptr, &result);
  if (status != napi_pending_exception) return;
  // Not from the callback, which throws nothing: from what ran after it.
  napi_value error;
  if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
}

void Port::Complete(int32_t operation, int32_t slot, int32_t result, int32_t memory, int32_t start) {
  completions_.push_back({operation, slot, result, memory, start});
}

// Submissions

void Port::Submit() {
  int32_t& used = shared_.control[kSubmissionWords];
  if (used == 0) return;
  memory_.BeginPass();
  const int32_t* words = shared_.submissions;
  const int32_t* end = words + used;
  while (words < end) words = SubmitOne(words);
  used = 0;
}

// Does what one record says and returns where the next begins. The formats stand in ring.h.
const int32_t* Port::SubmitOne(const int32_t* words) {
  const int32_t verb = words[0];
  const int32_t slot = words[1];
  switch (verb) {
    case kRecv:
      Recv(slot, static_cast<uint32_t>(words[2]));
      return words + 3;
    case kSend: {
      const auto count = static_cast<uint32_t>(words[2]);
      Send(slot, reinterpret_cast<const Piece*>(words + 3), count);
      return words + 3 + 3 * count;
    }
    case kSendFile: {
      const int64_t offset = static_cast<int64_t>(static_cast<uint32_t>(words[3])) |
                             static_cast<int64_t>(static_cast<uint32_t>(words[4])) << 32;
      SendFile(slot, words[2], offset, static_cast<uint32_t>(words[5]));
      return words + 6;
    }
    case kLowerRecvMax: {
      Handle& handle = handles_[slot];
      handle.recvMax = std::min(handle.recvMax, static_cast<uint32_t>(words[2]));
      return words + 3;
    }
    case kAccept:
      Accept(slot, static_cast<double>(static_cast<uint32_t>(words[2])) + 4294967296.0 * words[3]);
      return words + 4;
    case kCancel:
      Cancel(slot, words[2]);
      return words + 3;
    case kShutdown:
      Shutdown(slot);
      return words + 2;
    case kWatchPeer:
      WatchPeer(slot);
      return words + 2;
    default:
      Close(slot, verb);
      return words + 2;
  }
}

// Slots

int32_t Port::OpenSlot(Kind kind, int descriptor) {
  int32_t slot;
  if (free_slots_.empty()) {
    slot = handles_.Add();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  Handle& handle = handles_[slot];
  handle.kind = kind;
  handle.descriptor = descriptor;
  handle.readBytes = kSmallReadBytes;
  return slot;
}

void Port::FreeSlot(int32_t slot) {
  Handle& handle = handles_[slot];
  const uint32_t life = handle.life + 1;
  handle = Handle();
  handle.life = life;
  free_slots_.push_back(slot);
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
    result = handle.descriptor;
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
