#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include <charconv>

namespace bufferevent {

StoredAddress::StoredAddress(const SocketAddress& address) {
  if (address.length > sizeof bytes_) {
    long_ = std::make_unique<SocketAddress>(address);
    return;
  }
  length_ = static_cast<uint8_t>(address.length);
  memcpy(bytes_, &address.storage, length_);
}

SocketAddress StoredAddress::Get() const {
  if (long_) return *long_;
  SocketAddress address;
  memset(&address.storage, 0, sizeof address.storage);
  memcpy(&address.storage, bytes_, length_);
  address.length = length_;
  return address;
}

int ParseIp(const std::string& ip, int port, SocketAddress* out) {
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
  if (inet_pton(AF_INET6, ip.substr(0, percent).c_str(), &v6->sin6_addr) != 1) return -EINVAL;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(static_cast<uint16_t>(port));
  out->length = sizeof *v6;
  if (percent == std::string::npos) return 0;
  const std::string zone = ip.substr(percent + 1);
  v6->sin6_scope_id = if_nametoindex(zone.c_str());
  if (v6->sin6_scope_id == 0) std::from_chars(zone.data(), zone.data() + zone.size(), v6->sin6_scope_id);
  return v6->sin6_scope_id == 0 ? -EINVAL : 0;
}

int ParsePath(const std::string& path, SocketAddress* out) {
  memset(&out->storage, 0, sizeof out->storage);
  auto* un = reinterpret_cast<sockaddr_un*>(&out->storage);
  const bool abstract = path[0] == '\0';
  // A file needs room for the NUL at its end; an abstract name has none.
  if (path.size() + (abstract ? 0 : 1) > sizeof un->sun_path) return -ENAMETOOLONG;
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, path.data(), path.size());
  out->length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
  return 0;
}

NamedAddress NameOf(const SocketAddress& address) {
  NamedAddress named;
  if (address.family() == AF_UNIX) {
    const auto* un = reinterpret_cast<const sockaddr_un*>(&address.storage);
    const size_t bytes = address.length - offsetof(sockaddr_un, sun_path);
    if (address.length <= offsetof(sockaddr_un, sun_path)) return named;
    named.known = named.isPath = true;
    named.text = un->sun_path[0] == '\0' ? std::string(un->sun_path, bytes)
                                         : std::string(un->sun_path, strnlen(un->sun_path, bytes));
    return named;
  }
  char text[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
  if (address.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    named.port = ntohs(v4->sin_port);
  } else if (address.family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    named.port = ntohs(v6->sin6_port);
    char zone[IF_NAMESIZE];
    if (v6->sin6_scope_id != 0 && if_indextoname(v6->sin6_scope_id, zone) != nullptr) {
      strcat(text, "%");
      strcat(text, zone);
    }
  } else {
    return named;
  }
  named.known = true;
  named.text = text;
  return named;
}

}  // namespace bufferevent
