#include "context.h"

#include <string.h>

#include "connection.h"

namespace bufferevent {

namespace {

// Servers that ask for certificates resume nothing without one.
constexpr uint8_t kSessionIdContext[] = "bufferevent";

bool Configure(SSL_CTX* native, int minVersion, int maxVersion) {
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION);
  // Buffers are held while a record is on its way only. Output is memory, so a write ends with each record at the latest.
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                               SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_info_callback(native, OnInfo);
  SSL_CTX_set_client_hello_cb(native, OnClientHello, nullptr);
  SSL_CTX_set_alpn_select_cb(native, OnChooseProtocol, nullptr);
  SSL_CTX_sess_set_new_cb(native, OnNewSession);
  return SSL_CTX_set_session_ticket_cb(native, OnNewTicket, nullptr, nullptr) == 1 &&
         SSL_CTX_set_tlsext_status_cb(native, OnOcspStatus) == 1 && SSL_CTX_set_min_proto_version(native, minVersion) == 1 &&
         SSL_CTX_set_max_proto_version(native, maxVersion) == 1 && SSL_CTX_set_dh_auto(native, 1) == 1 &&
         SSL_CTX_set_session_id_context(native, kSessionIdContext, sizeof kSessionIdContext - 1) == 1;
}

}  // namespace

Context* Context::New(int minVersion, int maxVersion) {
  SSL_CTX* native = SSL_CTX_new(TLS_method());
  if (native == nullptr) return nullptr;
  if (!Configure(native, minVersion, maxVersion)) {
    SSL_CTX_free(native);
    return nullptr;
  }
  auto* context = new Context(native);
  SSL_CTX_set_app_data(native, context);
  context->SetCacheMode();
  return context;
}

Context* Context::Of(const SSL* ssl) { return static_cast<Context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl))); }

void Context::Release() {
  if (--references_ == 0) delete this;
}

void Context::AllowPartialChain(bool allowed) {
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(native_);
  if (allowed) {
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  } else {
    X509_VERIFY_PARAM_clear_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  }
}

void Context::AllowRenegotiation(bool allowed) {
  SSL_CTX_clear_options(native_, SSL_OP_NO_RENEGOTIATION | SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
  SSL_CTX_set_options(native_, allowed ? SSL_OP_ALLOW_CLIENT_RENEGOTIATION : SSL_OP_NO_RENEGOTIATION);
}

void Context::SetServerPreference(bool serverChooses) {
  if (serverChooses) {
    SSL_CTX_set_options(native_, SSL_OP_CIPHER_SERVER_PREFERENCE);
  } else {
    SSL_CTX_clear_options(native_, SSL_OP_CIPHER_SERVER_PREFERENCE);
  }
}

bool IsProtocolList(const Octets& protocols) {
  size_t at = 0;
  while (at < protocols.size() && protocols[at] != 0) at += 1 + static_cast<size_t>(protocols[at]);
  return at == protocols.size();
}

bool Context::SetAlpn(Bytes protocols) {
  // Another thread can write into shared memory, so it is the copy that is looked at.
  Octets copy = protocols.Copy();
  // The extension counts its bytes with 16 bits.
  if (!IsProtocolList(copy) || copy.size() > 65533) {
    ERR_raise_data(ERR_LIB_SSL, SSL_R_BAD_EXTENSION, "not a list of protocols");
    return false;
  }
  alpn = std::move(copy);
  return true;
}

void Context::SetKeyLog(bool enabled) { SSL_CTX_set_keylog_callback(native_, enabled ? OnKeyLog : nullptr); }

bool Context::SetSessionIdContext(Bytes idContext) {
  return SSL_CTX_set_session_id_context(native_, idContext.data, static_cast<unsigned>(idContext.size)) == 1;
}

bool Context::SetSessions(int cacheSize, int timeoutSeconds, bool tickets, int ticketCount) {
  caches_ = cacheSize > 0;
  // Where 0 would be no limit.
  if (caches_) SSL_CTX_sess_set_cache_size(native_, cacheSize);
  SetCacheMode();
  SSL_CTX_set_timeout(native_, timeoutSeconds);
  if (tickets) {
    SSL_CTX_clear_options(native_, SSL_OP_NO_TICKET);
  } else {
    SSL_CTX_set_options(native_, SSL_OP_NO_TICKET);
  }
  // Without both, TLS 1.3 would give tickets for sessions that nobody keeps.
  return SSL_CTX_set_num_tickets(native_, tickets || caches_ ? static_cast<size_t>(ticketCount) : 0) == 1;
}

void Context::PrepareServer() {
  if (isServer_) return;
  isServer_ = true;
  SetCacheMode();
}

void Context::SetCacheMode() {
  // Clients are told of their sessions, and keep them elsewhere.
  long mode = SSL_SESS_CACHE_CLIENT;
  if (!isServer_) {
    mode |= SSL_SESS_CACHE_NO_INTERNAL;
  } else if (caches_) {
    mode |= SSL_SESS_CACHE_SERVER;
  }
  SSL_CTX_set_session_cache_mode(native_, mode);
}

// One by one: `SSL_CTX_flush_sessions` is deprecated since 3.4, and node.exe exports nothing that is.
void Context::ForgetSessions() {
  std::vector<OwnedSession> sessions;
  const auto keep = [](void* session, void* list) {
    auto* found = static_cast<SSL_SESSION*>(session);
    SSL_SESSION_up_ref(found);
    static_cast<std::vector<OwnedSession>*>(list)->emplace_back(found);
  };
  OPENSSL_LH_doall_arg(reinterpret_cast<OPENSSL_LHASH*>(SSL_CTX_sessions(native_)), keep, &sessions);
  for (const OwnedSession& session : sessions) SSL_CTX_remove_session(native_, session.get());
}

bool Context::SetTicketKeys(Bytes keys) {
  if (keys.size % TicketKeys::kKeyBytes != 0) {
    ERR_raise_data(ERR_LIB_SSL, SSL_R_INVALID_TICKET_KEYS_LENGTH, "a key of session tickets has %zu bytes", TicketKeys::kKeyBytes);
    return false;
  }
  ticketKeys = TicketKeys(keys);
  return SSL_CTX_set_tlsext_ticket_key_evp_cb(native_, keys.empty() ? nullptr : OnTicketKey) == 1;
}

bool Context::SetPskIdentities(PskTable table, const std::string& hint) {
  if (!table.Check()) return false;
  if (SSL_CTX_use_psk_identity_hint(native_, hint.empty() ? nullptr : hint.c_str()) != 1) return false;
  table.Sort();
  SSL_CTX_set_psk_server_callback(native_, table.empty() ? nullptr : OnPskServer);
  pskIdentities = std::move(table);
  return true;
}

bool Context::SetPsk(const std::string& identity, Bytes key) {
  PskEntry entry{identity, Secret(key)};
  const bool none = identity.empty() && key.empty();
  if (!none && !CheckPsk(entry)) return false;
  SSL_CTX_set_psk_client_callback(native_, none ? nullptr : OnPskClient);
  psk = std::move(entry);
  return true;
}

}  // namespace bufferevent
