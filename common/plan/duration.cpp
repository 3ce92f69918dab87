// SPDX-License-Identifier: Apache-2.0
#include "common/plan/duration.hpp"

#include <charconv>

#include "common/base/text.hpp"

namespace entente::plan {

namespace {

constexpr std::int64_t seconds_max = std::int64_t{100} * 366 * 86'400;

// Seconds in one unit; 0 for what is no unit.
std::int64_t unit_seconds(std::string_view unit) {
  if (unit == "s") return 1;
  if (unit == "m") return 60;
  if (unit == "h") return 3'600;
  if (unit == "d") return 86'400;
  return 0;
}

}  // namespace

Result<std::chrono::seconds> parse_duration(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::int64_t unit = unit_seconds(text.substr(static_cast<std::size_t>(end - text.data())));
  if (status != std::errc() || number < 0 || unit == 0 || number > seconds_max / unit) {
    return Error{Errc::malformed,
                 "expected a duration like \"90s\", \"10m\" or \"2h\", saw " + in_quotes(text)};
  }
  return std::chrono::seconds(number * unit);
}

std::chrono::seconds duration_or(JsonReader& reader, std::string_view key,
                                 std::chrono::seconds fallback, std::chrono::seconds least,
                                 std::chrono::seconds most) {
  if (reader.find(key) == nullptr) return fallback;
  const std::string text = reader.text(key);
  if (reader.failed()) return fallback;
  const auto duration = parse_duration(text);
  if (!duration) {
    reader.fail(key, duration.error().detail);
    return fallback;
  }
  if (*duration < least || *duration > most) {
    reader.fail(key, "expected " + std::to_string(least.count()) + "s to " +
                         std::to_string(most.count()) + "s, saw " + in_quotes(text));
    return fallback;
  }
  return *duration;
}

}  // namespace entente::plan
