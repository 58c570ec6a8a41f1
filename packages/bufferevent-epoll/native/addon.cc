// The door between JavaScript and the port. What is here runs once per connection or less; what runs per message goes
// through the rings. Arguments come from our own TypeScript, which has checked them.
#include <errno.h>
#include <node_api.h>

#include <string>

#include "address.h"
#include "port.h"

namespace bufferevent {
namespace {

// What JavaScript holds. The port leaves it when it stops; then every call does nothing.
struct Door {
  Port* port = nullptr;
  napi_async_cleanup_hook_handle hook = nullptr;
};

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

  // Asked for once in every call of an open port, which so is counted.
  Port* port() const {
    void* door = nullptr;
    napi_get_value_external(env, values[0], &door);
    Port* port = door == nullptr ? nullptr : static_cast<Door*>(door)->port;
    if (port != nullptr) port->CountNativeCall();
    return port;
  }

  // An address is { ip, port } as two arguments, or a path and -1.
  int Address(size_t index, SocketAddress* address) const {
    const int port = Int(index + 1);
    return port < 0 ? ParsePath(Text(index), address) : ParseIp(Text(index), port, address);
  }
};

napi_value Number(napi_env env, int32_t value) {
  napi_value number;
  napi_create_int32(env, value, &number);
  return number;
}

// open(control, completions, submissions, counters, onWakeup, holder) → port, or a negated errno
napi_value Open(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  size_t words;
  PortMemory memory;
  memory.control = arguments.Words<int32_t>(0);
  memory.completions = arguments.Words<int32_t>(1, &words);
  memory.completionRecords = static_cast<uint32_t>(words / kCompletionWords);
  memory.submissions = arguments.Words<int32_t>(2);
  memory.counters = arguments.Words<double>(3);
  auto* port = new Port(env, memory);
  const int error = port->Start(arguments.values[4], arguments.values[5]);
  if (error < 0) {
    port->Discard();
    return Number(env, error);
  }
  auto* door = new Door{port};
  napi_value external;
  napi_create_external(env, door, [](napi_env, void* data, void*) { delete static_cast<Door*>(data); }, nullptr, &external);
  // An environment that ends waits until the loop has let go of the port.
  napi_add_async_cleanup_hook(
      env,
      [](napi_async_cleanup_hook_handle hook, void* data) {
        auto* port = static_cast<Port*>(data);
        port->Stop([](void* hook) { napi_remove_async_cleanup_hook(static_cast<napi_async_cleanup_hook_handle>(hook)); }, hook);
      },
      port, &door->hook);
  return external;
}

// stop(port): lets go of the loop, for good.
napi_value Stop(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  void* data = nullptr;
  napi_get_value_external(env, arguments.values[0], &data);
  auto* door = static_cast<Door*>(data);
  if (door == nullptr || door->port == nullptr) return nullptr;
  door->port->Stop([](void* hook) { napi_remove_async_cleanup_hook(static_cast<napi_async_cleanup_hook_handle>(hook)); }, door->hook);
  door->port = nullptr;
  return nullptr;
}

// flush(port)
napi_value Flush(napi_env env, napi_callback_info info) {
  Port* port = Arguments(env, info).port();
  if (port != nullptr) port->Flush();
  return nullptr;
}

// shareMemoryWords(port, words, capacity)
napi_value ShareMemoryWords(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  arguments.port()->memory().SetWords(arguments.Words<int32_t>(1), static_cast<uint32_t>(arguments.Int(2)));
  return nullptr;
}

// addMemory(port, id, arrayBuffer, weak)
napi_value AddMemory(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto id = static_cast<uint32_t>(arguments.Int(1));
  const napi_status status = arguments.port()->memory().Add(id, arguments.values[2], arguments.Bool(3));
  if (status != napi_ok) napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "only an ArrayBuffer can be sent");
  return nullptr;
}

// removeMemory(port, id)
napi_value RemoveMemory(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  arguments.port()->memory().Remove(static_cast<uint32_t>(arguments.Int(1)));
  return nullptr;
}

// listen(port, ip or path, port or -1, backlog, ipv6Only, reusePort, deferAccept, mode) → slot
napi_value Listen(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  SocketAddress address;
  const int parsed = arguments.Address(1, &address);
  const ListenFlags flags{arguments.Int(3), arguments.Bool(4), arguments.Bool(5), arguments.Bool(6), arguments.Int(7)};
  return Number(env, arguments.port()->Listen(address, parsed, flags));
}

// connect(port, ip or path, port or -1, localIp?, localPort?) → slot
napi_value Connect(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  SocketAddress address, local;
  int parsed = arguments.Address(1, &address);
  const bool bound = !arguments.IsUndefined(3);
  if (parsed == 0 && bound) parsed = arguments.Address(3, &local);
  return Number(env, arguments.port()->Connect(address, parsed, bound ? &local : nullptr));
}

// adopt(port, descriptor) → slot, or a negated errno
napi_value Adopt(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  return Number(env, arguments.port()->Adopt(arguments.Int(1)));
}

// descriptor(port, slot)
napi_value Descriptor(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  return Number(env, arguments.port()->ShareDescriptor(arguments.Int(1)));
}

// setOption(port, slot, option, value) → 0, or a negated errno
napi_value SetOption(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  return Number(env, arguments.port()->SetOption(arguments.Int(1), arguments.Int(2), arguments.Int(3)));
}

// address(port, slot, peer) → [ip or path, port or -1], or null
napi_value Address(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const int32_t slot = arguments.Int(1);
  Port* port = arguments.port();
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

napi_value Init(napi_env env, napi_value exports) {
  const struct {
    const char* name;
    napi_callback callback;
  } functions[] = {
      {"open", Open},       {"stop", Stop},       {"flush", Flush}, {"shareMemoryWords", ShareMemoryWords},
      {"addMemory", AddMemory}, {"removeMemory", RemoveMemory}, {"listen", Listen}, {"connect", Connect}, {"adopt", Adopt},
      {"descriptor", Descriptor}, {"setOption", SetOption}, {"address", Address},
  };
  for (const auto& function : functions) {
    napi_value value;
    napi_create_function(env, function.name, NAPI_AUTO_LENGTH, function.callback, nullptr, &value);
    napi_set_named_property(env, exports, function.name, value);
  }
  return exports;
}

}  // namespace
}  // namespace bufferevent

NAPI_MODULE_INIT() { return bufferevent::Init(env, exports); }
