#include "psk.h"

#include <string.h>

#include <algorithm>

#include "context.h"

namespace bufferevent {

namespace {

// OpenSSL 3.0 keeps room for 256 bytes of a key where it copies them for TLS 1.3.
constexpr size_t kMostKeyBytes = 256;
// OpenSSL counts the zero byte behind an identity of a client.
constexpr size_t kMostIdentityBytes = PSK_MAX_IDENTITY_LEN - 1;

}  // namespace

bool CheckPsk(const PskEntry& entry) {
  if (entry.identity.empty() || entry.identity.size() > kMostIdentityBytes ||
      entry.identity.find('\0') != std::string::npos) {
    ERR_raise_data(ERR_LIB_SSL, SSL_R_BAD_LENGTH, "an identity has 1 to %zu bytes, none of them 0", kMostIdentityBytes);
    return false;
  }
  if (entry.key.size() == 0 || entry.key.size() > kMostKeyBytes) {
    ERR_raise_data(ERR_LIB_SSL, SSL_R_BAD_LENGTH, "a pre-shared key has 1 to %zu bytes", kMostKeyBytes);
    return false;
  }
  return true;
}

void PskTable::Sort() {
  std::sort(entries_.begin(), entries_.end(), [](const PskEntry& a, const PskEntry& b) { return a.identity < b.identity; });
}

const PskEntry* PskTable::Find(std::string_view identity) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), identity,
                                      [](const PskEntry& entry, std::string_view wanted) { return entry.identity < wanted; });
  return found != entries_.end() && found->identity == identity ? &*found : nullptr;
}

bool PskTable::Check() const { return std::all_of(entries_.begin(), entries_.end(), CheckPsk); }

unsigned int OnPskServer(SSL* ssl, const char* identity, unsigned char* key, unsigned int room) {
  if (identity == nullptr) return 0;
  const PskEntry* entry = Context::Of(ssl)->pskIdentities.Find(identity);
  if (entry == nullptr || entry->key.size() > room) return 0;
  memcpy(key, entry->key.data(), entry->key.size());
  return static_cast<unsigned int>(entry->key.size());
}

unsigned int OnPskClient(SSL* ssl, const char*, char* identity, unsigned int identityRoom, unsigned char* key,
                         unsigned int room) {
  const PskEntry& entry = Context::Of(ssl)->psk;
  if (entry.identity.size() >= identityRoom || entry.key.size() > room) return 0;
  memcpy(identity, entry.identity.c_str(), entry.identity.size() + 1);
  memcpy(key, entry.key.data(), entry.key.size());
  return static_cast<unsigned int>(entry.key.size());
}

}  // namespace bufferevent
