// SPDX-License-Identifier: Apache-2.0
//
// The plan: what a federation agrees to do, as the operator writes it (TOML), as it is signed and
// sent (canonical JSON), and as the programs use it (this struct, with the defaults of its schema
// version filled in). Every field: docs/plan.md.
//
// The SHA-256 of the canonical bytes names the plan everywhere. Canonical bytes hold what was
// written and nothing else: the model's JSON is embedded, no default is filled in. The defaults of
// a schema version never change.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/digest.hpp"
#include "common/base/result.hpp"
#include "common/data/schema.hpp"
#include "common/model/model.hpp"
#include "common/plan/rules.hpp"
#include "common/plan/training.hpp"

namespace entente::plan {

inline constexpr std::uint64_t plan_max_bytes = 4U << 20U;
inline constexpr std::int64_t schema_version = 1;
inline constexpr std::size_t plan_name_max_bytes = 100;
inline constexpr double holdout_max = 0.9;

struct Plan {
  Digest digest;
  std::string canonical;  // the bytes that the digest names
  std::string name;
  model::ModelSpec model;
  data::Schema data;
  Training training;
  std::string strategy = "fedavg";
  Rules rules;         // their metrics: none when the plan asks for no evaluation
  double holdout = 0;  // fraction of the local rows kept for evaluation
};

// The plan's model with its loss, ready to run. Errors: invalid_argument - layers that do not fit
// together (a plan that was read has none).
Result<engine::Network> compile(const Plan& plan);

// From the operator's TOML file; the model file is looked up beside it.
// Errors: malformed - file, field, expected, seen; or a model that does not fit the data;
// not_found; io.
Result<Plan> read_plan(const std::filesystem::path& toml);

// From canonical bytes as received (or stored). The digest is taken over `canonical` as it is.
// Errors: malformed - not canonical, too long, or field, expected, seen.
Result<Plan> parse_plan(std::string_view canonical);

}  // namespace entente::plan
