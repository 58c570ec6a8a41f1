#include "port.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace bufferevent {

namespace {

constexpr uint32_t kBroken = EPOLLERR | EPOLLHUP;
// Received bytes after which JavaScript has its turn: what was read is still in the cache then.
constexpr int64_t kBytesPerWakeup = 256 * 1024;
constexpr int kAcceptsPerEvent = 64;
constexpr uint64_t kRetryMs = 50;
// More pieces than this are sent by the next send.
constexpr uint32_t kMaxPieces = 64;
constexpr size_t kMaxFileBytes = 1 << 30;
constexpr int kDeferSeconds = 30;

template <typename Call>
ssize_t Retrying(Call call) {
  ssize_t result;
  do result = call();
  while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

int SetFlag(int descriptor, int level, int option, int value) {
  return setsockopt(descriptor, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

int SocketError(int descriptor) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
  return error;
}

bool IsReadable(int descriptor) {
  pollfd poll_one{descriptor, POLLIN, 0};
  return poll(&poll_one, 1, 0) > 0;
}

bool IsPath(int descriptor) {
  int domain = 0;
  socklen_t length = sizeof domain;
  return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

std::string FileOf(const SocketAddress& address) {
  const NamedAddress named = NameOf(address);
  return named.isPath && named.text[0] != '\0' ? named.text : std::string();
}

// A bound and listening descriptor, or a negated errno.
int OpenListener(const SocketAddress& address, const ListenFlags& flags, std::unique_ptr<SocketFile>* file) {
  const int family = address.family();
  const int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  const std::string path = FileOf(address);
  int error = 0;
  if (family != AF_UNIX) error = SetFlag(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
  if (error == 0 && flags.reusePort) error = SetFlag(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
  if (error == 0 && family == AF_INET6) error = SetFlag(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, flags.ipv6Only);
  if (error == 0 && flags.deferAccept) error = SetFlag(descriptor, IPPROTO_TCP, TCP_DEFER_ACCEPT, kDeferSeconds);
  // The file is made with these bits, less those of the umask: never with more than in the end.
  if (error == 0 && flags.mode >= 0 && fchmod(descriptor, static_cast<mode_t>(flags.mode)) < 0) error = -errno;
  if (error == 0 && bind(descriptor, address.get(), address.length) < 0) error = -errno;
  if (error == 0 && !path.empty()) {
    struct stat made;
    if (lstat(path.c_str(), &made) == 0) *file = std::make_unique<SocketFile>(SocketFile{path, made.st_dev, made.st_ino});
    if (flags.mode >= 0 && chmod(path.c_str(), static_cast<mode_t>(flags.mode)) < 0) error = -errno;
  }
  if (error == 0 && listen(descriptor, flags.backlog) < 0) error = -errno;
  if (error == 0) return descriptor;
  close(descriptor);
  return error;
}

void RemoveFile(const SocketFile& file) {
  struct stat found;
  if (lstat(file.path.c_str(), &found) == 0 && found.st_dev == file.device && found.st_ino == file.inode) {
    unlink(file.path.c_str());
  }
}

}  // namespace

Port::Port(napi_env env, const PortMemory& memory)
    : env_(env),
      shared_(memory),
      counters_(reinterpret_cast<Counters*>(memory.counters)),
      reactor_(counters_),
      memory_(env) {
  memory_.SetControl(memory.control);
}

Port::~Port() {
  if (on_wakeup_ != nullptr) napi_delete_reference(env_, on_wakeup_);
  if (holder_ != nullptr) napi_delete_reference(env_, holder_);
  if (context_ != nullptr) napi_async_destroy(env_, context_);
}

int Port::Start(napi_value on_wakeup, napi_value memory_holder) {
  uv_loop_t* loop;
  if (napi_get_uv_event_loop(env_, &loop) != napi_ok) return -ENOTSUP;
  int error = reactor_.Open();
  if (error < 0) return error;
  poll_.data = idle_.data = retry_.data = this;
  error = uv_poll_init(loop, &poll_, reactor_.descriptor());
  if (error < 0) {
    reactor_.Close();
    return error;
  }
  uv_idle_init(loop, &idle_);
  uv_timer_init(loop, &retry_);
  open_loop_handles_ = 3;
  uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* poll, int, int) { static_cast<Port*>(poll->data)->Wakeup(); });
  napi_value name;
  napi_create_string_utf8(env_, "BUFFEREVENT_EPOLL", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env_, nullptr, name, &context_);
  napi_create_reference(env_, on_wakeup, 1, &on_wakeup_);
  napi_create_reference(env_, memory_holder, 1, &holder_);
  UpdateLoop();
  return 0;
}

void Port::Stop(void (*done)(void*), void* argument) {
  on_stopped_ = done;
  on_stopped_argument_ = argument;
  if (stopping_) return;
  stopping_ = true;
  for (Handle& handle : handles_) {
    if (handle.descriptor >= 0) close(handle.descriptor);
    if (handle.file) RemoveFile(*handle.file);
    handle.descriptor = -1;
  }
  const uv_close_cb closed = [](uv_handle_t* handle) {
    auto* port = static_cast<Port*>(handle->data);
    if (--port->open_loop_handles_ > 0) return;
    void (*then)(void*) = port->on_stopped_;
    void* argument = port->on_stopped_argument_;
    delete port;
    if (then != nullptr) then(argument);
  };
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&retry_), closed);
  reactor_.Close();
}

// Turns

void Port::Wakeup() {
  if (stopping_) return;
  napi_handle_scope scope;
  napi_open_handle_scope(env_, &scope);
  shared_.control[kInWakeup] = 1;
  memory_.BeginPass();
  HandleEvents();
  // The second time for what the sends of the first have come to.
  for (int round = 0; round < 2 && (!completions_.empty() || out_of_slabs_) && !stopping_; round++) {
    Deliver();
    if (!stopping_) Submit();
  }
  shared_.control[kInWakeup] = 0;
  napi_close_handle_scope(env_, scope);
  UpdateLoop();
}

void Port::Flush() {
  if (stopping_) return;
  napi_handle_scope scope;
  napi_open_handle_scope(env_, &scope);
  Submit();
  napi_close_handle_scope(env_, scope);
  if (shared_.control[kInWakeup] == 0) UpdateLoop();
}

// Makes the loop come back when something is left, and live as long as JavaScript says.
void Port::UpdateLoop() {
  if (stopping_) return;
  if (!completions_.empty() || reactor_.HasEvents()) {
    uv_idle_start(&idle_, [](uv_idle_t* idle) { static_cast<Port*>(idle->data)->Wakeup(); });
  } else {
    uv_idle_stop(&idle_);
  }
  if (starved_ > 0 && !uv_is_active(reinterpret_cast<uv_handle_t*>(&retry_))) {
    uv_timer_start(&retry_, [](uv_timer_t* timer) { static_cast<Port*>(timer->data)->RetryStarved(); }, kRetryMs, 0);
  }
  const bool referenced = shared_.control[kReferenced] != 0;
  if (referenced == referenced_) return;
  referenced_ = referenced;
  for (uv_handle_t* handle : {reinterpret_cast<uv_handle_t*>(&poll_), reinterpret_cast<uv_handle_t*>(&idle_),
                              reinterpret_cast<uv_handle_t*>(&retry_)}) {
    if (referenced) uv_ref(handle);
    else uv_unref(handle);
  }
}

void Port::HandleEvents() {
  reactor_.Look();
  bytes_left_ = kBytesPerWakeup;
  while (bytes_left_ > 0) {
    const epoll_event* event = reactor_.Next();
    if (event == nullptr) return;
    const auto slot = static_cast<int32_t>(event->data.u64 & 0xffffffff);
    const Handle& handle = handles_[slot];
    if (handle.life == event->data.u64 >> 32 && !handle.closed) HandleEvent(slot, event->events);
  }
}

// Level-triggered interest stays while it is of use, and is dropped when an event comes that nobody waits for.
void Port::HandleEvent(int32_t slot, uint32_t events) {
  Handle& handle = handles_[slot];
  if (handle.kind == Kind::kListener) {
    if (handle.credits > 0) AcceptSome(slot);
    else Unwatch(slot, EPOLLIN);
    return;
  }
  if (handle.connecting) {
    FinishConnect(slot);
    return;
  }
  const uint32_t broken = (events & kBroken) != 0 ? EPOLLIN | EPOLLOUT | EPOLLRDHUP : 0;
  events = (events | broken) & (EPOLLIN | EPOLLOUT | EPOLLRDHUP);
  uint32_t unused = handle.watched & events;
  if (handle.recvMax > 0 && (events & EPOLLIN) != 0) {
    unused &= ~static_cast<uint32_t>(EPOLLIN);
    Read(slot);
  }
  if (handle.blocked && (events & EPOLLOUT) != 0) {
    unused &= ~static_cast<uint32_t>(EPOLLOUT);
    SendBlocked(slot);
  }
  if (handle.watchingPeer && (events & EPOLLRDHUP) != 0) {
    FinishWatch(slot);
  }
  if (unused != 0) Unwatch(slot, unused);
}

void Port::Deliver() {
  out_of_slabs_ = false;
  const size_t count = std::min<size_t>(completions_.size() - delivered_, shared_.completionRecords);
  for (size_t index = 0; index < count; index++) {
    const Completion& completion = completions_[delivered_ + index];
    memcpy(shared_.completions + index * kCompletionWords, &completion, sizeof completion);
    switch (completion.operation) {
      case kConnect:
        // Only now: what JavaScript submitted before it knew is refused.
        handles_[completion.slot].connected = completion.result == 0;
        break;
      case kClose:
      case kReset:
      case kDetach:
      case kCloseSilently:
        FreeSlot(completion.slot);
        break;
    }
  }
  delivered_ += count;
  if (delivered_ == completions_.size()) {
    completions_.clear();
    delivered_ = 0;
  }
  shared_.control[kCompletionCount] = static_cast<int32_t>(count);
  counters_->calls++;
  napi_value callback, receiver, result;
  napi_get_reference_value(env_, on_wakeup_, &callback);
  napi_get_global(env_, &receiver);
  const napi_status status = napi_make_callback(env_, context_, receiver, callback, 0, nullptr, &result);
  if (status != napi_pending_exception) return;
  // Not from the callback, which throws nothing: from what ran after it.
  napi_value error;
  if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
}

void Port::Complete(int32_t operation, int32_t slot, int32_t result, int32_t memory, int32_t start) {
  completions_.push_back({operation, slot, result, memory, start});
}

// Submissions

void Port::Submit() {
  int32_t& used = shared_.control[kSubmissionWords];
  if (used == 0) return;
  memory_.BeginPass();
  const int32_t* words = shared_.submissions;
  const int32_t* end = words + used;
  while (words < end) words = SubmitOne(words);
  used = 0;
}

// Does what one record says and returns where the next begins. The formats stand in ring.h.
const int32_t* Port::SubmitOne(const int32_t* words) {
  const int32_t verb = words[0];
  const int32_t slot = words[1];
  switch (verb) {
    case kRecv:
      Recv(slot, static_cast<uint32_t>(words[2]));
      return words + 3;
    case kSend: {
      const auto count = static_cast<uint32_t>(words[2]);
      Send(slot, reinterpret_cast<const Piece*>(words + 3), count);
      return words + 3 + 3 * count;
    }
    case kSendFile: {
      const int64_t offset = static_cast<int64_t>(static_cast<uint32_t>(words[3])) |
                             static_cast<int64_t>(static_cast<uint32_t>(words[4])) << 32;
      SendFile(slot, words[2], offset, static_cast<uint32_t>(words[5]));
      return words + 6;
    }
    case kLowerRecvMax: {
      Handle& handle = handles_[slot];
      handle.recvMax = std::min(handle.recvMax, static_cast<uint32_t>(words[2]));
      return words + 3;
    }
    case kAccept:
      Accept(slot, static_cast<double>(static_cast<uint32_t>(words[2])) + 4294967296.0 * words[3]);
      return words + 4;
    case kCancel:
      Cancel(slot, words[2]);
      return words + 3;
    case kShutdown:
      Shutdown(slot);
      return words + 2;
    case kWatchPeer:
      WatchPeer(slot);
      return words + 2;
    default:
      Close(slot, verb);
      return words + 2;
  }
}

// Slots

int32_t Port::OpenSlot(Kind kind, int descriptor) {
  int32_t slot;
  if (free_slots_.empty()) {
    slot = static_cast<int32_t>(handles_.size());
    handles_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  Handle& handle = handles_[slot];
  handle.kind = kind;
  handle.descriptor = descriptor;
  handle.readBytes = kSmallReadBytes;
  return slot;
}

void Port::FreeSlot(int32_t slot) {
  Handle& handle = handles_[slot];
  const uint32_t life = handle.life + 1;
  handle = Handle();
  handle.life = life;
  free_slots_.push_back(slot);
}

bool Port::Watch(int32_t slot, uint32_t events) {
  Handle& handle = handles_[slot];
  if ((handle.watched & events) == events) return true;
  const uint32_t wanted = handle.watched | events;
  if (reactor_.Watch(handle.descriptor, handle.watched != 0, wanted, Tag(slot, handle.life)) < 0) return false;
  handle.watched = wanted;
  return true;
}

void Port::Unwatch(int32_t slot, uint32_t events) {
  Handle& handle = handles_[slot];
  if ((handle.watched & events) == 0) return;
  handle.watched &= ~events;
  reactor_.Watch(handle.descriptor, true, handle.watched, Tag(slot, handle.life));
}

// Streams

int32_t Port::Connect(const SocketAddress& address, int parsed, const SocketAddress* local) {
  int descriptor = parsed;
  if (parsed == 0) {
    descriptor = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) descriptor = -errno;
  }
  const int32_t slot = OpenSlot(Kind::kStream, descriptor);
  Handle& handle = handles_[slot];
  int error = descriptor < 0 ? descriptor : 0;
  if (error == 0 && local != nullptr && bind(descriptor, local->get(), local->length) < 0) error = -errno;
  if (error == 0) error = static_cast<int>(Retrying([&] { return connect(descriptor, address.get(), address.length); }));
  if (error == -EINPROGRESS) {
    handle.connecting = true;
    error = Watch(slot, EPOLLOUT) ? 0 : -ENOMEM;
  }
  handle.peer = address;
  if (error < 0) handle.connecting = false;
  if (!handle.connecting) Complete(kConnect, slot, error);
  UpdateLoop();
  return slot;
}

void Port::FinishConnect(int32_t slot) {
  Handle& handle = handles_[slot];
  const int error = SocketError(handle.descriptor);
  handle.connecting = false;
  Complete(kConnect, slot, -error);
  if (error != 0) {
    Unwatch(slot, handle.watched);
    return;
  }
  // A connection wants to read next.
  handle.watched = EPOLLIN;
  reactor_.Watch(handle.descriptor, true, EPOLLIN, Tag(slot, handle.life));
}

int32_t Port::Adopt(int descriptor) {
  struct stat status;
  if (fstat(descriptor, &status) < 0) return -errno;
  if (!S_ISSOCK(status.st_mode)) return -ENOTSOCK;
  int type = 0, listening = 0;
  socklen_t length = sizeof type;
  if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) < 0) return -errno;
  if (type != SOCK_STREAM) return -EPROTOTYPE;
  length = sizeof listening;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening != 0) return -EINVAL;
  SocketAddress peer;
  peer.length = sizeof peer.storage;
  if (getpeername(descriptor, peer.get(), &peer.length) < 0) return -errno;
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
  const int32_t slot = OpenSlot(Kind::kStream, descriptor);
  handles_[slot].connected = handles_[slot].shared = true;
  handles_[slot].peer = peer;
  return slot;
}

