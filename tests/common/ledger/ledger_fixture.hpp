// SPDX-License-Identifier: Apache-2.0
//
// A small ledger in memory, and verbs to grow, reopen and check it.
#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/crypto/hash.hpp"
#include "common/ledger/log.hpp"
#include "common/ledger/verify.hpp"
#include "tests/common/ledger/memory_storage.hpp"

namespace entente::ledger::test {

using namespace std::chrono_literals;

inline const std::string federation = "hospitals.example";
inline const TimePoint noon = parse_rfc3339("2026-11-23T12:00:00.000000Z").value();

// The private key of the 32 bytes `seed`, `seed`, ...
inline crypto::PrivateKey key_of(std::uint8_t seed) {
  return crypto::PrivateKey::from_ed25519(Bytes(32, std::byte{seed})).value();
}

// An entry as a round makes them; its time is noon and `sequence` seconds.
inline Entry entry_at(std::uint64_t sequence) {
  Entry entry;
  entry.sequence = sequence;
  entry.time = noon + sequence * 1s;
  entry.kind = "update.accepted";
  entry.federation = federation;
  entry.actor = "spiffe://hospitals.example/participant/charite";
  entry.plan = crypto::sha256("plan");
  entry.round = sequence / 3;
  entry.subjects["update"] = crypto::sha256("update " + std::to_string(sequence));
  entry.software = "0.1.0";
  entry.details["examples"] = 100 + sequence;
  return entry;
}

inline std::vector<Entry> entries_from(std::uint64_t sequence, std::uint64_t count) {
  std::vector<Entry> entries;
  for (std::uint64_t i = 0; i < count; ++i) entries.push_back(entry_at(sequence + i));
  return entries;
}

inline std::string line_at(std::uint64_t sequence) {
  return encode_entry(entry_at(sequence)).value();
}

struct LedgerFixture {
  MemoryStorage storage;
  crypto::PrivateKey key = key_of(7);
  std::uint64_t segment_bytes = segment_max_bytes;
  std::vector<Entry> seen;  // by the last open or verify

  EntrySink sink() {
    seen.clear();
    return [this](const Entry& entry, std::string_view) {
      seen.push_back(entry);
      return ok();
    };
  }
  Result<Log> open() {
    return Log::open(storage, ledger_origin(federation), key, sink(), segment_bytes);
  }
  VerifierKey verifier() const { return {ledger_origin(federation), key.public_key()}; }
  Result<Verification> verify() { return verify_ledger(storage, verifier(), sink()); }

  // A ledger of `count` entries, appended one by one.
  void found(std::uint64_t count) {
    Log log = open().value();
    for (std::uint64_t i = 0; i < count; ++i) log.append(entries_from(i, 1)).value();
  }
  std::string lines() { return storage.content("entries-000000.jsonl"); }
  void set_lines(std::string text) { storage.put("entries-000000.jsonl", std::move(text)); }
};

// Whether `result` failed with `code` and a text that contains `text`; says what it saw when not.
template <class T>
boost::test_tools::predicate_result failed_with(const Result<T>& result, Errc code,
                                                std::string_view text) {
  boost::test_tools::predicate_result answer(false);
  if (result) {
    answer.message() << "it succeeded, expected " << to_string(code) << ": " << text;
    return answer;
  }
  const Error& error = result.error();
  if (error.code == code && error.detail.find(text) != std::string::npos) return true;
  answer.message() << "saw " << to_string(error.code) << ": " << error.detail << "; expected "
                   << to_string(code) << ": " << text;
  return answer;
}

}  // namespace entente::ledger::test
