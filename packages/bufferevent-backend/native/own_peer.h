// A TCP socket that has connected to itself: nobody listens on the port, and it is the one that the system has picked for
// the socket. It would hear what it says, and keep the port from whoever wants to listen there; it counts as refused (C13).
#pragma once

#include <string.h>

#include "address.h"

namespace bufferevent {

// Of a socket that has just connected. One that has met itself leaves nothing behind when it is closed.
template <typename Socket>
bool HasMetItself(Socket socket) {
  SocketAddress local, peer;
  memset(&local.storage, 0, sizeof local.storage);
  memset(&peer.storage, 0, sizeof peer.storage);
  local.length = peer.length = sizeof local.storage;
  if (getsockname(socket, local.get(), &local.length) != 0) return false;
  if (local.family() != AF_INET && local.family() != AF_INET6) return false;
  if (getpeername(socket, peer.get(), &peer.length) != 0 || peer.length != local.length) return false;
  if (memcmp(&local.storage, &peer.storage, static_cast<size_t>(local.length)) != 0) return false;
  const linger none = {1, 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&none), sizeof none);
  return true;
}

}  // namespace bufferevent