int32_t Port::ShareDescriptor(int32_t slot) {
  handles_[slot].shared = true;
  return handles_[slot].descriptor;
}

SocketAddress Port::LocalAddress(int32_t slot) const {
  SocketAddress local;
  local.length = sizeof local.storage;
  memset(&local.storage, 0, sizeof local.storage);
  if (getsockname(handles_[slot].descriptor, local.get(), &local.length) < 0) local.length = 0;
  return local;
}

int Port::SetOption(int32_t slot, int option, int value) {
  const Handle& handle = handles_[slot];
  if (!handle.connected) return -ENOTCONN;
  const int descriptor = handle.descriptor;
  switch (option) {
    case kRecvBufferSize:
      return SetFlag(descriptor, SOL_SOCKET, SO_RCVBUF, value);
    case kSendBufferSize:
      return SetFlag(descriptor, SOL_SOCKET, SO_SNDBUF, value);
    case kNoDelay:
      return IsPath(descriptor) ? -ENOTSUP : SetFlag(descriptor, IPPROTO_TCP, TCP_NODELAY, value);
  }
  if (IsPath(descriptor)) return -ENOTSUP;
  int error = SetFlag(descriptor, SOL_SOCKET, SO_KEEPALIVE, value >= 0);
  if (error == 0 && value >= 0) error = SetFlag(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, std::max(1, value / 1000));
  return error;
}

