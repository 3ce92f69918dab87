// SPDX-License-Identifier: Apache-2.0
//
// Verifying a ledger as an auditor does: from its folder, with something that the auditor trusts,
// without network and without the coordinator.
//
// Always: form, order and root of the entries, and that each follows from the state before it (the
// round core replays them). With a key: the head's signature. With the federation's CA: the
// certificate over the ledger's key, the head's signature, and every signature that members'
// entries carry.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.hpp"
#include "common/base/json.hpp"
#include "common/crypto/certificate.hpp"
#include "common/ledger/verify.hpp"
#include "coordinator/round/state.hpp"

namespace entente::audit {

// What the auditor trusts: one of the two, or neither.
struct Trust {
  std::optional<ledger::VerifierKey> key;
  std::vector<crypto::Certificate> authorities;  // root and issuing CAs; empty: none

  bool any() const { return key.has_value() || !authorities.empty(); }
};

struct Report {
  ledger::Verification ledger;
  bool verified = false;           // the head's signature was checked against something trusted
  std::string key;                 // whose signature, as vkey text; empty when none was checked
  std::uint64_t signatures = 0;    // of members, checked against the authorities
  std::optional<TimePoint> first;  // time of the first and of the last entry
  std::optional<TimePoint> last;
  coordinator::round::State state;  // after the last entry
};

// Reads the ledger in `folder`; writes nothing. `now` dates the check of the key's certificate when
// there is no entry to date it. Errors: not_found - no ledger there, or no `key.crt` to check
// against the authorities; corrupt - the entries, with their place; unauthenticated - a signature
// or certificate, with the entry's place; malformed - `key` or `key.crt`; io.
Result<Report> verify(const std::filesystem::path& folder, const Trust& trust, TimePoint now);

// "verified: 123 entries, head <root>" or "consistent, not authenticated: ...", then what else is
// worth a line.
std::string report_text(const Report& report);
// verdict ("verified", "consistent, not authenticated"), verified, entries, head, behind_head,
// torn_tail, ...
json::object report_json(const Report& report);
// The same shape for a ledger that failed: verdict "not verified", verified false, error.
json::object failure_json(const Error& error);

}  // namespace entente::audit
