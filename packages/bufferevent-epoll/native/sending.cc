// What a port sends: bytes of memory, parts of files, and the end after them. Tried at once; a send of which the system
// takes nothing waits until there is room.
#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>

#include "port.h"
#include "system.h"

namespace bufferevent {

namespace {

// More pieces than this are sent by the next send.
constexpr uint32_t kMaxPieces = 64;
constexpr size_t kMaxFileBytes = 1 << 30;

// Whether a failed send tells of the end of its connection, not of the bytes or the file, or that there can be no more sending.
// The system tells whoever asks first, and reading would then be told of a clean end.
bool EndsConnection(int error) {
  switch (error) {
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENONET:
    case EPROTO:
    case ENOPROTOOPT:
      return true;
    default:
      return false;
  }
}

}  // namespace

ssize_t Port::WritePieces(int descriptor, const Piece* pieces, uint32_t count) {
  iovec vector[kMaxPieces];
  count = std::min(count, kMaxPieces);
  for (uint32_t index = 0; index < count; index++) {
    const Piece& piece = pieces[index];
    vector[index].iov_base = memory_.Resolve(piece.memory, piece.start, piece.length);
    vector[index].iov_len = piece.length;
    if (vector[index].iov_base == nullptr) return -EFAULT;
  }
  counters_->writes++;
  if (count == 1) return Retrying([&] { return SendBytes(descriptor, vector[0].iov_base, vector[0].iov_len); });
  msghdr message{};
  message.msg_iov = vector;
  message.msg_iovlen = count;
  return Retrying([&] { return SendMessage(descriptor, message); });
}

ssize_t Port::WriteFile(int descriptor, int file, int64_t offset, size_t length) {
  counters_->writes++;
  return Retrying([&] {
    off_t from = offset;
    return sendfile(descriptor, file, &from, std::min(length, kMaxFileBytes));
  });
}

void Port::Send(int32_t slot, const Piece* pieces, uint32_t count) {
  if (SendRefused(slot, kSend)) return;
  const ssize_t sent = WritePieces(handles_[slot].descriptor, pieces, count);
  if (sent != -EAGAIN) return FinishWrite(slot, kSend, sent);
  auto blocked = std::make_unique<BlockedSend>();
  blocked->pieces.assign(pieces, pieces + std::min(count, kMaxPieces));
  Block(slot, kSend, std::move(blocked));
}

void Port::SendFile(int32_t slot, int descriptor, int64_t offset, size_t length) {
  if (SendRefused(slot, kSendFile)) return;
  const ssize_t sent = WriteFile(handles_[slot].descriptor, descriptor, offset, length);
  if (sent != -EAGAIN) return FinishWrite(slot, kSendFile, sent);
  auto blocked = std::make_unique<BlockedSend>();
  blocked->descriptor = descriptor;
  blocked->offset = offset;
  blocked->length = length;
  Block(slot, kSendFile, std::move(blocked));
}

void Port::Block(int32_t slot, int32_t operation, std::unique_ptr<BlockedSend> send) {
  handles_[slot].blocked = std::move(send);
  if (!Watch(slot, EPOLLOUT)) FinishSend(slot, operation, -ENOMEM);
}

void Port::SendBlocked(int32_t slot) {
  Handle& handle = handles_[slot];
  const BlockedSend& send = *handle.blocked;
  const bool file = send.descriptor >= 0;
  const ssize_t sent = file ? WriteFile(handle.descriptor, send.descriptor, send.offset, send.length)
                            : WritePieces(handle.descriptor, send.pieces.data(), static_cast<uint32_t>(send.pieces.size()));
  if (sent != -EAGAIN) FinishWrite(slot, file ? kSendFile : kSend, sent);
}

void Port::FinishWrite(int32_t slot, int32_t operation, ssize_t sent) {
  if (EndsConnection(static_cast<int>(-sent))) handles_[slot].NoteBroken(static_cast<int>(sent));
  FinishSend(slot, operation, static_cast<int32_t>(sent));
}

Outcome Port::EndSending(int32_t slot) {
  if (shutdown(handles_[slot].descriptor, SHUT_WR) == 0) return {0, 0};
  // A connection that the peer has reset is none any more for the system; it was one for the caller.
  return {errno == ENOTCONN ? -EPIPE : -errno, 0};
}

}  // namespace bufferevent
