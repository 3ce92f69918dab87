// SPDX-License-Identifier: Apache-2.0
#include "tests/crash/ledger_checks.hpp"

#include <algorithm>
#include <sstream>

#include "common/ledger/verify.hpp"

namespace entente::crash {
namespace {

namespace fs = std::filesystem;

Error broken(std::string what) {
  return {Errc::corrupt, std::move(what)};
}

// What a process killed in write_file leaves beside VERSION or an approval: hidden, a few bytes,
// read by nobody. In the folders of a Storage it must be gone, since those are written to for ever.
bool is_harmless_leftover(const fs::path& name) {
  const fs::path parent = name.parent_path();
  return name.filename().string().starts_with(".") && (parent.empty() || parent == "approvals");
}

bool is_of_ledger(const std::string& promise) {
  return promise.starts_with("entry ") || promise.starts_with("head ");
}

}  // namespace

crypto::PrivateKey ledger_key() {
  static const crypto::PrivateKey key =
      crypto::PrivateKey::from_ed25519(Bytes(32, std::byte{7})).value();
  return key;
}

void promise_entries(Notes& notes, std::span<const ledger::Entry> entries) {
  for (const ledger::Entry& entry : entries) {
    const auto line = ledger::encode_entry(entry);
    notes.promise("entry " + std::to_string(entry.sequence) + " " +
                  ledger::leaf_hash(line.value()).hex());
  }
}

void promise(Notes& notes, std::span<const ledger::Entry> entries, const ledger::Log& log) {
  promise_entries(notes, entries);
  notes.promise("head " + std::to_string(log.head().size) + " " + log.head().root.hex());
}

Result<void> check_wreck(const fs::path& ledger, const Notes& notes) {
  const auto storage = open_storage(ledger);
  const ledger::VerifierKey key{ledger::ledger_origin(federation), ledger_key().public_key()};
  const auto found = ledger::verify_ledger(
      *storage, key, [](const ledger::Entry&, std::string_view) { return ok(); });
  if (found) return ok();
  if (found.error().code != Errc::not_found) return found.error();
  for (const std::string& line : notes.promises()) {
    if (is_of_ledger(line)) return broken("no head, but promised was " + line);
  }
  return ok();
}

Result<std::vector<ledger::Entry>> check_whole(const fs::path& ledger, const Notes& notes) {
  const auto storage = open_storage(ledger);
  const ledger::VerifierKey key{ledger::ledger_origin(federation), ledger_key().public_key()};
  std::vector<ledger::Entry> entries;
  ledger::MerkleTree tree;
  const auto found =
      ledger::verify_ledger(*storage, key, [&](const ledger::Entry& entry, std::string_view line) {
        entries.push_back(entry);
        tree.append(ledger::leaf_hash(line));
        return ok();
      });
  if (!found) return found.error();
  if (found->entries_behind_head != 0 || found->torn_tail) {
    return broken("something stands behind the head: " + found->torn_reason);
  }
  for (const std::string& line : notes.promises()) {
    if (!is_of_ledger(line)) continue;
    std::istringstream words(line);
    std::string kind, digest;
    std::uint64_t number = 0;
    words >> kind >> number >> digest;
    const bool kept = kind == "head" ? number <= tree.size() && tree.root(number).hex() == digest
                                     : number < tree.size() && tree.leaf(number).hex() == digest;
    if (!kept) return broken("promised and not kept: " + line);
  }
  return entries;
}

std::vector<std::string> names_below(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& item : fs::recursive_directory_iterator(folder)) {
    const fs::path name = item.path().lexically_relative(folder);
    if (item.is_regular_file() && !is_harmless_leftover(name)) names.push_back(name.string());
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace entente::crash
