#include "port.h"

#include <algorithm>
#include <cstddef>

#include "detached-sockets.h"
#include "errors.h"

namespace bufferevent {

Port::Port(napi_env env, const PortMemory& memory)
    : RingPort(env, memory), queue_([](void* async) { uv_async_send(static_cast<uv_async_t*>(async)); }, &async_) {}

Port::~Port() { queue_.WaitUntilLeft(); }

int Port::Start(const Arguments& arguments) {
  uv_loop_t* loop;
  if (napi_get_uv_event_loop(env_, &loop) != napi_ok) return -kENOTSUP;
  DWORD error = StartWinsock();
  if (error == 0) completion_port_ = CompletionPort::Open(static_cast<uint32_t>(arguments.Int(6)), &error);
  if (error != 0) return ErrnoOf(error);
  uv_async_init(loop, &async_, [](uv_async_t* async) {
    auto* port = static_cast<Port*>(static_cast<RingPort*>(async->data));
    if (port->stopping_) port->DrainAndLeave();
    else port->Wakeup();
  });
  Join(loop, reinterpret_cast<uv_handle_t*>(&async_), arguments.values[4], arguments.values[5], "BUFFEREVENT_IOCP");
  return 0;
}

void Port::Stop(void (*done)(void*), void* argument) {
  on_stopped_ = done;
  on_stopped_argument_ = argument;
  if (stopping_) return;
  stopping_ = true;
  for (uint32_t index = 0; index < handles_.size(); index++) {
    Handle& handle = handles_[static_cast<int32_t>(index)];
    if (handle.socket == INVALID_SOCKET) continue;
    if (handle.requests > 0) CancelIoEx(reinterpret_cast<HANDLE>(handle.socket), nullptr);
    closesocket(handle.socket);
    handle.socket = INVALID_SOCKET;
  }
  // Whoever waits for the end runs the loop only while something keeps it alive.
  uv_ref(reinterpret_cast<uv_handle_t*>(&async_));
  DrainAndLeave();
}

// While stopping, packets are only counted.
void Port::DrainAndLeave() {
  if (uv_is_closing(reinterpret_cast<uv_handle_t*>(&async_))) return;
  queue_.Take(&packets_);
  for (; next_ < packets_.size(); next_++) {
    const auto* request = static_cast<Request*>(static_cast<Packet*>(packets_[next_].lpOverlapped));
    if (request->operation == kAccept) closesocket(static_cast<const AcceptRequest*>(request)->socket);
    requests_--;
  }
  if (requests_ == 0) Leave();
}

// Turns

int Port::HandleEvents() {
  // There may never be nothing left: a stream of which every read is full leaves a packet in each look. As half of them at most
  // move, it costs no more than handling them did.
  if (2 * next_ >= packets_.size()) {
    packets_.erase(packets_.begin(), packets_.begin() + static_cast<std::ptrdiff_t>(next_));
    next_ = 0;
  }
  counters_->waits += queue_.Take(&packets_);
  int handled = 0;
  for (; bytes_left_ > 0 && next_ < packets_.size(); handled++) {
    HandlePacket(static_cast<Request*>(static_cast<Packet*>(packets_[next_++].lpOverlapped)));
  }
  return handled;
}

void Port::HandlePacket(Request* request) {
  const int32_t slot = request->slot;
  Handle& handle = handles_[slot];
  requests_--;
  handle.requests--;
  switch (request->operation) {
    case kConnect:
      FinishConnect(slot);
      break;
    case kRecv:
      FinishWait(slot);
      break;
    case kAccept:
      FinishAccept(static_cast<AcceptRequest*>(request));
      break;
    default:
      FinishRequest(slot);
  }
  if (handle.closing != 0 && handle.requests == 0) FinishClose(slot);
}

void Port::Begin(Request* request, int32_t operation, int32_t slot) {
  static_cast<OVERLAPPED&>(*request) = OVERLAPPED();
  request->queue = &queue_;
  request->operation = operation;
  request->slot = slot;
  handles_[slot].requests++;
  requests_++;
}

void Port::Refused(Request* request) {
  handles_[request->slot].requests--;
  requests_--;
}

void Port::PutBack(Request* request) {
  handles_[request->slot].requests++;
  requests_++;
  packets_.push_back({0, request, 0, 0});
}

DWORD Port::ErrorOf(Request* request, DWORD* bytes) {
  DWORD flags;
  if (WSAGetOverlappedResult(handles_[request->slot].socket, request, bytes, FALSE, &flags)) return 0;
  *bytes = static_cast<DWORD>(request->InternalHigh);
  return LastError();
}

void Port::Fail(int32_t operation, int32_t slot, DWORD error) {
  Complete(operation, slot, ErrnoOf(error), -1, static_cast<int32_t>(error));
}

int32_t Port::OpenSlot(Kind kind, SOCKET socket) {
  const int32_t slot = handles_.Open();
  Handle& handle = handles_[slot];
  handle.kind = kind;
  handle.socket = socket;
  return slot;
}

// Endings

void Port::Cancel(int32_t slot, int32_t operation) {
  Handle& handle = handles_[slot];
  if (operation == kRecv && handle.recvMax > 0) {
    CancelRecv(slot);
  } else if (operation == kAccept && handle.kind == Kind::kListener) {
    CancelAccept(slot);
  } else if (operation == kConnect && handle.connecting) {
    counters_->controls++;
    CancelIoEx(reinterpret_cast<HANDLE>(handle.socket), &handle.wait);
  } else if (handle.sending && handle.sending->operation == operation) {
    counters_->controls++;
    CancelIoEx(reinterpret_cast<HANDLE>(handle.socket), handle.sending.get());
  }
}

void Port::Close(int32_t slot, int32_t operation) {
  Handle& handle = handles_[slot];
  Cancel(slot, kAccept);
  // One that the system has to cancel is cancelled with all else.
  if (handle.waitsForMessage) handle.recvCancelled = true;
  else Cancel(slot, kRecv);
  handle.closing = static_cast<uint8_t>(operation);
  if (handle.requests == 0) return FinishClose(slot);
  counters_->controls++;
  CancelIoEx(reinterpret_cast<HANDLE>(handle.socket), nullptr);
}

void Port::FinishClose(int32_t slot) {
  Handle& handle = handles_[slot];
  const int32_t operation = handle.closing;
  int32_t result = 0;
  if (handle.socket == INVALID_SOCKET) {
    if (operation == kDetach) result = -kEBADF;
  } else if (operation == kDetach) {
    result = static_cast<int32_t>(handle.socket);
    if (!LeaveCompletionPort(handle.socket)) {
      const auto foreign = foreign_ports_.find(slot);
      RememberDetached(handle.socket, foreign == foreign_ports_.end() ? completion_port_ : foreign->second);
    }
  } else {
    if (operation == kReset) SetSocketOption(handle.socket, SOL_SOCKET, SO_LINGER, linger{1, 0});
    closesocket(handle.socket);
  }
  handle.socket = INVALID_SOCKET;
  handle.closing = 0;
  foreign_ports_.erase(slot);
  if (handle.kind == Kind::kListener) {
    EndStarving(&listeners_[slot]);
    listeners_.erase(slot);
  }
  Complete(operation, slot, result);
}

}  // namespace bufferevent
