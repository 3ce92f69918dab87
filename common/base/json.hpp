// SPDX-License-Identifier: Apache-2.0
//
// JSON as the federation signs it: strict parsing of text from outside, and RFC 8785 canonical
// text.
//
// Canonical: members sorted by UTF-16 code units, no white space, ECMAScript number form, minimal
// escapes.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace entente {

namespace json = boost::json;

inline constexpr std::size_t json_depth_max = 32;

// One JSON value and nothing behind it.
// Errors: malformed - not JSON or not UTF-8, a name twice in one object, deeper than
// json_depth_max, longer than `size_max_bytes`; the text says where (byte offset).
Result<json::value> parse_json(std::string_view text, std::size_t size_max_bytes);

// RFC 8785 text. Integers are written exactly when within +-2^53; doubles in the shortest form that
// reads back. Errors: invalid_argument - NaN, infinity, an integer beyond 2^53, a string that is
// not UTF-8.
Result<std::string> canonical_json(const json::value& value);

// Whether `text` is byte for byte the canonical form of what it says, and what it says.
// Errors: malformed - as parse_json, or not canonical.
Result<json::value> parse_canonical_json(std::string_view text, std::size_t size_max_bytes);

// Reads one JSON object member by member and reports what is wrong in words: the path of the
// member, what was expected and what was seen. Each member must be asked for: `finish` names the
// ones that nobody did.
//
//     JsonReader reader(value, "plan.rounds");
//     rounds.quorum = reader.integer("quorum", 1, 10'000);
//     if (auto done = reader.finish(); !done) return done.error();
//
// After the first error every call returns a default value and finish() returns that first error.
class JsonReader {
 public:
  JsonReader(const json::value& value, std::string path);
  bool has(std::string_view key) const;
  std::string text(std::string_view key, std::size_t size_max = 4096);
  std::string text_or(std::string_view key, std::string_view fallback, std::size_t size_max = 4096);
  std::int64_t integer(std::string_view key, std::int64_t least, std::int64_t most);
  std::int64_t integer_or(std::string_view key, std::int64_t fallback, std::int64_t least,
                          std::int64_t most);
  double number(std::string_view key, double least, double most);
  double number_or(std::string_view key, double fallback, double least, double most);
  bool boolean_or(std::string_view key, bool fallback);
  // The member as it is: nullptr when absent (never an error) / an error when absent.
  const json::value* find(std::string_view key);
  const json::value& child(std::string_view key);
  // Marks an error of the caller's own, about member `key`.
  void fail(std::string_view key, std::string what);
  std::string path_of(std::string_view key) const;
  // Errors: malformed - the first thing wrong; an unknown member, with the nearest known name
  // suggested.
  Result<void> finish();

 private:
  const json::object* object_ = nullptr;
  std::string path_;
  std::vector<std::string> asked_;
  Error error_;
  bool failed_ = false;
};

}  // namespace entente
