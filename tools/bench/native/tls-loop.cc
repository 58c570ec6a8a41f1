// What OpenSSL can do in this process when nothing stands around it: an addon whose two ends of a connection are joined by
// memory and served by one loop, in one call. OpenSSL is that of the executable, whose headers it is compiled against.
//
//     open(key, certificate, ca, name)      contexts for both ends, from PEM; what was open before is closed
//     handshakes(count)                     so many connections, each until both ends are done; what was agreed upon
//     bulk(bytes, writeBytes, compare)      sent over one connection in such writes; the bytes that have come
//     heldBytes(count)                      allocated for each of so many servers' ends, after a handshake and an echo
//     serve()                               an echo over TCP (tls-echo.h); the port
#include <malloc.h>
#include <node_api.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tls-echo.h"

namespace {

/** Bytes on their way from one end to the other. */
class Channel {
 public:
  void Write(const char* from, size_t bytes) {
    if (start_ == end_) start_ = end_ = 0;
    if (memory_.size() < end_ + bytes) memory_.resize(2 * (end_ + bytes));
    memcpy(memory_.data() + end_, from, bytes);
    end_ += bytes;
  }

  size_t Read(char* into, size_t bytes) {
    const size_t taken = bytes < end_ - start_ ? bytes : end_ - start_;
    memcpy(into, memory_.data() + start_, taken);
    start_ += taken;
    return taken;
  }

 private:
  std::vector<char> memory_;
  size_t start_ = 0;
  size_t end_ = 0;
};

/** Where a BIO reads from and writes to. */
struct Wire {
  Channel* in;
  Channel* out;
};

int OnRead(BIO* bio, char* into, int bytes) {
  BIO_clear_retry_flags(bio);
  const size_t done = static_cast<Wire*>(BIO_get_data(bio))->in->Read(into, static_cast<size_t>(bytes));
  if (done > 0) return static_cast<int>(done);
  BIO_set_retry_read(bio);
  return -1;
}

int OnWrite(BIO* bio, const char* from, int bytes) {
  static_cast<Wire*>(BIO_get_data(bio))->out->Write(from, static_cast<size_t>(bytes));
  return bytes;
}

long OnControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

int OnCreate(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

BIO* NewBio(Wire* wire) {
  static BIO_METHOD* method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bench memory");
    BIO_meth_set_read(made, OnRead);
    BIO_meth_set_write(made, OnWrite);
    BIO_meth_set_ctrl(made, OnControl);
    BIO_meth_set_create(made, OnCreate);
    return made;
  }();
  BIO* bio = BIO_new(method);
  BIO_set_data(bio, wire);
  return bio;
}

template <auto Free>
struct Freeing {
  template <typename Thing>
  void operator()(Thing* thing) const {
    Free(thing);
  }
};
using ContextPointer = std::unique_ptr<SSL_CTX, Freeing<SSL_CTX_free>>;
using SslPointer = std::unique_ptr<SSL, Freeing<SSL_free>>;
using BioPointer = std::unique_ptr<BIO, Freeing<BIO_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using CertificatePointer = std::unique_ptr<X509, Freeing<X509_free>>;

struct Contexts {
  ContextPointer client;
  ContextPointer server;
  std::string name;
};
Contexts contexts;

/** Both ends of one connection. */
class Connection {
 public:
  Connection() : client_(SSL_new(contexts.client.get())), server_(SSL_new(contexts.server.get())) {
    if (client_ == nullptr || server_ == nullptr) return;
    SSL_set_tlsext_host_name(client_.get(), contexts.name.c_str());
    SSL_set1_host(client_.get(), contexts.name.c_str());
    BIO* bio = NewBio(&clientWire_);
    SSL_set_bio(client_.get(), bio, bio);
    bio = NewBio(&serverWire_);
    SSL_set_bio(server_.get(), bio, bio);
    SSL_set_connect_state(client_.get());
    SSL_set_accept_state(server_.get());
  }

  bool Handshake() {
    if (client_ == nullptr || server_ == nullptr) return false;
    for (bool clientDone = false, serverDone = false; !clientDone || !serverDone;) {
      if (!Step(client_.get(), &clientDone) || !Step(server_.get(), &serverDone)) return false;
    }
    return true;
  }

