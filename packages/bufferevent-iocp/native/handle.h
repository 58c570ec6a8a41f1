// What the port knows of one stream or listener, and the operations that it has given to the system for it.
#pragma once

#include "sockets.h"

#include <address.h>
#include <read-size.h>
#include <ring-port.h>
#include <stdint.h>

#include <memory>
#include <vector>

#include "completion-port.h"

namespace bufferevent {

// An operation of a slot. Its memory stays until its packet has come back: a slot is not given up before.
struct Request : Packet {
  int32_t operation;
  int32_t slot;
};

// Bytes on their way: a copy, because JavaScript may take its memory away while the system still reads.
struct SendRequest : Request {
  std::unique_ptr<uint8_t[]> bytes;
};

// A socket that waits for a connection, and the addresses of that, as the system wants to write them.
struct AcceptRequest : Request {
  static constexpr DWORD kAddressBytes = sizeof(sockaddr_storage) + 16;

  SOCKET socket;
  char addresses[2 * kAddressBytes];
};

enum class Kind : uint8_t { kFree, kStream, kListener };

// What only listeners have.
struct Listener : ListenerState {
  int family = AF_UNSPEC;
  // Given to the system; never more than there are credits.
  std::vector<std::unique_ptr<AcceptRequest>> accepts;
  // The credits end when what is given to the system has come back.
  bool cancelled = false;
};

struct Handle {
  // Connecting; later a receive that waits, with no memory or with that of `message`.
  Request wait;
  // Room for a short message, where it waits for one: `kRoomBytes`.
  std::unique_ptr<uint8_t[]> message;
  std::unique_ptr<SendRequest> sending;
  SOCKET socket = INVALID_SOCKET;
  uint32_t life = 0;
  // Packets that are to come back.
  uint32_t requests = 0;
  // Asked for by the recv in flight; 0 when there is none.
  uint32_t recvMax = 0;
  ReadSize readSize;
  int16_t readFailure = 0;
  int16_t writeFailure = 0;
  // As accepted or connected to.
  StoredAddress peer;
  Kind kind = Kind::kFree;
  // How it is being closed, or 0: nothing is begun any more, and its closing is told when every packet is back.
  uint8_t closing = 0;
  bool connecting : 1 = false;
  bool connected : 1 = false;
  // `wait` is with the system.
  bool waiting : 1 = false;
  // It may bring bytes: it belongs to the recv in flight, which is over when it is.
  bool waitsForMessage : 1 = false;
  // When it comes back with none.
  bool recvCancelled : 1 = false;
  // The last read took all that it asked for: there is more, or there may be.
  bool mayHaveMore : 1 = false;
  // The peer's end has been read, or what reading failed with.
  bool ended : 1 = false;
  bool writeEnded : 1 = false;
  bool shutdownWaits : 1 = false;

  bool IsSending() const { return sending != nullptr; }
  void ForgetSend() { sending.reset(); }
};

}  // namespace bufferevent
