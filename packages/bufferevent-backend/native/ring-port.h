// The half of a native port that is the same over every mechanism: it reads submissions out of one ring, gathers
// completions and hands them over in another, and calls JavaScript.
//
//        loop ──► Wakeup ──► what the system says ──► completions ──┐
//                   ▲                                               ▼
//                   │        submissions, done at once ◄──────── JavaScript
//                   └─────── completions of these, once more ──►
//
// JavaScript is called once for each look at what the system says and once more at the end, whatever the number of
// completions, and submits by writing words into a ring. Everything here runs on the thread of one environment.
#pragma once

#include <node_api.h>
#include <stdint.h>
#include <string.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <vector>

#include "memory-table.h"
#include "ring.h"
#include "slot-table.h"

namespace bufferevent {

// What was done how often; shared with JavaScript, as doubles.
struct Counters {
  // System calls, by kind.
  double waits;
  double controls;
  double reads;
  double writes;
  double accepts;
  // Times that JavaScript was called.
  double calls;
  // Times that JavaScript called an open port.
  double nativeCalls;
};

// The arrays of JavaScript that both halves see.
struct PortMemory {
  int32_t* control;
  int32_t* completions;
  uint32_t completionRecords;
  int32_t* submissions;
  double* counters;
};

// Two words of the ring, which need not be aligned to more than one.
struct WideWord {
  uint32_t low;
  uint32_t high;

  operator uint64_t() const { return low | static_cast<uint64_t>(high) << 32; }
};

// Bytes of a registered memory.
struct Piece {
  uint32_t memory;
  WideWord start;
  uint32_t length;
};
static_assert(sizeof(Piece) == kPieceWords * sizeof(int32_t), "a piece is as ring.ts says");

struct ListenFlags {
  int backlog;
  bool ipv6Only;
  bool reusePort;
  bool deferAccept;
  // Permission bits, or -1.
  int mode;
};

// How a call of the system has ended: 0 or a negated errno, and the system's own code where that is another.
struct Outcome {
  int32_t result;
  int32_t code;
};

// What both natives keep of a listener.
struct ListenerState {
  double credits = 0;
  // Without descriptors since it was last said.
  bool starved = false;
};

// `Mechanism` derives from this and has the verbs (`Recv`, `Send`, …, as `SubmitOne` calls them) and
// - `HandleEvents`, which completes what the system has finished and says how much that was; `HasEvents`: whether some is left,
// - `RetryStarved`, called some time after a listener was without descriptors (C20),
// - `EndSending`, which tells the peer that nothing more comes,
// - a destructor that nothing else calls.
// `Handle` is what it knows of a slot: `life`, `connected`, `ended`, `readFailure`, `writeFailure`, `writeEnded`, `shutdownWaits`,
// and by `IsSending` and `ForgetSend` the send in flight.
template <class Mechanism, class Handle>
class RingPort {
 public:
  MemoryTable& memory() { return memory_; }
  void CountNativeCall() { counters_->nativeCalls++; }

  // Does what stands in the ring of submissions.
  void Flush() {
    if (stopping_) return;
    napi_handle_scope scope;
    napi_open_handle_scope(env_, &scope);
    Submit();
    napi_close_handle_scope(env_, scope);
    if (shared_.control[kInWakeup] == 0) UpdateLoop();
  }

 protected:
  RingPort(napi_env env, const PortMemory& memory)
      : env_(env),
        shared_(memory),
        counters_(reinterpret_cast<Counters*>(memory.counters)),
        memory_(env, memory.control) {}

  ~RingPort() {
    if (on_wakeup_ != nullptr) napi_delete_reference(env_, on_wakeup_);
    if (holder_ != nullptr) napi_delete_reference(env_, holder_);
    if (context_ != nullptr) napi_async_destroy(env_, context_);
  }

  RingPort(const RingPort&) = delete;
  RingPort& operator=(const RingPort&) = delete;

  // `source` is the handle of the loop, initialised and called by `Wakeup`, by which the mechanism makes itself heard; `name`
  // is what the calls into JavaScript are called in traces.
  void Join(uv_loop_t* loop, uv_handle_t* source, napi_value on_wakeup, napi_value memory_holder, const char* name) {
    source_ = source;
    uv_idle_init(loop, &idle_);
    uv_timer_init(loop, &retry_);
    for (uv_handle_t* handle : LoopHandles()) handle->data = this;
    napi_value text;
    napi_create_string_utf8(env_, name, NAPI_AUTO_LENGTH, &text);
    napi_async_init(env_, nullptr, text, &context_);
    napi_create_reference(env_, on_wakeup, 1, &on_wakeup_);
    napi_create_reference(env_, memory_holder, 1, &holder_);
    UpdateLoop();
  }

