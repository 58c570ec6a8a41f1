// Numeric addresses and socket paths, as JavaScript spells them and as the system does (C14).
#pragma once

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include <memory>
#include <string>

namespace bufferevent {

struct SocketAddress {
  sockaddr_storage storage;
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// A copy in little memory, because every stream keeps one. Nearly all are no longer than an address of IPv6; only longer
// paths take memory of their own.
class StoredAddress {
 public:
  StoredAddress() = default;
  explicit StoredAddress(const SocketAddress& address);

  SocketAddress Get() const;

 private:
  std::unique_ptr<SocketAddress> long_;
  unsigned char bytes_[sizeof(sockaddr_in6)];
  uint8_t length_ = 0;
};

// Both return 0 or a negated errno. An IPv6 zone is a name or a number behind '%'.
int ParseIp(const std::string& ip, int port, SocketAddress* out);
// A leading NUL byte names the abstract space. A path that does not fit is -ENAMETOOLONG, never its beginning.
int ParsePath(const std::string& path, SocketAddress* out);

// What a socket address means to people. `known` is false for addresses without a name.
struct NamedAddress {
  bool known = false;
  bool isPath = false;
  std::string text;
  int port = 0;
};

NamedAddress NameOf(const SocketAddress& address);

}  // namespace bufferevent
