// OpenSSL's errors, from the queue of the thread into lists of our own. The queue is shared with Node's crypto, which takes
// one of ours for its own (TL-23): it is empty before and after each call of ours.
#pragma once

#include <node_api.h>

#include <string>
#include <vector>

#include "openssl.h"

namespace bufferevent {

struct ErrorEntry {
  unsigned long code;
  std::string library;
  std::string reason;
  std::string data;
};

class ErrorList {
 public:
  // Moves the queue of the thread to the end of this list.
  void TakeQueue();
  void Clear() { entries_.clear(); }
  // An array of `RawError`, oldest first; the list is empty afterwards.
  napi_value Take(napi_env env);

 private:
  static constexpr size_t kMostEntries = 32;

  std::vector<ErrorEntry> entries_;
};

// Empty already, nearly always, and clearing goes through all of it.
inline void EmptyQueue() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

// Around everything that calls OpenSSL.
class QueueGuard {
 public:
  QueueGuard() { EmptyQueue(); }
  ~QueueGuard() { EmptyQueue(); }
  QueueGuard(const QueueGuard&) = delete;
  QueueGuard& operator=(const QueueGuard&) = delete;
};

}  // namespace bufferevent
