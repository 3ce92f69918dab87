// SPDX-License-Identifier: Apache-2.0
//
// Where somebody listens, as configurations write it: "coordinator.example:7443", "127.0.0.1:0",
// "[::1]:7443".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace entente::net {

struct Address {
  std::string host;  // a name or a numeric address, without brackets
  std::uint16_t port = 0;

  friend bool operator==(const Address&, const Address&) = default;
  // As parse_address reads it.
  std::string text() const;
};

// Errors: malformed - no port, a port that is no number up to 65535, an empty host.
Result<Address> parse_address(std::string_view text);

}  // namespace entente::net
