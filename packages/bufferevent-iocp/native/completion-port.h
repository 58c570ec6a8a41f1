// A completion port with threads of its own that wait on it.
//
//     operation ──► system ──► port ──► waiting thread ──► queue of the packet ──► Take, on the thread that owns the queue
//                              ▲
//                              └── Post
//
// The owner of a packet keeps it in place from the moment that it is given to the system until the queue gives it back.
#pragma once

#include <winsock2.h>
#include <windows.h>

#include <atomic>
#include <memory>
#include <vector>

namespace bufferevent {

class PacketQueue;

// What an operation of the system is named by, and what says that it is over.
struct Packet : OVERLAPPED {
  PacketQueue* queue;
};

// Packets on their way from the waiting threads to the one thread that takes them.
class PacketQueue {
 public:
  // `announce` is called on a waiting thread when packets have come and none were there; it may not take them itself.
  PacketQueue(void (*announce)(void*), void* context) : announce_(announce), context_(context) {
    InitializeSRWLock(&lock_);
    InitializeConditionVariable(&taken_);
  }

  PacketQueue(const PacketQueue&) = delete;
  PacketQueue& operator=(const PacketQueue&) = delete;

  // On any thread. With `together`, returns when they have been taken, or after a moment: while they are being handled, more
  // come together in the completion port, and cost one call then in place of one each.
  void Push(const OVERLAPPED_ENTRY* packets, size_t count, bool together);

  // Appends what has come, in order. Returns how many times threads have brought something.
  uint32_t Take(std::vector<OVERLAPPED_ENTRY>* packets);

  // Returns when no thread has anything to do with the queue any more. All packets have been taken before.
  void WaitUntilLeft() const;

 private:
  void (*announce_)(void*);
  void* context_;
  SRWLOCK lock_;
  CONDITION_VARIABLE taken_;
  std::vector<OVERLAPPED_ENTRY> packets_;
  uint32_t pushes_ = 0;
  std::atomic<uint32_t> threads_inside_{0};
};

// Errors are Windows' own, 0 for none.
class CompletionPort {
 public:
  static constexpr uint32_t kMaxThreads = 64;

  // nullptr, and why, when the system refuses.
  static std::shared_ptr<CompletionPort> Open(uint32_t threads, DWORD* error);

  // Waits for the threads.
  ~CompletionPort();

  CompletionPort(const CompletionPort&) = delete;
  CompletionPort& operator=(const CompletionPort&) = delete;

  // Packets of a file or socket come here from now on, for ever.
  DWORD Associate(HANDLE file);

  // A packet that no operation has made: comes out like one, with these numbers.
  DWORD Post(Packet* packet, ULONG_PTR key, DWORD bytes);

  // Makes the threads return when they have delivered what is there, and waits for them. False when some have not returned in
  // time; then it can be asked for again.
  bool ShutDown(DWORD limitMs);

 private:
  CompletionPort() = default;

  static unsigned __stdcall Run(void* port);
  void Deliver(const OVERLAPPED_ENTRY* packets, ULONG count);

  HANDLE port_ = nullptr;
  std::vector<HANDLE> threads_;
  bool told_to_stop_ = false;
};

}  // namespace bufferevent