  bool Send(const char* bytes, size_t count) {
    size_t written = 0;
    return SSL_write_ex(client_.get(), bytes, count, &written) == 1 && written == count;
  }

  /** Both ways. */
  bool Echo() {
    char bytes[64] = {};
    size_t done = 0;
    return Send(bytes, sizeof bytes) && Receive(bytes, sizeof bytes) == sizeof bytes &&
           SSL_write_ex(server_.get(), bytes, sizeof bytes, &done) == 1 &&
           SSL_read_ex(client_.get(), bytes, sizeof bytes, &done) == 1;
  }

  /** What is left when the other end and the memory between them are gone. */
  SslPointer KeepServer() {
    SSL_set_bio(server_.get(), nullptr, nullptr);
    return std::move(server_);
  }

  /** @returns 0 when nothing is there, or it is broken */
  size_t Receive(char* into, size_t room) {
    size_t read = 0;
    return SSL_read_ex(server_.get(), into, room, &read) == 1 ? read : 0;
  }

  std::string About() const {
    return std::string(SSL_get_version(client_.get())) + " " + SSL_get_cipher_name(client_.get()) + " " +
           OBJ_nid2sn(SSL_get_negotiated_group(client_.get())) + " " +
           (SSL_get_verify_result(client_.get()) == X509_V_OK && SSL_get0_verified_chain(client_.get()) != nullptr
                ? "verified"
                : "not verified");
  }

 private:
  static bool Step(SSL* ssl, bool* done) {
    if (*done) return true;
    const int result = SSL_do_handshake(ssl);
    *done = result == 1;
    return *done || SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ;
  }