  // Deletes the port when the loop has let go of it, and then calls what `Stop` was given.
  void Leave() {
    for (uv_handle_t* handle : LoopHandles()) uv_close(handle, OnLoopHandleClosed);
  }

  // Makes the loop come back when something is left, and live as long as JavaScript says.
  void UpdateLoop() {
    if (stopping_) return;
    if (!completions_.empty() || self().HasEvents()) {
      uv_idle_start(&idle_, WakeupOf<uv_idle_t>);
    } else {
      uv_idle_stop(&idle_);
    }
    if (starved_ > 0 && !uv_is_active(reinterpret_cast<uv_handle_t*>(&retry_))) {
      uv_timer_start(&retry_, [](uv_timer_t* timer) { static_cast<RingPort*>(timer->data)->Retry(); }, kRetryMs, 0);
    }
    const bool referenced = shared_.control[kReferenced] != 0;
    if (referenced == referenced_) return;
    referenced_ = referenced;
    for (uv_handle_t* handle : LoopHandles()) {
      if (referenced) uv_ref(handle);
      else uv_unref(handle);
    }
  }

  // For callbacks of handles of the loop.
  template <class LoopHandle>
  static void WakeupOf(LoopHandle* handle) {
    static_cast<RingPort*>(handle->data)->Wakeup();
  }

  // Called by the loop when the mechanism has something to say, or when something is left.
  void Wakeup() {
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
      bytes_left_ = kBytesPerLook;
      handled = stopping_ ? 0 : self().HandleEvents();
      Exchange();
    } while (handled >= kManyEvents && uv_hrtime() < until);
    Exchange();
    shared_.control[kInWakeup] = 0;
    napi_close_handle_scope(env_, scope);
    UpdateLoop();
  }

  void Complete(int32_t operation, int32_t slot, int32_t result, int32_t memory = -1, int32_t start = 0) {
    completions_.push_back({operation, slot, result, memory, start});
  }

  // Whether nothing can be received any more, or yet: then the operation is completed with the reason, or with the end.
  bool RecvRefused(int32_t slot, int32_t operation) {
    const Handle& handle = handles_[slot];
    if (handle.connected && handle.readFailure == 0 && !handle.ended) return false;
    Complete(operation, slot, handle.connected ? handle.readFailure : -kENOTCONN);
    return true;
  }

  // The same for what is to be sent.
  bool SendRefused(int32_t slot, int32_t operation) {
    const Handle& handle = handles_[slot];
    const int refusal = !handle.connected           ? -kENOTCONN
                        : handle.writeFailure != 0  ? handle.writeFailure
                        : handle.writeEnded         ? -kEPIPE
                                                    : 0;
    if (refusal != 0) Complete(operation, slot, refusal);
    return refusal != 0;
  }

  // Completes a send, and does what waited for it (C9).
  void FinishSend(int32_t slot, int32_t operation, int32_t result, int32_t code = 0) {
    Handle& handle = handles_[slot];
    handle.ForgetSend();
    // What the system says of the connection holds for good; what is wrong with this send does not.
    if (result < 0 && result != -kECANCELED && result != -kEFAULT && operation == kSend) {
      handle.writeFailure = static_cast<int16_t>(result);
    }
    Complete(operation, slot, result, -1, code);
    if (!handle.shutdownWaits) return;
    handle.shutdownWaits = false;
    if (result < 0) Complete(kShutdown, slot, result, -1, code);
    else Shutdown(slot);
  }

  void Shutdown(int32_t slot) {
    Handle& handle = handles_[slot];
    if (!handle.connected) return Complete(kShutdown, slot, -kENOTCONN);
    if (handle.writeFailure != 0) return Complete(kShutdown, slot, handle.writeFailure);
    if (handle.IsSending()) {
      handle.shutdownWaits = true;
      return;
    }
    Outcome outcome{};
    if (!handle.writeEnded) outcome = self().EndSending(slot);
    handle.writeEnded = true;
    Complete(kShutdown, slot, outcome.result, -1, outcome.code);
  }

  // Says once that a listener has no descriptors; other tries come with the timer.
  void Starve(int32_t slot, ListenerState* listener, int32_t reason, int32_t code = 0) {
    if (listener->starved) return;
    listener->starved = true;
    starved_++;
    Complete(kAccept, slot, reason, -1, code);
  }

  void EndStarving(ListenerState* listener) {
    if (listener->starved) starved_--;
    listener->starved = false;
  }

