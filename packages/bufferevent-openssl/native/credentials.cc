// Keys and certificates of a context, from PEM or DER, which are told apart by what they are.
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>

#include <algorithm>
#include <string_view>

#include "certificate.h"
#include "context.h"

namespace bufferevent {

namespace {

enum class Form { kPem, kDer, kNeither };

Form FormOf(Bytes bytes) {
  constexpr std::string_view begin = "-----BEGIN ";
  constexpr uint8_t kSequence = 0x30;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data), bytes.size);
  if (!bytes.empty() && bytes.data[0] == kSequence) return Form::kDer;
  if (text.find(begin) != std::string_view::npos) return Form::kPem;
  ERR_raise_data(ERR_LIB_PEM, PEM_R_NO_START_LINE, "neither PEM nor DER");
  return Form::kNeither;
}

OwnedBio Reader(Bytes bytes) { return OwnedBio(BIO_new_mem_buf(bytes.data, static_cast<int>(bytes.size))); }

// For OpenSSL, which would ask at the terminal without a function.
int OnPassphrase(char* into, int room, int, void* passphrase) {
  const auto* bytes = static_cast<const Bytes*>(passphrase);
  if (bytes == nullptr || bytes->size > static_cast<size_t>(room)) return -1;
  if (!bytes->empty()) memcpy(into, bytes->data, bytes->size);
  return static_cast<int>(bytes->size);
}

void* Opaque(const Bytes* passphrase) { return const_cast<Bytes*>(passphrase); }

// For functions that want a string.
Secret Terminated(Bytes bytes) {
  Secret text(bytes.size + 1);
  if (!bytes.empty()) memcpy(text.data(), bytes.data, bytes.size);
  return text;
}

// Whether DER was read to its end.
bool IsAll(Bytes bytes, const uint8_t* cursor) {
  if (cursor == bytes.data + bytes.size) return true;
  ERR_raise_data(ERR_LIB_ASN1, ASN1_R_TOO_LONG, "there is more behind its end");
  return false;
}

// The end of a PEM file, as the functions that read from one report it.
bool IsAtEnd() {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

// Calls `use` with each thing in PEM, at least one, until it answers `false`.
template <typename Thing, typename ReadOne, typename Use>
bool ForEachInPem(Bytes pem, ReadOne readOne, Use use) {
  const OwnedBio reader = Reader(pem);
  if (reader == nullptr) return false;
  bool any = false;
  while (Thing* thing = readOne(reader.get(), nullptr, OnPassphrase, nullptr)) {
    any = true;
    if (!use(thing)) return false;
  }
  if (!any || !IsAtEnd()) return false;
  ERR_clear_error();
  return true;
}

OwnedKey DecryptKey(Bytes der, const Bytes* passphrase) {
  const uint8_t* cursor = der.data;
  const Owned<X509_SIG, X509_SIG_free> encrypted(d2i_X509_SIG(nullptr, &cursor, der.length()));
  if (encrypted == nullptr || !IsAll(der, cursor)) return nullptr;
  if (passphrase == nullptr) {
    ERR_raise(ERR_LIB_PEM, PEM_R_BAD_PASSWORD_READ);
    return nullptr;
  }
  const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> plain(
      PKCS8_decrypt(encrypted.get(), reinterpret_cast<const char*>(passphrase->data), static_cast<int>(passphrase->size)));
  return OwnedKey(plain == nullptr ? nullptr : EVP_PKCS82PKEY(plain.get()));
}

// EncryptedPrivateKeyInfo begins with an algorithm, every other form of a key with a number.
bool IsEncryptedKey(Bytes der) {
  const uint8_t* cursor = der.data;
  long length = 0;
  int tag = 0;
  int tagClass = 0;
  if ((ASN1_get_object(&cursor, &length, &tag, &tagClass, der.length()) & 0x80) != 0) return false;
  return cursor < der.data + der.size && *cursor == (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED);
}

OwnedKey ReadKey(Bytes bytes, const Bytes* passphrase) {
  switch (FormOf(bytes)) {
    case Form::kPem: {
      const OwnedBio reader = Reader(bytes);
      if (reader == nullptr) return nullptr;
      return OwnedKey(PEM_read_bio_PrivateKey(reader.get(), nullptr, OnPassphrase, Opaque(passphrase)));
    }
    case Form::kDer: {
      if (IsEncryptedKey(bytes)) return DecryptKey(bytes, passphrase);
      const uint8_t* cursor = bytes.data;
      OwnedKey key(d2i_AutoPrivateKey(nullptr, &cursor, bytes.length()));
      return key != nullptr && IsAll(bytes, cursor) ? std::move(key) : nullptr;
    }
    default:
      return nullptr;
  }
}

OwnedCertificate ReadDerCertificate(Bytes der) {
  const uint8_t* cursor = der.data;
  OwnedCertificate certificate(d2i_X509(nullptr, &cursor, der.length()));
  return certificate != nullptr && IsAll(der, cursor) ? std::move(certificate) : nullptr;
}

// The certificates above `leaf`, in order, without the anchor, which every peer has to know by itself.
bool AddChainOf(SSL_CTX* native, X509* leaf, STACK_OF(X509) * among) {
  X509* below = leaf;
  for (int left = sk_X509_num(among); left > 0; left--) {
    X509* issuer = nullptr;
    for (int index = 0; index < sk_X509_num(among) && issuer == nullptr; index++) {
      X509* candidate = sk_X509_value(among, index);
      if (X509_check_issued(candidate, below) == X509_V_OK) issuer = candidate;
    }
    if (issuer == nullptr || issuer == below || X509_self_signed(issuer, 0) == 1) return true;
    if (SSL_CTX_add1_chain_cert(native, issuer) != 1) return false;
    below = issuer;
  }
  return true;
}

// The certificates and revocation lists themselves are shared.
bool CopyStore(X509_STORE* from, X509_STORE* to) {
  STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(from);
  for (int index = 0; index < sk_X509_OBJECT_num(objects); index++) {
    const X509_OBJECT* object = sk_X509_OBJECT_value(objects, index);
    X509* certificate = X509_OBJECT_get0_X509(object);
    X509_CRL* list = X509_OBJECT_get0_X509_CRL(object);
    if (certificate != nullptr && X509_STORE_add_cert(to, certificate) != 1) return false;
    if (list != nullptr && X509_STORE_add_crl(to, list) != 1) return false;
  }
  return true;
}

}  // namespace

