// Sockets that have been handed out and could not leave their completion port: Windows can do that since 8.1, Wine 8 cannot.
// Whoever adopts one of them in this process goes on with the port it belongs to, whose threads bring packets to any queue.
#pragma once

#include <winsock2.h>

#include <memory>

#include "completion-port.h"

namespace bufferevent {

// Both on any thread.
void RememberDetached(SOCKET socket, std::shared_ptr<CompletionPort> port);
// The port, which is forgotten; nullptr for any other socket.
std::shared_ptr<CompletionPort> TakeDetached(SOCKET socket);

}  // namespace bufferevent