  // Nothing can be received before JavaScript has run, also when it has nothing to be told.
  void RunOutOfSlabs() {
    out_of_slabs_ = true;
    bytes_left_ = 0;
  }

  napi_env env_;
  PortMemory shared_;
  Counters* counters_;
  MemoryTable memory_;
  SlotTable<Handle> handles_;
  // Of the bytes that may be received in this look.
  int64_t bytes_left_ = 0;
  bool stopping_ = false;
  void (*on_stopped_)(void*) = nullptr;
  void* on_stopped_argument_ = nullptr;

 private:
  struct Completion {
    int32_t operation;
    int32_t slot;
    int32_t result;
    int32_t memory;
    int32_t start;
  };

  // Received bytes after which JavaScript has its turn: what was read is still in the cache then.
  static constexpr int64_t kBytesPerLook = 256 * 1024;
  // How many events make another look in the same turn of the loop worth while, and for how long: then the timers and the
  // other handles of the loop have their turn.
  static constexpr int kManyEvents = 8;
  static constexpr uint64_t kNanosecondsPerWakeup = 2'000'000;
  static constexpr uint64_t kRetryMs = 50;

  Mechanism& self() { return static_cast<Mechanism&>(*this); }

  std::array<uv_handle_t*, 3> LoopHandles() {
    return {source_, reinterpret_cast<uv_handle_t*>(&idle_), reinterpret_cast<uv_handle_t*>(&retry_)};
  }

  static void OnLoopHandleClosed(uv_handle_t* handle) {
    auto* port = static_cast<RingPort*>(handle->data);
    if (++port->closed_loop_handles_ < port->LoopHandles().size()) return;
    void (*then)(void*) = port->on_stopped_;
    void* argument = port->on_stopped_argument_;
    delete &port->self();
    if (then != nullptr) then(argument);
  }

  void Retry() {
    self().RetryStarved();
    UpdateLoop();
  }

  // Tells JavaScript what is completed, and does what it answers.
  void Exchange() {
    if (stopping_ || (completions_.empty() && !out_of_slabs_)) return;
    Deliver();
    if (!stopping_) Submit();
  }

  void Deliver() {
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
          handles_.Free(completion.slot);
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

  void Submit() {
    int32_t& used = shared_.control[kSubmissionWords];
    if (used == 0) return;
    memory_.BeginPass();
    const int32_t* words = shared_.submissions;
    const int32_t* end = words + used;
    while (words < end) words = SubmitOne(words);
    used = 0;
  }

  // Does what one record says and returns where the next begins. The formats stand in ring.ts.
  const int32_t* SubmitOne(const int32_t* words) {
    const int32_t verb = words[0];
    const int32_t slot = words[1];
    switch (verb) {
      case kRecv:
        self().Recv(slot, static_cast<uint32_t>(words[2]));
        return words + 3;
      case kSend: {
        const auto count = static_cast<uint32_t>(words[2]);
        self().Send(slot, reinterpret_cast<const Piece*>(words + 3), count);
        return words + 3 + kPieceWords * count;
      }
      case kSendFile: {
        const int64_t offset = static_cast<int64_t>(static_cast<uint32_t>(words[3])) |
                               static_cast<int64_t>(static_cast<uint32_t>(words[4])) << 32;
        self().SendFile(slot, words[2], offset, static_cast<uint32_t>(words[5]));
        return words + 6;
      }
      case kLowerRecvMax:
        self().LowerRecvMax(slot, static_cast<uint32_t>(words[2]));
        return words + 3;
      case kAccept:
        self().Accept(slot, static_cast<double>(static_cast<uint32_t>(words[2])) + 4294967296.0 * words[3]);
        return words + 4;
      case kCancel:
        self().Cancel(slot, words[2]);
        return words + 3;
      case kShutdown:
        Shutdown(slot);
        return words + 2;
      case kWatchPeer:
        self().WatchPeer(slot);
        return words + 2;
      default:
        self().Close(slot, verb);
        return words + 2;
    }
  }

  napi_async_context context_ = nullptr;
  napi_ref on_wakeup_ = nullptr;
  // Keeps the memory of the rings alive.
  napi_ref holder_ = nullptr;
  std::vector<Completion> completions_;
  size_t delivered_ = 0;
  bool out_of_slabs_ = false;

  uv_handle_t* source_ = nullptr;
  // Active while something is to be done in the next turn whatever the mechanism says.
  uv_idle_t idle_;
  // While a listener is without descriptors.
  uv_timer_t retry_;
  // Listeners without descriptors.
  int starved_ = 0;
  size_t closed_loop_handles_ = 0;
  bool referenced_ = true;
};

}  // namespace bufferevent
