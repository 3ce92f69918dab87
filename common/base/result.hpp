// SPDX-License-Identifier: Apache-2.0
//
// Expected failures as values: Result<T> holds a T or an Error that a person can act on.
// Every room uses it; nothing here throws, except when someone asks a failure for its value.
#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <string_view>

namespace entente {

// One code per reaction a caller can have. Add a code only together with the caller that treats it
// differently; everything else belongs in `detail`.
enum class Errc {
  invalid_argument,  // the caller broke the contract; fix the call (or the configuration)
  malformed,         // bytes from outside do not decode; drop the peer, name the place in the file
  unauthenticated,   // identity not proved; drop the peer
  rejected,          // understood, but not now or not from you; tell the peer why
  not_found,
  timed_out,  // try again later
  closed,     // the other end is gone; reconnect
  io,         // this machine's disk or network failed; stop the round
  corrupt,    // stored bytes no longer match their hash; stop the program
  cancelled,  // we are shutting down; say nothing
};

struct Error {
  Errc code = Errc::invalid_argument;
  std::string detail;  // for people, one line: expected X, saw Y, try Z. Never parsed.
};

// The code's name as written in logs: "malformed".
std::string_view to_string(Errc code);

// The attribute does nothing on Boost 1.81's own class, hence the derived one.
template <class T>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
 public:
  using boost::system::result<T, Error>::result;
};

inline Result<void> ok() {
  return {};
}

// Puts the caller's view in front of a callee's error: "round 7: reading the update: ...".
Error in_context(std::string_view doing, Error error);

// Found by argument-dependent lookup when someone calls .value() on a failure: throws
// std::runtime_error with the detail. For start-up code and tests.
[[noreturn]] void throw_exception_from_error(const Error& error,
                                             const boost::source_location& where);

}  // namespace entente
