// What only tests call: the completion port by itself, and how many handles of the system the process holds.
#pragma once

#include <node_api.h>

namespace bufferevent {

void ExportTestDoor(napi_env env, napi_value exports);

}  // namespace bufferevent
