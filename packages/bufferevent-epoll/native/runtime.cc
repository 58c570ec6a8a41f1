#include <runtime.h>
