// The calls of connections. What they mean is said in src/binding-contract.ts.
#include "call.h"
#include "certificate.h"

namespace bufferevent {
namespace {

// `Result` of the contract.
enum ResultWord { kConsumed, kProduced, kOutput, kBuffered, kEvents };

napi_value SslNew(Call& call) {
  Context* context = call.ContextAt(0);
  const bool isServer = call.Bool(1);
  if (call.failed()) return nullptr;
  Connection* connection = Connection::New(context, isServer, call.environment().wireMethod());
  const double id = connection == nullptr ? 0 : call.environment().Add(connection);
  if (id == 0) delete connection;
  return Number(call.env(), call.Succeeded(id != 0) ? id : 0);
}

napi_value SslFree(Call& call) {
  call.environment().FreeConnection(call.Double(0));
  return nullptr;
}

napi_value SslReset(Call& call, Connection& connection) { return call.Answer(connection.Reset()); }

template <bool (Connection::*set)(const std::string&)>
napi_value SetText(Call& call, Connection& connection) {
  const std::string text = call.String(1);
  return call.failed() ? nullptr : call.Answer((connection.*set)(text));
}

napi_value SslSetVerify(Call& call, Connection& connection) {
  const int mode = call.Int(1);
  if (!call.failed()) connection.SetVerify(mode);
  return nullptr;
}

napi_value SslSetAlpn(Call& call, Connection& connection) {
  const Bytes protocols = call.BytesAt(1);
  return call.failed() ? nullptr : call.Answer(connection.SetAlpn(protocols));
}

napi_value SslSetSession(Call& call, Connection& connection) {
  const Bytes der = call.BytesAt(1);
  if (call.failed()) return nullptr;
  const uint8_t* cursor = der.data;
  OwnedSession session(d2i_SSL_SESSION(nullptr, &cursor, der.length()));
  return call.Answer(session != nullptr && connection.SetSession(std::move(session)));
}

napi_value SslRequestOcsp(Call& call, Connection& connection) { return call.Answer(connection.RequestOcsp()); }

napi_value SslSuspendAtHello(Call&, Connection& connection) {
  connection.SuspendAtHello();
  return nullptr;
}

napi_value SslClientHello(Call& call, Connection& connection) {
  if (!connection.hello.known) return Null(call.env());
  napi_value hello;
  napi_create_object(call.env(), &hello);
  napi_set_named_property(call.env(), hello, "servername", Text(call.env(), connection.hello.servername));
  napi_set_named_property(call.env(), hello, "alpn", ByteArray(call.env(), connection.hello.alpn));
  return hello;
}

napi_value SslSetContext(Call& call, Connection& connection) {
  Context* context = call.ContextAt(1);
  return call.failed() ? nullptr : call.Answer(connection.SetContext(context));
}

// One call of the engine: memory is lent for its time, and its results are written at the end.
class EngineCall {
 public:
  EngineCall(Call& call, Connection* connection, Window input, Window output)
      : words_(call.environment().results()), connection_(connection) {
    connection->events = 0;
    connection->wire.Lend(input.data, input.size, output.data, output.size);
  }
  EngineCall(const EngineCall&) = delete;
  EngineCall& operator=(const EngineCall&) = delete;

  ~EngineCall() {
    Wire& wire = connection_->wire;
    words_[kConsumed] = static_cast<int32_t>(consumed_ >= 0 ? consumed_ : static_cast<int64_t>(wire.consumed()));
    words_[kProduced] = static_cast<int32_t>(produced_ >= 0 ? produced_ : static_cast<int64_t>(wire.produced()));
    words_[kOutput] = static_cast<int32_t>(wire.waiting());
    words_[kBuffered] = SSL_pending(connection_->ssl());
    words_[kEvents] = static_cast<int32_t>(connection_->events);
    wire.EndLoan();
  }

