#include "connection.h"

#include <string.h>

#include <algorithm>

#include "certificate.h"

namespace bufferevent {

namespace {

int OnVerify(int fine, X509_STORE_CTX* store) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  return fine == 1 || Connection::Of(ssl)->NoteVerificationError(store) ? 1 : 0;
}

void OnMessage(int writes, int, int type, const void* data, size_t bytes, SSL*, void* connection) {
  if (type == SSL3_RT_HANDSHAKE && bytes > 0) {
    static_cast<Connection*>(connection)->NoteMessage(*static_cast<const uint8_t*>(data), writes != 0);
  }
}

// The newest of what nobody has looked at.
void Keep(Secret secret, std::vector<Secret>* list, size_t most) {
  if (list->size() == most) list->erase(list->begin());
  list->push_back(std::move(secret));
}

bool SetVerifyNameOf(SSL* ssl, const std::string& name) {
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
  // Forgets the other kind.
  if (X509_VERIFY_PARAM_set1_host(parameters, nullptr, 0) != 1) return false;
  if (X509_VERIFY_PARAM_set1_ip(parameters, nullptr, 0) != 1) return false;
  if (name.empty()) return true;
  const Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> address(a2i_IPADDRESS(name.c_str()));
  if (address != nullptr) {
    return X509_VERIFY_PARAM_set1_ip(parameters, ASN1_STRING_get0_data(address.get()),
                                     static_cast<size_t>(ASN1_STRING_length(address.get()))) == 1;
  }
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) == 1;
}

}  // namespace

Connection::Connection(Context* context, bool isServer, const BIO_METHOD* wireMethod)
    : wire(wireMethod), context_(context), isServer_(isServer) {
  context->AddReference();
}

Connection* Connection::New(Context* context, bool isServer, const BIO_METHOD* wireMethod) {
  auto* connection = new Connection(context, isServer, wireMethod);
  if (connection->Build(context)) return connection;
  delete connection;
  return nullptr;
}

Connection::~Connection() {
  FreeSsl();
  context_->Release();
}

void Connection::FreeSsl() {
  // Else its session would be forgotten whenever the connection has ended without close_notify, which it need not since
  // TLS 1.1 (RFC 4346 §7.2.1). Those of connections that have failed are forgotten already.
  if (established_ && !failed_) SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

Connection* Connection::Of(const SSL* ssl) { return static_cast<Connection*>(SSL_get_app_data(ssl)); }

bool Connection::Build(Context* context) {
  if (isServer_) context->PrepareServer();
  Owned<SSL, SSL_free> ssl(SSL_new(context->native()));
  if (ssl == nullptr || SSL_set_app_data(ssl.get(), this) != 1) return false;
  BIO* bio = wire.NewBio();
  if (bio == nullptr) return false;
  SSL_set_bio(ssl.get(), bio, bio);
  if (isServer_) {
    SSL_set_accept_state(ssl.get());
  } else {
    SSL_set_connect_state(ssl.get());
    X509_STORE* store = context->clientStore();
    if (store != nullptr && SSL_set1_verify_cert_store(ssl.get(), store) != 1) return false;
    // Sessions of clients belong to no context, and may come from another one or from a pre-shared key.
    if (SSL_set_session_id_context(ssl.get(), reinterpret_cast<const unsigned char*>(""), 0) != 1) return false;
  }
  SSL_set_msg_callback(ssl.get(), OnMessage);
  SSL_set_msg_callback_arg(ssl.get(), this);
  if (!ApplyTo(ssl.get(), *context)) return false;

  context->AddReference();
  FreeSsl();
  context_->Release();
  context_ = context;
  ssl_ = ssl.release();
  return true;
}

bool Connection::ApplyTo(SSL* ssl, const Context& context) const {
  ApplyVerify(ssl, context);
  if (!servername_.empty() && SSL_set_tlsext_host_name(ssl, servername_.c_str()) != 1) return false;
  if (!verifyName_.empty() && !SetVerifyNameOf(ssl, verifyName_)) return false;
  const Octets& alpn = ownAlpn_ ? alpn_ : context.alpn;
  if (!isServer_ && !alpn.empty() && SSL_set_alpn_protos(ssl, alpn.data(), static_cast<unsigned>(alpn.size())) != 0) return false;
  if (session_ != nullptr && SSL_set_session(ssl, session_.get()) != 1) return false;
  return !requestsOcsp_ || SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp) == 1;
}

void Connection::ApplyVerify(SSL* ssl, const Context& context) const {
  const int bits = verifyMode(context);
  int mode = SSL_VERIFY_NONE;
  if ((bits & kVerifyPeer) != 0) mode |= SSL_VERIFY_PEER;
  if ((bits & kVerifyFailIfNoCertificate) != 0) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_set_verify(ssl, mode, OnVerify);
}

bool Connection::SetServername(const std::string& servername) {
  const char* name = servername.empty() ? nullptr : servername.c_str();
  if (SSL_set_tlsext_host_name(ssl_, name) != 1) return false;
  servername_ = servername;
  return true;
}

