// SPDX-License-Identifier: Apache-2.0
//
// Time as the federation writes it: UTC in microseconds, RFC 3339 text.
//
// A Clock is UTC when it is made and runs on the monotonic clock from there, so that it never goes
// back and one TimePoint serves entries and deadlines alike. Nothing pure reads a clock: time is an
// argument.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace entente {

using Duration = std::chrono::microseconds;
using TimePoint = std::chrono::sys_time<Duration>;

// "2026-11-23T16:00:00.123456Z": always UTC, always six decimals.
// Years 0000 to 9999; what lies outside is written as the nearest of these.
std::string to_rfc3339(TimePoint time);
// Errors: malformed - any other form, or a date that does not exist.
Result<TimePoint> parse_rfc3339(std::string_view text);

class Clock {
 public:
  // Never before `not_before`: the time of the last thing that was written down.
  explicit Clock(TimePoint not_before = TimePoint{});
  TimePoint now() const;

 private:
  TimePoint at_start_;
  std::chrono::steady_clock::time_point steady_at_start_;
};

}  // namespace entente
