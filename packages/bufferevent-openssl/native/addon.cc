// The door between JavaScript and OpenSSL. src/binding-contract.ts says what passes through it.
#include "call.h"
#include "host.h"

namespace bufferevent {
namespace {

#ifdef BUFFEREVENT_OPENSSL_STATIC
constexpr bool kIsStatic = true;
#else
constexpr bool kIsStatic = false;
#endif

napi_value Start(Call& call) {
  constexpr size_t kResultWords = 8;
  size_t length = 0;
  int32_t* words = call.Words(0, &length);
  if (length < kResultWords) call.ThrowRangeError("the results have too few words");
  if (call.failed()) return nullptr;
  if (!call.environment().SetResults(call.raw(0), words)) call.ThrowTypeError("the results can't be kept");
  return nullptr;
}

napi_value TakeErrors(Call& call) { return call.environment().errors().Take(call.env()); }

napi_value VerifyText(Call& call) {
  const double code = call.Double(0);
  if (call.failed()) return nullptr;
  // Codes of errors begin with the number of a library.
  constexpr double kLeastErrorCode = 1 << ERR_LIB_OFFSET;
  if (!(code >= kLeastErrorCode && code <= UINT32_MAX)) {
    const long number = code > -1000 && code < kLeastErrorCode ? static_cast<long>(code) : X509_V_ERR_UNSPECIFIED;
    return Text(call.env(), X509_verify_cert_error_string(number));
  }
  char text[256];
  ERR_error_string_n(static_cast<unsigned long>(code), text, sizeof text);
  return Text(call.env(), text);
}

napi_value SelfSignedCertificate(Call& call) {
  uint32_t count = 0;
  napi_value list = call.ArrayAt(0, &count);
  const int days = call.Int(1);
  std::vector<std::string> names;
  for (uint32_t index = 0; index < count && !call.failed(); index++) {
    napi_value name = nullptr;
    napi_get_element(call.env(), list, index, &name);
    names.push_back(call.StringOf(name));
  }
  if (call.failed()) return nullptr;
  Secret key;
  Octets certificate;
  if (!call.Succeeded(MakeSelfSigned(names, days, &key, &certificate))) return Null(call.env());
  napi_value pair = NewArray(call.env(), 2);
  napi_set_element(call.env(), pair, 0, Text(call.env(), key.bytes()));
  napi_set_element(call.env(), pair, 1, Text(call.env(), Bytes{certificate.data(), certificate.size()}));
  return pair;
}

napi_value LiveCounts(Call& call) {
  napi_value pair = NewArray(call.env(), 2);
  napi_set_element(call.env(), pair, 0, Number(call.env(), static_cast<double>(call.environment().contexts())));
  napi_set_element(call.env(), pair, 1, Number(call.env(), static_cast<double>(call.environment().connections())));
  return pair;
}

constexpr Function kFunctions[] = {
    {"start", Enter<Start>},
    {"takeErrors", Enter<TakeErrors>},
    {"verifyText", Enter<VerifyText>},
    {"selfSignedCertificate", Enter<SelfSignedCertificate>},
    {"liveCounts", Enter<LiveCounts>},
};

// A reason why this process can't be served, or nullptr. OpenSSL keeps its interface within a major version.
const char* Refusal() {
  const VersionFunction version = HostVersionFunction();
  if (version == nullptr) return "this process offers no OpenSSL to addons";
  constexpr unsigned long kMajor = OPENSSL_VERSION_MAJOR;
  if (version() >> 28 != kMajor) return "this process runs another major version of OpenSSL than 3, or another library";
  return nullptr;
}

napi_value Init(napi_env env, napi_value exports) {
  if (const char* refusal = Refusal()) {
    napi_throw_error(env, "ERR_OPENSSL_UNAVAILABLE", refusal);
    return nullptr;
  }
  Environment* environment = Environment::New(env);
  if (environment == nullptr) {
    napi_throw_error(env, "ERR_OPENSSL_UNAVAILABLE", "the environment is ending");
    return nullptr;
  }
  napi_set_named_property(env, exports, "opensslVersion", Text(env, OpenSSL_version(OPENSSL_VERSION_STRING)));
  napi_set_named_property(env, exports, "isStatic", Boolean(env, kIsStatic));
  Define(env, exports, environment, kFunctions);
  DefineContextCalls(env, exports, environment);
  DefineConnectionCalls(env, exports, environment);
  return exports;
}

}  // namespace
}  // namespace bufferevent

NAPI_MODULE_INIT() { return bufferevent::Init(env, exports); }
