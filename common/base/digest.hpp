// SPDX-License-Identifier: Apache-2.0
//
// A SHA-256 digest as a value: the name of a plan, a model, an update, a ledger leaf.
// Computed in common/crypto/hash.hpp.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/result.hpp"

namespace entente {

struct Digest {
  static constexpr std::size_t size_bytes = 32;
  std::array<std::byte, size_bytes> bytes{};

  friend auto operator<=>(const Digest&, const Digest&) = default;

  // 64 lower-case hexadecimal digits.
  std::string hex() const;
  // The first 12 hexadecimal digits: for people, never for comparison.
  std::string short_hex() const;
};

// Errors: malformed - not exactly 64 lower-case hexadecimal digits.
Result<Digest> parse_digest(std::string_view hex);
// Errors: malformed - not exactly 32 bytes.
Result<Digest> digest_from(ByteView bytes);

}  // namespace entente

template <>
struct std::hash<entente::Digest> {
  std::size_t operator()(const entente::Digest& digest) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, digest.bytes.data(), sizeof value);
    return value;
  }
};
