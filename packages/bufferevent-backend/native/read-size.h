// How many bytes the next read of a stream asks for: more while reads are filled, less when little comes.
#pragma once

#include <stdint.h>

#include <algorithm>

#include "ring.h"

namespace bufferevent {

class ReadSize {
 public:
  // What a read asks for that may give at most `max`.
  uint32_t Wanted(uint32_t max) const { return std::min<uint32_t>(max, bytes_); }

  // The room that is enough for it, going by what came lately.
  uint32_t Least(uint32_t wanted) const {
    return std::min(wanted, std::max<uint32_t>(came_ * kUnitBytes, kSmallReadBytes));
  }

  // Whether what came lately was something, and never more than so many bytes.
  bool IsWithin(uint32_t bytes) const { return came_ > 0 && came_ * kUnitBytes <= bytes; }

  // `count` bytes, at least one, came into room for `asked`.
  void Learn(uint32_t count, uint32_t asked, uint32_t wanted) {
    // Where the room may have cut it short there was more.
    const uint32_t came = count == asked ? wanted : count;
    came_ = std::max<uint32_t>((came + kUnitBytes - 1) / kUnitBytes, came_ / 2);
    if (count == bytes_) {
      bytes_ = std::min<uint32_t>(4 * bytes_, kLargeSlabBytes);
    } else if (came_ * kUnitBytes < bytes_ / 4) {
      bytes_ = std::max<uint32_t>(bytes_ / 2, kSmallReadBytes);
    }
  }

 private:
  static constexpr uint32_t kUnitBytes = 64;

  uint32_t bytes_ : 17 = kSmallReadBytes;
  // The most that has come lately, halved with each read since, in units: the tail of a message says little of the next one.
  uint32_t came_ : 15 = 0;
};

}  // namespace bufferevent
