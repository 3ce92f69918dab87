// SPDX-License-Identifier: Apache-2.0
#include "common/base/digest.hpp"

#include <algorithm>

#include "common/base/text.hpp"

namespace entente {

std::string Digest::hex() const {
  return to_hex(bytes);
}

std::string Digest::short_hex() const {
  return to_hex(bytes).substr(0, 12);
}

Result<Digest> parse_digest(std::string_view hex) {
  auto bytes = hex.size() == 2 * Digest::size_bytes ? from_hex(hex) : Error{};
  if (!bytes) {
    return Error{Errc::malformed,
                 "expected a SHA-256 of 64 lower-case hexadecimal digits, saw " + in_quotes(hex)};
  }
  return digest_from(*bytes);
}

Result<Digest> digest_from(ByteView bytes) {
  if (bytes.size() != Digest::size_bytes) {
    return Error{Errc::malformed,
                 "expected a SHA-256 of 32 bytes, saw " + std::to_string(bytes.size())};
  }
  Digest digest;
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

}  // namespace entente
