#include "memory.h"

namespace bufferevent {

namespace {

constexpr size_t kSlabBytes[] = {kSmallSlabBytes, kLargeSlabBytes};
constexpr int kOpenWord[] = {kOpenSmallSlab, kOpenLargeSlab};
constexpr int kFreeWord[] = {kFreeSmallSlabs, kFreeLargeSlabs};
// Received pieces begin at multiples of this.
constexpr size_t kAlignment = 16;

}  // namespace

MemoryTable::~MemoryTable() {
  for (Memory& memory : memories_) {
    if (memory.reference != nullptr) napi_delete_reference(env_, memory.reference);
  }
}

void MemoryTable::SetWords(int32_t* words, uint32_t capacity) {
  words_ = words;
  capacity_ = capacity;
  memories_.resize(capacity);
}

napi_status MemoryTable::Add(uint32_t id, napi_value array_buffer, bool weak) {
  Remove(id);
  Memory& memory = memories_[id];
  void* data;
  napi_status status = napi_get_arraybuffer_info(env_, array_buffer, &data, &memory.size);
  if (status != napi_ok) return status;
  memory.data = static_cast<uint8_t*>(data);
  memory.pass = 0;
  return napi_create_reference(env_, array_buffer, weak ? 0 : 1, &memory.reference);
}

void MemoryTable::Remove(uint32_t id) {
  Memory& memory = memories_[id];
  if (memory.reference == nullptr) return;
  napi_delete_reference(env_, memory.reference);
  memory = Memory();
}

bool MemoryTable::Refresh(Memory* memory) {
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

uint8_t* MemoryTable::Resolve(uint32_t id, size_t start, size_t length) {
  if (id >= capacity_) return nullptr;
  Memory& memory = memories_[id];
  if (memory.pass != pass_ && !Refresh(&memory)) return nullptr;
  if (start > memory.size || length > memory.size - start) return nullptr;
  return memory.data + start;
}

// The slab of this size that is being filled when it has room, else the free one that was used last.
int32_t MemoryTable::OpenSlab(int kind, size_t bytes) {
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

int32_t MemoryTable::Room(size_t wanted, size_t least, uint32_t* start, uint32_t* room, uint8_t** memory) {
  int kind = wanted <= kSmallReadBytes ? 0 : 1;
  int32_t id = OpenSlab(kind, kind == 0 ? wanted : least);
  if (id < 0) {
    kind = 1 - kind;
    id = OpenSlab(kind, kind == 0 ? kSmallReadBytes : wanted);
  }
  if (id < 0) return -1;
  *start = static_cast<uint32_t>(Fill(id));
  *room = static_cast<uint32_t>(kSlabBytes[kind]) - *start;
  *memory = memories_[id].data + *start;
  return id;
}

void MemoryTable::Take(int32_t id, size_t bytes) {
  Leases(id)++;
  Fill(id) += static_cast<int32_t>((bytes + kAlignment - 1) & ~(kAlignment - 1));
}

}  // namespace bufferevent
