// Numeric addresses and socket paths, as JavaScript spells them and as the system does (C14).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#endif

#include <charconv>
#include <memory>
#include <string>

#include "ring.h"

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
  explicit StoredAddress(const SocketAddress& address) {
    if (address.length > static_cast<socklen_t>(sizeof bytes_)) {
      long_ = std::make_unique<SocketAddress>(address);
      return;
    }
    length_ = static_cast<uint8_t>(address.length);
    memcpy(bytes_, &address.storage, length_);
  }

  SocketAddress Get() const {
    if (long_) return *long_;
    SocketAddress address;
    memset(&address.storage, 0, sizeof address.storage);
    memcpy(&address.storage, bytes_, length_);
    address.length = length_;
    return address;
  }

 private:
  std::unique_ptr<SocketAddress> long_;
  unsigned char bytes_[sizeof(sockaddr_in6)];
  uint8_t length_ = 0;
};

// What a socket address means to people. `known` is false for addresses without a name.
struct NamedAddress {
  bool known = false;
  bool isPath = false;
  std::string text;
  int port = 0;
};

// The interface that an IPv6 zone names, 0 for none. On Windows zones are numbers, as Node has them.
inline uint32_t ZoneIndex(const std::string& zone) {
  uint32_t index = 0;
#ifndef _WIN32
  index = if_nametoindex(zone.c_str());
#endif
  if (index == 0) std::from_chars(zone.data(), zone.data() + zone.size(), index);
  return index;
}

inline std::string ZoneName(uint32_t index) {
#ifdef _WIN32
  return std::to_string(index);
#else
  char name[IF_NAMESIZE];
  return if_indextoname(index, name) != nullptr ? name : std::string();
#endif
}

// 0 or a negated errno. An IPv6 zone is a name or a number behind '%'.
inline int ParseIp(const std::string& ip, int port, SocketAddress* out) {
  memset(&out->storage, 0, sizeof out->storage);
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out->storage);
  if (inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    out->length = sizeof *v4;
    return 0;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out->storage);
  const size_t percent = ip.find('%');
  if (inet_pton(AF_INET6, ip.substr(0, percent).c_str(), &v6->sin6_addr) != 1) return -kEINVAL;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(static_cast<uint16_t>(port));
  out->length = sizeof *v6;
  if (percent == std::string::npos) return 0;
  v6->sin6_scope_id = ZoneIndex(ip.substr(percent + 1));
  return v6->sin6_scope_id == 0 ? -kEINVAL : 0;
}

inline NamedAddress NameOfIp(const SocketAddress& address) {
  NamedAddress named;
  char text[INET6_ADDRSTRLEN] = "";
  if (address.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    named.port = ntohs(v4->sin_port);
  } else if (address.family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    named.port = ntohs(v6->sin6_port);
  } else {
    return named;
  }
  named.known = true;
  named.text = text;
  if (address.family() == AF_INET) return named;
  const uint32_t zone = reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_scope_id;
  const std::string name = zone == 0 ? std::string() : ZoneName(zone);
  if (!name.empty()) named.text += "%" + name;
  return named;
}

#ifdef _WIN32

// No path gets here: `supports.paths` is false.
inline int ParsePath(const std::string&, SocketAddress*) { return -kEAFNOSUPPORT; }
inline NamedAddress NameOf(const SocketAddress& address) { return NameOfIp(address); }

#else

// 0 or a negated errno. A leading NUL byte names the abstract space. A path that does not fit is -ENAMETOOLONG, never its
// beginning.
inline int ParsePath(const std::string& path, SocketAddress* out) {
  memset(&out->storage, 0, sizeof out->storage);
  auto* un = reinterpret_cast<sockaddr_un*>(&out->storage);
  const bool abstract = path[0] == '\0';
  // A file needs room for the NUL at its end; an abstract name has none.
  if (path.size() + (abstract ? 0 : 1) > sizeof un->sun_path) return -kENAMETOOLONG;
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, path.data(), path.size());
  out->length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
  return 0;
}

inline NamedAddress NameOf(const SocketAddress& address) {
  if (address.family() != AF_UNIX) return NameOfIp(address);
  NamedAddress named;
  const auto* un = reinterpret_cast<const sockaddr_un*>(&address.storage);
  if (address.length <= offsetof(sockaddr_un, sun_path)) return named;
  const size_t bytes = address.length - offsetof(sockaddr_un, sun_path);
  named.known = named.isPath = true;
  named.text = un->sun_path[0] == '\0' ? std::string(un->sun_path, bytes)
                                       : std::string(un->sun_path, strnlen(un->sun_path, bytes));
  return named;
}

#endif

}  // namespace bufferevent
