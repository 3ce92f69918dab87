// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "common/base/json.hpp"
#include "common/base/text.hpp"

namespace entente {
namespace {

constexpr std::size_t known_names_shown_max = 16;

// What stands for a member that is not there.
const json::value nothing;
const json::array no_items;

// " from 1 to 10", " of at least 1", " of at most 10" or nothing.
std::string range_text(const json::value& least, bool bounded_below, const json::value& most,
                       bool bounded_above) {
  // Without the point that tells a double from an integer: nobody needs it here.
  const auto shown = [](const json::value& bound) {
    std::string text = describe(bound);
    if (text.ends_with(".0")) text.resize(text.size() - 2);
    return text;
  };
  if (bounded_below && bounded_above) return " from " + shown(least) + " to " + shown(most);
  if (bounded_below) return " of at least " + shown(least);
  if (bounded_above) return " of at most " + shown(most);
  return "";
}

std::string integer_text(std::int64_t least, std::int64_t most) {
  using Limits = std::numeric_limits<std::int64_t>;
  return "an integer" + range_text(least, least != Limits::min(), most, most != Limits::max());
}

std::string number_text(double least, double most) {
  using Limits = std::numeric_limits<double>;
  return "a number" + range_text(least, least > Limits::lowest(), most, most < Limits::max());
}

std::string size_text(std::string_view what, std::string_view unit, std::size_t least,
                      std::size_t most) {
  std::string text = std::string(what) + " of ";
  text += least == 0 ? "at most" : std::to_string(least) + " to";
  return text + " " + std::to_string(most) + " " + std::string(unit);
}

std::string expected_saw(const std::string& expected, const std::string& saw) {
  return "expected " + expected + ", saw " + saw;
}

std::string member_path(const std::string& path, std::string_view key) {
  const std::string shown = escaped(key, 80);
  if (path.empty()) return shown;
  return path + (path.ends_with(':') ? " " : ".") + shown;  // "file.toml: key", "table.key"
}

std::optional<std::int64_t> integer_in(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_uint64() && std::in_range<std::int64_t>(value.get_uint64())) {
    return static_cast<std::int64_t>(value.get_uint64());
  }
  return std::nullopt;
}

}  // namespace

JsonReader::JsonReader(const json::value& value, std::string path)
    : object_(value.if_object()), path_(std::move(path)) {
  if (object_ != nullptr) return;
  failed_ = true;
  const std::string place = path_.empty() ? "" : path_ + ": ";
  error_ = {Errc::malformed,
            place + (&value == &nothing ? "missing; expected an object"
                                        : expected_saw("an object", describe(value)))};
}

JsonReader::JsonReader(const json::object& object, std::string path)
    : object_(&object), path_(std::move(path)) {}

std::string JsonReader::path_of(std::string_view key) const {
  return member_path(path_, key);
}

bool JsonReader::has(std::string_view key) const {
  return object_ != nullptr && object_->contains(key);
}

bool JsonReader::was_asked(std::string_view key) const {
  return std::find(asked_.begin(), asked_.end(), key) != asked_.end();
}

const json::value* JsonReader::find(std::string_view key) {
  if (!was_asked(key)) asked_.emplace_back(key);
  return object_ == nullptr ? nullptr : object_->if_contains(key);
}

void JsonReader::fail(std::string_view key, std::string what) {
  if (std::exchange(failed_, true)) return;
  error_ = {Errc::malformed, path_of(key) + ": " + what};
}

// The member; nullptr after an error.
const json::value* JsonReader::require(std::string_view key, const std::string& expected) {
  const json::value* value = find(key);
  if (value == nullptr && !failed_) {
    missing_ = key;
    fail(key, "missing; expected " + expected);
  }
  return failed_ ? nullptr : value;
}

const json::value& JsonReader::child(std::string_view key) {
  const json::value* value = require(key, "a value");
  return value == nullptr ? nothing : *value;
}

