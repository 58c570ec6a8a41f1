#include "environment.h"

namespace bufferevent {

namespace {

// Rough figures: with the buffers of OpenSSL given back between records.
constexpr int64_t kContextBytes = 24 * 1024;
constexpr int64_t kConnectionBytes = 8 * 1024;

}  // namespace

Environment* Environment::New(napi_env env) {
  auto* environment = new Environment(env);
  const auto onEnd = [](void* data) { static_cast<Environment*>(data)->FreeAll(); };
  const auto onFinalize = [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); };
  if (napi_set_instance_data(env, environment, onFinalize, nullptr) != napi_ok) {
    delete environment;
    return nullptr;
  }
  // Before the finalizer, which can come late.
  if (napi_add_env_cleanup_hook(env, onEnd, environment) != napi_ok) return nullptr;
  return environment;
}

void Environment::FreeAll() {
  const QueueGuard guard;
  while (Connection* connection = connections_.RemoveOne()) delete connection;
  while (Context* context = contexts_.RemoveOne()) context->Release();
  if (resultsReference_ != nullptr) napi_delete_reference(env_, resultsReference_);
  resultsReference_ = nullptr;
  results_ = nullptr;
}

double Environment::Add(Context* context) {
  const double id = contexts_.Add(context);
  if (id != 0) AdjustMemory(kContextBytes);
  return id;
}

double Environment::Add(Connection* connection) {
  const double id = connections_.Add(connection);
  if (id != 0) AdjustMemory(kConnectionBytes);
  return id;
}

void Environment::FreeContext(double id) {
  Context* context = contexts_.Remove(id);
  if (context == nullptr) return;
  context->Release();
  AdjustMemory(-kContextBytes);
}

void Environment::FreeConnection(double id) {
  Connection* connection = connections_.Remove(id);
  if (connection == nullptr) return;
  delete connection;
  AdjustMemory(-kConnectionBytes);
}

bool Environment::SetResults(napi_value array, int32_t* words) {
  napi_ref reference = nullptr;
  if (napi_create_reference(env_, array, 1, &reference) != napi_ok) return false;
  if (resultsReference_ != nullptr) napi_delete_reference(env_, resultsReference_);
  resultsReference_ = reference;
  results_ = words;
  return true;
}

void Environment::AdjustMemory(int64_t bytes) {
  int64_t total = 0;
  napi_adjust_external_memory(env_, bytes, &total);
}

}  // namespace bufferevent
