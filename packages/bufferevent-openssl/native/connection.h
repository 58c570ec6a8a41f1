// An SSL with what its callbacks leave behind. The SSL can be made anew with all that was set: when the connection is reset,
// and when a server chooses another context by the ClientHello (SSL_set_SSL_CTX would take over only half of that context).
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

#include "context.h"
#include "errors.h"
#include "hello.h"
#include "memory_bio.h"
#include "openssl.h"

namespace bufferevent {

// `Status` of the contract.
enum class Status : int { kOk = 0, kWantInput = 1, kClosed = 2, kFailed = 3, kClientHello = 4 };

// `EngineEvent` of the contract.
enum EventBits : uint32_t {
  kEventHandshakeDone = 1,
  kEventHandshakeStarted = 2,
  kEventSession = 4,
  kEventKeyLog = 8,
  kEventKeyUpdate = 16,
};

// `SslFlag` of the contract.
enum FlagBits : int {
  kFlagEstablished = 1,
  kFlagCloseSent = 2,
  kFlagCloseReceived = 4,
  kFlagRenegotiating = 8,
};

// Something that is wrong with the certificates of the peer.
struct VerifyFault {
  // An `X509_V_*` number, and where in the chain it was met.
  int code;
  int depth;

  bool operator==(const VerifyFault& other) const { return code == other.code && depth == other.depth; }
  // OpenSSL compares names before it looks at signatures, dates and revocation lists.
  bool IsAboutName() const {
    return code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_EMAIL_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH;
  }
};

// What a handshake has found out about who is at the other end.
struct Peer {
  std::vector<Octets> certificates;
  std::vector<VerifyFault> faults;
  bool isSessionReused = false;
};

class Connection {
 public:
  // nullptr, with the reasons in the queue. `wireMethod` has to outlive it.
  static Connection* New(Context* context, bool isServer, const BIO_METHOD* wireMethod);
  static Connection* Of(const SSL* ssl);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  SSL* ssl() const { return ssl_; }
  bool isServer() const { return isServer_; }
  bool established() const { return established_; }
  // `FlagBits`
  int flags() const;

  // Settings: kept for an SSL that is made anew. `false`: the reasons are in the queue.
  bool SetServername(const std::string& servername);
  bool SetVerifyName(const std::string& name);
  void SetVerify(int mode);
  bool SetAlpn(Bytes protocols);
  bool SetSession(OwnedSession session);
  bool RequestOcsp();
  void SuspendAtHello();
  // As new, with the same settings.
  bool Reset();
  // While suspended at the ClientHello.
  bool SetContext(Context* context);

  // The engine: what goes in and out is lent to `wire` by the caller. Errors are in `errors` afterwards.
  Status Handshake();
  Status Read(uint8_t* plain, size_t room, size_t* produced);
  Status Write(const uint8_t* plain, size_t bytes, size_t* consumed);
  Status Shutdown();
  bool Renegotiate();
  bool UpdateKeys(bool requestPeer);
  // The peer is not who it should be: nothing more is read from it, or made for it.
  void Refuse() { failed_ = true; }

  // Of the last handshake that was done, also while another one is under way, for which OpenSSL forgets parts of that.
  // All that was met, the gravest first: names come last.
  std::vector<VerifyFault> VerifyFaults() const { return IsRenegotiating() ? formerPeer_.faults : CurrentFaults(); }
  // What the peer has sent, leaf first, also when it was refused.
  std::vector<Octets> PeerCertificates() const {
    return IsRenegotiating() ? formerPeer_.certificates : CurrentCertificates();
  }
  bool IsSessionReused() const { return IsRenegotiating() ? formerPeer_.isSessionReused : SSL_session_reused(ssl_) == 1; }

  bool suspendsAtHello() const { return suspends_ == Suspends::kWanted; }
  // Of the connection, or else of its context.
  const Octets& alpn() const { return ownAlpn_ ? alpn_ : context_->alpn; }

  // From the callbacks of OpenSSL.
  void NoteHandshake(bool done);
  void NoteMessage(int type, bool sent);
  void NoteSession(SSL_SESSION* session);
  void NoteKeyLog(const char* line);
  // Whether verification goes on nevertheless.
  bool NoteVerificationError(X509_STORE_CTX* store);
  // A handshake begins, in which the peer may become somebody else.
  void ForgetVerification();

  Wire wire;
  ErrorList errors;
  uint32_t events = 0;
  ClientHello hello;
  // In DER, oldest first.
  std::vector<Secret> sessions;
  std::vector<Secret> keyLog;

 private:
  // A server that sends more than these without anybody looking loses the oldest.
  static constexpr size_t kMostSessions = 8;
  static constexpr size_t kMostKeyLogLines = 64;

  enum class Suspends : uint8_t { kNever, kWanted, kSuspended, kOver };

  Connection(Context* context, bool isServer, const BIO_METHOD* wireMethod);

  void FreeSsl();
  // Replaces the SSL by a new one of `context`, with all settings.
  bool Build(Context* context);
  bool ApplyTo(SSL* ssl, const Context& context) const;
  void ApplyVerify(SSL* ssl, const Context& context) const;
  int verifyMode(const Context& context) const { return verifyMode_ >= 0 ? verifyMode_ : context.verifyMode; }
  // Another handshake is under way after the first one (TLS 1.2 and below).
  bool IsRenegotiating() const;
  std::vector<VerifyFault> CurrentFaults() const;
  std::vector<Octets> CurrentCertificates() const;
  // What a call has come to that has not succeeded.
  Status Outcome(int result);
  Status Fail();
  // What OpenSSL keeps of a verification that may have been another connection's.
  long VerifyResult() const;
  // A session that was given is as good as the verification it stands for.
  bool IsResumptionTrusted() const;

  Context* context_;
  SSL* ssl_ = nullptr;
  bool isServer_;
  // The first handshake is done.
  bool established_ = false;
  bool failed_ = false;
  // The peer's close_notify has come. OpenSSL's own flag is also set by fatal alerts.
  bool closeReceived_ = false;
  // Since a handshake was done last.
  bool finishedSeen_ = false;
  Suspends suspends_ = Suspends::kNever;

  std::string servername_;
  std::string verifyName_;
  // −1: that of the context.
  int verifyMode_ = -1;
  bool ownAlpn_ = false;
  bool requestsOcsp_ = false;
  Octets alpn_;
  OwnedSession session_;

  // Each once, as they were met.
  std::vector<VerifyFault> verifyFaults_;
  std::vector<Octets> refusedCertificates_;
  // While renegotiating: who was there before.
  Peer formerPeer_;
};

// Callbacks of every SSL_CTX and SSL.
void OnInfo(const SSL* ssl, int where, int value);
int OnNewSession(SSL* ssl, SSL_SESSION* session);
void OnKeyLog(const SSL* ssl, const char* line);
int OnChooseProtocol(SSL* ssl, const unsigned char** chosen, unsigned char* chosenBytes, const unsigned char* offered,
                     unsigned int offeredBytes, void* unused);
int OnOcspStatus(SSL* ssl, void* unused);

}  // namespace bufferevent
