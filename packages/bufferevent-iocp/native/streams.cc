// What a port does for streams, sending apart: opening them, receiving, and options.
#include <algorithm>

#include "detached-sockets.h"
#include "errors.h"
#include "own_peer.h"
#include "port.h"

namespace bufferevent {

namespace {

// On streams on which messages of at most so many bytes come and go, a wait has room for one: each then costs one receive in
// place of two. What fills the room is longer.
constexpr uint32_t kMessageBytes = 448;
constexpr uint32_t kRoomBytes = 512;
// A stream that is to take less is being held back, by a mark or a rate: what the system has been given room for could no longer
// be lowered.
constexpr uint32_t kMessageLeastMax = 64 * 1024;

bool IsUnspecified(const SocketAddress& address) {
  if (address.family() == AF_INET) return reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr.s_addr == INADDR_ANY;
  return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr);
}

// Other systems take the address of all interfaces for this machine.
SocketAddress Reachable(const SocketAddress& address) {
  SocketAddress reachable = address;
  if (!IsUnspecified(address)) return reachable;
  if (address.family() == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&reachable.storage)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    reinterpret_cast<sockaddr_in6*>(&reachable.storage)->sin6_addr = in6addr_loopback;
  }
  return reachable;
}

SocketAddress AnyAddress(int family) {
  SocketAddress any;
  memset(&any.storage, 0, sizeof any.storage);
  any.storage.ss_family = static_cast<ADDRESS_FAMILY>(family);
  any.length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  return any;
}

}  // namespace

int32_t Port::Connect(const SocketAddress& address, int parsed, const SocketAddress* local) {
  DWORD error = 0;
  const SOCKET socket = parsed < 0 ? INVALID_SOCKET : OpenSocket(address.family(), &error);
  const int32_t slot = OpenSlot(Kind::kStream, socket);
  handles_[slot].peer = StoredAddress(address);
  if (parsed < 0) {
    Complete(kConnect, slot, parsed);
  } else {
    if (error == 0) error = BeginConnect(slot, address, local);
    if (error != 0) Fail(kConnect, slot, error);
  }
  UpdateLoop();
  return slot;
}

DWORD Port::BeginConnect(int32_t slot, const SocketAddress& address, const SocketAddress* local) {
  Handle& handle = handles_[slot];
  const SocketAddress to = Reachable(address);
  // Other systems connect to IPv4 addresses that are mapped into IPv6; Windows does where the socket is for both.
  DWORD error = to.family() == AF_INET6 ? SetSocketOption(handle.socket, IPPROTO_IPV6, IPV6_V6ONLY, DWORD{FALSE}) : 0;
  if (error != 0) return error;
  // ConnectEx wants a socket that is bound.
  const SocketAddress from = local != nullptr ? *local : AnyAddress(to.family());
  if (bind(handle.socket, from.get(), from.length) != 0) return LastError();
  error = SetNonBlocking(handle.socket);
  if (error == 0) error = completion_port_->Associate(reinterpret_cast<HANDLE>(handle.socket));
  if (error != 0) return error;
  Begin(&handle.wait, kConnect, slot);
  counters_->controls++;
  if (!WinsockExtensions().connectEx(handle.socket, to.get(), to.length, nullptr, 0, nullptr, &handle.wait)) {
    error = LastError();
    if (error != WSA_IO_PENDING) {
      Refused(&handle.wait);
      return error;
    }
  }
  handle.connecting = true;
  return 0;
}

void Port::FinishConnect(int32_t slot) {
  Handle& handle = handles_[slot];
  DWORD bytes;
  DWORD error = ErrorOf(&handle.wait, &bytes);
  handle.connecting = false;
  if (error == 0 && setsockopt(handle.socket, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0) != 0) error = LastError();
  if (error == 0 && HasMetItself(handle.socket)) error = WSAECONNREFUSED;
  if (error == 0) Complete(kConnect, slot, 0);
  else Fail(kConnect, slot, error);
}

