// Pre-shared keys. OpenSSL asks the same callbacks for TLS 1.2 and, with TLS_AES_128_GCM_SHA256, for 1.3.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "openssl.h"

namespace bufferevent {

struct PskEntry {
  std::string identity;
  Secret key;
};

class PskTable {
 public:
  void Add(std::string identity, Bytes key) { entries_.push_back({std::move(identity), Secret(key)}); }
  // After the last `Add`.
  void Sort();
  const PskEntry* Find(std::string_view identity) const;
  bool empty() const { return entries_.empty(); }
  // Whether OpenSSL takes all of them; reasons in the queue.
  bool Check() const;

 private:
  std::vector<PskEntry> entries_;
};

// For SSL_CTX_set_psk_server_callback and SSL_CTX_set_psk_client_callback.
unsigned int OnPskServer(SSL* ssl, const char* identity, unsigned char* key, unsigned int room);
unsigned int OnPskClient(SSL* ssl, const char* hint, char* identity, unsigned int identityRoom, unsigned char* key,
                         unsigned int room);
bool CheckPsk(const PskEntry& entry);

}  // namespace bufferevent
