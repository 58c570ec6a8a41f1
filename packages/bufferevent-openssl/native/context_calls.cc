// The calls that configure contexts. What they mean is said in src/binding-contract.ts.
#include "call.h"

namespace bufferevent {
namespace {

napi_value ContextNew(Call& call) {
  const int minVersion = call.Int(0);
  const int maxVersion = call.Int(1);
  if (call.failed()) return nullptr;
  Context* context = Context::New(minVersion, maxVersion);
  const double id = context == nullptr ? 0 : call.environment().Add(context);
  if (context != nullptr && id == 0) context->Release();
  return Number(call.env(), call.Succeeded(id != 0) ? id : 0);
}

napi_value ContextFree(Call& call) {
  call.environment().FreeContext(call.Double(0));
  return nullptr;
}

napi_value ContextUseKey(Call& call, Context& context) {
  const Bytes key = call.BytesAt(1);
  Bytes passphrase;
  const bool has = call.BytesOrNull(2, &passphrase);
  if (call.failed()) return nullptr;
  return call.Answer(context.UseKey(key, has ? &passphrase : nullptr));
}

napi_value ContextUseCertificate(Call& call, Context& context) {
  const Bytes certificate = call.BytesAt(1);
  if (call.failed()) return nullptr;
  return call.Answer(context.UseCertificate(certificate));
}

napi_value ContextUsePfx(Call& call, Context& context) {
  const Bytes pfx = call.BytesAt(1);
  Bytes passphrase;
  const bool has = call.BytesOrNull(2, &passphrase);
  const bool trustIncluded = call.Bool(3);
  if (call.failed()) return nullptr;
  return call.Answer(context.UsePfx(pfx, has ? &passphrase : nullptr, trustIncluded));
}

napi_value ContextCheckKey(Call& call, Context& context) { return call.Answer(context.CheckKeys()); }

napi_value ContextAddCa(Call& call, Context& context) {
  const Bytes certificates = call.BytesAt(1);
  const bool names = call.Bool(2);
  return call.failed() ? nullptr : call.Answer(context.AddTrustAnchors(certificates, names));
}

napi_value ContextTrustAsClient(Call& call, Context& context) {
  Context* other = call.ContextAt(1);
  return call.failed() ? nullptr : call.Answer(context.TrustAsClient(*other));
}

napi_value ContextAddCrl(Call& call, Context& context) {
  const Bytes crl = call.BytesAt(1);
  const bool wholeChain = call.Bool(2);
  return call.failed() ? nullptr : call.Answer(context.AddCrl(crl, wholeChain));
}

// Of one switch.
template <void (Context::*set)(bool)>
napi_value Switch(Call& call, Context& context) {
  const bool on = call.Bool(1);
  if (!call.failed()) (context.*set)(on);
  return nullptr;
}

// Of one list in OpenSSL's own language.
template <int (*set)(SSL_CTX*, const char*)>
napi_value SetList(Call& call, Context& context) {
  const std::string list = call.String(1);
  return call.failed() ? nullptr : call.Answer(set(context.native(), list.c_str()) == 1);
}

int SetGroups(SSL_CTX* native, const char* list) { return static_cast<int>(SSL_CTX_set1_groups_list(native, list)); }
int SetSignatureAlgorithms(SSL_CTX* native, const char* list) {
  return static_cast<int>(SSL_CTX_set1_sigalgs_list(native, list));
}

napi_value ContextSetSecurityLevel(Call& call, Context& context) {
  const int level = call.Int(1);
  if (!call.failed()) SSL_CTX_set_security_level(context.native(), level);
  return nullptr;
}

// Of one setting in bytes.
template <bool (Context::*set)(Bytes)>
napi_value SetBytes(Call& call, Context& context) {
  const Bytes bytes = call.BytesAt(1);
  return call.failed() ? nullptr : call.Answer((context.*set)(bytes));
}

napi_value ContextSetVerify(Call& call, Context& context) {
  const int mode = call.Int(1);
  const int depth = call.Int(2);
  if (call.failed()) return nullptr;
  context.verifyMode = mode;
  if (depth >= 0) SSL_CTX_set_verify_depth(context.native(), depth);
  return nullptr;
}

napi_value ContextSecurityLevel(Call& call, Context& context) {
  return Number(call.env(), SSL_CTX_get_security_level(context.native()));
}

napi_value ContextSetSessionIdContext(Call& call, Context& context) {
  const Bytes idContext = call.BytesAt(1);
  return call.failed() ? nullptr : call.Answer(context.SetSessionIdContext(idContext));
}

napi_value ContextSetSessions(Call& call, Context& context) {
  const int cacheSize = call.Int(1);
  const int timeoutSeconds = call.Int(2);
  const bool tickets = call.Bool(3);
  const int ticketCount = call.Int(4);
  if (call.failed()) return nullptr;
  return call.Answer(context.SetSessions(cacheSize, timeoutSeconds, tickets, ticketCount));
}

napi_value ContextSessionStats(Call& call, Context& context) {
  SSL_CTX* native = context.native();
  const long counts[] = {
      SSL_CTX_sess_connect(native),  SSL_CTX_sess_accept(native),     SSL_CTX_sess_hits(native),
      SSL_CTX_sess_misses(native),   SSL_CTX_sess_timeouts(native),   SSL_CTX_sess_cache_full(native),
      SSL_CTX_sess_number(native),   SSL_CTX_sess_connect_renegotiate(native), SSL_CTX_sess_accept_renegotiate(native),
  };
  napi_value list = NewArray(call.env(), std::size(counts));
  for (uint32_t index = 0; index < std::size(counts); index++) {
    napi_set_element(call.env(), list, index, Number(call.env(), static_cast<double>(counts[index])));
  }
  return list;
}

napi_value ContextFlushSessions(Call&, Context& context) {
  context.ForgetSessions();
  return nullptr;
}

napi_value ContextSetOcspResponse(Call& call, Context& context) {
  const Bytes response = call.BytesAt(1);
  if (call.failed()) return nullptr;
  context.ocspResponse = response.Copy();
  return call.Answer(true);
}

napi_value ContextSetPskIdentities(Call& call) {
  uint32_t identityCount = 0;
  uint32_t keyCount = 0;
  napi_value identities = call.ArrayAt(1, &identityCount);
  napi_value keys = call.ArrayAt(2, &keyCount);
  const std::string hint = call.String(3);
  if (identityCount != keyCount) call.ThrowRangeError("each identity has one key");
  PskTable table;
  for (uint32_t index = 0; index < identityCount && !call.failed(); index++) {
    napi_value identity = nullptr;
    napi_value key = nullptr;
    napi_get_element(call.env(), identities, index, &identity);
    napi_get_element(call.env(), keys, index, &key);
    std::string name = call.StringOf(identity);
    table.Add(std::move(name), call.BytesOf(key));
  }
  // Not before: elements of arrays can be getters, which can free it.
  Context* context = call.ContextAt(0);
  return call.failed() ? nullptr : call.Answer(context->SetPskIdentities(std::move(table), hint));
}

napi_value ContextSetPsk(Call& call, Context& context) {
  const std::string identity = call.String(1);
  const Bytes key = call.BytesAt(2);
  return call.failed() ? nullptr : call.Answer(context.SetPsk(identity, key));
}

napi_value ContextCertificates(Call& call, Context& context) { return ByteArrays(call.env(), context.Certificates()); }

constexpr Function kFunctions[] = {
    {"contextNew", Enter<ContextNew>},
    {"contextFree", Enter<ContextFree>},
    {"contextUseKey", Enter<ContextUseKey>},
    {"contextUseCertificate", Enter<ContextUseCertificate>},
    {"contextUsePfx", Enter<ContextUsePfx>},
    {"contextCheckKey", Enter<ContextCheckKey>},
    {"contextAddCa", Enter<ContextAddCa>},
    {"contextTrustAsClient", Enter<ContextTrustAsClient>},
    {"contextAddCrl", Enter<ContextAddCrl>},
    {"contextAllowPartialChain", Enter<Switch<&Context::AllowPartialChain>>},
    {"contextSetCiphers", Enter<SetList<SSL_CTX_set_cipher_list>>},
    {"contextSetSuites", Enter<SetList<SSL_CTX_set_ciphersuites>>},
    {"contextSetGroups", Enter<SetList<SetGroups>>},
    {"contextSetSignatureAlgorithms", Enter<SetList<SetSignatureAlgorithms>>},
    {"contextSetServerPreference", Enter<Switch<&Context::SetServerPreference>>},
    {"contextSetSecurityLevel", Enter<ContextSetSecurityLevel>},
    {"contextSetAlpn", Enter<SetBytes<&Context::SetAlpn>>},
    {"contextSetVerify", Enter<ContextSetVerify>},
    {"contextAllowRenegotiation", Enter<Switch<&Context::AllowRenegotiation>>},
    {"contextSetTicketKeys", Enter<SetBytes<&Context::SetTicketKeys>>},
    {"contextSecurityLevel", Enter<ContextSecurityLevel>},
    {"contextSetSessionIdContext", Enter<ContextSetSessionIdContext>},
    {"contextSetSessions", Enter<ContextSetSessions>},
    {"contextSessionStats", Enter<ContextSessionStats>},
    {"contextFlushSessions", Enter<ContextFlushSessions>},
    {"contextSetOcspResponse", Enter<ContextSetOcspResponse>},
    {"contextSetKeyLog", Enter<Switch<&Context::SetKeyLog>>},
    {"contextSetPskIdentities", Enter<ContextSetPskIdentities>},
    {"contextSetPsk", Enter<ContextSetPsk>},
    {"contextSetDhParameters", Enter<SetBytes<&Context::SetDhParameters>>},
    {"contextCertificates", Enter<ContextCertificates>},
};

}  // namespace

void DefineContextCalls(napi_env env, napi_value exports, Environment* environment) {
  Define(env, exports, environment, kFunctions);
}

}  // namespace bufferevent
