#include "call.h"

namespace bufferevent {

namespace {

// Parsers of OpenSSL count with `int`, and so do the results.
constexpr size_t kMostBytes = 1 << 30;

}  // namespace

Call::Call(napi_env env, napi_callback_info info) : env_(env) {
  // Absent arguments come as undefined.
  size_t count = kMostArguments;
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, values_, nullptr, &data);
  environment_ = static_cast<Environment*>(data);
}

void Call::ThrowTypeError(const char* message) {
  if (!failed_) napi_throw_type_error(env_, "ERR_INVALID_ARG_TYPE", message);
  failed_ = true;
}

void Call::ThrowRangeError(const char* message) {
  if (!failed_) napi_throw_range_error(env_, "ERR_OUT_OF_RANGE", message);
  failed_ = true;
}

void Call::ThrowFreed(const char* message) {
  if (!failed_) napi_throw_error(env_, "ERR_OPENSSL_FREED", message);
  failed_ = true;
}

double Call::Double(size_t index) {
  double value = 0;
  if (napi_get_value_double(env_, values_[index], &value) != napi_ok) ThrowTypeError("a number is wanted");
  return value;
}

int Call::Int(size_t index) {
  int32_t value = 0;
  if (napi_get_value_int32(env_, values_[index], &value) != napi_ok) ThrowTypeError("a number is wanted");
  return value;
}

bool Call::Bool(size_t index) {
  bool value = false;
  if (napi_get_value_bool(env_, values_[index], &value) != napi_ok) ThrowTypeError("a boolean is wanted");
  return value;
}

std::string Call::String(size_t index) { return StringOf(values_[index]); }

std::string Call::StringOf(napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env_, value, nullptr, 0, &length) != napi_ok) {
    ThrowTypeError("a string is wanted");
    return {};
  }
  std::string text(length + 1, '\0');
  napi_get_value_string_utf8(env_, value, text.data(), text.size(), &length);
  text.resize(length);
  return text;
}

bool Call::View(napi_value value, napi_typedarray_type wanted, void** data, size_t* length) {
  napi_typedarray_type type;
  if (napi_get_typedarray_info(env_, value, &type, length, data, nullptr, nullptr) == napi_ok && type == wanted) {
    if (*data == nullptr) *length = 0;
    return true;
  }
  *data = nullptr;
  *length = 0;
  return false;
}

Bytes Call::BytesOf(napi_value value) {
  void* data = nullptr;
  size_t size = 0;
  if (!View(value, napi_uint8_array, &data, &size)) ThrowTypeError("a Uint8Array is wanted");
  if (size > kMostBytes) {
    ThrowRangeError("an array is too large");
    return {};
  }
  return {static_cast<uint8_t*>(data), size};
}

Bytes Call::BytesAt(size_t index) { return BytesOf(values_[index]); }

bool Call::BytesOrNull(size_t index, Bytes* bytes) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env_, values_[index], &type);
  if (type == napi_null) return false;
  *bytes = BytesAt(index);
  return true;
}

Window Call::WindowAt(size_t index) {
  void* data = nullptr;
  size_t size = 0;
  if (!View(values_[index], napi_uint8_array, &data, &size)) ThrowTypeError("a Uint8Array is wanted");
  const double start = Double(index + 1);
  const double end = Double(index + 2);
  // Written so that what is not a number fails.
  if (!(start >= 0 && start <= end && end <= static_cast<double>(size))) ThrowRangeError("start and end are not within the array");
  if (end - start > static_cast<double>(kMostBytes)) ThrowRangeError("more than a call can count");
  if (failed_ || end == start) return {};
  const auto first = static_cast<size_t>(start);
  return {static_cast<uint8_t*>(data) + first, static_cast<size_t>(end) - first};
}

napi_value Call::ArrayAt(size_t index, uint32_t* length) {
  bool isArray = false;
  napi_is_array(env_, values_[index], &isArray);
  *length = 0;
  if (!isArray) {
    ThrowTypeError("an array is wanted");
  } else {
    napi_get_array_length(env_, values_[index], length);
  }
  return values_[index];
}

Context* Call::ContextAt(size_t index) {
  Context* context = environment_->FindContext(Double(index));
  if (context == nullptr) ThrowFreed("the context has been freed");
  return context;
}

Connection* Call::ConnectionAt(size_t index) {
  Connection* connection = environment_->FindConnection(Double(index));
  if (connection == nullptr) ThrowFreed("the connection has been freed");
  return connection;
}

int32_t* Call::Words(size_t index, size_t* length) {
  void* data = nullptr;
  if (!View(values_[index], napi_int32_array, &data, length)) ThrowTypeError("an Int32Array is wanted");
  return static_cast<int32_t*>(data);
}

bool Call::Succeeded(bool succeeded) {
  if (succeeded) return true;
  // OpenSSL gives none for some settings that it refuses.
  if (ERR_peek_error() == 0) ERR_raise(ERR_LIB_SSL, ERR_R_PASSED_INVALID_ARGUMENT);
  environment_->errors().Clear();
  environment_->errors().TakeQueue();
  return false;
}

}  // namespace bufferevent
