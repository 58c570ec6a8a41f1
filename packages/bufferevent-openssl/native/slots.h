// Things that JavaScript names by numbers: slot + generation × 2^24, below 2^53. A number is never used twice.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <vector>

namespace bufferevent {

template <typename Thing>
class SlotTable {
 public:
  // 0 when there is no room.
  double Add(Thing* thing) {
    uint32_t index = firstFree_;
    if (index != kNone) {
      firstFree_ = slots_[index].nextFree;
    } else {
      index = static_cast<uint32_t>(slots_.size());
      if (index == kSlots) return 0;
      slots_.push_back({});
    }
    slots_[index].thing = thing;
    live_++;
    return static_cast<double>(static_cast<uint64_t>(slots_[index].generation) * kSlots + index);
  }

  // nullptr for a number of a thing that is gone, or of none.
  Thing* Find(double id) const {
    const Slot* slot = SlotOf(id);
    return slot == nullptr ? nullptr : slot->thing;
  }

  Thing* Remove(double id) {
    Slot* slot = const_cast<Slot*>(SlotOf(id));
    if (slot == nullptr) return nullptr;
    Thing* thing = slot->thing;
    slot->thing = nullptr;
    live_--;
    // One that has had all its generations is left alone.
    if (++slot->generation < kGenerations) {
      slot->nextFree = firstFree_;
      firstFree_ = static_cast<uint32_t>(slot - slots_.data());
    }
    return thing;
  }

  // Any thing that is left, taken out.
  Thing* RemoveOne() {
    for (Slot& slot : slots_) {
      Thing* thing = slot.thing;
      if (thing == nullptr) continue;
      slot.thing = nullptr;
      live_--;
      return thing;
    }
    return nullptr;
  }

  size_t live() const { return live_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kSlots = 1 << 24;
  static constexpr uint32_t kGenerations = 1 << 29;

  struct Slot {
    Thing* thing = nullptr;
    uint32_t generation = 1;
    uint32_t nextFree = kNone;
  };

  const Slot* SlotOf(double id) const {
    // Written so that what is not a number fails.
    if (!(id >= kSlots && id < 9007199254740992.0)) return nullptr;
    const auto number = static_cast<uint64_t>(id);
    if (static_cast<double>(number) != id) return nullptr;
    const auto index = static_cast<uint32_t>(number % kSlots);
    if (index >= slots_.size()) return nullptr;
    const Slot& slot = slots_[index];
    return slot.thing != nullptr && slot.generation == number / kSlots ? &slot : nullptr;
  }

  std::vector<Slot> slots_;
  uint32_t firstFree_ = kNone;
  size_t live_ = 0;
};

}  // namespace bufferevent
