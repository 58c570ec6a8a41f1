// What the C++ headers ask of their runtime, for exactly one source of an addon to include, so that nothing of that runtime
// is linked. Addons are built without exceptions: where one would be thrown, the process ends. The libraries of gcc 12 would
// bring the unwinder and with it symbols of glibc 2.32 to 2.36 (`_dl_find_object`, `arc4random`, …); the prebuilt binaries
// have to load with 2.28. C++20 is a part of this: before, the headers leave the templates of `std::string` to the library.
// Those of MSVC ask for nothing that every Windows does not have.
#pragma once

#ifndef _MSC_VER

#include <stdlib.h>

#include <new>
#include <string>

void* operator new(size_t bytes) {
  void* memory = malloc(bytes);
  if (memory == nullptr) abort();
  return memory;
}

void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }

namespace std {

void __throw_bad_alloc() { abort(); }
void __throw_bad_array_new_length() { abort(); }
void __throw_length_error(const char*) { abort(); }
void __throw_logic_error(const char*) { abort(); }
void __throw_out_of_range_fmt(const char*, ...) { abort(); }

}  // namespace std

#endif
