// What a port does for streams, sending apart: opening them, receiving, options, and the look-out for their peer.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>

#include "own_peer.h"
#include "port.h"
#include "system.h"

namespace bufferevent {

namespace {

int SocketError(int descriptor) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
  return error;
}

bool IsPath(int descriptor) {
  int domain = 0;
  socklen_t length = sizeof domain;
  return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

}  // namespace

int32_t Port::Connect(const SocketAddress& address, int parsed, const SocketAddress* local) {
  int descriptor = parsed;
  if (parsed == 0) {
    descriptor = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) descriptor = -errno;
  }
  const int32_t slot = OpenSlot(Kind::kStream, descriptor);
  Handle& handle = handles_[slot];
  int error = descriptor < 0 ? descriptor : 0;
  if (error == 0 && local != nullptr && bind(descriptor, local->get(), local->length) < 0) error = -errno;
  if (error == 0) error = static_cast<int>(Retrying([&] { return connect(descriptor, address.get(), address.length); }));
  if (error == 0 && HasMetItself(descriptor)) error = -ECONNREFUSED;
  if (error == -EINPROGRESS) {
    handle.connecting = true;
    error = Watch(slot, EPOLLOUT) ? 0 : -ENOMEM;
  }
  handle.peer = StoredAddress(address);
  if (error < 0) handle.connecting = false;
  if (!handle.connecting) Complete(kConnect, slot, error);
  UpdateLoop();
  return slot;
}

void Port::FinishConnect(int32_t slot) {
  Handle& handle = handles_[slot];
  int error = SocketError(handle.descriptor);
  if (error == 0 && HasMetItself(handle.descriptor)) error = ECONNREFUSED;
  handle.connecting = false;
  Complete(kConnect, slot, -error);
  if (error != 0) {
    Unwatch(slot, handle.watched);
    return;
  }
  // A connection wants to read next.
  handle.watched = EPOLLIN;
  reactor_.Watch(handle.descriptor, true, EPOLLIN, Tag(slot, handle.life));
}

int32_t Port::Adopt(int descriptor) {
  int type = 0, listening = 0;
  socklen_t length = sizeof type;
  if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) < 0) return -errno;
  if (type != SOCK_STREAM) return -EPROTOTYPE;
  length = sizeof listening;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening != 0) return -EINVAL;
  SocketAddress peer;
  peer.length = sizeof peer.storage;
  if (getpeername(descriptor, peer.get(), &peer.length) < 0) return -errno;
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
  const int32_t slot = OpenSlot(Kind::kStream, descriptor);
  handles_[slot].connected = handles_[slot].shared = true;
  handles_[slot].peer = StoredAddress(peer);
  return slot;
}

int32_t Port::ShareDescriptor(int32_t slot) {
  handles_[slot].shared = true;
  return handles_[slot].descriptor;
}

SocketAddress Port::LocalAddress(int32_t slot) const {
  SocketAddress local;
  local.length = sizeof local.storage;
  memset(&local.storage, 0, sizeof local.storage);
  if (getsockname(handles_[slot].descriptor, local.get(), &local.length) < 0) local.length = 0;
  return local;
}

int Port::SetOption(int32_t slot, int option, int value) {
  const Handle& handle = handles_[slot];
  if (!handle.connected) return -ENOTCONN;
  const int descriptor = handle.descriptor;
  switch (option) {
    case kRecvBufferSize:
      return SetFlag(descriptor, SOL_SOCKET, SO_RCVBUF, value);
    case kSendBufferSize:
      return SetFlag(descriptor, SOL_SOCKET, SO_SNDBUF, value);
    case kNoDelay:
      return IsPath(descriptor) ? -ENOTSUP : SetFlag(descriptor, IPPROTO_TCP, TCP_NODELAY, value);
  }
  if (IsPath(descriptor)) return -ENOTSUP;
  int error = SetFlag(descriptor, SOL_SOCKET, SO_KEEPALIVE, value >= 0);
  if (error == 0 && value >= 0) error = SetFlag(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, std::max(1, value / 1000));
  return error;
}

void Port::Recv(int32_t slot, uint32_t max) {
  if (RecvRefused(slot, kRecv)) return;
  Handle& handle = handles_[slot];
  handle.recvMax = max;
  if (Watch(slot, EPOLLIN)) return;
  handle.recvMax = 0;
  Complete(kRecv, slot, -ENOMEM);
}

void Port::LowerRecvMax(int32_t slot, uint32_t max) {
  Handle& handle = handles_[slot];
  handle.recvMax = std::min(handle.recvMax, max);
}

void Port::Read(int32_t slot) {
  Handle& handle = handles_[slot];
  const uint32_t wanted = handle.readSize.Wanted(handle.recvMax);
  uint32_t start, room;
  uint8_t* memory;
  const int32_t id = memory_.Room(wanted, handle.readSize.Least(wanted), &start, &room, &memory);
  if (id < 0) {
    // JavaScript brings new slabs, and the event comes again.
    RunOutOfSlabs();
    return;
  }
  const uint32_t asked = std::min(wanted, room);
  counters_->reads++;
  const ssize_t count = Retrying([&] { return Receive(handle.descriptor, memory, asked); });
  if (count == -EAGAIN) return;
  handle.recvMax = 0;
  if (count > 0) {
    memory_.Take(id, static_cast<size_t>(count));
    bytes_left_ -= count;
    handle.readSize.Learn(static_cast<uint32_t>(count), asked, wanted);
    Complete(kRecv, slot, static_cast<int32_t>(count), id, static_cast<int32_t>(start));
    return;
  }
  if (count == 0 && handle.brokenBy == 0) handle.ended = true;
  else handle.readFailure = count == 0 ? handle.brokenBy : static_cast<int>(count);
  Complete(kRecv, slot, handle.readFailure);
}

void Port::WatchPeer(int32_t slot) {
  if (RecvRefused(slot, kWatchPeer)) return;
  Handle& handle = handles_[slot];
  handle.watchingPeer = true;
  if (Watch(slot, EPOLLRDHUP)) return;
  handle.watchingPeer = false;
  Complete(kWatchPeer, slot, -ENOMEM);
}

void Port::FinishWatch(int32_t slot) {
  Handle& handle = handles_[slot];
  handle.watchingPeer = false;
  // Asking for the error takes it away from reading. A broken pipe is no matter of reading: the peer had ended before.
  const int error = SocketError(handle.descriptor);
  if (error != EPIPE) handle.NoteBroken(-error);
  Complete(kWatchPeer, slot, handle.readFailure != 0 ? handle.readFailure : handle.brokenBy);
}

}  // namespace bufferevent
