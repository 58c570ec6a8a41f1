// Made of src/ring.ts and src/errno.ts by `pnpm --filter checks ring-header`; do not edit.
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

enum Errno : int32_t {
  kEPERM = 1,
  kENOENT = 2,
  kEINTR = 4,
  kEIO = 5,
  kEBADF = 9,
  kEAGAIN = 11,
  kENOMEM = 12,
  kEACCES = 13,
  kEFAULT = 14,
  kEBUSY = 16,
  kEEXIST = 17,
  kENOTDIR = 20,
  kEISDIR = 21,
  kEINVAL = 22,
  kENFILE = 23,
  kEMFILE = 24,
  kENOSPC = 28,
  kEROFS = 30,
  kEPIPE = 32,
  kENAMETOOLONG = 36,
  kELOOP = 40,
  kEPROTO = 71,
  kENOTSOCK = 88,
  kEMSGSIZE = 90,
  kEPROTOTYPE = 91,
  kENOPROTOOPT = 92,
  kEPROTONOSUPPORT = 93,
  kENOTSUP = 95,
  kEAFNOSUPPORT = 97,
  kEADDRINUSE = 98,
  kEADDRNOTAVAIL = 99,
  kENETDOWN = 100,
  kENETUNREACH = 101,
  kECONNABORTED = 103,
  kECONNRESET = 104,
  kENOBUFS = 105,
  kEISCONN = 106,
  kENOTCONN = 107,
  kESHUTDOWN = 108,
  kETIMEDOUT = 110,
  kECONNREFUSED = 111,
  kEHOSTDOWN = 112,
  kEHOSTUNREACH = 113,
  kEALREADY = 114,
  kECANCELED = 125,
};

constexpr size_t kPieceWords = 4;
constexpr size_t kCompletionWords = 5;
constexpr uint32_t kSmallReadBytes = 2048;
constexpr uint32_t kSmallSlabBytes = 8192;
constexpr uint32_t kLargeSlabBytes = 65536;

}  // namespace bufferevent
