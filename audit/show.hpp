// SPDX-License-Identifier: Apache-2.0
//
// A ledger's entries as lines for people. Says nothing of whether they are true: verify.hpp.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>

#include "common/base/result.hpp"
#include "common/ledger/entry.hpp"

namespace entente::audit {

// time, sequence, kind, round, actor, subjects (shortened), outcome and reason; no line end, and
// nothing that a terminal would obey.
std::string entry_text(const ledger::Entry& entry);

enum class Lines { readable, as_written };

// Writes the entries that the head in `folder` covers to `out`, as they are read: what stands
// before a damage is shown, then comes the error. Errors: those of ledger::verify_ledger; closed -
// `out` takes no more.
Result<void> show(const std::filesystem::path& folder, Lines lines, std::ostream& out);

}  // namespace entente::audit
