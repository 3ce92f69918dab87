// SPDX-License-Identifier: Apache-2.0
#include "common/base/identity.hpp"

#include <algorithm>
#include <array>

#include "common/base/text.hpp"

namespace entente {
namespace {

constexpr std::string_view scheme = "spiffe://";
constexpr std::size_t name_size_max = 63;
constexpr std::size_t federation_size_max = 255;
constexpr std::array<Role, 5> roles = {Role::coordinator, Role::participant, Role::operator_,
                                       Role::auditor, Role::member};

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

Error not_an_identity(std::string_view uri, std::string_view why) {
  return {Errc::malformed, "expected spiffe://FEDERATION/ROLE/NAME, saw " + in_quotes(uri) + ": " +
                               std::string(why)};
}

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::coordinator:
      return "coordinator";
    case Role::participant:
      return "participant";
    case Role::operator_:
      return "operator";
    case Role::auditor:
      return "auditor";
    case Role::member:
      return "member";
  }
  return "unknown";
}

Result<Role> parse_role(std::string_view text) {
  for (const Role role : roles) {
    if (text == to_string(role)) return role;
  }
  return Error{Errc::malformed,
               "expected a role: coordinator, participant, operator, auditor or member; saw " +
                   in_quotes(text)};
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= name_size_max &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

bool is_federation_name(std::string_view text) {
  return !text.empty() && text.size() <= federation_size_max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_lower_or_digit(c) || c == '-' || c == '.' || c == '_';
         });
}

std::string Identity::uri() const {
  return std::string(scheme) + federation + "/" + std::string(to_string(role)) + "/" + name;
}

Result<Identity> parse_identity(std::string_view uri) {
  if (!uri.starts_with(scheme)) return not_an_identity(uri, "it does not begin with spiffe://");
  const std::string_view rest = uri.substr(scheme.size());
  const std::size_t first = rest.find('/');
  const std::size_t second = first == rest.npos ? rest.npos : rest.find('/', first + 1);
  if (second == rest.npos) return not_an_identity(uri, "role or name is missing");

  const std::string_view federation = rest.substr(0, first);
  if (!is_federation_name(federation)) {
    return not_an_identity(uri, "the federation must be 1 to 255 of a-z 0-9 . _ -");
  }
  auto role = parse_role(rest.substr(first + 1, second - first - 1));
  if (!role) return not_an_identity(uri, role.error().detail);
  const std::string_view name = rest.substr(second + 1);
  if (!is_name(name)) return not_an_identity(uri, "the name must be 1 to 63 of a-z 0-9 -");
  return Identity{std::string(federation), *role, std::string(name)};
}

}  // namespace entente
