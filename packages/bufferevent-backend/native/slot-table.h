// What a port knows of its streams and listeners, by slot. A slot is in use from the call that opens it until its last
// completion has been handed to JavaScript; what the system says carries its life, so that a word about a former life is
// told apart.
#pragma once

#include <stdint.h>

#include <memory>
#include <vector>

namespace bufferevent {

// In blocks of a power of two: found without a division, and never moved. `Handle` has a `life`.
template <class Handle>
class SlotTable {
 public:
  Handle& operator[](int32_t slot) { return blocks_[static_cast<uint32_t>(slot) / kBlock][static_cast<uint32_t>(slot) % kBlock]; }
  const Handle& operator[](int32_t slot) const { return blocks_[static_cast<uint32_t>(slot) / kBlock][static_cast<uint32_t>(slot) % kBlock]; }
  uint32_t size() const { return size_; }

  // The slot that was freed last, or a new one.
  int32_t Open() {
    if (!free_.empty()) {
      const int32_t slot = free_.back();
      free_.pop_back();
      return slot;
    }
    if (size_ % kBlock == 0) blocks_.push_back(std::make_unique<Handle[]>(kBlock));
    return static_cast<int32_t>(size_++);
  }

  void Free(int32_t slot) {
    Handle& handle = (*this)[slot];
    const uint32_t life = handle.life + 1;
    handle = Handle();
    handle.life = life;
    free_.push_back(slot);
  }

 private:
  static constexpr uint32_t kBlock = 64;

  std::vector<std::unique_ptr<Handle[]>> blocks_;
  std::vector<int32_t> free_;
  uint32_t size_ = 0;
};

}  // namespace bufferevent
