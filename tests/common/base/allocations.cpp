// SPDX-License-Identifier: Apache-2.0
#include "tests/common/base/allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

// Counts, and otherwise does what the library's own does. In a file of its own: where the compiler
// sees through them it takes malloc and delete for a mismatch.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

std::size_t entente::test::allocations_so_far() {
  return allocations;
}
