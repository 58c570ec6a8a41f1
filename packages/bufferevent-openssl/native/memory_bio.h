// What OpenSSL takes for the network: memory that the caller lends for one call, so that bytes are copied once. What has no
// room in the lent output waits in memory of its own, which is freed when it is empty: an idle connection has none.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "openssl.h"

namespace bufferevent {

using OwnedBioMethod = Owned<BIO_METHOD, BIO_meth_free>;

class Wire {
 public:
  // For the wires of an environment: one of the process would stay behind when the addon is unloaded with its last thread.
  // nullptr without memory.
  static OwnedBioMethod NewMethod();

  // `method` has to outlive the BIOs.
  explicit Wire(const BIO_METHOD* method) : method_(method) {}
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // A BIO over this wire, which has to outlive it. nullptr without memory.
  BIO* NewBio();

  // Until `EndLoan`, which has to come before anybody else can touch the memory. Output goes behind what waits, so none is
  // taken while something does.
  void Lend(const uint8_t* input, size_t inputBytes, uint8_t* output, size_t outputBytes);
  void EndLoan();
  size_t consumed() const { return static_cast<size_t>(input_ - inputStart_); }
  size_t unread() const { return static_cast<size_t>(inputEnd_ - input_); }
  size_t produced() const { return static_cast<size_t>(output_ - outputStart_); }

  size_t waiting() const { return waitingEnd_ - waitingStart_; }
  // Moves at most `room` of the waiting bytes.
  size_t TakeWaiting(uint8_t* into, size_t room);

  // What is read from now on is kept, to be read once more by another SSL after `Rewind`. Reading fails where that would be
  // more than a ClientHello needs.
  void Record();
  void Rewind();
  void ForgetRecord();

  // What is written from now on is dropped. What has been written stays.
  void EndOutput() { outputEnded_ = true; }

  // Nothing waits, nothing is recorded, and what is written counts again.
  void Reset();

 private:
  static int OnRead(BIO* bio, char* into, int bytes);
  static int OnWrite(BIO* bio, const char* from, int bytes);
  static long OnControl(BIO* bio, int command, long number, void* pointer);
  static int OnCreate(BIO* bio);
  static Wire* Of(BIO* bio);

  size_t Read(uint8_t* into, size_t bytes);
  bool Write(const uint8_t* from, size_t bytes);
  bool Reserve(size_t bytes);

  const BIO_METHOD* method_;

  const uint8_t* inputStart_ = nullptr;
  const uint8_t* input_ = nullptr;
  const uint8_t* inputEnd_ = nullptr;
  uint8_t* outputStart_ = nullptr;
  uint8_t* output_ = nullptr;
  uint8_t* outputEnd_ = nullptr;

  uint8_t* waiting_ = nullptr;
  size_t waitingStart_ = 0;
  size_t waitingEnd_ = 0;
  size_t waitingRoom_ = 0;

  Octets record_;
  bool recordFull_ = false;
  bool outputEnded_ = false;
  size_t replayed_ = 0;
  enum class Recording : uint8_t { kOff, kOn, kReplaying } recording_ = Recording::kOff;
};

}  // namespace bufferevent