void Port::Recv(int32_t slot, uint32_t max) {
  Handle& handle = handles_[slot];
  if (!handle.connected) return Complete(kRecv, slot, -ENOTCONN);
  if (handle.readFailure != 0) return Complete(kRecv, slot, handle.readFailure);
  if (handle.ended) return Complete(kRecv, slot, 0);
  handle.recvMax = max;
  if (Watch(slot, EPOLLIN)) return;
  handle.recvMax = 0;
  Complete(kRecv, slot, -ENOMEM);
}

void Port::Read(int32_t slot) {
  Handle& handle = handles_[slot];
  const uint32_t wanted = std::min(handle.recvMax, handle.readBytes);
  uint32_t start, room;
  uint8_t* memory;
  const int32_t id = memory_.Room(wanted, &start, &room, &memory);
  if (id < 0) {
    // JavaScript brings new slabs, and the event comes again.
    out_of_slabs_ = true;
    bytes_left_ = 0;
    return;
  }
  const uint32_t asked = std::min(wanted, room);
  counters_->reads++;
  const ssize_t count = Retrying([&] { return recv(handle.descriptor, memory, asked, 0); });
  if (count == -EAGAIN) return;
  handle.recvMax = 0;
  if (count > 0) {
    memory_.Take(id, static_cast<size_t>(count));
    bytes_left_ -= count;
    if (static_cast<uint32_t>(count) == handle.readBytes) {
      handle.readBytes = std::min<uint32_t>(4 * handle.readBytes, kLargeSlabBytes);
    } else if (static_cast<uint32_t>(count) < handle.readBytes / 4) {
      handle.readBytes = std::max<uint32_t>(handle.readBytes / 2, kSmallReadBytes);
    }
    Complete(kRecv, slot, static_cast<int32_t>(count), id, static_cast<int32_t>(start));
    return;
  }
  if (count == 0 && handle.brokenBy == 0) handle.ended = true;
  else handle.readFailure = count == 0 ? handle.brokenBy : static_cast<int>(count);
  Complete(kRecv, slot, handle.readFailure);
}

