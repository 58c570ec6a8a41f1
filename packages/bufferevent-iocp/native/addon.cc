#include "port.h"
#include "test-door.h"

#include <versionhelpers.h>

namespace {

// isServerEdition() → boolean
napi_value IsServerEdition(napi_env env, napi_callback_info) {
  napi_value result;
  napi_get_boolean(env, IsWindowsServer(), &result);
  return result;
}

}  // namespace

NAPI_MODULE_INIT() {
  const bufferevent::NamedFunction functions[] = {{"isServerEdition", IsServerEdition}};
  bufferevent::Export(env, exports, functions);
  bufferevent::ExportTestDoor(env, exports);
  return bufferevent::Door<bufferevent::Port>::Init(env, exports);
}
