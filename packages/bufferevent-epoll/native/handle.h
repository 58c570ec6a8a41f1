// What the port knows of one stream or listener.
#pragma once

#include <address.h>
#include <read-size.h>
#include <ring-port.h>
#include <stdint.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace bufferevent {

// A send that the system has not taken a byte of yet.
struct BlockedSend {
  std::vector<Piece> pieces;
  // Of a file instead, where `descriptor` is not -1.
  int descriptor = -1;
  int64_t offset = 0;
  size_t length = 0;
};

enum class Kind : uint8_t { kFree, kStream, kListener };

// A socket file that a listener made, to be removed with it unless somebody else's stands there by then.
struct SocketFile {
  std::string path;
  uint64_t device;
  uint64_t inode;
};

void RemoveFile(const SocketFile& file);

// What only listeners have.
struct Listener : ListenerState {
  std::unique_ptr<SocketFile> file;
};

// Small, because every idle connection has one: failures are negated errnos, which fit, and flags are bits.
struct Handle {
  std::unique_ptr<BlockedSend> blocked;
  int descriptor = -1;
  uint32_t life = 0;
  // Asked for by the recv in flight; 0 when there is none.
  uint32_t recvMax = 0;
  ReadSize readSize;
  int16_t readFailure = 0;
  int16_t writeFailure = 0;
  // What ended the connection, found out by looking: reading meets it behind the last byte.
  int16_t brokenBy = 0;
  // Events that the reactor watches.
  uint16_t watched = 0;
  // As accepted or connected to; the system forgets it when the connection breaks. The fields after it fill its last bytes.
  [[no_unique_address]] StoredAddress peer;
  Kind kind = Kind::kFree;
  // Nothing more is done with it: its closing is waiting to be handed over.
  bool closed : 1 = false;
  bool connecting : 1 = false;
  bool connected : 1 = false;
  // The descriptor is known outside of the port, where it may have been duplicated.
  bool shared : 1 = false;
  bool watchingPeer : 1 = false;
  // The peer's end has been read, or what reading failed with.
  bool ended : 1 = false;
  bool writeEnded : 1 = false;
  bool shutdownWaits : 1 = false;

  bool IsSending() const { return blocked != nullptr; }
  void ForgetSend() { blocked.reset(); }

  // The system tells only once what ended the connection: the read that would have met it gets it from here.
  void NoteBroken(int error) {
    if (brokenBy == 0) brokenBy = static_cast<int16_t>(error);
  }
};

}  // namespace bufferevent
