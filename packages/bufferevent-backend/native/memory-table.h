// Memory that JavaScript owns and system calls read from or write to: slabs for what is received, and whatever is sent.
//
// JavaScript hands out the ids and keeps the lists of free slabs; both sides see the same words (`SetWords`), on one
// thread. A user can detach or resize a buffer between two turns, so each piece of memory is looked at once in every
// pass in which it is used (`BeginPass`); within a pass no JavaScript runs.
#pragma once

#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "ring.h"

namespace bufferevent {

class MemoryTable {
 public:
  explicit MemoryTable(napi_env env, int32_t* control) : env_(env), control_(control) {}

  ~MemoryTable() {
    for (Memory& memory : memories_) {
      if (memory.reference != nullptr) napi_delete_reference(env_, memory.reference);
    }
  }

  // Points at the words that both sides share: {leases, fill} for each id, then the free lists of both sizes.
  void SetWords(int32_t* words, uint32_t capacity) {
    words_ = words;
    capacity_ = capacity;
    memories_.resize(capacity);
  }

  // Puts an ArrayBuffer under an id. Weak: kept alive by JavaScript while it is in use.
  napi_status Add(uint32_t id, napi_value array_buffer, bool weak) {
    Remove(id);
    Memory& memory = memories_[id];
    void* data;
    napi_status status = napi_get_arraybuffer_info(env_, array_buffer, &data, &memory.size);
    if (status != napi_ok) return status;
    memory.data = static_cast<uint8_t*>(data);
    memory.pass = 0;
    return napi_create_reference(env_, array_buffer, weak ? 0 : 1, &memory.reference);
  }

  void Remove(uint32_t id) {
    Memory& memory = memories_[id];
    if (memory.reference == nullptr) return;
    napi_delete_reference(env_, memory.reference);
    memory = Memory();
  }

  void BeginPass() { pass_++; }

  // Bytes [start, start + length) of a memory, or nullptr when it has been detached, collected or made too small for them.
  uint8_t* Resolve(uint32_t id, uint64_t start, size_t length) {
    if (id >= capacity_) return nullptr;
    Memory& memory = memories_[id];
    if (memory.pass != pass_ && !Refresh(&memory)) return nullptr;
    if (start > memory.size || length > memory.size - start) return nullptr;
    return memory.data + start;
  }

  // Room for `wanted` bytes (at most the size of a large slab) in the slab that is being filled, or for as few as `least`
  // where it is nearly full, or what a small slab has where no large one is free; -1 without any.
  int32_t Room(size_t wanted, size_t least, uint32_t* start, uint32_t* room, uint8_t** memory) {
    int kind = wanted <= kSmallReadBytes ? 0 : 1;
    int32_t id = OpenSlab(kind, kind == 0 ? wanted : least);
    if (id < 0) {
      kind = 1 - kind;
      id = OpenSlab(kind, kind == 0 ? kSmallReadBytes : wanted);
    }
    if (id < 0) return -1;
    *start = static_cast<uint32_t>(Fill(id));
    *room = static_cast<uint32_t>(kSlabBytes[kind]) - *start;
    *memory = memories_[static_cast<uint32_t>(id)].data + *start;
    return id;
  }

  // `bytes` of what `Room` gave were filled; they are leased from now on.
  void Take(int32_t id, size_t bytes) {
    Leases(id)++;
    Fill(id) += static_cast<int32_t>((bytes + kAlignment - 1) & ~(kAlignment - 1));
  }

 private:
  struct Memory {
    napi_ref reference = nullptr;
    uint8_t* data = nullptr;
    size_t size = 0;
    uint64_t pass = 0;
  };

  static constexpr size_t kSlabBytes[] = {kSmallSlabBytes, kLargeSlabBytes};
  static constexpr int kOpenWord[] = {kOpenSmallSlab, kOpenLargeSlab};
  static constexpr int kFreeWord[] = {kFreeSmallSlabs, kFreeLargeSlabs};
  // Received pieces begin at multiples of this.
  static constexpr size_t kAlignment = 16;

  bool Refresh(Memory* memory) {
    if (memory->reference == nullptr) return false;
    memory->pass = pass_;
    napi_value value;
    void* data = nullptr;
    if (napi_get_reference_value(env_, memory->reference, &value) != napi_ok || value == nullptr ||
        napi_get_arraybuffer_info(env_, value, &data, &memory->size) != napi_ok) {
      memory->size = 0;
    }
    memory->data = static_cast<uint8_t*>(data);
    return memory->size > 0;
  }

  // The slab of this size that is being filled when it has room, else the free one that was used last.
  int32_t OpenSlab(int kind, size_t bytes) {
    int32_t& open = control_[kOpenWord[kind]];
    if (open >= 0 && kSlabBytes[kind] - static_cast<size_t>(Fill(open)) >= bytes) {
      if (Resolve(static_cast<uint32_t>(open), 0, kSlabBytes[kind]) != nullptr) return open;
    }
    open = -1;
    int32_t& free = control_[kFreeWord[kind]];
    const int32_t* list = words_ + (2 + kind) * capacity_;
    while (free > 0) {
      const int32_t id = list[--free];
      // One that a user has detached is no slab any more.
      if (Resolve(static_cast<uint32_t>(id), 0, kSlabBytes[kind]) == nullptr) continue;
      open = id;
      return id;
    }
    return -1;
  }

  int32_t& Leases(int32_t id) { return words_[2 * id]; }
  int32_t& Fill(int32_t id) { return words_[2 * id + 1]; }

  napi_env env_;
  int32_t* control_;
  std::vector<Memory> memories_;
  int32_t* words_ = nullptr;
  uint32_t capacity_ = 0;
  // Begins above the 0 of memories that were never looked at.
  uint64_t pass_ = 1;
};

}  // namespace bufferevent
