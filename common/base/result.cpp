// SPDX-License-Identifier: Apache-2.0
#include "common/base/result.hpp"

#include <stdexcept>

namespace entente {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::malformed:
      return "malformed";
    case Errc::unauthenticated:
      return "unauthenticated";
    case Errc::rejected:
      return "rejected";
    case Errc::not_found:
      return "not_found";
    case Errc::timed_out:
      return "timed_out";
    case Errc::closed:
      return "closed";
    case Errc::io:
      return "io";
    case Errc::corrupt:
      return "corrupt";
    case Errc::cancelled:
      return "cancelled";
  }
  return "unknown";
}

Error in_context(std::string_view doing, Error error) {
  error.detail.insert(0, ": ").insert(0, doing);
  return error;
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::runtime_error(error.detail);
}

}  // namespace entente
