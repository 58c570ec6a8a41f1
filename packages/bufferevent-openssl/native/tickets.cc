#include "tickets.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#include <algorithm>

#include "context.h"

namespace bufferevent {

size_t TicketKeys::Find(const uint8_t* wanted) const {
  size_t index = 0;
  while (index < count() && memcmp(name(index), wanted, kNameBytes) != 0) index++;
  return index;
}

namespace {

constexpr int kFailed = -1;
constexpr int kUnknown = 0;
constexpr int kUsable = 1;
constexpr int kUsableAndRenewed = 2;

bool SetMacKey(EVP_MAC_CTX* mac, const uint8_t* key) {
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<uint8_t*>(key), TicketKeys::kMacBytes),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

}  // namespace

int OnTicketKey(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypts) {
  const TicketKeys& keys = Context::Of(ssl)->ticketKeys;
  // Taken away since the connection began.
  if (keys.count() == 0) return kUnknown;
  if (encrypts != 0) {
    memcpy(name, keys.name(0), TicketKeys::kNameBytes);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return kFailed;
    if (EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, keys.cipherKey(0), iv) != 1) return kFailed;
    return SetMacKey(mac, keys.macKey(0)) ? kUsable : kFailed;
  }
  const size_t index = keys.Find(name);
  if (index == keys.count()) return kUnknown;
  if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, keys.cipherKey(index), iv) != 1) return kFailed;
  if (!SetMacKey(mac, keys.macKey(index))) return kFailed;
  // Clients of TLS 1.3 use each ticket once (RFC 8446 §C.4).
  return index == 0 && SSL_version(ssl) < TLS1_3_VERSION ? kUsable : kUsableAndRenewed;
}

int OnNewTicket(SSL* ssl, void*) {
  // Before, a session keeps its age.
  if (SSL_version(ssl) < TLS1_3_VERSION) return 1;
  SSL_SESSION* session = SSL_get_session(ssl);
  const int64_t now = time(nullptr);
  int64_t verifiedAt = now;
  void* data = nullptr;
  size_t bytes = 0;
  if (SSL_SESSION_get0_ticket_appdata(session, &data, &bytes) != 1) return 0;
  if (bytes == sizeof verifiedAt) {
    memcpy(&verifiedAt, data, bytes);
  } else if (SSL_SESSION_set1_ticket_appdata(session, &verifiedAt, sizeof verifiedAt) != 1) {
    return 0;
  }
  const int64_t lifetime = SSL_CTX_get_timeout(SSL_get_SSL_CTX(ssl));
  // A clock that was set back makes none live longer.
  const int64_t left = std::min(verifiedAt + lifetime - now, lifetime);
  if (left > 0) return SSL_SESSION_set_timeout(session, static_cast<long>(left)) == 1;
  // Of no server: the client is verified the next time.
  constexpr uint8_t kNowhere[] = "over";
  return SSL_SESSION_set1_id_context(session, kNowhere, sizeof kNowhere);
}

}  // namespace bufferevent
