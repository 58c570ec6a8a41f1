// One submission and completion queue, over one epoll descriptor that the loop of libuv watches. Sends are tried as soon as
// they are submitted, reads when their descriptor says that there is something.
#pragma once

#include <door.h>
#include <node_api.h>
#include <ring-port.h>
#include <stdint.h>
#include <uv.h>

#include <map>
#include <memory>

#include "handle.h"
#include "reactor.h"

namespace bufferevent {

class Port : public RingPort<Port, Handle> {
 public:
  Port(napi_env env, const PortMemory& memory);

  // Opens the reactor and joins the loop. 0 or a negated errno; after a failure only `Discard` may follow.
  int Start(const Arguments& arguments);
  // Lets go of the loop and of every descriptor, then deletes the port. `done` runs when that has happened, or is null.
  void Stop(void (*done)(void*), void* argument);

  void Discard() { delete this; }

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

 private:
  friend class RingPort<Port, Handle>;

  ~Port() = default;

  int HandleEvents();
  void HandleEvent(int32_t slot, uint32_t events);
  void UpdateLoop();

  int32_t OpenSlot(Kind kind, int descriptor);
  bool Watch(int32_t slot, uint32_t events);
  void Unwatch(int32_t slot, uint32_t events);

  void Recv(int32_t slot, uint32_t max);
  void LowerRecvMax(int32_t slot, uint32_t max);
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

  Reactor reactor_;
  // By slot.
  std::map<int32_t, Listener> listeners_;
  int starved_ = 0;

  uv_poll_t poll_;
  // Active while something is to be done in the next turn whatever the descriptors say.
  uv_idle_t idle_;
  // While a listener is without descriptors.
  uv_timer_t retry_;
  int open_loop_handles_ = 0;
  bool referenced_ = true;
  void (*on_stopped_)(void*) = nullptr;
  void* on_stopped_argument_ = nullptr;
};

}  // namespace bufferevent