  // Of plaintext, where that is what is counted.
  void SetConsumed(size_t bytes) { consumed_ = static_cast<int64_t>(bytes); }
  void SetProduced(size_t bytes) { produced_ = static_cast<int64_t>(bytes); }

 private:
  int32_t* words_;
  Connection* connection_;
  int64_t consumed_ = -1;
  int64_t produced_ = -1;
};

napi_value StatusNumber(Call& call, Status status) {
  napi_value number = nullptr;
  napi_create_int32(call.env(), static_cast<int>(status), &number);
  return number;
}

Connection* StartedConnection(Call& call) {
  if (call.environment().results() == nullptr) call.ThrowTypeError("start() comes first");
  return call.ConnectionAt(0);
}

napi_value SslHandshake(Call& call) {
  Connection* connection = StartedConnection(call);
  const Window input = call.WindowAt(1);
  if (call.failed()) return nullptr;
  const EngineCall engine(call, connection, input, {});
  return StatusNumber(call, connection->Handshake());
}

napi_value SslRead(Call& call) {
  Connection* connection = StartedConnection(call);
  const Window input = call.WindowAt(1);
  const Window plain = call.WindowAt(4);
  if (call.failed()) return nullptr;
  EngineCall engine(call, connection, input, {});
  size_t produced = 0;
  const Status status = connection->Read(plain.data, plain.size, &produced);
  engine.SetProduced(produced);
  return StatusNumber(call, status);
}

napi_value SslWrite(Call& call) {
  Connection* connection = StartedConnection(call);
  const Window plain = call.WindowAt(1);
  const Window out = call.WindowAt(4);
  if (call.failed()) return nullptr;
  EngineCall engine(call, connection, {}, out);
  size_t consumed = 0;
  const Status status = connection->Write(plain.data, plain.size, &consumed);
  engine.SetConsumed(consumed);
  return StatusNumber(call, status);
}

napi_value SslTakeOutput(Call& call, Connection& connection) {
  const Window into = call.WindowAt(1);
  if (call.failed()) return nullptr;
  return Number(call.env(), static_cast<double>(connection.wire.TakeWaiting(into.data, into.size)));
}

napi_value SslShutdown(Call& call) {
  Connection* connection = StartedConnection(call);
  if (call.failed()) return nullptr;
  const EngineCall engine(call, connection, {}, {});
  return StatusNumber(call, connection->Shutdown());
}

napi_value SslRefuse(Call&, Connection& connection) {
  connection.Refuse();
  return nullptr;
}

napi_value SslRenegotiate(Call& call, Connection& connection) { return call.Answer(connection.Renegotiate()); }

napi_value SslUpdateKeys(Call& call, Connection& connection) {
  const bool requestPeer = call.Bool(1);
  return call.failed() ? nullptr : call.Answer(connection.UpdateKeys(requestPeer));
}

napi_value SslTakeErrors(Call& call, Connection& connection) { return connection.errors.Take(call.env()); }

napi_value SslTakeSessions(Call& call, Connection& connection) {
  return ByteArrays(call.env(), std::exchange(connection.sessions, {}));
}

napi_value SslTakeKeyLog(Call& call, Connection& connection) {
  const std::vector<Secret> lines = std::exchange(connection.keyLog, {});
  napi_value list = NewArray(call.env(), lines.size());
  for (uint32_t index = 0; index < lines.size(); index++) {
    napi_set_element(call.env(), list, index, Text(call.env(), lines[index].bytes()));
  }
  return list;
}

napi_value SslVersion(Call& call, Connection& connection) {
  const bool known = SSL_get_current_cipher(connection.ssl()) != nullptr;
  return Text(call.env(), known ? SSL_get_version(connection.ssl()) : "");
}

napi_value SslCipher(Call& call, Connection& connection) {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(connection.ssl());
  if (cipher == nullptr) return Null(call.env());
  const char* standardName = SSL_CIPHER_standard_name(cipher);
  napi_value list = NewArray(call.env(), 4);
  napi_set_element(call.env(), list, 0, Text(call.env(), SSL_CIPHER_get_name(cipher)));
  napi_set_element(call.env(), list, 1, Text(call.env(), standardName == nullptr ? "" : standardName));
  napi_set_element(call.env(), list, 2, Text(call.env(), SSL_CIPHER_get_version(cipher)));
  napi_set_element(call.env(), list, 3, Number(call.env(), SSL_CIPHER_get_bits(cipher, nullptr)));
  return list;
}

std::string GroupOf(SSL* ssl) {
  // OpenSSL 3.0 looks into the session without asking whether there is one.
  if (SSL_get_session(ssl) == nullptr) return {};
  const long group = SSL_get_negotiated_group(ssl);
  if (group == NID_undef) return {};
  const bool isKnown = (group & TLSEXT_nid_unknown) == 0;
  const char* name = isKnown ? EC_curve_nid2nist(static_cast<int>(group)) : SSL_group_to_name(ssl, static_cast<int>(group));
  if (name == nullptr && isKnown) name = OBJ_nid2sn(static_cast<int>(group));
  return name == nullptr ? std::string() : std::string(name);
}

napi_value SslGroup(Call& call, Connection& connection) { return Text(call.env(), GroupOf(connection.ssl())); }

napi_value SslAlpn(Call& call, Connection& connection) {
  const unsigned char* name = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(connection.ssl(), &name, &length);
  return Text(call.env(), name == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(name), length));
}

napi_value SslServername(Call& call, Connection& connection) {
  if (connection.isServer()) return Text(call.env(), connection.hello.servername);
  const char* name = SSL_get_servername(connection.ssl(), TLSEXT_NAMETYPE_host_name);
  return Text(call.env(), name == nullptr ? "" : name);
}

napi_value SslIsSessionReused(Call& call, Connection& connection) {
  return Boolean(call.env(), connection.IsSessionReused());
}

napi_value SslSession(Call& call, Connection& connection) {
  SSL_SESSION* session = SSL_get_session(connection.ssl());
  if (session == nullptr || SSL_SESSION_is_resumable(session) != 1) return Null(call.env());
  const Secret der(ToDer(session, i2d_SSL_SESSION));
  return der.empty() ? Null(call.env()) : ByteArray(call.env(), der);
}

napi_value SslPeerCertificates(Call& call, Connection& connection) {
  return ByteArrays(call.env(), connection.PeerCertificates());
}

napi_value SslVerifiedChain(Call& call, Connection& connection) {
  std::vector<Octets> list;
  if (connection.VerifyFaults().empty()) AppendDer(SSL_get0_verified_chain(connection.ssl()), &list);
  return ByteArrays(call.env(), list);
}

napi_value SslVerifyErrors(Call& call, Connection& connection) {
  const std::vector<VerifyFault> faults = connection.VerifyFaults();
  napi_value list = NewArray(call.env(), faults.size());
  for (uint32_t index = 0; index < faults.size(); index++) {
    const VerifyFault& fault = faults[index];
    napi_value entry = NewArray(call.env(), 3);
    napi_set_element(call.env(), entry, 0, Number(call.env(), fault.code));
    napi_set_element(call.env(), entry, 1, Text(call.env(), X509_verify_cert_error_string(fault.code)));
    napi_set_element(call.env(), entry, 2, Number(call.env(), fault.depth));
    napi_set_element(call.env(), list, index, entry);
  }
  return list;
}

napi_value SslOcspResponse(Call& call, Connection& connection) {
  const uint8_t* response = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(connection.ssl(), &response);
  if (response == nullptr || size <= 0 || connection.isServer()) return Null(call.env());
  return ByteArray(call.env(), response, static_cast<size_t>(size));
}

napi_value SslExportKeyingMaterial(Call& call, Connection& connection) {
  const int length = call.Int(1);
  const std::string label = call.String(2);
  Bytes context;
  const bool hasContext = call.BytesOrNull(3, &context);
  // More than any use of it asks for.
  constexpr int kMost = 1 << 16;
  if (length < 0 || length > kMost) call.ThrowRangeError("the length is not within 0 and 65536");
  if (call.failed()) return nullptr;
  Secret material(static_cast<size_t>(length));
  const bool exported =
      connection.established() && SSL_export_keying_material(connection.ssl(), material.data(), material.size(), label.data(),
                                                             label.size(), context.data, context.size, hasContext ? 1 : 0) == 1;
  return call.Succeeded(exported) ? ByteArray(call.env(), material) : Null(call.env());
}

napi_value SslFinished(Call& call, Connection& connection) {
  const bool ofPeer = call.Bool(1);
  if (call.failed()) return nullptr;
  uint8_t message[EVP_MAX_MD_SIZE];
  const size_t size = ofPeer ? SSL_get_peer_finished(connection.ssl(), message, sizeof message)
                             : SSL_get_finished(connection.ssl(), message, sizeof message);
  if (size == 0 || size > sizeof message) return Null(call.env());
  return ByteArray(call.env(), message, size);
}

napi_value SslState(Call& call, Connection& connection) { return Text(call.env(), SSL_state_string_long(connection.ssl())); }

napi_value SslFlags(Call& call, Connection& connection) { return Number(call.env(), connection.flags()); }

constexpr Function kFunctions[] = {
    {"sslNew", Enter<SslNew>},
    {"sslFree", Enter<SslFree>},
    {"sslReset", Enter<SslReset>},
    {"sslSetServername", Enter<SetText<&Connection::SetServername>>},
    {"sslSetVerifyName", Enter<SetText<&Connection::SetVerifyName>>},
    {"sslSetVerify", Enter<SslSetVerify>},
    {"sslSetAlpn", Enter<SslSetAlpn>},
    {"sslSetSession", Enter<SslSetSession>},
    {"sslRequestOcsp", Enter<SslRequestOcsp>},
    {"sslSuspendAtHello", Enter<SslSuspendAtHello>},
    {"sslClientHello", Enter<SslClientHello>},
    {"sslSetContext", Enter<SslSetContext>},
    {"sslHandshake", Enter<SslHandshake>},
    {"sslRead", Enter<SslRead>},
    {"sslWrite", Enter<SslWrite>},
    {"sslTakeOutput", Enter<SslTakeOutput>},
    {"sslShutdown", Enter<SslShutdown>},
    {"sslRefuse", Enter<SslRefuse>},
    {"sslRenegotiate", Enter<SslRenegotiate>},
    {"sslUpdateKeys", Enter<SslUpdateKeys>},
    {"sslTakeErrors", Enter<SslTakeErrors>},
    {"sslTakeSessions", Enter<SslTakeSessions>},
    {"sslTakeKeyLog", Enter<SslTakeKeyLog>},
    {"sslVersion", Enter<SslVersion>},
    {"sslCipher", Enter<SslCipher>},
    {"sslGroup", Enter<SslGroup>},
    {"sslAlpn", Enter<SslAlpn>},
    {"sslServername", Enter<SslServername>},
    {"sslIsSessionReused", Enter<SslIsSessionReused>},
    {"sslSession", Enter<SslSession>},
    {"sslPeerCertificates", Enter<SslPeerCertificates>},
    {"sslVerifiedChain", Enter<SslVerifiedChain>},
    {"sslVerifyErrors", Enter<SslVerifyErrors>},
    {"sslOcspResponse", Enter<SslOcspResponse>},
    {"sslExportKeyingMaterial", Enter<SslExportKeyingMaterial>},
    {"sslFinished", Enter<SslFinished>},
    {"sslState", Enter<SslState>},
    {"sslFlags", Enter<SslFlags>},
};

}  // namespace

void DefineConnectionCalls(napi_env env, napi_value exports, Environment* environment) {
  Define(env, exports, environment, kFunctions);
}

}  // namespace bufferevent
