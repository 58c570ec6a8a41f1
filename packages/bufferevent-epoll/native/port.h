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
  bool HasEvents() const { return reactor_.HasEvents(); }
  void HandleEvent(int32_t slot, uint32_t events);

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
  void Block(int32_t slot, int32_t operation, std::unique_ptr<BlockedSend> send);
  void SendBlocked(int32_t slot);
  ssize_t WritePieces(int descriptor, const Piece* pieces, uint32_t count);
  ssize_t WriteFile(int descriptor, int file, int64_t offset, size_t length);
  void FinishWrite(int32_t slot, int32_t operation, ssize_t sent);
  Outcome EndSending(int32_t slot);
  void Cancel(int32_t slot, int32_t operation);
  void Accept(int32_t slot, double credits);
  void AcceptSome(int32_t slot);
  void PauseAccepting(int32_t slot, int32_t reason, int32_t code = 0);
  void CancelAccept(int32_t slot);
  void RetryStarved();
  void CloseListener(int32_t slot);
  void Close(int32_t slot, int32_t operation);

  static uint64_t Tag(int32_t slot, uint32_t life) { return static_cast<uint64_t>(life) << 32 | static_cast<uint32_t>(slot); }

  Reactor reactor_;
  // By slot.
  std::map<int32_t, Listener> listeners_;
  uv_poll_t poll_;
};

}  // namespace bufferevent
