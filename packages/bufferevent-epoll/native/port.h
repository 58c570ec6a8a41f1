// One submission and completion queue, over one epoll descriptor that the loop of libuv watches.
//
//        loop ──► Wakeup ──► events: reads, blocked writes, accepts ──► completions ──┐
//                   ▲                                                                 ▼
//                   │         submissions: writes at once, interest in reading ◄── JavaScript
//                   └──────── completions of these, once more ───────────────────►
//
// JavaScript is called once for each look at the events and once more at the end, whatever the number of completions, and
// submits by writing words into a ring. Everything here runs on the thread of one environment.
#pragma once

#include <node_api.h>
#include <stdint.h>
#include <uv.h>

#include <map>
#include <string>
#include <vector>

#include "handle.h"
#include "memory.h"
#include "reactor.h"
#include "ring.h"

namespace bufferevent {

struct PortMemory {
  int32_t* control;
  int32_t* completions;
  uint32_t completionRecords;
  int32_t* submissions;
  double* counters;
};

struct ListenFlags {
  int backlog;
  bool ipv6Only;
  bool reusePort;
  bool deferAccept;
  // Permission bits, or -1.
  int mode;
};

class Port {
 public:
  Port(napi_env env, const PortMemory& memory);

  // Opens the reactor and joins the loop. 0 or a negated errno; after a failure only `Discard` may follow.
  int Start(napi_value on_wakeup, napi_value memory_holder);
  // Lets go of the loop and of every descriptor, then deletes the port. `done` runs when that has happened, or is null.
  void Stop(void (*done)(void*), void* argument);

  void Discard() { delete this; }

  MemoryTable& memory() { return memory_; }
  void CountNativeCall() { counters_->nativeCalls++; }

  // Each opens a slot whose completion comes later, and returns it.
  int32_t Listen(const SocketAddress& address, int parsed, const ListenFlags& flags);
  int32_t Connect(const SocketAddress& address, int parsed, const SocketAddress* local);
  // A slot, or a negated errno; the descriptor is the caller's then.
  int32_t Adopt(int descriptor);

  // Stays the port's.
  int32_t ShareDescriptor(int32_t slot);
  // 0 or a negated errno.
  int SetOption(int32_t slot, int option, int value);
  SocketAddress LocalAddress(int32_t slot) const;
  SocketAddress PeerAddress(int32_t slot) const { return handles_[slot].peer.Get(); }

  // Does what stands in the ring of submissions.
  void Flush();

 private:
  struct Completion {
    int32_t operation;
    int32_t slot;
    int32_t result;
    int32_t memory;
    int32_t start;
  };

  ~Port();

  void Wakeup();
  int HandleEvents();
  void Exchange();
  void HandleEvent(int32_t slot, uint32_t events);
  void Submit();
  const int32_t* SubmitOne(const int32_t* words);
  void Deliver();
  void Complete(int32_t operation, int32_t slot, int32_t result, int32_t memory = -1, int32_t start = 0);
  void UpdateLoop();

  int32_t OpenSlot(Kind kind, int descriptor);
  void FreeSlot(int32_t slot);
  bool Watch(int32_t slot, uint32_t events);
  void Unwatch(int32_t slot, uint32_t events);

  void Recv(int32_t slot, uint32_t max);
  void Read(int32_t slot);
  void FinishConnect(int32_t slot);
  void WatchPeer(int32_t slot);
  void FinishWatch(int32_t slot);
  void Send(int32_t slot, const Piece* pieces, uint32_t count);
  void SendFile(int32_t slot, int descriptor, int64_t offset, size_t length);
  bool SendRefused(int32_t slot, int32_t operation);
  void Block(int32_t slot, int32_t operation, std::unique_ptr<BlockedSend> send);
  void SendBlocked(int32_t slot);
  void FinishSend(int32_t slot, int32_t operation, int32_t result);
  ssize_t WritePieces(int descriptor, const Piece* pieces, uint32_t count);
  ssize_t WriteFile(int descriptor, int file, int64_t offset, size_t length);
  void Shutdown(int32_t slot);
  void Cancel(int32_t slot, int32_t operation);
  void Accept(int32_t slot, double credits);
  void AcceptSome(int32_t slot);
  void CancelAccept(int32_t slot);
  void Starve(int32_t slot, int32_t reason);
  void EndStarving(Listener* listener);
  void RetryStarved();
  void CloseListener(int32_t slot);
  void Close(int32_t slot, int32_t operation);

  static uint64_t Tag(int32_t slot, uint32_t life) { return static_cast<uint64_t>(life) << 32 | static_cast<uint32_t>(slot); }

  napi_env env_;
  napi_async_context context_ = nullptr;
  napi_ref on_wakeup_ = nullptr;
  // Keeps the memory of the rings alive.
  napi_ref holder_ = nullptr;

  PortMemory shared_;
  Counters* counters_;
  Reactor reactor_;
  MemoryTable memory_;
  HandleTable handles_;
  // By slot.
  std::map<int32_t, Listener> listeners_;
  std::vector<int32_t> free_slots_;
  std::vector<Completion> completions_;
  size_t delivered_ = 0;
  int starved_ = 0;
  // Of the bytes that may be received in this look.
  int64_t bytes_left_ = 0;
  // Nothing can be received before JavaScript has run, also when it has nothing to be told.
  bool out_of_slabs_ = false;

  uv_poll_t poll_;
  // Active while something is to be done in the next turn whatever the descriptors say.
  uv_idle_t idle_;
  // While a listener is without descriptors.
  uv_timer_t retry_;
  int open_loop_handles_ = 0;
  bool referenced_ = true;
  bool stopping_ = false;
  void (*on_stopped_)(void*) = nullptr;
  void* on_stopped_argument_ = nullptr;
};

}  // namespace bufferevent
