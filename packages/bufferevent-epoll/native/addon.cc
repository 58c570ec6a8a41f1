#include <door.h>

#include "port.h"

NAPI_MODULE_INIT() { return bufferevent::Door<bufferevent::Port>::Init(env, exports); }
