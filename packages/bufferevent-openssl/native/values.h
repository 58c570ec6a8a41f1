// Values for JavaScript.
#pragma once

#include <node_api.h>
#include <string.h>

#include <string>
#include <vector>

#include "openssl.h"

namespace bufferevent {

inline napi_value Number(napi_env env, double value) {
  napi_value number = nullptr;
  napi_create_double(env, value, &number);
  return number;
}

inline napi_value Boolean(napi_env env, bool value) {
  napi_value boolean = nullptr;
  napi_get_boolean(env, value, &boolean);
  return boolean;
}

inline napi_value Null(napi_env env) {
  napi_value null = nullptr;
  napi_get_null(env, &null);
  return null;
}

inline napi_value Text(napi_env env, Bytes text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, reinterpret_cast<const char*>(text.data), text.size, &value);
  return value;
}

inline napi_value Text(napi_env env, const std::string& text) { return Text(env, AsBytes(text)); }

inline napi_value NewArray(napi_env env, size_t length) {
  napi_value array = nullptr;
  napi_create_array_with_length(env, length, &array);
  return array;
}

// A copy.
inline napi_value ByteArray(napi_env env, const uint8_t* data, size_t size) {
  void* memory = nullptr;
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  if (napi_create_arraybuffer(env, size, &memory, &buffer) != napi_ok) return nullptr;
  if (size != 0) memcpy(memory, data, size);
  napi_create_typedarray(env, napi_uint8_array, size, buffer, 0, &array);
  return array;
}

inline napi_value ByteArray(napi_env env, const Octets& octets) { return ByteArray(env, octets.data(), octets.size()); }

inline napi_value ByteArray(napi_env env, const Secret& secret) { return ByteArray(env, secret.data(), secret.size()); }

template <typename Item>
napi_value ByteArrays(napi_env env, const std::vector<Item>& list) {
  napi_value array = NewArray(env, list.size());
  for (size_t index = 0; index < list.size(); index++) {
    napi_set_element(env, array, static_cast<uint32_t>(index), ByteArray(env, list[index]));
  }
  return array;
}

}  // namespace bufferevent