bool Context::UseKey(Bytes bytes, const Bytes* passphrase) {
  const OwnedKey key = ReadKey(bytes, passphrase);
  if (key == nullptr || SSL_CTX_use_PrivateKey(native_, key.get()) != 1) return false;
  keys_++;
  return true;
}

// Also makes it the one that a chain is added to.
bool Context::SetCertificate(X509* certificate) {
  if (SSL_CTX_use_certificate(native_, certificate) != 1 || SSL_CTX_clear_chain_certs(native_) != 1) return false;
  const int kind = EVP_PKEY_get_base_id(X509_get0_pubkey(certificate));
  const auto isSameKind = [kind](const OwnedCertificate& other) {
    return EVP_PKEY_get_base_id(X509_get0_pubkey(other.get())) == kind;
  };
  leaves_.erase(std::remove_if(leaves_.begin(), leaves_.end(), isSameKind), leaves_.end());
  X509_up_ref(certificate);
  leaves_.emplace_back(certificate);
  return true;
}

bool Context::UseCertificate(Bytes bytes) {
  switch (FormOf(bytes)) {
    case Form::kPem: {
      bool isLeaf = true;
      return ForEachInPem<X509>(bytes, PEM_read_bio_X509_AUX, [&](X509* certificate) {
        const OwnedCertificate owned(certificate);
        if (!isLeaf) return SSL_CTX_add1_chain_cert(native_, certificate) == 1;
        isLeaf = false;
        return SetCertificate(certificate);
      });
    }
    case Form::kDer: {
      const OwnedCertificate certificate = ReadDerCertificate(bytes);
      return certificate != nullptr && SetCertificate(certificate.get());
    }
    default:
      return false;
  }
}

bool Context::UsePfx(Bytes pfx, const Bytes* passphrase, bool trustIncluded) {
  const uint8_t* cursor = pfx.data;
  const Owned<PKCS12, PKCS12_free> container(d2i_PKCS12(nullptr, &cursor, pfx.length()));
  if (container == nullptr || !IsAll(pfx, cursor)) return false;
  EVP_PKEY* rawKey = nullptr;
  X509* rawCertificate = nullptr;
  STACK_OF(X509)* rawOthers = nullptr;
  // Without one, OpenSSL tries both "none" and "empty".
  const Secret text = passphrase == nullptr ? Secret() : Terminated(*passphrase);
  const auto* password = passphrase == nullptr ? nullptr : reinterpret_cast<const char*>(text.data());
  const int parsed = PKCS12_parse(container.get(), password, &rawKey, &rawCertificate, &rawOthers);
  const OwnedKey key(rawKey);
  const OwnedCertificate certificate(rawCertificate);
  const OwnedCertificates others(rawOthers);
  if (parsed != 1) return false;
  if (certificate == nullptr || key == nullptr) {
    ERR_raise_data(ERR_LIB_PKCS12, PKCS12_R_PARSE_ERROR, "a key and its certificate are not both there");
    return false;
  }
  if (!SetCertificate(certificate.get()) || SSL_CTX_use_PrivateKey(native_, key.get()) != 1) return false;
  keys_++;
  if (!AddChainOf(native_, certificate.get(), others.get())) return false;
  if (!trustIncluded) return true;
  for (int index = 0; index < sk_X509_num(others.get()); index++) {
    X509* other = sk_X509_value(others.get(), index);
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(native_), other) != 1 || SSL_CTX_add_client_CA(native_, other) != 1) return false;
  }
  return true;
}

