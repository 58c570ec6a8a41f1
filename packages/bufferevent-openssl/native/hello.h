// What a client has said at first, as a server reads it before it chooses anything.
#pragma once

#include <string>

#include "openssl.h"

namespace bufferevent {

struct ClientHello {
  bool known = false;
  std::string servername;
  // In the wire format. Kept only for those who are suspended at it: they are asked.
  Octets alpn;
};

// For SSL_CTX_set_client_hello_cb.
int OnClientHello(SSL* ssl, int* alert, void* unused);

}  // namespace bufferevent