void Port::WatchPeer(int32_t slot) {
  Handle& handle = handles_[slot];
  if (!handle.connected) return Complete(kWatchPeer, slot, -ENOTCONN);
  if (handle.readFailure != 0) return Complete(kWatchPeer, slot, handle.readFailure);
  if (handle.ended) return Complete(kWatchPeer, slot, 0);
  handle.watchingPeer = true;
  if (Watch(slot, EPOLLRDHUP)) return;
  handle.watchingPeer = false;
  Complete(kWatchPeer, slot, -ENOMEM);
}

void Port::FinishWatch(int32_t slot) {
  Handle& handle = handles_[slot];
  handle.watchingPeer = false;
  // Asking for the error takes it away: the read that would have met it gets it from here.
  const int error = SocketError(handle.descriptor);
  if (error != 0) handle.brokenBy = -error;
  Complete(kWatchPeer, slot, handle.readFailure != 0 ? handle.readFailure : handle.brokenBy);
}

// Sending

bool Port::SendRefused(int32_t slot, int32_t operation) {
  const Handle& handle = handles_[slot];
  const int refusal = !handle.connected           ? -ENOTCONN
                      : handle.writeFailure != 0  ? handle.writeFailure
                      : handle.writeEnded         ? -EPIPE
                                                  : 0;
  if (refusal != 0) Complete(operation, slot, refusal);
  return refusal != 0;
}

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
  if (count == 1) {
    return Retrying([&] { return send(descriptor, vector[0].iov_base, vector[0].iov_len, MSG_NOSIGNAL); });
  }
  msghdr message{};
  message.msg_iov = vector;
  message.msg_iovlen = count;
  return Retrying([&] { return sendmsg(descriptor, &message, MSG_NOSIGNAL); });
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
  if (sent != -EAGAIN) return FinishSend(slot, kSend, static_cast<int32_t>(sent));
  auto blocked = std::make_unique<BlockedSend>();
  blocked->pieces.assign(pieces, pieces + std::min(count, kMaxPieces));
  Block(slot, kSend, std::move(blocked));
}

