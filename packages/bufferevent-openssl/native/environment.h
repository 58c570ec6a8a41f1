// What belongs to one environment of JavaScript, which is one thread: everything that was made there and not freed is freed
// with it, also under `terminate()`.
#pragma once

#include <node_api.h>
#include <stdint.h>

#include "connection.h"
#include "context.h"
#include "errors.h"
#include "slots.h"

namespace bufferevent {

class Environment {
 public:
  // nullptr when `env` is ending already.
  static Environment* New(napi_env env);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // 0 when there is no room for more.
  double Add(Context* context);
  double Add(Connection* connection);
  // Nothing happens for what is gone.
  void FreeContext(double id);
  void FreeConnection(double id);
  Context* FindContext(double id) const { return contexts_.Find(id); }
  Connection* FindConnection(double id) const { return connections_.Find(id); }
  size_t contexts() const { return contexts_.live(); }
  size_t connections() const { return connections_.live(); }

  // For connections made here.
  const BIO_METHOD* wireMethod() const { return wireMethod_.get(); }

  // Words that each call of the engine writes; nullptr before `start`.
  int32_t* results() const { return results_; }
  bool SetResults(napi_value array, int32_t* words);

  // Of the last call that failed and was not of the engine.
  ErrorList& errors() { return errors_; }

 private:
  explicit Environment(napi_env env) : env_(env) {}
  ~Environment() = default;

  void FreeAll();
  // So that the garbage collector knows what hangs on its small objects.
  void AdjustMemory(int64_t bytes);

  napi_env env_;
  int32_t* results_ = nullptr;
  napi_ref resultsReference_ = nullptr;
  const OwnedBioMethod wireMethod_ = Wire::NewMethod();
  SlotTable<Context> contexts_;
  SlotTable<Connection> connections_;
  ErrorList errors_;
};

}  // namespace bufferevent
