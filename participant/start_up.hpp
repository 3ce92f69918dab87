// SPDX-License-Identifier: Apache-2.0
//
// What the commands read before they begin, all of it checked: so that a wrong path or key is said
// at once and not in the middle of a round.
#pragma once

#include <filesystem>
#include <memory>

#include "common/base/clock.hpp"
#include "common/base/result.hpp"
#include "common/crypto/credentials.hpp"
#include "common/ledger/note.hpp"
#include "common/plan/plan.hpp"
#include "participant/configuration.hpp"
#include "participant/evidence.hpp"

namespace entente::participant {

// The start-up kit, read and held against the configuration.
struct StartUp {
  Configuration configuration;
  crypto::Credentials credentials;
  Trust trust;
};

// Errors (of all): invalid_argument - the file, the field, what was expected and what was seen.
Result<StartUp> read_start_up(const std::filesystem::path& configuration, TimePoint now);

// From the operator's TOML, or from canonical bytes when the name ends in ".json".
Result<std::shared_ptr<const plan::Plan>> read_any_plan(const std::filesystem::path& path);

// Whether the files of the data are there and may be read; what is in them is for the plan's
// schema.
Result<void> check_readable(const data::Source& source);

}  // namespace entente::participant