void Port::SendFile(int32_t slot, int descriptor, int64_t offset, size_t length) {
  if (SendRefused(slot, kSendFile)) return;
  const ssize_t sent = WriteFile(handles_[slot].descriptor, descriptor, offset, length);
  if (sent != -EAGAIN) return FinishSend(slot, kSendFile, static_cast<int32_t>(sent));
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
  if (sent != -EAGAIN) FinishSend(slot, file ? kSendFile : kSend, static_cast<int32_t>(sent));
}

void Port::FinishSend(int32_t slot, int32_t operation, int32_t result) {
  Handle& handle = handles_[slot];
  handle.blocked.reset();
  // What the system says of the connection holds for good; what is wrong with this send does not.
  if (result < 0 && result != -ECANCELED && result != -EFAULT && operation == kSend) handle.writeFailure = result;
  Complete(operation, slot, result);
  if (!handle.shutdownWaits) return;
  handle.shutdownWaits = false;
  if (result < 0) Complete(kShutdown, slot, result);
  else Shutdown(slot);
}

void Port::Shutdown(int32_t slot) {
  Handle& handle = handles_[slot];
  if (!handle.connected) return Complete(kShutdown, slot, -ENOTCONN);
  if (handle.writeFailure != 0) return Complete(kShutdown, slot, handle.writeFailure);
  if (handle.blocked) {
    handle.shutdownWaits = true;
    return;
  }
  int error = 0;
  if (!handle.writeEnded && shutdown(handle.descriptor, SHUT_WR) < 0) error = -errno;
  handle.writeEnded = true;
  Complete(kShutdown, slot, error);
}

