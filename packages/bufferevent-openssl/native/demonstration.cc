// A certificate for those who have none: demonstrations and tests.
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>

#include "call.h"

namespace bufferevent {

namespace {

constexpr long kSecondsOfAnHour = 60 * 60;
constexpr long kSecondsOfADay = 24 * kSecondsOfAnHour;

bool SetSerial(X509* certificate) {
  uint8_t serial[16];
  if (RAND_bytes(serial, sizeof serial) != 1) return false;
  // Positive, and not 0.
  serial[0] = static_cast<uint8_t>((serial[0] & 0x7f) | 1);
  const Owned<BIGNUM, BN_free> number(BN_bin2bn(serial, sizeof serial, nullptr));
  return number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

// The first that a subject has room for. Nobody compares it where there are alternative names.
std::string CommonName(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name.size() <= ub_common_name) return name;
  }
  return "self-signed certificate";
}

bool SetSubject(X509* certificate, const std::string& name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>(name.data());
  return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, text, static_cast<int>(name.size()), -1, 0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1;
}

GENERAL_NAME* NewAlternativeName(const std::string& name) {
  Owned<GENERAL_NAME, GENERAL_NAME_free> alternative(GENERAL_NAME_new());
  if (alternative == nullptr) return nullptr;
  if (ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str())) {
    GENERAL_NAME_set0_value(alternative.get(), GEN_IPADD, address);
    return alternative.release();
  }
  if (!std::all_of(name.begin(), name.end(), [](char letter) { return letter > ' ' && letter < 0x7f; })) {
    ERR_raise_data(ERR_LIB_X509V3, X509V3_R_INVALID_NAME, "a host name is written in ASCII");
    return nullptr;
  }
  ASN1_IA5STRING* host = ASN1_IA5STRING_new();
  if (host == nullptr) return nullptr;
  GENERAL_NAME_set0_value(alternative.get(), GEN_DNS, host);
  return ASN1_STRING_set(host, name.data(), static_cast<int>(name.size())) == 1 ? alternative.release() : nullptr;
}

bool SetAlternativeNames(X509* certificate, const std::vector<std::string>& names) {
  const Owned<GENERAL_NAMES, GENERAL_NAMES_free> list(GENERAL_NAMES_new());
  if (list == nullptr) return false;
  for (const std::string& name : names) {
    GENERAL_NAME* alternative = NewAlternativeName(name);
    if (alternative == nullptr) return false;
    if (sk_GENERAL_NAME_push(list.get(), alternative) == 0) {
      GENERAL_NAME_free(alternative);
      return false;
    }
  }
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), 0, X509V3_ADD_DEFAULT) == 1;
}

bool AddExtension(X509* certificate, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

Bytes ContentOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  if (size <= 0) return {};
  return AsBytes({data, static_cast<size_t>(size)});
}

}  // namespace

bool MakeSelfSigned(const std::vector<std::string>& names, int days, Secret* keyPem, Octets* certificatePem) {
  if (names.empty()) {
    ERR_raise_data(ERR_LIB_X509V3, X509V3_R_INVALID_NULL_ARGUMENT, "no name is given");
    return false;
  }
  const OwnedKey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const OwnedCertificate certificate(X509_new());
  X509* made = certificate.get();
  const OwnedBio keyBio(BIO_new(BIO_s_mem()));
  const OwnedBio certificateBio(BIO_new(BIO_s_mem()));
  if (key == nullptr || made == nullptr || keyBio == nullptr || certificateBio == nullptr) return false;
  const bool done =
      X509_set_version(made, X509_VERSION_3) == 1 && SetSerial(made) && SetSubject(made, CommonName(names)) &&
      X509_gmtime_adj(X509_getm_notBefore(made), -kSecondsOfAnHour) != nullptr &&
      X509_gmtime_adj(X509_getm_notAfter(made), days * kSecondsOfADay) != nullptr &&
      X509_set_pubkey(made, key.get()) == 1 && SetAlternativeNames(made, names) &&
      AddExtension(made, NID_basic_constraints, "critical,CA:FALSE") &&
      AddExtension(made, NID_key_usage, "critical,digitalSignature") &&
      AddExtension(made, NID_ext_key_usage, "serverAuth,clientAuth") &&
      AddExtension(made, NID_subject_key_identifier, "hash") &&
      // Tells certificates of one name apart where several are trusted: OpenSSL looks at the first that fits, and no further.
      AddExtension(made, NID_authority_key_identifier, "keyid:always") && X509_sign(made, key.get(), EVP_sha256()) != 0 &&
      PEM_write_bio_PrivateKey(keyBio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
      PEM_write_bio_X509(certificateBio.get(), made) == 1;
  if (!done) return false;
  // OpenSSL overwrites what was in its own memory.
  *keyPem = Secret(ContentOf(keyBio.get()));
  *certificatePem = ContentOf(certificateBio.get()).Copy();
  return true;
}

}  // namespace bufferevent
