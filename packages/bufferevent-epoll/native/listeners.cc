// What a port does for listeners: binding, socket files, accepting by credits, and going without descriptors (C20).
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "port.h"
#include "system.h"

namespace bufferevent {

namespace {

constexpr int kAcceptsPerEvent = 64;
constexpr int kDeferSeconds = 30;

bool IsReadable(int descriptor) {
  pollfd poll_one{descriptor, POLLIN, 0};
  return poll(&poll_one, 1, 0) > 0;
}

std::string FileOf(const SocketAddress& address) {
  const NamedAddress named = NameOf(address);
  return named.isPath && named.text[0] != '\0' ? named.text : std::string();
}

// What stands at a path, a link itself and not what it leads to. By `statx`, because `lstat` has been a symbol of its own
// since glibc 2.33 only (before, it was a macro over another), and the prebuilt binary has to load with 2.28.
std::unique_ptr<SocketFile> FileAt(const std::string& path) {
  struct statx found;
  if (statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_INO, &found) < 0) return nullptr;
  const uint64_t device = static_cast<uint64_t>(found.stx_dev_major) << 32 | found.stx_dev_minor;
  return std::make_unique<SocketFile>(SocketFile{path, device, found.stx_ino});
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
    *file = FileAt(path);
    if (flags.mode >= 0 && chmod(path.c_str(), static_cast<mode_t>(flags.mode)) < 0) error = -errno;
  }
  if (error == 0 && listen(descriptor, flags.backlog) < 0) error = -errno;
  if (error == 0) return descriptor;
  close(descriptor);
  return error;
}

}  // namespace

void RemoveFile(const SocketFile& file) {
  const auto found = FileAt(file.path);
  if (found != nullptr && found->device == file.device && found->inode == file.inode) unlink(file.path.c_str());
}

int32_t Port::Listen(const SocketAddress& address, int parsed, const ListenFlags& flags) {
  std::unique_ptr<SocketFile> file;
  const int descriptor = parsed < 0 ? parsed : OpenListener(address, flags, &file);
  const int32_t slot = OpenSlot(Kind::kListener, descriptor);
  listeners_[slot].file = std::move(file);
  Complete(kListen, slot, std::min(descriptor, 0));
  UpdateLoop();
  return slot;
}

void Port::Accept(int32_t slot, double credits) {
  if (handles_[slot].descriptor < 0) return Complete(kAccept, slot, -ECANCELED);
  Listener& listener = listeners_[slot];
  listener.credits = credits;
  if (!Watch(slot, EPOLLIN)) Starve(slot, &listener, -ENOMEM);
}

void Port::AcceptSome(int32_t slot) {
  Listener& listener = listeners_[slot];
  const int listening = handles_[slot].descriptor;
  for (int accepted = 0; accepted < kAcceptsPerEvent; accepted++) {
    if (listener.credits <= 0) {
      // The last one that waited has caught up too.
      if (listener.starved && !IsReadable(listening)) EndStarving(&listener);
      return;
    }
    SocketAddress peer;
    peer.length = sizeof peer.storage;
    counters_->accepts++;
    const ssize_t descriptor =
        Retrying([&] { return accept4(listening, peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC); });
    if (descriptor >= 0) {
      listener.credits--;
      const int32_t stream = OpenSlot(Kind::kStream, static_cast<int>(descriptor));
      handles_[stream].connected = true;
      handles_[stream].peer = StoredAddress(peer);
      Complete(kAccept, slot, stream);
      continue;
    }
    switch (descriptor) {
      case -EAGAIN:
        // Has caught up: if it had no descriptors, it has again.
        EndStarving(&listener);
        return;
      case -ECONNABORTED:
      case -EPROTO:
      case -ENOPROTOOPT:
      case -EOPNOTSUPP:
      case -ENETDOWN:
      case -ENETUNREACH:
      case -EHOSTDOWN:
      case -EHOSTUNREACH:
      case -ENONET:
      case -ETIMEDOUT:
        // The failure of a connection that is gone already, not of the listener.
        break;
      case -EMFILE:
      case -ENFILE:
      case -ENOBUFS:
      case -ENOMEM:
        PauseAccepting(slot, static_cast<int32_t>(descriptor));
        return;
      default:
        // Such as a listener that somebody else has shut down: nothing says when it can accept again.
        PauseAccepting(slot, -ENOBUFS, static_cast<int32_t>(descriptor));
        return;
    }
  }
}

void Port::PauseAccepting(int32_t slot, int32_t reason, int32_t code) {
  Starve(slot, &listeners_[slot], reason, code);
  // It stays readable.
  Unwatch(slot, EPOLLIN);
}

void Port::CancelAccept(int32_t slot) {
  Listener& listener = listeners_[slot];
  if (listener.credits <= 0) return;
  listener.credits = 0;
  EndStarving(&listener);
  Complete(kAccept, slot, -ECANCELED);
}

void Port::RetryStarved() {
  for (const auto& [slot, listener] : listeners_) {
    if (listener.starved && listener.credits > 0) Watch(slot, EPOLLIN);
  }
}

void Port::CloseListener(int32_t slot) {
  const auto listener = listeners_.extract(slot);
  EndStarving(&listener.mapped());
  if (listener.mapped().file) RemoveFile(*listener.mapped().file);
}

}  // namespace bufferevent
