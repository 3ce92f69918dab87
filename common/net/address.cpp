// SPDX-License-Identifier: Apache-2.0
#include "common/net/address.hpp"

#include <charconv>

namespace entente::net {

std::string Address::text() const {
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Address> parse_address(std::string_view text) {
  const auto wrong = [&](std::string_view what) {
    return Error{Errc::malformed, "address '" + std::string(text.substr(0, 300)) +
                                      "': expected host:port, saw " + std::string(what)};
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong("an address with colons and no brackets");
  }
  if (host.empty() || host.size() > 253 || host.find_first_of("[]/ ") != std::string_view::npos) {
    return wrong("no host name");
  }
  Address address;
  address.host = host;
  const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || failure != std::errc{} || end != port.data() + port.size()) {
    return wrong("a port that is no number from 0 to 65535");
  }
  return address;
}

}  // namespace entente::net
