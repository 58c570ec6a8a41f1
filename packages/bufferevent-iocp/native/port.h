// One submission and completion queue, over one completion port.
//
// JavaScript can take its memory away whenever it runs, so the system never holds a pointer into it: receives are waited for
// with none, and made when there are bytes, or with a little of the port's own, where short messages come; sends are tried at
// once, and what the system does not take is copied before it waits. A cancelled receive that waits with none leaves its
// request for the next one to use.
#pragma once

#include "sockets.h"

#include <door.h>
#include <node_api.h>
#include <ring-port.h>
#include <stdint.h>
#include <uv.h>

#include <map>
#include <memory>
#include <vector>

#include "completion-port.h"
#include "handle.h"

namespace bufferevent {

class Port : public RingPort<Port, Handle> {
 public:
  Port(napi_env env, const PortMemory& memory);

  // Opens the completion port and joins the loop. 0 or a negated errno; after a failure only `Discard` may follow.
  int Start(const Arguments& arguments);
  // Closes every socket, waits for the packets that the system owes, lets go of the loop, then deletes the port. `done` runs
  // when that has happened, or is null.
  void Stop(void (*done)(void*), void* argument);

  void Discard() { delete this; }

  // Each opens a slot whose completion comes later, and returns it.
  int32_t Listen(const SocketAddress& address, int parsed, const ListenFlags& flags);
  int32_t Connect(const SocketAddress& address, int parsed, const SocketAddress* local);
  // A slot, or a negated errno; the socket is the caller's then.
  int32_t Adopt(int descriptor);

  // Stays the port's.
  int32_t ShareDescriptor(int32_t slot) const;
  // 0 or a negated errno.
  int SetOption(int32_t slot, int option, int value);
  SocketAddress LocalAddress(int32_t slot) const;
  SocketAddress PeerAddress(int32_t slot) const { return handles_[slot].peer.Get(); }

 private:
  friend class RingPort<Port, Handle>;

  ~Port();

  int HandleEvents();
  bool HasEvents() const { return next_ < packets_.size(); }
  void HandlePacket(Request* request);
  void DrainAndLeave();

  int32_t OpenSlot(Kind kind, SOCKET socket);
  // Says that a request is with the system, and takes it back where the system has refused it.
  void Begin(Request* request, int32_t operation, int32_t slot);
  void Refused(Request* request);
  // Has it dealt with once more, in the next look.
  void PutBack(Request* request);
  // The code of Windows that a request has come back with, 0 for success, and the bytes that it has moved in either case.
  DWORD ErrorOf(Request* request, DWORD* bytes);
  void Fail(int32_t operation, int32_t slot, DWORD error);

  DWORD BeginConnect(int32_t slot, const SocketAddress& address, const SocketAddress* local);
  void FinishConnect(int32_t slot);
  void Recv(int32_t slot, uint32_t max);
  void LowerRecvMax(int32_t slot, uint32_t max);
  // 0, or why the system does not let the recv of this slot wait.
  DWORD Wait(int32_t slot);
  void CancelRecv(int32_t slot);
  void CancelWait(int32_t slot);
  void FinishWait(int32_t slot);
  void FinishMessage(int32_t slot, uint32_t bytes, DWORD error);
  void Read(int32_t slot);
  // `count` bytes have come into slab `id`, where `asked` of the `wanted` had room.
  void Received(int32_t slot, uint32_t count, uint32_t asked, uint32_t wanted, int32_t id, uint32_t start);
  void EndRecv(int32_t slot);
  void FailRecv(int32_t slot, DWORD error);
  // Is not submitted: `supports.peerClose` is false.
  void WatchPeer(int32_t) {}

  void Send(int32_t slot, const Piece* pieces, uint32_t count);
  void SendFile(int32_t slot, int descriptor, int64_t offset, size_t length);
  DWORD SendCopy(int32_t slot, const WSABUF* buffers, DWORD count);
  void FinishRequest(int32_t slot);
  void FailSend(int32_t slot, int32_t operation, DWORD error);
  Outcome EndSending(int32_t slot);

  void Accept(int32_t slot, double credits);
  void PostAccepts(int32_t slot);
  DWORD PostAccept(int32_t slot, Listener* listener);
  void FinishAccept(AcceptRequest* request);
  void Accepted(int32_t slot, AcceptRequest* request);
  void CancelAccept(int32_t slot);
  void EndCancelledAccept(int32_t slot);
  void RetryStarved();

  void Cancel(int32_t slot, int32_t operation);
  void Close(int32_t slot, int32_t operation);
  void FinishClose(int32_t slot);

  std::shared_ptr<CompletionPort> completion_port_;
  PacketQueue queue_;
  // Taken and not handled yet, from `next_` on.
  std::vector<OVERLAPPED_ENTRY> packets_;
  size_t next_ = 0;
  // With the system, over all slots.
  size_t requests_ = 0;
  // By slot.
  std::map<int32_t, Listener> listeners_;
  // The completion ports of adopted sockets that could not leave theirs, by slot.
  std::map<int32_t, std::shared_ptr<CompletionPort>> foreign_ports_;
  uv_async_t async_;
};

}  // namespace bufferevent
