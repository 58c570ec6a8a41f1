#include "detached-sockets.h"

#include <map>
#include <mutex>

namespace bufferevent {

namespace {

struct Detached {
  std::mutex mutex;
  std::map<SOCKET, std::shared_ptr<CompletionPort>> ports;
};

// Never destroyed: when a process ends, Windows ends the threads of the ports first, and nobody could wait for them.
Detached& All() {
  static auto* all = new Detached();
  return *all;
}

// Threads of a port may outlive every environment that has loaded the addon.
void StayLoaded() {
  HMODULE module;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCWSTR>(&StayLoaded), &module);
}

}  // namespace

void RememberDetached(SOCKET socket, std::shared_ptr<CompletionPort> port) {
  StayLoaded();
  Detached& all = All();
  std::lock_guard<std::mutex> lock(all.mutex);
  all.ports[socket] = std::move(port);
}

std::shared_ptr<CompletionPort> TakeDetached(SOCKET socket) {
  Detached& all = All();
  std::lock_guard<std::mutex> lock(all.mutex);
  const auto found = all.ports.find(socket);
  if (found == all.ports.end()) return nullptr;
  std::shared_ptr<CompletionPort> port = std::move(found->second);
  all.ports.erase(found);
  return port;
}

}  // namespace bufferevent
