#include "test-door.h"

#include "sockets.h"

#include <door.h>

#include <deque>
#include <memory>
#include <vector>

#include "completion-port.h"

namespace bufferevent {

namespace {

// One of the queues of a run.
struct Receiver {
  DWORD announceMs = 0;
  Packet packet{};
  PacketQueue queue{Announce, this};

  static void Announce(void* self) { Sleep(static_cast<Receiver*>(self)->announceMs); }
};

// What the next calls of AcceptEx come to, and the one of the system.
std::deque<DWORD> accept_errors;
LPFN_ACCEPTEX accept_ex = nullptr;

BOOL PASCAL AcceptUnlessRefused(SOCKET listener, SOCKET socket, PVOID addresses, DWORD bytes, DWORD local, DWORD remote,
                                LPDWORD received, LPOVERLAPPED request) {
  DWORD error = 0;
  if (!accept_errors.empty()) {
    error = accept_errors.front();
    accept_errors.pop_front();
  }
  if (error == 0) return accept_ex(listener, socket, addresses, bytes, local, remote, received, request);
  WSASetLastError(static_cast<int>(error));
  return FALSE;
}

// refuseAccepts(errors): the next calls of AcceptEx fail with these at once, or do not where it is 0.
napi_value RefuseAccepts(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  size_t count;
  const auto* errors = arguments.Words<int32_t>(0, &count);
  StartWinsock();
  if (accept_ex == nullptr) accept_ex = ReplaceAcceptEx(AcceptUnlessRefused);
  accept_errors.assign(errors, errors + count);
  return nullptr;
}

// openHandles() → number
napi_value OpenHandles(napi_env env, napi_callback_info) {
  DWORD count = 0;
  GetProcessHandleCount(GetCurrentProcess(), &count);
  return Number(env, static_cast<int32_t>(count));
}

// runPort(threads, receivers, posts, received, announceMs, limitMs) → what has been received, or -1 when the port did not shut
// down in time. `posts` and `received` hold {receiver, key, bytes} for each packet. Announcing takes a thread `announceMs`.
napi_value RunPort(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  size_t words;
  const auto* posts = arguments.Words<int32_t>(2, &words);
  auto* received = arguments.Words<int32_t>(3);
  const size_t wanted = words / 3;
  const auto limitMs = static_cast<DWORD>(arguments.Int(5));
  std::vector<std::unique_ptr<Receiver>> receivers;
  for (int32_t index = 0; index < arguments.Int(1); index++) {
    receivers.push_back(std::make_unique<Receiver>());
    receivers.back()->announceMs = static_cast<DWORD>(arguments.Int(4));
    receivers.back()->packet.queue = &receivers.back()->queue;
  }
  DWORD error;
  const auto port = CompletionPort::Open(static_cast<uint32_t>(arguments.Int(0)), &error);
  if (port == nullptr) return Number(env, -1);
  for (size_t index = 0; index < wanted; index++) {
    const int32_t* post = posts + 3 * index;
    port->Post(&receivers[static_cast<size_t>(post[0])]->packet, static_cast<ULONG_PTR>(post[1]), static_cast<DWORD>(post[2]));
  }
  const bool inTime = port->ShutDown(limitMs);
  port->ShutDown(INFINITE);
  int32_t count = 0;
  for (size_t index = 0; index < receivers.size(); index++) {
    std::vector<OVERLAPPED_ENTRY> packets;
    receivers[index]->queue.Take(&packets);
    for (const OVERLAPPED_ENTRY& packet : packets) {
      received[3 * count] = static_cast<int32_t>(index);
      received[3 * count + 1] = static_cast<int32_t>(packet.lpCompletionKey);
      received[3 * count + 2] = static_cast<int32_t>(packet.dwNumberOfBytesTransferred);
      count++;
    }
  }
  return Number(env, inTime ? count : -1);
}

}  // namespace

void ExportTestDoor(napi_env env, napi_value exports) {
  const NamedFunction functions[] = {{"openHandles", OpenHandles}, {"refuseAccepts", RefuseAccepts}, {"runPort", RunPort}};
  Export(env, exports, functions);
}

}  // namespace bufferevent
