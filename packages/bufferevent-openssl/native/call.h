// One call from JavaScript: its arguments, checked, and its answer. After a wrong argument an exception waits in JavaScript
// and the others read as empty; `failed()` is asked before anything is done with them.
#pragma once

#include <node_api.h>

#include <string>

#include "environment.h"
#include "values.h"

namespace bufferevent {

// Memory of a Uint8Array for the time of a call. Empty when it was detached.
struct Window {
  uint8_t* data = nullptr;
  size_t size = 0;

  Bytes bytes() const { return {data, size}; }
};

class Call {
 public:
  Call(napi_env env, napi_callback_info info);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  napi_env env() const { return env_; }
  Environment& environment() const { return *environment_; }
  bool failed() const { return failed_; }

  double Double(size_t index);
  int Int(size_t index);
  bool Bool(size_t index);
  std::string String(size_t index);
  Bytes BytesAt(size_t index);
  // Whether there is something else than `null`, which then is in `bytes`.
  bool BytesOrNull(size_t index, Bytes* bytes);
  // The array at `index` with its start and end behind it.
  Window WindowAt(size_t index);
  napi_value ArrayAt(size_t index, uint32_t* length);
  std::string StringOf(napi_value value);
  Bytes BytesOf(napi_value value);
  // nullptr for one that has been freed.
  Context* ContextAt(size_t index);
  Connection* ConnectionAt(size_t index);
  int32_t* Words(size_t index, size_t* length);

  napi_value raw(size_t index) const { return values_[index]; }

  // The answer of a call that can fail in OpenSSL: then the reasons are moved to the environment.
  bool Succeeded(bool succeeded);
  napi_value Answer(bool succeeded) { return Boolean(env_, Succeeded(succeeded)); }

  void ThrowTypeError(const char* message);
  void ThrowRangeError(const char* message);

 private:
  static constexpr size_t kMostArguments = 8;

  bool View(napi_value value, napi_typedarray_type wanted, void** data, size_t* length);
  void ThrowFreed(const char* message);

  napi_env env_;
  Environment* environment_ = nullptr;
  napi_value values_[kMostArguments];
  bool failed_ = false;
};

using Body = napi_value (*)(Call&);

// What JavaScript calls.
template <Body body>
napi_value Enter(napi_env env, napi_callback_info info) {
  Call call(env, info);
  const QueueGuard guard;
  return body(call);
}

// Of bodies that want what the first argument names, and are called only when it is there.
template <napi_value (*body)(Call&, Context&)>
napi_value WithContext(Call& call) {
  Context* context = call.ContextAt(0);
  return context == nullptr ? nullptr : body(call, *context);
}

template <napi_value (*body)(Call&, Connection&)>
napi_value WithConnection(Call& call) {
  Connection* connection = call.ConnectionAt(0);
  return connection == nullptr ? nullptr : body(call, *connection);
}

template <napi_value (*body)(Call&, Context&)>
napi_value Enter(napi_env env, napi_callback_info info) {
  return Enter<WithContext<body>>(env, info);
}

template <napi_value (*body)(Call&, Connection&)>
napi_value Enter(napi_env env, napi_callback_info info) {
  return Enter<WithConnection<body>>(env, info);
}

struct Function {
  const char* name;
  napi_callback callback;
};

template <size_t count>
void Define(napi_env env, napi_value exports, Environment* environment, const Function (&functions)[count]) {
  for (const Function& function : functions) {
    napi_value value;
    napi_create_function(env, function.name, NAPI_AUTO_LENGTH, function.callback, environment, &value);
    napi_set_named_property(env, exports, function.name, value);
  }
}

void DefineContextCalls(napi_env env, napi_value exports, Environment* environment);
void DefineConnectionCalls(napi_env env, napi_value exports, Environment* environment);

// A key and a certificate signed with it, in PEM. Names that look like addresses are addresses. `false`: reasons in the queue.
bool MakeSelfSigned(const std::vector<std::string>& names, int days, Secret* key, Octets* certificate);

}  // namespace bufferevent
