// SPDX-License-Identifier: Apache-2.0
#include "common/base/json.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cmath>
#include <set>
#include <system_error>

#include "common/base/text.hpp"

namespace entente {
namespace {

using boost::json::string_view;
using ErrorCode = boost::json::error_code;

// Builds the value from the parser's events. The library's own handler keeps the last of two
// members of one name and rounds doubles wrongly in the last place.
struct Builder {
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  json::value_stack values;
  std::vector<std::set<std::string, std::less<>>> names;  // of each open object
  std::string name;                                       // the parts of one so far
  std::string number;
  std::string problem;

  Builder() { values.reset(); }

  bool refuse(std::string what, ErrorCode& failed) {
    problem = std::move(what);
    failed = json::error::syntax;
    return false;
  }

  bool on_document_begin(ErrorCode&) { return true; }
  bool on_document_end(ErrorCode&) { return true; }
  bool on_object_begin(ErrorCode&) {
    names.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t count, ErrorCode&) {
    names.pop_back();
    values.push_object(count);
    return true;
  }
  bool on_array_begin(ErrorCode&) { return true; }
  bool on_array_end(std::size_t count, ErrorCode&) {
    values.push_array(count);
    return true;
  }
  bool on_key_part(string_view part, std::size_t, ErrorCode&) {
    name += part;
    values.push_chars(part);
    return true;
  }
  bool on_key(string_view part, std::size_t, ErrorCode& failed) {
    name += part;
    values.push_key(part);
    const auto [place, is_new] = names.back().insert(std::move(name));
    name.clear();
    return is_new ||
           refuse("the name " + in_quotes(*place) + " appears twice in one object", failed);
  }
  bool on_string_part(string_view part, std::size_t, ErrorCode&) {
    values.push_chars(part);
    return true;
  }
  bool on_string(string_view part, std::size_t, ErrorCode&) {
    values.push_string(part);
    return true;
  }
  bool on_number_part(string_view part, ErrorCode&) {
    number += part;
    return true;
  }
  bool on_int64(std::int64_t value, string_view, ErrorCode&) {
    number.clear();
    if (value >= -json_integer_max && value <= json_integer_max) {
      values.push_int64(value);
    } else {
      values.push_double(static_cast<double>(value));
    }
    return true;
  }
  bool on_uint64(std::uint64_t value, string_view, ErrorCode&) {
    number.clear();
    values.push_double(static_cast<double>(value));
    return true;
  }
  bool on_double(double rough, string_view part, ErrorCode& failed) {
    number += part;
    double value = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), value);
    if (read.ec == std::errc::result_out_of_range) value = std::abs(rough) < 1 ? 0.0 : INFINITY;
    const std::string text = std::move(number);
    number.clear();
    if (!std::isfinite(value))
      return refuse("the number " + escaped(text, 40) + " is too large", failed);
    values.push_double(value);
    return true;
  }
  bool on_bool(bool value, ErrorCode&) {
    values.push_bool(value);
    return true;
  }
  bool on_null(ErrorCode&) {
    values.push_null();
    return true;
  }
  bool on_comment_part(string_view, ErrorCode&) { return true; }
  bool on_comment(string_view, ErrorCode&) { return true; }
};

Error not_json(std::size_t at, const std::string& what) {
  return {Errc::malformed, "not JSON at byte " + std::to_string(at) + ": " + what};
}

// The order of UTF-16 code units, of which UTF-8 bytes differ in one thing: U+E000 to U+FFFF (bytes
// EE, EF) come behind the surrogates that stand for everything above (bytes F0 to F4).
bool before_in_utf16(std::string_view a, std::string_view b) {
  const auto rank = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0xEE || byte == 0xEF ? byte + 0x10 : static_cast<int>(byte);
  };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&](char x, char y) { return rank(x) < rank(y); });
}

// ECMAScript's Number::toString (ECMA-262, 6.1.6.1.20).
std::string ecmascript_number(double value) {
  if (value == 0) return "0";
  char buffer[32];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, std::abs(value), std::chars_format::scientific)
          .ptr;
  // d.ddde+xx: the shortest digits, and where the point belongs.
  const std::string_view shortest(buffer, static_cast<std::size_t>(end - buffer));
  const std::size_t e = shortest.find('e');
  std::string digits(1, shortest[0]);
  if (e > 2) digits += shortest.substr(2, e - 2);
  int exponent = 0;
  const std::size_t exponent_at = e + (shortest[e + 1] == '+' ? 2 : 1);
  std::from_chars(shortest.data() + exponent_at, end, exponent);

  const std::string sign = value < 0 ? "-" : "";
  const int point = exponent + 1;  // the number is 0.digits times 10 to this
  const int count = static_cast<int>(digits.size());
  if (point > 21 || point < -5) {
    if (count > 1) digits.insert(1, ".");
    return sign + digits + (exponent < 0 ? "e-" : "e+") + std::to_string(std::abs(exponent));
  }
  if (point <= 0) return sign + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  if (point >= count)
    return sign + digits + std::string(static_cast<std::size_t>(point - count), '0');
  return sign + digits.insert(static_cast<std::size_t>(point), ".");
}

