// What a port does for listeners: binding, accepting by credits with sockets that wait in the system, and going without
// sockets (C20).
#include <algorithm>

#include "errors.h"
#include "port.h"

namespace bufferevent {

namespace {

// Sockets that wait for a connection, at most; with fewer credits, so many.
constexpr double kMostAccepts = 32;
// Connections in a row that are gone when the system is to accept them; after so many a listener waits.
constexpr int kMostGone = 64;

// A connection that is gone before it was accepted is no failure of the listener.
bool IsOfConnection(DWORD error) {
  const int32_t number = ErrnoOf(error);
  return number == -kECONNRESET || number == -kETIMEDOUT || number == -kECANCELED;
}

// What a listener is said to be without until it goes on (C20), whatever it met.
int32_t ReasonToWait(DWORD error) {
  const int32_t number = ErrnoOf(error);
  return number == -kEMFILE || number == -kENFILE || number == -kENOMEM ? number : -kENOBUFS;
}

// 0 or an error of Windows.
DWORD BindAndListen(SOCKET socket, const SocketAddress& address, const ListenFlags& flags) {
  // Without it, anybody may bind the address once more, and take the connections.
  DWORD error = SetSocketOption(socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, BOOL{TRUE});
  if (error == 0 && address.family() == AF_INET6) error = SetSocketOption(socket, IPPROTO_IPV6, IPV6_V6ONLY, DWORD{flags.ipv6Only});
  if (error == 0 && bind(socket, address.get(), address.length) != 0) error = LastError();
  if (error == 0 && listen(socket, flags.backlog) != 0) error = LastError();
  return error;
}

}  // namespace

int32_t Port::Listen(const SocketAddress& address, int parsed, const ListenFlags& flags) {
  DWORD error = 0;
  SOCKET socket = parsed < 0 ? INVALID_SOCKET : OpenSocket(address.family(), &error);
  if (socket != INVALID_SOCKET) {
    error = BindAndListen(socket, address, flags);
    if (error == 0) error = completion_port_->Associate(reinterpret_cast<HANDLE>(socket));
    if (error != 0) {
      closesocket(socket);
      socket = INVALID_SOCKET;
    }
  }
  const int32_t slot = OpenSlot(Kind::kListener, socket);
  listeners_[slot].family = address.family();
  if (parsed < 0) Complete(kListen, slot, parsed);
  else Complete(kListen, slot, ErrnoOf(error), -1, static_cast<int32_t>(error));
  UpdateLoop();
  return slot;
}

void Port::Accept(int32_t slot, double credits) {
  if (handles_[slot].socket == INVALID_SOCKET) return Complete(kAccept, slot, -kECANCELED);
  listeners_[slot].credits = credits;
  PostAccepts(slot);
}

// Gives the system as many sockets as are to wait. When there are none to be had, those that wait go on.
void Port::PostAccepts(int32_t slot) {
  Listener& listener = listeners_[slot];
  int gone = 0;
  while (static_cast<double>(listener.accepts.size()) < std::min(listener.credits, kMostAccepts)) {
    const DWORD error = PostAccept(slot, &listener);
    if (error == 0 || (IsOfConnection(error) && ++gone < kMostGone)) continue;
    if (listener.accepts.empty()) Starve(slot, &listener, ReasonToWait(error), static_cast<int32_t>(error));
    return;
  }
  EndStarving(&listener);
}

DWORD Port::PostAccept(int32_t slot, Listener* listener) {
  DWORD error;
  auto request = std::make_unique<AcceptRequest>();
  request->socket = OpenSocket(listener->family, &error);
  if (error != 0) return error;
  Begin(request.get(), kAccept, slot);
  counters_->accepts++;
  DWORD bytes;
  const BOOL accepted = WinsockExtensions().acceptEx(handles_[slot].socket, request->socket, request->addresses, 0,
                                                     AcceptRequest::kAddressBytes, AcceptRequest::kAddressBytes, &bytes,
                                                     request.get());
  error = accepted ? 0 : LastError();
  if (error != 0 && error != WSA_IO_PENDING) {
    Refused(request.get());
    closesocket(request->socket);
    return error;
  }
  listener->accepts.push_back(std::move(request));
  return 0;
}

void Port::FinishAccept(AcceptRequest* request) {
  const int32_t slot = request->slot;
  Listener& listener = listeners_[slot];
  auto& accepts = listener.accepts;
  const auto found = std::find_if(accepts.begin(), accepts.end(), [=](const auto& one) { return one.get() == request; });
  const std::unique_ptr<AcceptRequest> owned = std::move(*found);
  *found = std::move(accepts.back());
  accepts.pop_back();
  DWORD bytes;
  const DWORD error = ErrorOf(request, &bytes);
  if (error == 0) Accepted(slot, request);
  else closesocket(request->socket);
  if (listener.cancelled) return EndCancelledAccept(slot);
  if (error == 0 || IsOfConnection(error)) return PostAccepts(slot);
  // Not at once again: what is wrong with the listener would go round and round.
  if (accepts.empty()) Starve(slot, &listener, ReasonToWait(error), static_cast<int32_t>(error));
}

void Port::Accepted(int32_t slot, AcceptRequest* request) {
  const SOCKET socket = request->socket;
  sockaddr* local;
  sockaddr* remote;
  int localLength, remoteLength;
  WinsockExtensions().getAcceptExSockaddrs(request->addresses, 0, AcceptRequest::kAddressBytes, AcceptRequest::kAddressBytes,
                                           &local, &localLength, &remote, &remoteLength);
  DWORD error = SetSocketOption(socket, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, handles_[slot].socket);
  if (error == 0) error = SetNonBlocking(socket);
  if (error == 0) error = completion_port_->Associate(reinterpret_cast<HANDLE>(socket));
  if (error != 0) {
    closesocket(socket);
    return;
  }
  SocketAddress peer;
  memset(&peer.storage, 0, sizeof peer.storage);
  peer.length = static_cast<socklen_t>(std::min<size_t>(static_cast<size_t>(remoteLength), sizeof peer.storage));
  memcpy(&peer.storage, remote, static_cast<size_t>(peer.length));
  const int32_t stream = OpenSlot(Kind::kStream, socket);
  handles_[stream].connected = true;
  handles_[stream].peer = StoredAddress(peer);
  listeners_[slot].credits--;
  Complete(kAccept, slot, stream);
}

// Connections that come while the cancellation is on its way are accepted; the rest of the credits ends after them.
void Port::CancelAccept(int32_t slot) {
  Listener& listener = listeners_[slot];
  if (listener.credits <= 0 || listener.cancelled) return;
  listener.cancelled = true;
  for (const auto& request : listener.accepts) {
    counters_->controls++;
    CancelIoEx(reinterpret_cast<HANDLE>(handles_[slot].socket), request.get());
  }
  EndCancelledAccept(slot);
}

void Port::EndCancelledAccept(int32_t slot) {
  Listener& listener = listeners_[slot];
  if (!listener.accepts.empty()) return;
  listener.cancelled = false;
  EndStarving(&listener);
  if (listener.credits <= 0) return;
  listener.credits = 0;
  Complete(kAccept, slot, -kECANCELED);
}

void Port::RetryStarved() {
  for (auto& [slot, listener] : listeners_) {
    // What is given to the system after the cancellation, nobody would cancel.
    if (listener.starved && listener.credits > 0 && !listener.cancelled) PostAccepts(slot);
  }
}

}  // namespace bufferevent
