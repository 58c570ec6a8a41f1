// What the port knows of one stream or listener. A slot is in use from the call that opens it until its last completion
// has been handed to JavaScript; events carry its life, so that one of a former life is told apart.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "address.h"

namespace bufferevent {

// Bytes of a registered memory.
struct Piece {
  uint32_t memory;
  uint32_t start;
  uint32_t length;
};

// A send that the system has not taken a byte of yet.
struct BlockedSend {
  std::vector<Piece> pieces;
  // Of a file instead, where `descriptor` is not -1.
  int descriptor = -1;
  int64_t offset = 0;
  size_t length = 0;
};

enum class Kind : uint8_t { kFree, kStream, kListener };

constexpr uint32_t kCameUnitBytes = 64;

// A socket file that a listener made, to be removed with it unless somebody else's stands there by then.
struct SocketFile {
  std::string path;
  uint64_t device;
  uint64_t inode;
};

void RemoveFile(const SocketFile& file);

// What only listeners have.
struct Listener {
  double credits = 0;
  // Without descriptors since it was last said.
  bool starved = false;
  std::unique_ptr<SocketFile> file;
};

// Small, because every idle connection has one: failures are negated errnos, which fit, and flags are bits.
struct Handle {
  std::unique_ptr<BlockedSend> blocked;
  int descriptor = -1;
  uint32_t life = 0;
  // Asked for by the recv in flight; 0 when there is none.
  uint32_t recvMax = 0;
  // Bytes that the next read asks for.
  uint32_t readBytes : 17 = 0;
  // The most that has come lately, halved with each read since, in units of `kCameUnitBytes`: the tail of a message says
  // little of the next one.
  uint32_t cameUnits : 15 = 0;
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
};

// The handles by slot, in blocks of a power of two: found without a division, and never moved.
class HandleTable {
 public:
  Handle& operator[](int32_t slot) { return blocks_[static_cast<uint32_t>(slot) / kBlock][static_cast<uint32_t>(slot) % kBlock]; }
  const Handle& operator[](int32_t slot) const { return blocks_[static_cast<uint32_t>(slot) / kBlock][static_cast<uint32_t>(slot) % kBlock]; }
  uint32_t size() const { return size_; }

  // The new slot.
  int32_t Add() {
    if (size_ % kBlock == 0) blocks_.push_back(std::make_unique<Handle[]>(kBlock));
    return static_cast<int32_t>(size_++);
  }

 private:
  static constexpr uint32_t kBlock = 64;

  std::vector<std::unique_ptr<Handle[]>> blocks_;
  uint32_t size_ = 0;
};

}  // namespace bufferevent
