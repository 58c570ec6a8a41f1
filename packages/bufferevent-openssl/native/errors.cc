#include "errors.h"

#include <string.h>

#include "values.h"

namespace bufferevent {

namespace {

std::string TextOrEmpty(const char* text) { return text == nullptr ? std::string() : std::string(text); }

std::string ReasonOf(unsigned long code) {
  if (ERR_SYSTEM_ERROR(code)) return TextOrEmpty(strerror(ERR_GET_REASON(code)));
  return TextOrEmpty(ERR_reason_error_string(code));
}

}  // namespace

void ErrorList::TakeQueue() {
  const char* data = nullptr;
  int flags = 0;
  while (const unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
    if (entries_.size() == kMostEntries) entries_.erase(entries_.begin());
    entries_.push_back({code, TextOrEmpty(ERR_lib_error_string(code)), ReasonOf(code),
                        (flags & ERR_TXT_STRING) != 0 ? TextOrEmpty(data) : std::string()});
  }
}

napi_value ErrorList::Take(napi_env env) {
  napi_value list = NewArray(env, entries_.size());
  for (size_t index = 0; index < entries_.size(); index++) {
    const ErrorEntry& entry = entries_[index];
    napi_value value;
    napi_create_object(env, &value);
    napi_set_named_property(env, value, "code", Number(env, static_cast<double>(entry.code)));
    napi_set_named_property(env, value, "library", Text(env, entry.library));
    napi_set_named_property(env, value, "reason", Text(env, entry.reason));
    napi_set_named_property(env, value, "data", Text(env, entry.data));
    napi_set_element(env, list, static_cast<uint32_t>(index), value);
  }
  entries_.clear();
  return list;
}

}  // namespace bufferevent
