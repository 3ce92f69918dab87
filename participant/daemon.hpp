// SPDX-License-Identifier: Apache-2.0
//
// What a participant does, for months: dials the coordinator, looks at plans, trains, evaluates,
// keeps its receipts; one thing after another, so that the place in the code is the state.
//
// It drives three seams (Transport, Workbench, Storage), waits by net::Timer alone and takes its
// randomness and the time of day from its caller: the simulator runs the same code on one thread.
// What it decides by is pure: policy.hpp, evidence.hpp. What it remembers over a restart is the
// journal. docs/participant.md tells the same story for people.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "common/base/clock.hpp"
#include "common/base/random.hpp"
#include "common/base/storage.hpp"
#include "common/crypto/key.hpp"
#include "common/net/async.hpp"
#include "participant/evidence.hpp"
#include "participant/policy.hpp"
#include "participant/transport.hpp"
#include "participant/workbench.hpp"

namespace entente::participant {

inline constexpr std::chrono::milliseconds backoff_least{500};
inline constexpr std::chrono::milliseconds backoff_most{60'000};
inline constexpr std::chrono::milliseconds connect_max{30'000};
inline constexpr std::chrono::milliseconds answer_max{130'000};  // of one request
inline constexpr std::chrono::milliseconds goodbye_max{5'000};
// A transfer of that many bytes may take transfer_base + bytes / transfer_bytes_a_second_least.
inline constexpr std::chrono::milliseconds transfer_base{60'000};
inline constexpr std::uint64_t transfer_bytes_a_second_least = 16U << 10U;
// How soon a plan that waits for approval, or work that failed for a passing reason, is looked at
// again.
inline constexpr std::chrono::milliseconds approval_poll{2'000};
inline constexpr std::chrono::milliseconds retry_after{5'000};

// The seams, all of which outlive the daemon.
struct House {
  Transport& transport;
  Workbench& workbench;
  Storage& journal;
  Storage& receipts;
};

// Who takes part, and by which rules.
struct Member {
  Trust trust;
  Policy policy;
  crypto::PrivateKey key;                // signs consents
  std::function<TimePoint()> utc_clock;  // for the journal and the dates of certificates
  Random jitter;
};

// What /metrics and /healthz show. Written and read on the daemon's thread.
struct Tally {
  bool connected = false;
  std::string problem;  // why not
  std::uint64_t sessions = 0;
  std::uint64_t plans_consented = 0;
  std::uint64_t plans_declined = 0;
  std::uint64_t rounds_trained = 0;
  std::uint64_t updates_accepted = 0;
  std::uint64_t updates_refused = 0;
  std::uint64_t update_bytes = 0;
  std::uint64_t evaluations = 0;
  std::uint64_t receipts_checked = 0;
  std::uint64_t alarms = 0;  // the coordinator said what its ledger or an operator did not sign
  double training_seconds = 0;
  double last_loss = 0;
};

// The wait before attempt `attempt` (from 1) to connect: doubling from backoff_least to
// backoff_most, the later half of it by `jitter`.
std::chrono::milliseconds backoff(std::uint32_t attempt, Random& jitter);

// How long a transfer of `bytes` may take.
std::chrono::milliseconds transfer_max(std::uint64_t bytes);

// Takes part until it is cancelled; reconnects for ever. `tally` outlives it.
// Errors: unauthenticated - the coordinator keeps another ledger than the start-up kit says: a
// person must look at it; corrupt, io - the journal cannot be read; cancelled - stopped: work under
// way has ended, goodbye was said.
net::Async<void> participate(House house, Member member, Tally* tally);

}  // namespace entente::participant