  Channel toServer_;
  Channel toClient_;
  Wire clientWire_{&toClient_, &toServer_};
  Wire serverWire_{&toServer_, &toClient_};
  SslPointer client_;
  SslPointer server_;
};

std::unique_ptr<Connection> bulkConnection;

BioPointer Pem(const std::string& text) { return BioPointer(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

CertificatePointer ReadCertificate(const std::string& pem) {
  return CertificatePointer(PEM_read_bio_X509(Pem(pem).get(), nullptr, nullptr, nullptr));
}

/** TLS 1.3 with the one suite and the one group that all peers of the bench are held to. */
ContextPointer NewContext() {
  ContextPointer context(SSL_CTX_new(TLS_method()));
  // A write that waits for the system may come again from other memory.
  if (context != nullptr) SSL_CTX_set_mode(context.get(), SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (context == nullptr || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256") != 1 ||
      SSL_CTX_set1_groups_list(context.get(), "X25519") != 1) {
    return nullptr;
  }
  return context;
}

bool Open(const std::string& keyPem, const std::string& certificatePem, const std::string& caPem, std::string name) {
  bulkConnection.reset();
  contexts = {NewContext(), NewContext(), std::move(name)};
  if (contexts.client == nullptr || contexts.server == nullptr) return false;
  const KeyPointer key(PEM_read_bio_PrivateKey(Pem(keyPem).get(), nullptr, nullptr, nullptr));
  const CertificatePointer certificate = ReadCertificate(certificatePem);
  const CertificatePointer ca = ReadCertificate(caPem);
  if (key == nullptr || certificate == nullptr || ca == nullptr) return false;
  SSL_CTX_set_verify(contexts.client.get(), SSL_VERIFY_PEER, nullptr);
  return SSL_CTX_use_certificate(contexts.server.get(), certificate.get()) == 1 &&
         SSL_CTX_use_PrivateKey(contexts.server.get(), key.get()) == 1 &&
         X509_STORE_add_cert(SSL_CTX_get_cert_store(contexts.client.get()), ca.get()) == 1;
}

napi_value Throw(napi_env env, const char* what) {
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  napi_throw_error(env, nullptr, (std::string(what) + ": " + (reason == nullptr ? "no reason" : reason)).c_str());
  ERR_clear_error();
  return nullptr;
}

template <size_t Count>
bool Arguments(napi_env env, napi_callback_info info, napi_value (&values)[Count]) {
  size_t count = Count;
  return napi_get_cb_info(env, info, &count, values, nullptr, nullptr) == napi_ok && count == Count;
}

std::string Text(napi_env env, napi_value value) {
  size_t bytes = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &bytes);
  std::string text(bytes, '\0');
  napi_get_value_string_utf8(env, value, text.data(), bytes + 1, &bytes);
  return text;
}

size_t Count(napi_env env, napi_value value) {
  int64_t count = 0;
  napi_get_value_int64(env, value, &count);
  return static_cast<size_t>(count);
}

napi_value OpenCall(napi_env env, napi_callback_info info) {
  napi_value values[4];
  if (!Arguments(env, info, values)) return Throw(env, "four arguments are wanted");
  const bool open =
      Open(Text(env, values[0]), Text(env, values[1]), Text(env, values[2]), Text(env, values[3]));
  return open ? nullptr : Throw(env, "no contexts could be made");
}

napi_value HandshakesCall(napi_env env, napi_callback_info info) {
  napi_value values[1];
  if (!Arguments(env, info, values)) return Throw(env, "one argument is wanted");
  std::string about;
  for (size_t left = Count(env, values[0]); left > 0; left--) {
    Connection connection;
    if (!connection.Handshake()) return Throw(env, "a handshake failed");
    if (left == 1) about = connection.About();
  }
  napi_value result;
  napi_create_string_utf8(env, about.c_str(), about.size(), &result);
  return result;
}

napi_value BulkCall(napi_env env, napi_callback_info info) {
  napi_value values[3];
  if (!Arguments(env, info, values)) return Throw(env, "three arguments are wanted");
  const size_t bytes = Count(env, values[0]);
  const size_t writeBytes = Count(env, values[1]);
  bool compare = false;
  napi_get_value_bool(env, values[2], &compare);
  if (bulkConnection == nullptr) {
    bulkConnection = std::make_unique<Connection>();
    if (!bulkConnection->Handshake()) return Throw(env, "the handshake failed");
  }
  std::vector<char> sent(writeBytes);
  for (size_t index = 0; index < writeBytes; index++) sent[index] = static_cast<char>(index * 31);
  std::vector<char> received(writeBytes);
  size_t total = 0;
  while (total < bytes) {
    if (!bulkConnection->Send(sent.data(), writeBytes)) return Throw(env, "a write failed");
    size_t have = 0;
    while (have < writeBytes) {
      const size_t more = bulkConnection->Receive(received.data() + have, writeBytes - have);
      if (more == 0) return Throw(env, "what was written did not come");
      have += more;
    }
    if (compare && sent != received) return Throw(env, "something else came");
    total += have;
  }
  napi_value result;
  napi_create_int64(env, static_cast<int64_t>(total), &result);
  return result;
}

napi_value HeldBytesCall(napi_env env, napi_callback_info info) {
  napi_value values[1];
  if (!Arguments(env, info, values)) return Throw(env, "one argument is wanted");
  const size_t count = Count(env, values[0]);
  std::vector<SslPointer> kept;
  kept.reserve(count);
  // Room for records is needed while there are any; who holds many connections has it given back (the others here keep it).
  SSL_CTX_set_mode(contexts.server.get(), SSL_MODE_RELEASE_BUFFERS);
  const size_t before = mallinfo2().uordblks;
  for (size_t left = count; left > 0; left--) {
    Connection connection;
    if (!connection.Handshake() || !connection.Echo()) return Throw(env, "an echo failed");
    kept.push_back(connection.KeepServer());
  }
  const size_t after = mallinfo2().uordblks;
  SSL_CTX_clear_mode(contexts.server.get(), SSL_MODE_RELEASE_BUFFERS);
  napi_value result;
  napi_create_double(env, static_cast<double>(after - before) / static_cast<double>(count), &result);
  return result;
}

napi_value ServeCall(napi_env env, napi_callback_info) {
  const uint16_t port = EchoServer::Start(contexts.server.release());
  if (port == 0) return Throw(env, "no socket to listen on");
  napi_value result;
  napi_create_uint32(env, port, &result);
  return result;
}

napi_value Init(napi_env env, napi_value exports) {
  const napi_property_descriptor calls[] = {
      {"open", nullptr, OpenCall, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"handshakes", nullptr, HandshakesCall, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"bulk", nullptr, BulkCall, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"heldBytes", nullptr, HeldBytesCall, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"serve", nullptr, ServeCall, nullptr, nullptr, nullptr, napi_default, nullptr},
  };
  napi_define_properties(env, exports, std::size(calls), calls);
  return exports;
}

}  // namespace

NAPI_MODULE(tls_loop, Init)
