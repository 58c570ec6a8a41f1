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
  explicit MemoryTable(napi_env env) : env_(env) {}
  ~MemoryTable();

  // Points at the words that both sides share: {leases, fill} for each id, then the free lists of both sizes.
  void SetWords(int32_t* words, uint32_t capacity);

  // Puts an ArrayBuffer under an id. Weak: kept alive by JavaScript while it is in use.
  napi_status Add(uint32_t id, napi_value array_buffer, bool weak);
  void Remove(uint32_t id);

  void BeginPass() { pass_++; }

  // Bytes [start, start + length) of a memory, or nullptr when it has been detached, collected or made too small for them.
  uint8_t* Resolve(uint32_t id, size_t start, size_t length);

  // Room for `wanted` bytes (at most the size of a large slab) in the slab that is being filled, or for as few as `least`
  // where it is nearly full, or what a small slab has where no large one is free; -1 without any.
  int32_t Room(size_t wanted, size_t least, uint32_t* start, uint32_t* room, uint8_t** memory);
  // `bytes` of what `Room` gave were filled; they are leased from now on.
  void Take(int32_t id, size_t bytes);

  void SetControl(int32_t* control) { control_ = control; }

 private:
  struct Memory {
    napi_ref reference = nullptr;
    uint8_t* data = nullptr;
    size_t size = 0;
    uint64_t pass = 0;
  };

  bool Refresh(Memory* memory);
  int32_t OpenSlab(int kind, size_t bytes);
  int32_t& Leases(int32_t id) { return words_[2 * id]; }
  int32_t& Fill(int32_t id) { return words_[2 * id + 1]; }

  napi_env env_;
  std::vector<Memory> memories_;
  int32_t* words_ = nullptr;
  uint32_t capacity_ = 0;
  int32_t* control_ = nullptr;
  // Begins above the 0 of memories that were never looked at.
  uint64_t pass_ = 1;
};

}  // namespace bufferevent