// Listeners

int32_t Port::Listen(const SocketAddress& address, int parsed, const ListenFlags& flags) {
  std::unique_ptr<SocketFile> file;
  const int descriptor = parsed < 0 ? parsed : OpenListener(address, flags, &file);
  const int32_t slot = OpenSlot(Kind::kListener, descriptor);
  handles_[slot].file = std::move(file);
  Complete(kListen, slot, std::min(descriptor, 0));
  UpdateLoop();
  return slot;
}

void Port::Accept(int32_t slot, double credits) {
  Handle& handle = handles_[slot];
  if (handle.descriptor < 0) return Complete(kAccept, slot, -ECANCELED);
  handle.credits = credits;
  if (Watch(slot, EPOLLIN)) return;
  handle.credits = 0;
  Complete(kAccept, slot, -ENOMEM);
}

void Port::AcceptSome(int32_t slot) {
  for (int accepted = 0; accepted < kAcceptsPerEvent; accepted++) {
    Handle& listener = handles_[slot];
    if (listener.credits <= 0) {
      // The last one that waited has caught up too.
      if (listener.starved && !IsReadable(listener.descriptor)) EndStarving(&listener);
      return;
    }
    SocketAddress peer;
    peer.length = sizeof peer.storage;
    counters_->accepts++;
    const ssize_t descriptor = Retrying(
        [&] { return accept4(listener.descriptor, peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC); });
    if (descriptor >= 0) {
      listener.credits--;
      const int32_t stream = OpenSlot(Kind::kStream, static_cast<int>(descriptor));
      handles_[stream].connected = true;
      handles_[stream].peer = peer;
      Complete(kAccept, slot, stream);
      continue;
    }
    switch (descriptor) {
      case -EAGAIN:
        // Has caught up: if it had no descriptors, it has again.
        EndStarving(&listener);
        return;
      case -EMFILE:
      case -ENFILE:
      case -ENOBUFS:
      case -ENOMEM:
        if (!listener.starved) {
          listener.starved = true;
          starved_++;
          Complete(kAccept, slot, static_cast<int32_t>(descriptor));
        }
        // It stays readable: another try comes with the timer.
        Unwatch(slot, EPOLLIN);
        return;
      default:
        // The failure of a connection that is gone already, not of the listener.
        break;
    }
  }
}

