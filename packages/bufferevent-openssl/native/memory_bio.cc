#include "memory_bio.h"

#include <stdlib.h>
#include <string.h>

#include <algorithm>

namespace bufferevent {

namespace {

// The first flight of a handshake fits.
constexpr size_t kLeastRoom = 4096;

// OpenSSL takes a ClientHello of 128 KiB, and would take it in pieces of a byte with empty records between them.
constexpr size_t kMostRecorded = 256 * 1024;

}  // namespace

Wire::~Wire() { free(waiting_); }

Wire* Wire::Of(BIO* bio) { return static_cast<Wire*>(BIO_get_data(bio)); }

OwnedBioMethod Wire::NewMethod() {
  // Without an index of its own: the process has 127 of them and gets none back, and each environment would
  // take one. Only who searches a chain of BIOs by type needs it.
  OwnedBioMethod method(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "bufferevent memory"));
  if (method == nullptr) return nullptr;
  BIO_meth_set_read(method.get(), OnRead);
  BIO_meth_set_write(method.get(), OnWrite);
  BIO_meth_set_ctrl(method.get(), OnControl);
  BIO_meth_set_create(method.get(), OnCreate);
  return method;
}

BIO* Wire::NewBio() {
  if (method_ == nullptr) return nullptr;
  BIO* bio = BIO_new(method_);
  if (bio != nullptr) BIO_set_data(bio, this);
  return bio;
}

int Wire::OnCreate(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

long Wire::OnControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

int Wire::OnRead(BIO* bio, char* into, int bytes) {
  BIO_clear_retry_flags(bio);
  if (bytes <= 0) return 0;
  const size_t done = Of(bio)->Read(reinterpret_cast<uint8_t*>(into), static_cast<size_t>(bytes));
  if (done > 0) return static_cast<int>(done);
  if (Of(bio)->recordFull_) {
    ERR_raise_data(ERR_LIB_SSL, SSL_R_EXCESSIVE_MESSAGE_SIZE, "no ClientHello within %zu bytes", kMostRecorded);
    return -1;
  }
  BIO_set_retry_read(bio);
  return -1;
}

int Wire::OnWrite(BIO* bio, const char* from, int bytes) {
  BIO_clear_retry_flags(bio);
  if (bytes <= 0) return 0;
  if (Of(bio)->Write(reinterpret_cast<const uint8_t*>(from), static_cast<size_t>(bytes))) return bytes;
  ERR_raise(ERR_LIB_BIO, ERR_R_MALLOC_FAILURE);
  return -1;
}

void Wire::Lend(const uint8_t* input, size_t inputBytes, uint8_t* output, size_t outputBytes) {
  inputStart_ = input_ = input;
  inputEnd_ = inputBytes == 0 ? input : input + inputBytes;
  outputStart_ = output_ = output;
  outputEnd_ = output == nullptr ? output : output + outputBytes;
}

void Wire::EndLoan() {
  inputStart_ = input_ = inputEnd_ = nullptr;
  outputStart_ = output_ = outputEnd_ = nullptr;
}

size_t Wire::Read(uint8_t* into, size_t bytes) {
  if (recording_ == Recording::kReplaying) {
    const size_t replayable = std::min(bytes, record_.size() - replayed_);
    if (replayable > 0) memcpy(into, record_.data() + replayed_, replayable);
    replayed_ += replayable;
    if (replayed_ == record_.size()) ForgetRecord();
    if (replayable > 0) return replayable;
  }
  const size_t taken = std::min(bytes, unread());
  if (taken == 0) return 0;
  if (recording_ == Recording::kOn && taken > kMostRecorded - record_.size()) {
    recordFull_ = true;
    return 0;
  }
  memcpy(into, input_, taken);
  if (recording_ == Recording::kOn) record_.insert(record_.end(), input_, input_ + taken);
  input_ += taken;
  return taken;
}

bool Wire::Write(const uint8_t* from, size_t bytes) {
  if (outputEnded_) return true;
  size_t direct = 0;
  if (output_ != nullptr && waiting() == 0) {
    direct = std::min(bytes, static_cast<size_t>(outputEnd_ - output_));
    if (direct > 0) memcpy(output_, from, direct);
  }
  const size_t rest = bytes - direct;
  if (rest > 0) {
    if (!Reserve(rest)) return false;
    memcpy(waiting_ + waitingEnd_, from + direct, rest);
    waitingEnd_ += rest;
  }
  output_ += direct;
  return true;
}

bool Wire::Reserve(size_t bytes) {
  if (waitingRoom_ - waitingEnd_ >= bytes) return true;
  if (waitingStart_ > 0) {
    memmove(waiting_, waiting_ + waitingStart_, waiting());
    waitingEnd_ -= waitingStart_;
    waitingStart_ = 0;
    if (waitingRoom_ - waitingEnd_ >= bytes) return true;
  }
  const size_t room = std::max({kLeastRoom, 2 * waitingRoom_, waitingEnd_ + bytes});
  auto* larger = static_cast<uint8_t*>(realloc(waiting_, room));
  if (larger == nullptr) return false;
  waiting_ = larger;
  waitingRoom_ = room;
  return true;
}

size_t Wire::TakeWaiting(uint8_t* into, size_t room) {
  const size_t taken = std::min(room, waiting());
  if (taken > 0) memcpy(into, waiting_ + waitingStart_, taken);
  waitingStart_ += taken;
  if (waiting() == 0) {
    free(waiting_);
    waiting_ = nullptr;
    waitingStart_ = waitingEnd_ = waitingRoom_ = 0;
  }
  return taken;
}

void Wire::Record() {
  ForgetRecord();
  recording_ = Recording::kOn;
}

void Wire::Rewind() {
  recording_ = Recording::kReplaying;
  replayed_ = 0;
}

void Wire::ForgetRecord() {
  recording_ = Recording::kOff;
  Octets().swap(record_);
  recordFull_ = false;
  replayed_ = 0;
}

void Wire::Reset() {
  ForgetRecord();
  free(waiting_);
  waiting_ = nullptr;
  waitingStart_ = waitingEnd_ = waitingRoom_ = 0;
  outputEnded_ = false;
}

}  // namespace bufferevent