bool Context::CheckKeys() {
  if (keys_ > 0 && leaves_.empty()) {
    ERR_raise(ERR_LIB_SSL, SSL_R_NO_CERTIFICATE_ASSIGNED);
    return false;
  }
  for (const OwnedCertificate& leaf : leaves_) {
    // Found only with a key, which was checked against the certificate when the second of them came.
    if (SSL_CTX_select_current_cert(native_, leaf.get()) == 1) continue;
    ERR_raise(ERR_LIB_SSL, SSL_R_NO_PRIVATE_KEY_ASSIGNED);
    return false;
  }
  return true;
}

std::vector<Octets> Context::Certificates() {
  std::vector<Octets> list;
  for (const OwnedCertificate& leaf : leaves_) {
    AppendDer(leaf.get(), &list);
    if (SSL_CTX_select_current_cert(native_, leaf.get()) != 1) continue;
    STACK_OF(X509)* chain = nullptr;
    if (SSL_CTX_get0_chain_certs(native_, &chain) == 1 && chain != nullptr) AppendDer(chain, &list);
  }
  return list;
}

bool Context::AddTrustAnchors(Bytes certificates, bool names) {
  X509_STORE* store = SSL_CTX_get_cert_store(native_);
  const auto add = [&](X509* certificate) {
    const OwnedCertificate owned(certificate);
    return X509_STORE_add_cert(store, certificate) == 1 && (!names || SSL_CTX_add_client_CA(native_, certificate) == 1);
  };
  switch (FormOf(certificates)) {
    case Form::kPem:
      return ForEachInPem<X509>(certificates, PEM_read_bio_X509_AUX, add);
    case Form::kDer: {
      OwnedCertificate certificate = ReadDerCertificate(certificates);
      return certificate != nullptr && add(certificate.release());
    }
    default:
      return false;
  }
}

bool Context::TrustAsClient(const Context& other) {
  X509_STORE* own = SSL_CTX_get_cert_store(native_);
  X509_STORE* others = SSL_CTX_get_cert_store(other.native_);
  if (sk_X509_OBJECT_num(X509_STORE_get0_objects(own)) == 0) {
    // Shared: the anchors that everybody trusts are a megabyte.
    X509_STORE_up_ref(others);
    clientStore_.reset(others);
    return true;
  }
  OwnedStore both(X509_STORE_new());
  if (both == nullptr || X509_STORE_set1_param(both.get(), X509_STORE_get0_param(own)) != 1) return false;
  if (!CopyStore(own, both.get()) || !CopyStore(others, both.get())) return false;
  clientStore_ = std::move(both);
  return true;
}

bool Context::AddCrl(Bytes bytes, bool wholeChain) {
  X509_STORE* store = SSL_CTX_get_cert_store(native_);
  const auto add = [store](X509_CRL* crl) {
    const Owned<X509_CRL, X509_CRL_free> owned(crl);
    return X509_STORE_add_crl(store, crl) == 1;
  };
  switch (FormOf(bytes)) {
    case Form::kPem:
      if (!ForEachInPem<X509_CRL>(bytes, PEM_read_bio_X509_CRL, add)) return false;
      break;
    case Form::kDer: {
      const uint8_t* cursor = bytes.data;
      X509_CRL* crl = d2i_X509_CRL(nullptr, &cursor, bytes.length());
      if (crl == nullptr || !add(crl) || !IsAll(bytes, cursor)) return false;
      break;
    }
    default:
      return false;
  }
  return X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | (wholeChain ? X509_V_FLAG_CRL_CHECK_ALL : 0)) == 1;
}

bool Context::SetDhParameters(Bytes bytes) {
  if (bytes.empty()) return SSL_CTX_set_dh_auto(native_, 1) == 1;
  OwnedKey parameters;
  switch (FormOf(bytes)) {
    case Form::kPem: {
      const OwnedBio reader = Reader(bytes);
      if (reader != nullptr) parameters.reset(PEM_read_bio_Parameters(reader.get(), nullptr));
      break;
    }
    case Form::kDer: {
      const uint8_t* cursor = bytes.data;
      parameters.reset(d2i_KeyParams(EVP_PKEY_DH, nullptr, &cursor, bytes.length()));
      break;
    }
    default:
      return false;
  }
  if (parameters == nullptr || SSL_CTX_set0_tmp_dh_pkey(native_, parameters.get()) != 1) return false;
  // Belongs to the context now.
  parameters.release();
  return SSL_CTX_set_dh_auto(native_, 0) == 1;
}

}  // namespace bufferevent