class CanonicalWriter {
 public:
  // False when something has no canonical form; `problem` then says what.
  bool write(const json::value& value) {
    switch (value.kind()) {
      case json::kind::null:
        out += "null";
        return true;
      case json::kind::bool_:
        out += value.get_bool() ? "true" : "false";
        return true;
      case json::kind::int64:
        return write_integer(value.get_int64());
      case json::kind::uint64:
        return write_integer(value.get_uint64());
      case json::kind::double_:
        return write_double(value.get_double());
      case json::kind::string:
        return write_string(value.get_string());
      case json::kind::array:
        return write_array(value.get_array());
      case json::kind::object:
        return write_object(value.get_object());
    }
    return false;
  }

  std::string out;
  std::string problem;

 private:
  template <class Integer>
  bool write_integer(Integer value) {
    out += std::to_string(value);
    if (std::in_range<std::int64_t>(value) && std::cmp_less_equal(value, json_integer_max) &&
        std::cmp_greater_equal(value, -json_integer_max)) {
      return true;
    }
    problem = "the integer " + std::to_string(value) + " is beyond 2^53";
    return false;
  }

  bool write_double(double value) {
    if (!std::isfinite(value)) {
      problem = "a number is infinite or not a number";
      return false;
    }
    out += ecmascript_number(value);
    return true;
  }

  bool write_string(std::string_view text) {
    if (!is_utf8(text)) {
      problem = "the text " + in_quotes(text) + " is not UTF-8";
      return false;
    }
    out += '"';
    for (const char c : text) write_character(c);
    out += '"';
    return true;
  }

  void write_character(char c) {
    switch (c) {
      case '"':
        out += "\\\"";
        return;
      case '\\':
        out += "\\\\";
        return;
      case '\b':
        out += "\\b";
        return;
      case '\t':
        out += "\\t";
        return;
      case '\n':
        out += "\\n";
        return;
      case '\f':
        out += "\\f";
        return;
      case '\r':
        out += "\\r";
        return;
      default:
        break;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20) {
      out += c;
      return;
    }
    out += "\\u00";
    out += "0123456789abcdef"[byte >> 4U];
    out += "0123456789abcdef"[byte & 15U];
  }

  bool write_array(const json::array& array) {
    out += '[';
    bool first = true;
    for (const json::value& item : array) {
      if (!first) out += ',';
      first = false;
      if (!write(item)) return false;
    }
    out += ']';
    return true;
  }

  bool write_object(const json::object& object) {
    std::vector<const json::key_value_pair*> members;
    members.reserve(object.size());
    for (const auto& member : object) members.push_back(&member);
    std::sort(members.begin(), members.end(),
              [](const auto* a, const auto* b) { return before_in_utf16(a->key(), b->key()); });
    out += '{';
    bool first = true;
    for (const auto* member : members) {
      if (!first) out += ',';
      first = false;
      if (!write_string(member->key())) return false;
      out += ':';
      if (!write(member->value())) return false;
    }
    out += '}';
    return true;
  }
};

// Where two texts part.
std::size_t first_difference(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

}  // namespace

Result<json::value> parse_json(std::string_view text, std::size_t size_max_bytes) {
  if (text.size() > size_max_bytes) {
    return Error{Errc::malformed, "expected JSON of at most " + std::to_string(size_max_bytes) +
                                      " bytes, saw " + std::to_string(text.size())};
  }
  json::parse_options options;
  options.max_depth = json_depth_max;
  try {
    json::basic_parser<Builder> parser(options);
    ErrorCode failed;
    const std::size_t read = parser.write_some(false, text.data(), text.size(), failed);
    if (failed) {
      const std::string& problem = parser.handler().problem;
      return not_json(read, problem.empty() ? failed.message() : problem);
    }
    if (read < text.size()) return not_json(read, "something behind the value");
    return parser.handler().values.release();
  } catch (const std::exception& failed) {  // a size beyond what the library's containers hold
    return not_json(0, failed.what());
  }
}

Result<std::string> canonical_json(const json::value& value) {
  CanonicalWriter writer;
  if (writer.write(value)) return std::move(writer.out);
  return Error{Errc::invalid_argument, "no canonical JSON: " + writer.problem};
}

Result<json::value> parse_canonical_json(std::string_view text, std::size_t size_max_bytes) {
  auto value = parse_json(text, size_max_bytes);
  if (!value) return value;
  auto canonical = canonical_json(*value);
  if (!canonical) return Error{Errc::malformed, canonical.error().detail};
  if (*canonical == text) return value;
  return Error{Errc::malformed, "not canonical JSON (RFC 8785) from byte " +
                                    std::to_string(first_difference(text, *canonical)) + " on"};
}

std::string describe(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return value.get_bool() ? "true" : "false";
    case json::kind::int64:
      return std::to_string(value.get_int64());
    case json::kind::uint64:
      return std::to_string(value.get_uint64());
    case json::kind::string:
      return in_quotes(value.get_string());
    case json::kind::array:
      return "a list";
    case json::kind::object:
      return "an object";
    case json::kind::double_:
      break;
  }
  const double number = value.get_double();
  if (!std::isfinite(number)) return std::isnan(number) ? "nan" : number < 0 ? "-inf" : "inf";
  std::string text = ecmascript_number(number);
  // So that it is seen not to be an integer.
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text;
}

}  // namespace entente
