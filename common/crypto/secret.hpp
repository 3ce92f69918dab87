// SPDX-License-Identifier: Apache-2.0
//
// Bytes that must not linger: a buffer that is wiped when it goes, and comparison whose time says
// nothing.
#pragma once

#include <cstddef>
#include <span>

#include "common/base/bytes.hpp"

namespace entente::crypto {

// Whether both hold the same bytes; the time taken depends on the sizes alone.
bool equal_in_constant_time(ByteView a, ByteView b);

// Overwrites `bytes` in a way that no compiler removes.
void wipe(std::span<std::byte> bytes);

// A buffer of fixed size, wiped when destroyed or assigned to. Move-only: a copy of a secret is
// always on purpose.
class Secret {
 public:
  // `size_bytes` zeros, to be filled.
  explicit Secret(std::size_t size_bytes) : bytes_(size_bytes) {}
  // A copy of `bytes`; wiping those stays with the caller.
  explicit Secret(ByteView bytes) : bytes_(bytes.begin(), bytes.end()) {}
  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) {}
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(bytes_); }

  std::size_t size() const { return bytes_.size(); }
  ByteView view() const { return bytes_; }
  std::span<std::byte> fill() { return bytes_; }

 private:
  Bytes bytes_;
};

}  // namespace entente::crypto
