// The limit that servers of TLS are measured against: an epoll loop as one would write it by hand, level-triggered, OpenSSL
// on the socket itself, one read for what is ready and one write for each record. In a thread of its own, so that the
// process can be asked for its CPU time meanwhile; it ends with the process.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <thread>
#include <vector>

class EchoServer {
 public:
  // Returns the port, 0 when there is none. Keeps `context` for as long as the process lives.
  static uint16_t Start(SSL_CTX* context) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(listener, 1024) != 0 ||
        getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    // The whole of a record with one read.
    SSL_CTX_set_read_ahead(context, 1);
    std::thread([listener, context] { EchoServer(listener, context).Run(); }).detach();
    return ntohs(address.sin_port);
  }

 private:
  static constexpr size_t kBufferBytes = 16 * 1024;
  static constexpr int kMostEvents = 1024;

  struct Connection {
    SSL* ssl;
    int descriptor;
    // What the system did not take; reading rests meanwhile.
    std::vector<char> unsent;
  };

  EchoServer(int listener, SSL_CTX* context) : listener_(listener), context_(context), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event{};
    event.events = EPOLLIN;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, listener, &event);
  }

  [[noreturn]] void Run() {
    static epoll_event events[kMostEvents];
    for (;;) {
      const int count = epoll_wait(epoll_, events, kMostEvents, -1);
      for (int index = 0; index < count; index++) {
        auto* connection = static_cast<Connection*>(events[index].data.ptr);
        if (connection == nullptr) {
          Accept();
        } else if (!Serve(connection)) {
          SSL_free(connection->ssl);
          close(connection->descriptor);
          delete connection;
        }
      }
    }
  }

  void Accept() {
    const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto* connection = new Connection{SSL_new(context_), descriptor, {}};
    SSL_set_fd(connection->ssl, descriptor);
    SSL_set_accept_state(connection->ssl);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = connection;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }

  void Watch(Connection* connection, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = connection;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection->descriptor, &event);
  }

  // Whether the connection goes on.
  bool Serve(Connection* connection) {
    SSL* ssl = connection->ssl;
    if (!connection->unsent.empty()) {
      size_t sent = 0;
      ERR_clear_error();
      const int result = SSL_write_ex(ssl, connection->unsent.data(), connection->unsent.size(), &sent);
      if (result != 1) return Waits(ssl, result);
      connection->unsent.clear();
      Watch(connection, EPOLLIN);
    }
    do {
      size_t received = 0;
      size_t sent = 0;
      ERR_clear_error();
      int result = SSL_read_ex(ssl, buffer_, sizeof buffer_, &received);
      if (result != 1) return Waits(ssl, result);
      result = SSL_write_ex(ssl, buffer_, received, &sent);
      if (result != 1) {
        if (SSL_get_error(ssl, result) != SSL_ERROR_WANT_WRITE) return false;
        connection->unsent.assign(buffer_, buffer_ + received);
        Watch(connection, EPOLLOUT);
        return true;
      }
    } while (SSL_has_pending(ssl) == 1);
    return true;
  }

  static bool Waits(SSL* ssl, int result) {
    const int error = SSL_get_error(ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  int listener_;
  SSL_CTX* context_;
  int epoll_;
  char buffer_[kBufferBytes];
};
