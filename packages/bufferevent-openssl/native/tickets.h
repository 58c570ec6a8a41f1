// Keys of session tickets that can be changed while connections use them.
#pragma once

#include "openssl.h"

namespace bufferevent {

// The first encrypts, all decrypt.
class TicketKeys {
 public:
  static constexpr size_t kNameBytes = 16;
  static constexpr size_t kCipherBytes = 32;
  static constexpr size_t kMacBytes = 32;
  static constexpr size_t kKeyBytes = kNameBytes + kCipherBytes + kMacBytes;

  TicketKeys() = default;
  // A whole number of keys.
  explicit TicketKeys(Bytes keys) : keys_(keys) {}

  size_t count() const { return keys_.size() / kKeyBytes; }
  const uint8_t* name(size_t index) const { return keys_.data() + index * kKeyBytes; }
  const uint8_t* cipherKey(size_t index) const { return name(index) + kNameBytes; }
  const uint8_t* macKey(size_t index) const { return cipherKey(index) + kCipherBytes; }
  // `count()` when there is none of that name.
  size_t Find(const uint8_t* name) const;

 private:
  Secret keys_;
};

// For SSL_CTX_set_tlsext_ticket_key_evp_cb.
int OnTicketKey(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypts);

// For SSL_CTX_set_session_ticket_cb. With TLS 1.3 each ticket that a resumed connection is given would begin another lifetime, in
// which nobody is verified: here they all end with that of the handshake in which somebody was.
int OnNewTicket(SSL* ssl, void* unused);

}  // namespace bufferevent
