// SPDX-License-Identifier: Apache-2.0
//
// What a ledger promises, and whether one on disk keeps it. For the stories that write one.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/crypto/key.hpp"
#include "common/ledger/log.hpp"
#include "tests/crash/notes.hpp"

namespace entente::crash {

inline const std::string federation = "hospitals.example";
crypto::PrivateKey ledger_key();

// The entries `entries` of `log` were acknowledged, and its head given out.
void promise(Notes& notes, std::span<const ledger::Entry> entries, const ledger::Log& log);

void promise_entries(Notes& notes, std::span<const ledger::Entry> entries);

// As a crash leaves it: whatever is under the head verifies; a ledger without a head is one of
// which nothing was promised. Errors: what is wrong.
Result<void> check_wreck(const std::filesystem::path& ledger, const Notes& notes);

// As a story ends: verified to its last line, nothing behind the head, every promised entry and
// every promised head a part of it. Gives the entries. Errors: what is wrong.
Result<std::vector<ledger::Entry>> check_whole(const std::filesystem::path& ledger,
                                               const Notes& notes);

// The files below a folder that matter, in order, each with its path from there.
std::vector<std::string> names_below(const std::filesystem::path& folder);

}  // namespace entente::crash
