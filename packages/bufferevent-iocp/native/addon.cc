#include "port.h"
#include "test-door.h"

NAPI_MODULE_INIT() {
  bufferevent::ExportTestDoor(env, exports);
  return bufferevent::Door<bufferevent::Port>::Init(env, exports);
}
