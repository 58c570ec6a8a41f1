// The door between JavaScript and a port. What is here runs once per connection or less; what runs per message goes through
// the rings. Arguments come from our own TypeScript, which has checked them.
//
// `Door<Port>` offers a port that has `Start`, `Stop`, `Discard`, and the calls below that answer at once.
#pragma once

#include <node_api.h>
#include <stdint.h>

#include <string>

#include "address.h"
#include "ring-port.h"

namespace bufferevent {

inline napi_value Number(napi_env env, int32_t value) {
  napi_value number;
  napi_create_int32(env, value, &number);
  return number;
}

// The arguments of one call.
struct Arguments {
  napi_env env;
  napi_value values[8];
  size_t count = 8;

  Arguments(napi_env env, napi_callback_info info) : env(env) {
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  }

  bool IsUndefined(size_t index) const {
    napi_valuetype type = napi_undefined;
    if (index < count) napi_typeof(env, values[index], &type);
    return type == napi_undefined;
  }

  int32_t Int(size_t index) const {
    int32_t value = 0;
    napi_get_value_int32(env, values[index], &value);
    return value;
  }

  bool Bool(size_t index) const {
    bool value = false;
    napi_get_value_bool(env, values[index], &value);
    return value;
  }

  std::string Text(size_t index) const {
    size_t length = 0;
    napi_get_value_string_utf8(env, values[index], nullptr, 0, &length);
    std::string text(length + 1, '\0');
    napi_get_value_string_utf8(env, values[index], &text[0], text.size(), &length);
    text.resize(length);
    return text;
  }

  template <typename Word>
  Word* Words(size_t index, size_t* length = nullptr) const {
    void* data = nullptr;
    size_t ignored;
    napi_get_typedarray_info(env, values[index], nullptr, length != nullptr ? length : &ignored, &data, nullptr, nullptr);
    return static_cast<Word*>(data);
  }

  // An address is { ip, port } as two arguments, or a path and -1.
  int Address(size_t index, SocketAddress* address) const {
    const int port = Int(index + 1);
    return port < 0 ? ParsePath(Text(index), address) : ParseIp(Text(index), port, address);
  }
};

struct NamedFunction {
  const char* name;
  napi_callback callback;
};

template <size_t Count>
void Export(napi_env env, napi_value exports, const NamedFunction (&functions)[Count]) {
  for (const NamedFunction& function : functions) {
    napi_value value;
    napi_create_function(env, function.name, NAPI_AUTO_LENGTH, function.callback, nullptr, &value);
    napi_set_named_property(env, exports, function.name, value);
  }
}

template <class Port>
class Door {
 public:
  static napi_value Init(napi_env env, napi_value exports) {
    const NamedFunction functions[] = {
        {"open", Open},
        {"stop", Stop},
        {"flush", Flush},
        {"shareMemoryWords", ShareMemoryWords},
        {"addMemory", AddMemory},
        {"removeMemory", RemoveMemory},
        {"listen", Listen},
        {"connect", Connect},
        {"adopt", Adopt},
        {"descriptor", Descriptor},
        {"setOption", SetOption},
        {"address", Address},
    };
    Export(env, exports, functions);
    return exports;
  }

 private:
  explicit Door(Port* port) : port_(port) {}

  static Door* Of(const Arguments& arguments) {
    void* door = nullptr;
    napi_get_value_external(arguments.env, arguments.values[0], &door);
    return static_cast<Door*>(door);
  }

  // Asked for once in every call of an open port, which so is counted.
  static Port* PortOf(const Arguments& arguments) {
    Door* door = Of(arguments);
    Port* port = door == nullptr ? nullptr : door->port_;
    if (port != nullptr) port->CountNativeCall();
    return port;
  }

  static void ReleaseHook(void* hook) { napi_remove_async_cleanup_hook(static_cast<napi_async_cleanup_hook_handle>(hook)); }

  // open(control, completions, submissions, counters, onWakeup, holder, …) → port, or a negated errno. What follows is the
  // mechanism's own.
  static napi_value Open(napi_env env, napi_callback_info info) {
    const Arguments arguments(env, info);
    size_t words;
    PortMemory memory;
    memory.control = arguments.Words<int32_t>(0);
    memory.completions = arguments.Words<int32_t>(1, &words);
    memory.completionRecords = static_cast<uint32_t>(words / kCompletionWords);
    memory.submissions = arguments.Words<int32_t>(2);
    memory.counters = arguments.Words<double>(3);
    auto* port = new Port(env, memory);
    const int error = port->Start(arguments);
    if (error < 0) {
      port->Discard();
      return Number(env, error);
    }
    auto* door = new Door(port);
    napi_value external;
    napi_create_external(env, door, [](napi_env, void* data, void*) { delete static_cast<Door*>(data); }, nullptr, &external);
    // An environment that ends waits until the loop has let go of the port.
    napi_add_async_cleanup_hook(
        env, [](napi_async_cleanup_hook_handle hook, void* data) { static_cast<Port*>(data)->Stop(ReleaseHook, hook); }, port,
        &door->hook_);
    return external;
  }