std::string JsonReader::text(std::string_view key, std::size_t size_max) {
  const std::string expected = size_text("a text", "bytes", 0, size_max);
  const json::value* value = require(key, "a text");
  if (value == nullptr) return {};
  const json::string* text = value->if_string();
  if (text == nullptr) {
    fail(key, expected_saw("a text", describe(*value)));
  } else if (text->size() > size_max) {
    fail(key, expected_saw(expected, "one of " + std::to_string(text->size())));
  }
  return failed_ ? std::string() : std::string(text->data(), text->size());
}

std::string JsonReader::text_or(std::string_view key, std::string_view fallback,
                                std::size_t size_max) {
  return find(key) == nullptr ? std::string(fallback) : text(key, size_max);
}

std::int64_t JsonReader::integer(std::string_view key, std::int64_t least, std::int64_t most) {
  const json::value* value = require(key, integer_text(least, most));
  if (value == nullptr) return least;
  const std::optional<std::int64_t> number = integer_in(*value);
  if (!number || *number < least || *number > most) {
    fail(key, expected_saw(integer_text(least, most), describe(*value)));
    return least;
  }
  return *number;
}

std::int64_t JsonReader::integer_or(std::string_view key, std::int64_t fallback, std::int64_t least,
                                    std::int64_t most) {
  return find(key) == nullptr ? fallback : integer(key, least, most);
}

double JsonReader::number(std::string_view key, double least, double most) {
  const json::value* value = require(key, number_text(least, most));
  if (value == nullptr) return least;
  double number = NAN;
  if (value->is_int64()) number = static_cast<double>(value->get_int64());
  if (value->is_uint64()) number = static_cast<double>(value->get_uint64());
  if (value->is_double()) number = value->get_double();
  if (!(number >= least && number <= most)) {
    fail(key, expected_saw(number_text(least, most), describe(*value)));
    return least;
  }
  return number;
}

double JsonReader::number_or(std::string_view key, double fallback, double least, double most) {
  return find(key) == nullptr ? fallback : number(key, least, most);
}

bool JsonReader::boolean(std::string_view key) {
  const json::value* value = require(key, "true or false");
  if (value == nullptr) return false;
  if (!value->is_bool()) {
    fail(key, expected_saw("true or false", describe(*value)));
    return false;
  }
  return value->get_bool();
}

bool JsonReader::boolean_or(std::string_view key, bool fallback) {
  return find(key) == nullptr ? fallback : boolean(key);
}

JsonReader JsonReader::object(std::string_view key) {
  const json::value* value = require(key, "an object");
  if (value != nullptr && !value->is_object())
    fail(key, expected_saw("an object", describe(*value)));
  JsonReader reader(value == nullptr ? nothing : *value, path_of(key));
  if (failed_) reader.error_ = finish().error();
  return reader;
}

const json::array& JsonReader::array(std::string_view key, std::size_t least, std::size_t most) {
  const json::value* value = require(key, "a list");
  if (value == nullptr) return no_items;
  const json::array* items = value->if_array();
  if (items == nullptr) {
    fail(key, expected_saw("a list", describe(*value)));
  } else if (items->size() < least || items->size() > most) {
    fail(key,
         expected_saw(size_text("a list", "values", least, most), std::to_string(items->size())));
  }
  return failed_ ? no_items : *items;
}

Error JsonReader::unknown(std::string_view key) const {
  std::string hint;
  if (const std::string_view meant = nearest(key, asked_); !meant.empty()) {
    hint = "did you mean " + in_quotes(meant) + "?";
  } else if (!asked_.empty() && asked_.size() <= known_names_shown_max) {
    hint = "known are ";
    for (const std::string& name : asked_) hint += (&name == &asked_.front() ? "" : ", ") + name;
  }
  return {Errc::malformed, path_of(key) + ": unknown" + (hint.empty() ? "" : "; " + hint)};
}

Result<void> JsonReader::finish() {
  if (failed_ && missing_.empty()) return error_;
  for (const auto& member : *object_) {
    const std::string_view key = member.key();
    if (was_asked(key)) continue;
    // When a member is missing, another that nobody knows may be the same one misspelled.
    if (!failed_ || nearest(key, asked_) == missing_) return unknown(key);
  }
  if (failed_) return error_;
  return ok();
}

}  // namespace entente
