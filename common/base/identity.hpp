// SPDX-License-Identifier: Apache-2.0
//
// Who somebody is: federation, role and name, as the one URI in a certificate says it:
//
//     spiffe://<federation>/<role>/<name>        name: [a-z0-9-]{1,63}
//
// Rules: SPIFFE-ID specification (trust domain [a-z0-9.-_], at most 255 bytes; whole at most 2048
// bytes) narrowed to exactly two path segments. Pure text; certificates are read in common/crypto.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace entente {

enum class Role { coordinator, participant, operator_, auditor, member };

// "coordinator", "participant", "operator", "auditor", "member".
std::string_view to_string(Role role);
// Errors: malformed - not one of the five.
Result<Role> parse_role(std::string_view text);

inline constexpr std::size_t name_max_bytes = 63;

// Whether `text` is [a-z0-9-]{1,63}.
bool is_name(std::string_view text);
// Whether `text` is [a-z0-9._-]{1,255} (a SPIFFE trust domain).
bool is_federation_name(std::string_view text);

struct Identity {
  std::string federation;
  Role role = Role::member;
  std::string name;

  friend auto operator<=>(const Identity&, const Identity&) = default;

  // spiffe://hospitals.example/participant/charite
  std::string uri() const;
};

// Errors: malformed - anything but the form above; scheme and federation must already be lower
// case.
Result<Identity> parse_identity(std::string_view uri);

}  // namespace entente
