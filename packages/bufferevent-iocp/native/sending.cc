// What a port sends: bytes of memory, parts of files, and the end after them. Bytes are tried at once; of a send of which the
// system takes nothing, a copy waits until there is room.
#include <uv.h>

#include <algorithm>

#include "errors.h"
#include "port.h"

namespace bufferevent {

namespace {

// More than this is sent by the next send.
constexpr uint32_t kMaxPieces = 64;
constexpr size_t kMaxTriedBytes = 1024 * 1024;
constexpr size_t kMaxCopiedBytes = 256 * 1024;
constexpr size_t kMaxFileBytes = 1024 * 1024;

// 0 where there is nothing behind `offset`; a negated errno for what is no file.
int64_t BytesBehind(HANDLE file, int64_t offset) {
  LARGE_INTEGER size;
  if (!GetFileSizeEx(file, &size)) return ErrnoOf(GetLastError());
  return std::max<int64_t>(size.QuadPart - offset, 0);
}

}  // namespace

void Port::Send(int32_t slot, const Piece* pieces, uint32_t count) {
  if (SendRefused(slot, kSend)) return;
  WSABUF buffers[kMaxPieces];
  DWORD used = 0;
  size_t room = kMaxTriedBytes;
  for (uint32_t index = 0; index < std::min(count, kMaxPieces) && room > 0; index++) {
    const Piece& piece = pieces[index];
    uint8_t* memory = memory_.Resolve(piece.memory, piece.start, piece.length);
    if (memory == nullptr) return FinishSend(slot, kSend, -kEFAULT);
    const size_t length = std::min<size_t>(piece.length, room);
    buffers[used++] = {static_cast<ULONG>(length), reinterpret_cast<char*>(memory)};
    room -= length;
  }
  DWORD sent = 0;
  counters_->writes++;
  if (WSASend(handles_[slot].socket, buffers, used, &sent, 0, nullptr, nullptr) == 0) {
    return FinishSend(slot, kSend, static_cast<int32_t>(sent));
  }
  DWORD error = LastError();
  if (error == WSAEWOULDBLOCK) error = SendCopy(slot, buffers, used);
  if (error != 0) FailSend(slot, kSend, error);
}

DWORD Port::SendCopy(int32_t slot, const WSABUF* buffers, DWORD count) {
  Handle& handle = handles_[slot];
  size_t total = 0;
  for (DWORD index = 0; index < count; index++) total += buffers[index].len;
  total = std::min(total, kMaxCopiedBytes);
  handle.sending = std::make_unique<SendRequest>();
  handle.sending->bytes.reset(new uint8_t[total]);
  size_t copied = 0;
  for (DWORD index = 0; copied < total; index++) {
    const size_t length = std::min<size_t>(buffers[index].len, total - copied);
    memcpy(handle.sending->bytes.get() + copied, buffers[index].buf, length);
    copied += length;
  }
  Begin(handle.sending.get(), kSend, slot);
  WSABUF buffer{static_cast<ULONG>(total), reinterpret_cast<char*>(handle.sending->bytes.get())};
  counters_->writes++;
  if (WSASend(handle.socket, &buffer, 1, nullptr, 0, handle.sending.get(), nullptr) == 0) return 0;
  const DWORD error = LastError();
  if (error == WSA_IO_PENDING) return 0;
  Refused(handle.sending.get());
  return error;
}

void Port::SendFile(int32_t slot, int descriptor, int64_t offset, size_t length) {
  if (SendRefused(slot, kSendFile)) return;
  const auto file = reinterpret_cast<HANDLE>(uv_get_osfhandle(descriptor));
  if (file == INVALID_HANDLE_VALUE) return FinishSend(slot, kSendFile, -kEBADF);
  const int64_t left = BytesBehind(file, offset);
  if (left <= 0) return FinishSend(slot, kSendFile, static_cast<int32_t>(left));
  const auto bytes = static_cast<DWORD>(std::min<int64_t>({left, static_cast<int64_t>(length), int64_t{kMaxFileBytes}}));
  Handle& handle = handles_[slot];
  handle.sending = std::make_unique<SendRequest>();
  Begin(handle.sending.get(), kSendFile, slot);
  handle.sending->Offset = static_cast<DWORD>(offset & 0xffffffff);
  handle.sending->OffsetHigh = static_cast<DWORD>(offset >> 32);
  counters_->writes++;
  if (WinsockExtensions().transmitFile(handle.socket, file, bytes, 0, handle.sending.get(), nullptr, 0)) return;
  const DWORD error = LastError();
  if (error == WSA_IO_PENDING) return;
  Refused(handle.sending.get());
  FailSend(slot, kSendFile, error);
}

// What moved before a send was cancelled or failed counts (C17); the failure comes back with the next one.
void Port::FinishRequest(int32_t slot) {
  SendRequest* request = handles_[slot].sending.get();
  DWORD bytes = 0;
  const DWORD error = ErrorOf(request, &bytes);
  const bool fileEnded = error == ERROR_HANDLE_EOF;
  const int32_t result = bytes > 0 || fileEnded ? static_cast<int32_t>(bytes) : ErrnoOf(error);
  FinishSend(slot, request->operation, result, result < 0 ? static_cast<int32_t>(error) : 0);
}

void Port::FailSend(int32_t slot, int32_t operation, DWORD error) {
  FinishSend(slot, operation, ErrnoOf(error), static_cast<int32_t>(error));
}

Outcome Port::EndSending(int32_t slot) {
  if (shutdown(handles_[slot].socket, SD_SEND) == 0) return {0, 0};
  DWORD error = LastError();
  // A connection that the peer has reset is none any more for the system; it was one for the caller.
  if (error == WSAENOTCONN) error = WSAESHUTDOWN;
  return {ErrnoOf(error), static_cast<int32_t>(error)};
}

}  // namespace bufferevent
