// SPDX-License-Identifier: Apache-2.0
//
// Byte strings and their text forms: hexadecimal, base64, little-endian integers.
// Pure functions; no secret is compared here (crypto/secret.hpp does that in constant time).
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace entente {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

// The bytes of a text, and a text over bytes; both view the argument's memory.
inline ByteView as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

// Lower-case hexadecimal, two digits a byte.
std::string to_hex(ByteView bytes);
// Errors: malformed - odd length, or a character that is not [0-9a-f] (upper case included).
Result<Bytes> from_hex(std::string_view text);

// Standard base64 (RFC 4648 section 4) with padding, without line breaks.
std::string to_base64(ByteView bytes);
// Errors: malformed - wrong length, alphabet or padding; non-zero bits behind the last byte.
Result<Bytes> from_base64(std::string_view text);

// Little-endian integers at a place in memory; the caller guarantees sizeof(Integer) bytes there.
template <std::unsigned_integral Integer>
Integer load_little_endian(const std::byte* from) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value = static_cast<Integer>(value |
                                 static_cast<Integer>(static_cast<Integer>(from[i]) << (8 * i)));
  }
  return value;
}
template <std::unsigned_integral Integer>
void store_little_endian(Integer value, std::byte* to) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    to[i] = static_cast<std::byte>(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

}  // namespace entente
