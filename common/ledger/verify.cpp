// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/verify.hpp"

#include "common/ledger/walk.hpp"

namespace entente::ledger {

Result<Verification> verify_ledger(Storage& storage, const std::optional<VerifierKey>& key,
                                   const EntrySink& sink) {
  // The head before the entries: a writer beside us adds to the entries, which the head then does
  // not cover.
  const auto note = read_small(storage, checkpoint_name, checkpoint_max_bytes);
  if (!note) return in_context("reading the ledger's head", note.error());
  const auto head = key ? open_checkpoint(*note, *key) : parse_checkpoint(*note);
  if (!head) {
    const Error error = in_context(checkpoint_name, head.error());
    return error.code == Errc::malformed ? Error{Errc::corrupt, error.detail} : error;
  }
  const auto walk = walk_ledger(storage, *head, [&](const Visited& visited) {
    return visited.entry.sequence < head->size ? sink(visited.entry, visited.line) : ok();
  });
  if (!walk) return walk.error();
  Verification found;
  found.entries = head->size;
  found.entries_behind_head = walk->entries - head->size;
  found.torn_tail = walk->broken.has_value();
  if (walk->broken) found.torn_reason = walk->broken->detail;
  found.head = *head;
  return found;
}

Result<VerifierKey> read_verifier_key(Storage& storage) {
  const auto text = read_small(storage, key_name, verifier_key_max_bytes);
  if (!text) return in_context("reading the verifier's key", text.error());
  auto key = parse_verifier_key(*text);
  if (!key) return in_context(key_name, key.error());
  return key;
}

}  // namespace entente::ledger