bool Connection::SetVerifyName(const std::string& name) {
  if (!SetVerifyNameOf(ssl_, name)) return false;
  verifyName_ = name;
  return true;
}

void Connection::SetVerify(int mode) {
  verifyMode_ = mode;
  ApplyVerify(ssl_, *context_);
}

bool Connection::SetAlpn(Bytes protocols) {
  // Another thread can write into shared memory, so it is the copy that is looked at.
  Octets copy = protocols.Copy();
  if (!IsProtocolList(copy)) {
    ERR_raise_data(ERR_LIB_SSL, SSL_R_BAD_EXTENSION, "not a list of protocols");
    return false;
  }
  if (!isServer_ && SSL_set_alpn_protos(ssl_, copy.data(), static_cast<unsigned>(copy.size())) != 0) return false;
  ownAlpn_ = true;
  alpn_ = std::move(copy);
  return true;
}

bool Connection::SetSession(OwnedSession session) {
  if (SSL_set_session(ssl_, session.get()) != 1) return false;
  session_ = std::move(session);
  return true;
}

bool Connection::RequestOcsp() {
  requestsOcsp_ = SSL_set_tlsext_status_type(ssl_, TLSEXT_STATUSTYPE_ocsp) == 1;
  return requestsOcsp_;
}

void Connection::SuspendAtHello() {
  if (suspends_ != Suspends::kNever || hello.known) return;
  suspends_ = Suspends::kWanted;
  wire.Record();
}

bool Connection::Reset() {
  if (!Build(context_)) return false;
  wire.Reset();
  errors.Clear();
  events = 0;
  hello = {};
  sessions.clear();
  keyLog.clear();
  established_ = failed_ = closeReceived_ = finishedSeen_ = false;
  formerPeer_ = {};
  ForgetVerification();
  if (suspends_ != Suspends::kNever) {
    suspends_ = Suspends::kWanted;
    wire.Record();
  }
  return true;
}

bool Connection::SetContext(Context* context) {
  if (suspends_ != Suspends::kSuspended) {
    ERR_raise_data(ERR_LIB_SSL, ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED, "the connection is not suspended at a ClientHello");
    return false;
  }
  if (context == context_) return true;
  if (!Build(context)) return false;
  suspends_ = Suspends::kOver;
  wire.Rewind();
  return true;
}

int Connection::flags() const {
  const int shutdown = SSL_get_shutdown(ssl_);
  int flags = 0;
  if (established_) flags |= kFlagEstablished;
  if ((shutdown & SSL_SENT_SHUTDOWN) != 0) flags |= kFlagCloseSent;
  if (closeReceived_) flags |= kFlagCloseReceived;
  if (IsRenegotiating()) flags |= kFlagRenegotiating;
  return flags;
}

bool Connection::IsRenegotiating() const {
  // With TLS 1.3 new keys that wait for the next record count as a handshake, and so does any failure.
  return established_ && !failed_ && SSL_in_init(ssl_) == 1 && SSL_version(ssl_) < TLS1_3_VERSION;
}

void Connection::NoteHandshake(bool done) {
  if (!done) {
    if (established_) {
      events |= kEventHandshakeStarted;
      formerPeer_ = {CurrentCertificates(), CurrentFaults(), SSL_session_reused(ssl_) == 1};
    }
    return;
  }
  // OpenSSL also says so after a request for a renegotiation, and after it has refused one.
  if (!finishedSeen_) return;
  finishedSeen_ = false;
  events |= kEventHandshakeDone;
  formerPeer_ = {};
  // TLS 1.2: a ticket that was renewed while its session was resumed, of which OpenSSL does not tell.
  SSL_SESSION* session = SSL_get_session(ssl_);
  if (!isServer_ && session_ != nullptr && SSL_version(ssl_) < TLS1_3_VERSION && SSL_session_reused(ssl_) == 1 &&
      session != session_.get()) {
    NoteSession(session);
  }
}

void Connection::ForgetVerification() {
  verifyFaults_.clear();
  refusedCertificates_.clear();
}

void Connection::NoteMessage(int type, bool sent) {
  // Servers do so when they take one up: what they refuse changes nothing.
  if (type == SSL3_MT_CLIENT_HELLO && sent) ForgetVerification();
  if (type == SSL3_MT_FINISHED) finishedSeen_ = true;
  if (type == SSL3_MT_KEY_UPDATE && !sent) events |= kEventKeyUpdate;
}

void Connection::NoteSession(SSL_SESSION* session) {
  Secret der(ToDer(session, i2d_SSL_SESSION));
  if (der.empty()) return;
  Keep(std::move(der), &sessions, kMostSessions);
  events |= kEventSession;
}

void Connection::NoteKeyLog(const char* line) {
  Keep(Secret(AsBytes(line)), &keyLog, kMostKeyLogLines);
  events |= kEventKeyLog;
}

