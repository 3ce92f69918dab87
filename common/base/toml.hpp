// SPDX-License-Identifier: Apache-2.0
//
// TOML files (configurations, plans) read into the same value as JSON, so that one reader
// (JsonReader) checks both.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "common/base/json.hpp"
#include "common/base/result.hpp"

namespace entente {

inline constexpr std::uint64_t toml_size_max_bytes = 4U << 20U;

// Integers stay integers, floats must be finite, dates and times are refused.
// Errors: malformed - the text names `source`, line and column, what was expected.
Result<json::value> parse_toml(std::string_view text, std::string_view source);

// Errors: as parse_toml; not_found, io.
Result<json::value> read_toml(const std::filesystem::path& path);

}  // namespace entente
