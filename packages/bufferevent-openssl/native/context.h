// An SSL_CTX with what its callbacks need. No callback runs JavaScript: what a user has a say in is here beforehand.
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

#include "openssl.h"
#include "psk.h"
#include "tickets.h"

namespace bufferevent {

// `VerifyMode` of the contract.
enum VerifyBits : int {
  kVerifyPeer = 1,
  kVerifyFailIfNoCertificate = 2,
  kVerifyReportOnly = 4,
};

// Counted: by the number that JavaScript has, and by each connection, whose callbacks look here.
class Context {
 public:
  // nullptr, with the reasons in the queue.
  static Context* New(int minVersion, int maxVersion);
  static Context* Of(const SSL* ssl);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void AddReference() { references_++; }
  void Release();

  SSL_CTX* native() const { return native_; }

  bool UseKey(Bytes key, const Bytes* passphrase);
  bool UseCertificate(Bytes certificate);
  bool UsePfx(Bytes pfx, const Bytes* passphrase, bool trustIncluded);
  // Whether each certificate has its key, and each key its certificate.
  bool CheckKeys();
  // The certificates with their chains, each in DER.
  std::vector<Octets> Certificates();
  bool AddTrustAnchors(Bytes certificates, bool names);
  // Connections of clients made from now on trust those of `other` beside our own.
  bool TrustAsClient(const Context& other);
  // Whom clients trust, when that is not as servers do; else nullptr.
  X509_STORE* clientStore() const { return clientStore_.get(); }
  bool AddCrl(Bytes crl, bool wholeChain);
  bool SetDhParameters(Bytes parameters);

  void AllowPartialChain(bool allowed);
  void AllowRenegotiation(bool allowed);
  void SetServerPreference(bool serverChooses);
  bool SetAlpn(Bytes protocols);
  void SetKeyLog(bool enabled);
  bool SetSessionIdContext(Bytes idContext);
  bool SetSessions(int cacheSize, int timeoutSeconds, bool tickets, int ticketCount);
  void ForgetSessions();
  bool SetTicketKeys(Bytes keys);
  bool SetPskIdentities(PskTable table, const std::string& hint);
  bool SetPsk(const std::string& identity, Bytes key);
  // Of a client.
  bool HasPsk() const { return !psk.identity.empty(); }
  // Before a connection of a server is made.
  void PrepareServer();

  int verifyMode = 0;
  // In the wire format.
  Octets alpn;
  Octets ocspResponse;
  TicketKeys ticketKeys;
  PskTable pskIdentities;
  PskEntry psk;

 private:
  explicit Context(SSL_CTX* native) : native_(native) {}
  ~Context() { SSL_CTX_free(native_); }

  void SetCacheMode();
  bool SetCertificate(X509* certificate);

  SSL_CTX* native_;
  OwnedStore clientStore_;
  int references_ = 1;
  // Certificates that connections use, one for each kind of key.
  std::vector<OwnedCertificate> leaves_;
  size_t keys_ = 0;
  bool caches_ = true;
  bool isServer_ = false;
};

// Whether these are names of protocols, each with its length in front.
bool IsProtocolList(const Octets& protocols);

}  // namespace bufferevent
