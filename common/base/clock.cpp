// SPDX-License-Identifier: Apache-2.0
#include "common/base/clock.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "common/base/text.hpp"

namespace entente {
namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr std::string_view pattern = "dddd-dd-ddTdd:dd:dd.ddddddZ";

constexpr TimePoint earliest{sys_days{year{0} / 1 / 1}};
constexpr TimePoint latest{sys_days{year{10'000} / 1 / 1} - Duration{1}};

// Whether `text` has digits where the pattern has a d, and the pattern's own character elsewhere.
bool fits_pattern(std::string_view text) {
  if (text.size() != pattern.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (pattern[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != pattern[i]) return false;
  }
  return true;
}

unsigned digits(std::string_view text, std::size_t from, std::size_t count) {
  unsigned value = 0;
  for (const char digit : text.substr(from, count)) {
    value = value * 10 + static_cast<unsigned>(digit - '0');
  }
  return value;
}

std::optional<TimePoint> read(std::string_view text) {
  if (!fits_pattern(text)) return std::nullopt;
  const year_month_day date{year{static_cast<int>(digits(text, 0, 4))}, month{digits(text, 5, 2)},
                            day{digits(text, 8, 2)}};
  const std::chrono::hours hours{digits(text, 11, 2)};
  const std::chrono::minutes minutes{digits(text, 14, 2)};
  const std::chrono::seconds seconds{digits(text, 17, 2)};
  if (!date.ok() || hours.count() > 23 || minutes.count() > 59 || seconds.count() > 59) {
    return std::nullopt;
  }
  return TimePoint{sys_days{date} + hours + minutes + seconds + Duration{digits(text, 20, 6)}};
}

}  // namespace

std::string to_rfc3339(TimePoint time) {
  time = std::clamp(time, earliest, latest);
  const auto midnight = std::chrono::floor<days>(time);
  const year_month_day date{midnight};
  const std::chrono::hh_mm_ss<Duration> clock{time - midnight};
  char text[64];
  std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

Result<TimePoint> parse_rfc3339(std::string_view text) {
  const auto time = read(text);
  if (!time) {
    return Error{
        Errc::malformed,
        "expected a time in UTC such as 2026-11-23T16:00:00.123456Z, saw " + in_quotes(text)};
  }
  return *time;
}

Clock::Clock(TimePoint not_before)
    : at_start_(std::max(not_before,
                         std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()))),
      steady_at_start_(std::chrono::steady_clock::now()) {}

TimePoint Clock::now() const {
  return at_start_ +
         std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - steady_at_start_);
}

}  // namespace entente
