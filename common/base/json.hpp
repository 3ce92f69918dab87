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

// The largest integer that a double, and so any other JSON reader, holds exactly.
inline constexpr std::int64_t json_integer_max = std::int64_t{1} << 53U;

// One JSON value and nothing behind it. Integers within +-json_integer_max are of kind int64, all
// other numbers of kind double, correctly rounded; kind uint64 does not occur. Errors: malformed -
// not JSON or not UTF-8, a name twice in one object, deeper than json_depth_max, a number too large
// for a double, longer than `size_max_bytes`; the text says where (byte offset).
Result<json::value> parse_json(std::string_view text, std::size_t size_max_bytes);

// RFC 8785 text. Integers are written exactly when within +-json_integer_max; doubles in the
// shortest form that reads back. Errors: invalid_argument - NaN, infinity, an integer beyond
// json_integer_max, a string that is not UTF-8.
Result<std::string> canonical_json(const json::value& value);

// Whether `text` is byte for byte the canonical form of what it says, and what it says.
// Errors: malformed - as parse_json, or not canonical.
Result<json::value> parse_canonical_json(std::string_view text, std::size_t size_max_bytes);

// What an error text shows of a value: "17", "3.0", "'a text'", "true", "a list", "an object".
std::string describe(const json::value& value);

// Reads one JSON object member by member and reports what is wrong in words: the path of the
// member, what was expected and what was seen. Each member must be asked for: `finish` names the
// ones that nobody did.
//
//     JsonReader plan(value, "plan");
//     JsonReader rounds = plan.object("rounds");
//     quorum = rounds.integer("quorum", 1, 10'000);
//     if (auto done = rounds.finish(); !done) return done.error();
//     if (auto done = plan.finish(); !done) return done.error();
//
//     plan.rounds.quorum: expected an integer from 1 to 10000, saw -3
//     plan.trainig: unknown; did you mean 'training'?
//
// After the first error every call returns a value within its bounds and finish() returns that
// first error. Views the value. One thread.
class JsonReader {
 public:
  // `path` names the value in errors: "plan.rounds", a file's name, or empty.
  // Reads in place: the value must outlive the reader.
  JsonReader(const json::value& value, std::string path);
  JsonReader(const json::object& object, std::string path);
  JsonReader(json::value&& value, std::string path) = delete;

  // Whether the member is there; does not count as asking.
  bool has(std::string_view key) const;

  std::string text(std::string_view key, std::size_t size_max = 4096);
  std::string text_or(std::string_view key, std::string_view fallback, std::size_t size_max = 4096);
  // A number written with a point or an exponent is not an integer.
  std::int64_t integer(std::string_view key, std::int64_t least, std::int64_t most);
  std::int64_t integer_or(std::string_view key, std::int64_t fallback, std::int64_t least,
                          std::int64_t most);
  // An integer is a number.
  double number(std::string_view key, double least, double most);
  double number_or(std::string_view key, double fallback, double least, double most);
  bool boolean(std::string_view key);
  bool boolean_or(std::string_view key, bool fallback);

  // A reader of the member, which must be an object; it begins failed when this reader has failed.
  JsonReader object(std::string_view key);
  // The member, which must be a list of `least` to `most` values; an empty one after an error.
  const json::array& array(std::string_view key, std::size_t least, std::size_t most);

  // The member as it is: nullptr when absent, never an error.
  const json::value* find(std::string_view key);
  // The member as it is: null after an error, such as when it is absent.
  const json::value& child(std::string_view key);

  // Marks an error of the caller's own, about member `key`.
  void fail(std::string_view key, std::string what);
  bool failed() const { return failed_; }
  // "plan.rounds.quorum".
  std::string path_of(std::string_view key) const;
  // Errors: malformed - the first thing wrong; an unknown member, with the nearest known name
  // suggested.
  Result<void> finish();

 private:
  bool was_asked(std::string_view key) const;
  const json::value* require(std::string_view key, const std::string& expected);
  Error unknown(std::string_view key) const;

  const json::object* object_ = nullptr;
  std::string path_;
  std::vector<std::string> asked_;
  std::string missing_;  // the member whose absence was the first error
  Error error_;
  bool failed_ = false;
};

}  // namespace entente