bool Connection::NoteVerificationError(X509_STORE_CTX* store) {
  const VerifyFault fault{X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_error_depth(store)};
  if (std::find(verifyFaults_.begin(), verifyFaults_.end(), fault) == verifyFaults_.end()) verifyFaults_.push_back(fault);
  if ((verifyMode(*context_) & kVerifyReportOnly) != 0) {
    // The last one set goes into the session, which has room for no more.
    X509_STORE_CTX_set_error(store, CurrentFaults().front().code);
    // The reasons would count as a failure of the handshake where that waits for input in the same call.
    ERR_clear_error();
    return true;
  }
  refusedCertificates_.clear();
  AppendDer(X509_STORE_CTX_get0_untrusted(store), &refusedCertificates_);
  return false;
}

std::vector<Octets> Connection::CurrentCertificates() const {
  std::vector<Octets> list;
  X509* leaf = SSL_get0_peer_certificate(ssl_);
  // OpenSSL keeps none that it has refused.
  if (leaf == nullptr) return refusedCertificates_;
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl_);
  // The chain of a client's peer begins with the leaf, that of a server's peer behind it.
  if (isServer_ || chain == nullptr || sk_X509_num(chain) == 0) AppendDer(leaf, &list);
  AppendDer(chain, &list);
  return list;
}

std::vector<VerifyFault> Connection::CurrentFaults() const {
  if (!verifyFaults_.empty()) {
    std::vector<VerifyFault> faults;
    for (const bool aboutName : {false, true}) {
      for (const VerifyFault& fault : verifyFaults_) {
        if (fault.IsAboutName() == aboutName) faults.push_back(fault);
      }
    }
    return faults;
  }
  const auto code = static_cast<int>(VerifyResult());
  if (code == X509_V_OK) return {};
  return {{code, 0}};
}

long Connection::VerifyResult() const {
  if (SSL_get0_peer_certificate(ssl_) == nullptr) {
    // Only with a pre-shared key of ours does a server get by without one. A session may come from elsewhere, and proves
    // nothing about who is named.
    const bool needsNone = isServer_ || SSL_get_current_cipher(ssl_) == nullptr || context_->HasPsk();
    return needsNone ? X509_V_OK : X509_V_ERR_UNSPECIFIED;
  }
  return SSL_get_verify_result(ssl_);
}

bool Connection::IsResumptionTrusted() const {
  if (SSL_session_reused(ssl_) != 1) return true;
  const int mode = verifyMode(*context_);
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (isServer_) {
    // OpenSSL asks only those for a certificate who resume nothing. TLS 1.3 takes pre-shared keys for sessions.
    return certificate != nullptr || (mode & kVerifyFailIfNoCertificate) == 0 || !context_->pskIdentities.empty();
  }
  if ((mode & kVerifyPeer) == 0 || (mode & kVerifyReportOnly) != 0) return true;
  if (certificate == nullptr) return context_->HasPsk();
  // Verified in this handshake.
  if (session_ == nullptr) return true;
  if (SSL_get_verify_result(ssl_) != X509_V_OK) return false;
  if (verifyName_.empty()) return true;
  constexpr int kNoAddress = -2;
  const int address = X509_check_ip_asc(certificate, verifyName_.c_str(), 0);
  if (address != kNoAddress) return address == 1;
  return X509_check_host(certificate, verifyName_.data(), verifyName_.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
}

void OnInfo(const SSL* ssl, int where, int) {
  if ((where & SSL_CB_HANDSHAKE_DONE) != 0) {
    Connection::Of(ssl)->NoteHandshake(true);
  } else if ((where & SSL_CB_HANDSHAKE_START) != 0) {
    Connection::Of(ssl)->NoteHandshake(false);
  }
}

int OnNewSession(SSL* ssl, SSL_SESSION* session) {
  if (SSL_is_server(ssl) == 0) Connection::Of(ssl)->NoteSession(session);
  // OpenSSL keeps its reference.
  return 0;
}

void OnKeyLog(const SSL* ssl, const char* line) { Connection::Of(ssl)->NoteKeyLog(line); }

int OnChooseProtocol(SSL* ssl, const unsigned char** chosen, unsigned char* chosenBytes, const unsigned char* offered,
                     unsigned int offeredBytes, void*) {
  const Octets& ours = Connection::Of(ssl)->alpn();
  if (ours.empty()) return SSL_TLSEXT_ERR_NOACK;
  for (size_t own = 0; own < ours.size(); own += 1 + ours[own]) {
    for (size_t other = 0; other < offeredBytes; other += 1 + offered[other]) {
      // Lengths are compared first, so neither is read past its end.
      if (offered[other] != ours[own] || memcmp(offered + other + 1, ours.data() + own + 1, ours[own]) != 0) continue;
      *chosen = offered + other + 1;
      *chosenBytes = offered[other];
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int OnOcspStatus(SSL* ssl, void*) {
  // A client looks at the answer later.
  if (SSL_is_server(ssl) == 0) return 1;
  const Octets& response = Context::Of(ssl)->ocspResponse;
  if (response.empty()) return SSL_TLSEXT_ERR_NOACK;
  void* copy = OPENSSL_memdup(response.data(), response.size());
  if (copy == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;
  // Belongs to the SSL from here.
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(response.size()));
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace bufferevent
