#include "completion-port.h"

#include <process.h>

namespace bufferevent {

namespace {

// Packets that one call of a waiting thread can bring.
constexpr ULONG kBatch = 128;
// For how long a waiting thread leaves its port alone at most, when nobody takes what it has brought: others may depend on it.
constexpr DWORD kMostTakingMs = 2;

}  // namespace

void PacketQueue::Push(const OVERLAPPED_ENTRY* packets, size_t count, bool together) {
  threads_inside_.fetch_add(1);
  AcquireSRWLockExclusive(&lock_);
  const bool first = packets_.empty();
  packets_.insert(packets_.end(), packets, packets + count);
  pushes_++;
  if (first) announce_(context_);
  if (together) SleepConditionVariableSRW(&taken_, &lock_, kMostTakingMs, 0);
  ReleaseSRWLockExclusive(&lock_);
  threads_inside_.fetch_sub(1);
}

uint32_t PacketQueue::Take(std::vector<OVERLAPPED_ENTRY>* packets) {
  AcquireSRWLockExclusive(&lock_);
  if (packets->empty()) packets->swap(packets_);
  else packets->insert(packets->end(), packets_.begin(), packets_.end());
  packets_.clear();
  const uint32_t pushes = pushes_;
  pushes_ = 0;
  ReleaseSRWLockExclusive(&lock_);
  if (pushes > 0) WakeAllConditionVariable(&taken_);
  return pushes;
}

void PacketQueue::WaitUntilLeft() const {
  while (threads_inside_.load() > 0) SwitchToThread();
}

std::shared_ptr<CompletionPort> CompletionPort::Open(uint32_t threads, DWORD* error) {
  std::shared_ptr<CompletionPort> opened(new CompletionPort());
  opened->port_ = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, threads);
  if (opened->port_ == nullptr) {
    *error = GetLastError();
    return nullptr;
  }
  for (uint32_t count = 0; count < threads; count++) {
    const uintptr_t thread = _beginthreadex(nullptr, 0, Run, opened.get(), 0, nullptr);
    if (thread == 0) {
      *error = ERROR_NOT_ENOUGH_MEMORY;
      return nullptr;
    }
    opened->threads_.push_back(reinterpret_cast<HANDLE>(thread));
  }
  return opened;
}

CompletionPort::~CompletionPort() {
  ShutDown(INFINITE);
  if (port_ != nullptr) CloseHandle(port_);
}

DWORD CompletionPort::Associate(HANDLE file) {
  return CreateIoCompletionPort(file, port_, 0, 0) == nullptr ? GetLastError() : 0;
}

DWORD CompletionPort::Post(Packet* packet, ULONG_PTR key, DWORD bytes) {
  return PostQueuedCompletionStatus(port_, bytes, key, packet) ? 0 : GetLastError();
}

bool CompletionPort::ShutDown(DWORD limitMs) {
  // A packet of nobody is the word to return; each thread takes one.
  if (!told_to_stop_) {
    for (size_t index = 0; index < threads_.size(); index++) PostQueuedCompletionStatus(port_, 0, 0, nullptr);
  }
  told_to_stop_ = true;
  if (threads_.empty()) return true;
  const DWORD waited = WaitForMultipleObjects(static_cast<DWORD>(threads_.size()), threads_.data(), TRUE, limitMs);
  if (waited == WAIT_TIMEOUT || waited == WAIT_FAILED) return false;
  for (HANDLE thread : threads_) CloseHandle(thread);
  threads_.clear();
  return true;
}

unsigned __stdcall CompletionPort::Run(void* self) {
  auto* port = static_cast<CompletionPort*>(self);
  for (;;) {
    OVERLAPPED_ENTRY packets[kBatch];
    ULONG count = 0;
    if (!GetQueuedCompletionStatusEx(port->port_, packets, kBatch, &count, INFINITE, FALSE)) return 1;
    ULONG kept = 0;
    for (ULONG index = 0; index < count; index++) {
      if (packets[index].lpOverlapped != nullptr) packets[kept++] = packets[index];
    }
    port->Deliver(packets, kept);
    if (kept == count) continue;
    // The words for other threads go back.
    for (ULONG other = kept + 1; other < count; other++) PostQueuedCompletionStatus(port->port_, 0, 0, nullptr);
    return 0;
  }
}

// What stands side by side for one queue is pushed at once: nearly always all of it, and then the queue may be waited for.
void CompletionPort::Deliver(const OVERLAPPED_ENTRY* packets, ULONG count) {
  for (ULONG start = 0; start < count;) {
    PacketQueue* queue = static_cast<Packet*>(packets[start].lpOverlapped)->queue;
    ULONG end = start + 1;
    while (end < count && static_cast<Packet*>(packets[end].lpOverlapped)->queue == queue) end++;
    queue->Push(packets + start, end - start, end - start == count);
    start = end;
  }
}

}  // namespace bufferevent
