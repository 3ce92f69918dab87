// SPDX-License-Identifier: Apache-2.0
//
// Durations as people write them: a whole number and a unit, "90s", "10m", "2h", "1d".
#pragma once

#include <chrono>
#include <string_view>

#include "common/base/json.hpp"
#include "common/base/result.hpp"

namespace entente::plan {

// Errors: malformed - another form, or more than a hundred years.
Result<std::chrono::seconds> parse_duration(std::string_view text);

// Member `key` of `reader`, `fallback` when absent. Marks an error there when it is no duration
// from `least` to `most`.
std::chrono::seconds duration_or(JsonReader& reader, std::string_view key,
                                 std::chrono::seconds fallback, std::chrono::seconds least,
                                 std::chrono::seconds most);

}  // namespace entente::plan