int32_t Port::Adopt(int descriptor) {
  const auto socket = static_cast<SOCKET>(descriptor);
  int type = 0, length = sizeof type;
  if (getsockopt(socket, SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &length) != 0) return ErrnoOf(LastError());
  if (type != SOCK_STREAM) return -kEPROTOTYPE;
  DWORD listening = 0;
  length = sizeof listening;
  const int failed = getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, reinterpret_cast<char*>(&listening), &length);
  if (failed == 0 && listening != 0) return -kEINVAL;
  SocketAddress peer;
  peer.length = sizeof peer.storage;
  if (getpeername(socket, peer.get(), &peer.length) != 0) return ErrnoOf(LastError());
  DWORD error = SetNonBlocking(socket);
  if (error != 0) return ErrnoOf(error);
  std::shared_ptr<CompletionPort> foreign = TakeDetached(socket);
  error = completion_port_->Associate(reinterpret_cast<HANDLE>(socket));
  // Packets of a socket that belongs to a port of somebody else would go there.
  if (error != 0 && foreign == nullptr) return error == ERROR_INVALID_PARAMETER ? -kEBUSY : ErrnoOf(error);
  const int32_t slot = OpenSlot(Kind::kStream, socket);
  if (error != 0) foreign_ports_[slot] = std::move(foreign);
  handles_[slot].connected = true;
  handles_[slot].peer = StoredAddress(peer);
  return slot;
}

int32_t Port::ShareDescriptor(int32_t slot) const {
  const SOCKET socket = handles_[slot].socket;
  return socket == INVALID_SOCKET ? -1 : static_cast<int32_t>(socket);
}

SocketAddress Port::LocalAddress(int32_t slot) const {
  SocketAddress local;
  local.length = sizeof local.storage;
  memset(&local.storage, 0, sizeof local.storage);
  if (getsockname(handles_[slot].socket, local.get(), &local.length) != 0) local.length = 0;
  return local;
}

int Port::SetOption(int32_t slot, int option, int value) {
  const Handle& handle = handles_[slot];
  if (!handle.connected) return -kENOTCONN;
  switch (option) {
    case kRecvBufferSize:
      return ErrnoOf(SetSocketOption(handle.socket, SOL_SOCKET, SO_RCVBUF, value));
    case kSendBufferSize:
      return ErrnoOf(SetSocketOption(handle.socket, SOL_SOCKET, SO_SNDBUF, value));
    case kNoDelay:
      return ErrnoOf(SetSocketOption(handle.socket, IPPROTO_TCP, TCP_NODELAY, value));
  }
  const bool on = value >= 0;
  // Windows' own time between two probes, and the least that other systems wait before the first: 0 would be a probe each
  // millisecond.
  tcp_keepalive probes{on, static_cast<ULONG>(on ? std::max(1000, value) : 1000), 1000};
  DWORD bytes;
  if (WSAIoctl(handle.socket, SIO_KEEPALIVE_VALS, &probes, sizeof probes, nullptr, 0, &bytes, nullptr, nullptr) == 0) return 0;
  return ErrnoOf(LastError());
}

void Port::Recv(int32_t slot, uint32_t max) {
  if (RecvRefused(slot, kRecv)) return;
  Handle& handle = handles_[slot];
  handle.recvMax = max;
  if (handle.waiting) return;
  Begin(&handle.wait, kRecv, slot);
  handle.waiting = true;
  if (handle.mayHaveMore) {
    // As though the system had said at once that there is something: it nearly always would.
    packets_.push_back({0, &handle.wait, 0, 0});
    return;
  }
  handle.waitsForMessage = max >= kMessageLeastMax && handle.readSize.IsWithin(kMessageBytes);
  DWORD error = Wait(slot);
  if (error == WSAENOBUFS && handle.waitsForMessage) {
    // There is a limit to memory that the system may be lent; to waits with none there is none.
    handle.waitsForMessage = false;
    error = Wait(slot);
  }
  if (error == 0) return;
  Refused(&handle.wait);
  handle.waiting = false;
  handle.waitsForMessage = false;
  FailRecv(slot, error);
}

DWORD Port::Wait(int32_t slot) {
  Handle& handle = handles_[slot];
  WSABUF room{0, nullptr};
  DWORD flags = 0;
  if (handle.waitsForMessage) {
    if (handle.message == nullptr) handle.message.reset(new uint8_t[kRoomBytes]);
    room = {kRoomBytes, reinterpret_cast<char*>(handle.message.get())};
    // Or Windows might hold back what does not fill the room, where the peer does not push it.
    flags = MSG_PUSH_IMMEDIATE;
  } else {
    handle.message.reset();
  }
  counters_->reads++;
  if (WSARecv(handle.socket, &room, 1, nullptr, &flags, &handle.wait, nullptr) == 0) return 0;
  const DWORD error = LastError();
  return error == WSA_IO_PENDING ? 0 : error;
}

void Port::LowerRecvMax(int32_t slot, uint32_t max) {
  Handle& handle = handles_[slot];
  if (max >= handle.recvMax) return;
  handle.recvMax = max;
  // What has not come yet waits anew, with no room.
  if (handle.waitsForMessage && max < kRoomBytes) CancelWait(slot);
}

