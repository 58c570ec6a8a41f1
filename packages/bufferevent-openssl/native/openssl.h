// OpenSSL as we use it. The normal build takes every symbol from the executable: what is newer than 3.0 must not be named,
// since a function that is missing ends the process at its first call.
#pragma once

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace bufferevent {

template <auto Function>
struct FreedBy {
  template <typename Thing>
  void operator()(Thing* thing) const {
    Function(thing);
  }
};

template <typename Thing, auto Function>
using Owned = std::unique_ptr<Thing, FreedBy<Function>>;

inline void FreeCertificates(STACK_OF(X509) * certificates) { sk_X509_pop_free(certificates, X509_free); }

using OwnedBio = Owned<BIO, BIO_free_all>;
using OwnedKey = Owned<EVP_PKEY, EVP_PKEY_free>;
using OwnedCertificate = Owned<X509, X509_free>;
using OwnedCertificates = Owned<STACK_OF(X509), FreeCertificates>;
using OwnedSession = Owned<SSL_SESSION, SSL_SESSION_free>;
using OwnedStore = Owned<X509_STORE, X509_STORE_free>;

using Octets = std::vector<uint8_t>;

// Bytes that somebody else owns.
struct Bytes {
  const uint8_t* data = nullptr;
  size_t size = 0;

  bool empty() const { return size == 0; }
  Octets Copy() const { return empty() ? Octets() : Octets(data, data + size); }
  // `long` for the parsers of OpenSSL; `Call` refuses what is larger.
  long length() const { return static_cast<long>(size); }
};

inline Bytes AsBytes(std::string_view text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

// A key, a session, a line of the key log: overwritten before its memory goes back.
class Secret {
 public:
  Secret() = default;
  // Of zeros.
  explicit Secret(size_t size) : octets_(size) {}
  explicit Secret(Bytes bytes) : octets_(bytes.Copy()) {}
  explicit Secret(Octets&& octets) noexcept : octets_(std::move(octets)) {}
  Secret(Secret&& other) noexcept : octets_(std::move(other.octets_)) {}
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      Wipe();
      octets_ = std::move(other.octets_);
    }
    return *this;
  }
  ~Secret() { Wipe(); }

  uint8_t* data() { return octets_.data(); }
  const uint8_t* data() const { return octets_.data(); }
  size_t size() const { return octets_.size(); }
  bool empty() const { return octets_.empty(); }
  Bytes bytes() const { return {octets_.data(), octets_.size()}; }

 private:
  void Wipe() {
    if (!octets_.empty()) OPENSSL_cleanse(octets_.data(), octets_.size());
    octets_.clear();
  }

  Octets octets_;
};

// DER by one of OpenSSL's i2d functions; empty when it fails.
template <typename Thing, typename Encode>
Octets ToDer(Thing* thing, Encode encode) {
  const int size = encode(thing, nullptr);
  if (size <= 0) return {};
  Octets der(static_cast<size_t>(size));
  uint8_t* cursor = der.data();
  if (encode(thing, &cursor) != size) return {};
  return der;
}

}  // namespace bufferevent
