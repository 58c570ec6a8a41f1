// The calls of a connection that move bytes. The BIO never blocks: OpenSSL only ever waits for input.
#include "connection.h"

namespace bufferevent {

Status Connection::Fail() {
  if (ERR_peek_error() == 0) ERR_raise_data(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR, "without a reason");
  failed_ = true;
  errors.TakeQueue();
  return Status::kFailed;
}

// What an earlier call has left in the queue would count as a failure of this one: each starts with none.
Status Connection::Outcome(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return Status::kWantInput;
    case SSL_ERROR_ZERO_RETURN:
      closeReceived_ = true;
      return Status::kClosed;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
      suspends_ = Suspends::kSuspended;
      return Status::kClientHello;
    default:
      return Fail();
  }
}

Status Connection::Handshake() {
  if (failed_) return Status::kFailed;
  if (suspends_ == Suspends::kSuspended) {
    suspends_ = Suspends::kOver;
    wire.ForgetRecord();
  }
  const int result = SSL_do_handshake(ssl_);
  if (result != 1) return Outcome(result);
  if (established_) return Status::kOk;
  if (!IsResumptionTrusted()) {
    ERR_raise_data(ERR_LIB_SSL, isServer_ ? SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE : SSL_R_CERTIFICATE_VERIFY_FAILED,
                   "the certificate of the session that was resumed");
    return Fail();
  }
  established_ = true;
  return Status::kOk;
}

Status Connection::Read(uint8_t* plain, size_t room, size_t* produced) {
  *produced = 0;
  if (failed_) return Status::kFailed;
  if (!established_) {
    const Status status = Handshake();
    if (status != Status::kOk) return status;
  }
  while (*produced < room) {
    size_t bytes = 0;
    EmptyQueue();
    const int result = SSL_read_ex(ssl_, plain + *produced, room - *produced, &bytes);
    if (result != 1) return Outcome(result);
    *produced += bytes;
    // Saves the call that would only say so.
    if (*produced < room && wire.unread() == 0 && SSL_has_pending(ssl_) == 0) return Status::kWantInput;
  }
  return Status::kOk;
}

Status Connection::Write(const uint8_t* plain, size_t bytes, size_t* consumed) {
  *consumed = 0;
  if (failed_) return Status::kFailed;
  if (!established_) {
    const Status status = Handshake();
    if (status != Status::kOk) return status;
  }
  if ((SSL_get_shutdown(ssl_) & SSL_SENT_SHUTDOWN) != 0) {
    // Reading goes on, so the connection has not failed.
    ERR_raise(ERR_LIB_SSL, SSL_R_PROTOCOL_IS_SHUTDOWN);
    errors.TakeQueue();
    return Status::kFailed;
  }
  // OpenSSL gives a connection up when it meets payload on the way to a handshake, except while it reads.
  if (SSL_pending(ssl_) > 0 && IsRenegotiating()) return Status::kWantInput;
  while (*consumed < bytes) {
    size_t written = 0;
    EmptyQueue();
    const int result = SSL_write_ex(ssl_, plain + *consumed, bytes - *consumed, &written);
    if (result != 1) return Outcome(result);
    *consumed += written;
  }
  return Status::kOk;
}

Status Connection::Shutdown() {
  if (failed_) return Status::kFailed;
  if ((SSL_get_shutdown(ssl_) & SSL_SENT_SHUTDOWN) == 0) {
    // New keys that were asked for, and wait for the next record, count as a handshake, in which nothing can be shut down.
    if (established_ && SSL_in_init(ssl_) == 1 && SSL_do_handshake(ssl_) != 1) ERR_clear_error();
    if (SSL_shutdown(ssl_) < 0) {
      // Nothing has happened; the handshake can go on.
      errors.TakeQueue();
      return Status::kFailed;
    }
    // Nothing follows `close_notify` (RFC 8446 §6.1), while OpenSSL goes on to answer requests for new keys.
    wire.EndOutput();
  }
  return closeReceived_ ? Status::kOk : Status::kWantInput;
}

bool Connection::Renegotiate() {
  if (failed_ || !established_) {
    ERR_raise(ERR_LIB_SSL, SSL_R_STILL_IN_INIT);
    return false;
  }
  // Refusing what the peer asks for must not refuse us.
  const bool refuses = (SSL_get_options(ssl_) & SSL_OP_NO_RENEGOTIATION) != 0;
  if (refuses) SSL_clear_options(ssl_, SSL_OP_NO_RENEGOTIATION);
  const bool begun = SSL_renegotiate(ssl_) == 1;
  if (refuses) SSL_set_options(ssl_, SSL_OP_NO_RENEGOTIATION);
  return begun;
}

bool Connection::UpdateKeys(bool requestPeer) {
  if (failed_ || !established_) {
    ERR_raise(ERR_LIB_SSL, SSL_R_STILL_IN_INIT);
    return false;
  }
  if ((SSL_get_shutdown(ssl_) & SSL_SENT_SHUTDOWN) != 0) {
    ERR_raise(ERR_LIB_SSL, SSL_R_PROTOCOL_IS_SHUTDOWN);
    return false;
  }
  return SSL_key_update(ssl_, requestPeer ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) == 1;
}

}  // namespace bufferevent