void Port::CancelRecv(int32_t slot) {
  Handle& handle = handles_[slot];
  if (handle.waitsForMessage) {
    handle.recvCancelled = true;
    return CancelWait(slot);
  }
  handle.recvMax = 0;
  Complete(kRecv, slot, -kECANCELED);
}

void Port::CancelWait(int32_t slot) {
  counters_->controls++;
  CancelIoEx(reinterpret_cast<HANDLE>(handles_[slot].socket), &handles_[slot].wait);
}

void Port::FinishWait(int32_t slot) {
  Handle& handle = handles_[slot];
  handle.waiting = false;
  if (handle.recvMax == 0) return;
  DWORD bytes = 0;
  const DWORD error = handle.mayHaveMore ? 0 : ErrorOf(&handle.wait, &bytes);
  if (handle.waitsForMessage) FinishMessage(slot, bytes, error);
  else if (error == 0) Read(slot);
  else FailRecv(slot, error);
}

void Port::FinishMessage(int32_t slot, uint32_t bytes, DWORD error) {
  Handle& handle = handles_[slot];
  uint32_t start = 0;
  int32_t id = -1;
  if (bytes > 0) {
    uint32_t room;
    uint8_t* memory;
    id = memory_.Room(bytes, bytes, &start, &room, &memory);
    if (id < 0) {
      RunOutOfSlabs();
      handle.waiting = true;
      return PutBack(&handle.wait);
    }
    memcpy(memory, handle.message.get(), bytes);
  }
  const bool cancelled = handle.recvCancelled;
  handle.waitsForMessage = false;
  handle.recvCancelled = false;
  if (bytes > 0) {
    handle.mayHaveMore = bytes == kRoomBytes;
    return Received(slot, bytes, kRoomBytes, handle.readSize.Wanted(handle.recvMax), id, start);
  }
  if (error == 0) return EndRecv(slot);
  if (ErrnoOf(error) != -kECANCELED) return FailRecv(slot, error);
  if (!cancelled) return Recv(slot, handle.recvMax);
  handle.recvMax = 0;
  Complete(kRecv, slot, -kECANCELED);
}

void Port::Read(int32_t slot) {
  Handle& handle = handles_[slot];
  const uint32_t max = handle.recvMax;
  const uint32_t wanted = handle.readSize.Wanted(max);
  uint32_t start, room;
  uint8_t* memory;
  const int32_t id = memory_.Room(wanted, handle.readSize.Least(wanted), &start, &room, &memory);
  if (id < 0) {
    // JavaScript brings new slabs; then this is tried again.
    RunOutOfSlabs();
    handle.mayHaveMore = true;
    return Recv(slot, max);
  }
  const uint32_t asked = std::min(wanted, room);
  WSABUF buffer{asked, reinterpret_cast<char*>(memory)};
  DWORD count = 0, flags = 0;
  counters_->reads++;
  const bool failed = WSARecv(handle.socket, &buffer, 1, &count, &flags, nullptr, nullptr) != 0;
  const DWORD error = failed ? LastError() : 0;
  handle.mayHaveMore = error == 0 && count == asked;
  if (error == WSAEWOULDBLOCK) return Recv(slot, max);
  if (error != 0) return FailRecv(slot, error);
  if (count == 0) return EndRecv(slot);
  Received(slot, count, asked, wanted, id, start);
}

void Port::Received(int32_t slot, uint32_t count, uint32_t asked, uint32_t wanted, int32_t id, uint32_t start) {
  Handle& handle = handles_[slot];
  handle.recvMax = 0;
  memory_.Take(id, count);
  bytes_left_ -= count;
  handle.readSize.Learn(count, asked, wanted);
  Complete(kRecv, slot, static_cast<int32_t>(count), id, static_cast<int32_t>(start));
}

void Port::EndRecv(int32_t slot) {
  Handle& handle = handles_[slot];
  // Wine makes an end of a reset that comes while nobody reads.
  if (!handle.writeEnded && !HasPeer(handle.socket)) return FailRecv(slot, WSAECONNRESET);
  handle.mayHaveMore = false;
  handle.ended = true;
  handle.recvMax = 0;
  Complete(kRecv, slot, 0);
}

void Port::FailRecv(int32_t slot, DWORD error) {
  Handle& handle = handles_[slot];
  handle.recvMax = 0;
  handle.readFailure = static_cast<int16_t>(ErrnoOf(error));
  Fail(kRecv, slot, error);
}

}  // namespace bufferevent
