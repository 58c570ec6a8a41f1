// Made of src/ring.ts by `pnpm --filter checks ring-header`; do not edit.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace bufferevent {

enum Verb : int32_t {
  kListen = 1,
  kAccept = 2,
  kConnect = 3,
  kRecv = 4,
  kSend = 5,
  kSendFile = 6,
  kShutdown = 7,
  kWatchPeer = 8,
  kClose = 9,
  kReset = 10,
  kDetach = 11,
  kCloseSilently = 12,
  kLowerRecvMax = 13,
  kCancel = 14,
};

enum CompletionWord : int32_t {
  kOperation = 0,
  kSlot = 1,
  kResult = 2,
  kMemory = 3,
  kStart = 4,
};

enum ControlWord : int32_t {
  kSubmissionWords = 0,
  kCompletionCount = 1,
  kInWakeup = 2,
  kReferenced = 3,
  kOpenSmallSlab = 4,
  kOpenLargeSlab = 5,
  kFreeSmallSlabs = 6,
  kFreeLargeSlabs = 7,
};

enum StreamOption : int32_t {
  kNoDelay = 1,
  kKeepAlive = 2,
  kRecvBufferSize = 3,
  kSendBufferSize = 4,
};

constexpr size_t kCompletionWords = 5;
constexpr uint32_t kSmallReadBytes = 2048;
constexpr uint32_t kSmallSlabBytes = 8192;
constexpr uint32_t kLargeSlabBytes = 65536;

}  // namespace bufferevent