void Port::EndStarving(Handle* listener) {
  if (listener->starved) starved_--;
  listener->starved = false;
}

void Port::RetryStarved() {
  for (size_t slot = 0; slot < handles_.size(); slot++) {
    Handle& handle = handles_[slot];
    if (handle.starved && !handle.closed && handle.credits > 0) Watch(static_cast<int32_t>(slot), EPOLLIN);
  }
  UpdateLoop();
}

// Endings

void Port::Cancel(int32_t slot, int32_t operation) {
  Handle& handle = handles_[slot];
  if (operation == kRecv && handle.recvMax > 0) {
    handle.recvMax = 0;
    Complete(kRecv, slot, -ECANCELED);
  } else if ((operation == kSend || operation == kSendFile) && handle.blocked) {
    if ((handle.blocked->descriptor >= 0) == (operation == kSendFile)) FinishSend(slot, operation, -ECANCELED);
  } else if (operation == kWatchPeer && handle.watchingPeer) {
    handle.watchingPeer = false;
    Complete(kWatchPeer, slot, -ECANCELED);
  } else if (operation == kAccept && handle.credits > 0) {
    handle.credits = 0;
    Complete(kAccept, slot, -ECANCELED);
  } else if (operation == kConnect && handle.connecting) {
    handle.connecting = false;
    Unwatch(slot, handle.watched);
    close(handle.descriptor);
    handle.descriptor = -1;
    Complete(kConnect, slot, -ECANCELED);
  }
}

void Port::Close(int32_t slot, int32_t operation) {
  for (const int32_t flight : {kConnect, kAccept, kRecv, kSend, kSendFile, kWatchPeer}) Cancel(slot, flight);
  Handle& handle = handles_[slot];
  handle.closed = true;
  EndStarving(&handle);
  int32_t result = 0;
  if (operation == kDetach) {
    Unwatch(slot, handle.watched);
    result = handle.descriptor;
  } else if (handle.descriptor >= 0) {
    const linger abort{1, 0};
    if (operation == kReset) setsockopt(handle.descriptor, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    // A descriptor that was duplicated goes on being watched unless told not to.
    if (handle.shared) Unwatch(slot, handle.watched);
    close(handle.descriptor);
  }
  handle.descriptor = -1;
  if (handle.file) RemoveFile(*handle.file);
  handle.file.reset();
  Complete(operation, slot, result);
}

}  // namespace bufferevent