  // stop(port): lets go of the loop, for good.
  static napi_value Stop(napi_env env, napi_callback_info info) {
    Door* door = Of(Arguments(env, info));
    if (door == nullptr || door->port_ == nullptr) return nullptr;
    door->port_->Stop(ReleaseHook, door->hook_);
    door->port_ = nullptr;
    return nullptr;
  }

  // flush(port)
  static napi_value Flush(napi_env env, napi_callback_info info) {
    Port* port = PortOf(Arguments(env, info));
    if (port != nullptr) port->Flush();
    return nullptr;
  }

  // shareMemoryWords(port, words, capacity)
  static napi_value ShareMemoryWords(napi_env env, napi_callback_info info) {
    const Arguments arguments(env, info);
    PortOf(arguments)->memory().SetWords(arguments.Words<int32_t>(1), static_cast<uint32_t>(arguments.Int(2)));
    return nullptr;
  }

  // addMemory(port, id, arrayBuffer, weak)
  static napi_value AddMemory(napi_env env, napi_callback_info info) {
    const Arguments arguments(env, info);
    const auto id = static_cast<uint32_t>(arguments.Int(1));
    const napi_status status = PortOf(arguments)->memory().Add(id, arguments.values[2], arguments.Bool(3));
    if (status != napi_ok) napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "only an ArrayBuffer can be sent");
    return nullptr;
  }

  // removeMemory(port, id)
  static napi_value RemoveMemory(napi_env env, napi_callback_info info) {
    const Arguments arguments(env, info);
    PortOf(arguments)->memory().Remove(static_cast<uint32_t>(arguments.Int(1)));
    return nullptr;
  }

  // listen(port, ip or path, port or -1, backlog, ipv6Only, reusePort, deferAccept, mode) → slot
  static napi_value Listen(napi_env env, napi_callback_info info) {
    const Arguments arguments(env, info);
    SocketAddress address;
    const int parsed = arguments.Address(1, &address);
    const ListenFlags flags{arguments.Int(3), arguments.Bool(4), arguments.Bool(5), arguments.Bool(6), arguments.Int(7)};
    return Number(env, PortOf(arguments)->Listen(address, parsed, flags));
  }

  // connect(port, ip or path, port or -1, localIp?, localPort?) → slot
  static napi_value Connect(napi_env env, napi_callback_info info) {
    const Arguments arguments(env, info);
    SocketAddress address, local;
    int parsed = arguments.Address(1, &address);
    const bool bound = !arguments.IsUndefined(3);
    if (parsed == 0 && bound) parsed = arguments.Address(3, &local);
    return Number(env, PortOf(arguments)->Connect(address, parsed, bound ? &local : nullptr));
  }

  // adopt(port, descriptor) → slot, or a negated errno
  static napi_value Adopt(napi_env env, napi_callback_info info) {
    const Arguments arguments(env, info);
    return Number(env, PortOf(arguments)->Adopt(arguments.Int(1)));
  }

  // descriptor(port, slot)
  static napi_value Descriptor(napi_env env, napi_callback_info info) {
    const Arguments arguments(env, info);
    return Number(env, PortOf(arguments)->ShareDescriptor(arguments.Int(1)));
  }

  // setOption(port, slot, option, value) → 0, or a negated errno
  static napi_value SetOption(napi_env env, napi_callback_info info) {
    const Arguments arguments(env, info);
    return Number(env, PortOf(arguments)->SetOption(arguments.Int(1), arguments.Int(2), arguments.Int(3)));
  }

  // address(port, slot, peer) → [ip or path, port or -1], or null
  static napi_value Address(napi_env env, napi_callback_info info) {
    const Arguments arguments(env, info);
    const int32_t slot = arguments.Int(1);
    Port* port = PortOf(arguments);
    const NamedAddress named = NameOf(arguments.Bool(2) ? port->PeerAddress(slot) : port->LocalAddress(slot));
    napi_value result;
    if (!named.known) {
      napi_get_null(env, &result);
      return result;
    }
    napi_value text;
    napi_create_string_utf8(env, named.text.data(), named.text.size(), &text);
    napi_create_array_with_length(env, 2, &result);
    napi_set_element(env, result, 0, text);
    napi_set_element(env, result, 1, Number(env, named.isPath ? -1 : named.port));
    return result;
  }

  // The port leaves the door when it stops; then every call does nothing.
  Port* port_;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

}  // namespace bufferevent
