#include "hello.h"

#include <string.h>

#include "connection.h"

namespace bufferevent {

namespace {

Bytes ExtensionOf(SSL* ssl, unsigned int type) {
  Bytes bytes;
  if (SSL_client_hello_get0_ext(ssl, type, &bytes.data, &bytes.size) != 1) return {};
  return bytes;
}

// Takes a length of two bytes and what it says from the front; empty when that is not there.
Bytes TakeVector(Bytes* from) {
  if (from->size < 2) return {};
  const size_t size = static_cast<size_t>(from->data[0]) << 8 | from->data[1];
  if (from->size - 2 < size) return {};
  const Bytes taken{from->data + 2, size};
  *from = {from->data + 2 + size, from->size - 2 - size};
  return taken;
}

// RFC 6066: a list of names, of which there is only the kind of host names, and one of it.
std::string ServernameOf(SSL* ssl) {
  Bytes extension = ExtensionOf(ssl, TLSEXT_TYPE_server_name);
  Bytes list = TakeVector(&extension);
  if (list.empty() || list.data[0] != TLSEXT_NAMETYPE_host_name) return {};
  list = {list.data + 1, list.size - 1};
  const Bytes name = TakeVector(&list);
  // OpenSSL refuses the connection for either when it comes to it.
  if (name.size > TLSEXT_MAXLEN_host_name || (!name.empty() && memchr(name.data, 0, name.size) != nullptr)) return {};
  return std::string(reinterpret_cast<const char*>(name.data), name.size);
}

}  // namespace

int OnClientHello(SSL* ssl, int*, void*) {
  Connection* connection = Connection::Of(ssl);
  connection->ForgetVerification();
  // Also asked again: after a suspension, by TLS 1.3 after a HelloRetryRequest, by a renegotiation.
  if (connection->hello.known) return SSL_CLIENT_HELLO_SUCCESS;
  connection->hello.known = true;
  connection->hello.servername = ServernameOf(ssl);
  if (!connection->suspendsAtHello()) return SSL_CLIENT_HELLO_SUCCESS;
  Bytes extension = ExtensionOf(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation);
  Octets protocols = TakeVector(&extension).Copy();
  if (IsProtocolList(protocols)) connection->hello.alpn = std::move(protocols);
  return SSL_CLIENT_HELLO_RETRY;
}

}  // namespace bufferevent
