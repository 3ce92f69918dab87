// SPDX-License-Identifier: Apache-2.0
//
// The round core joined to its ledger: events in, durable entries, answers out. One thread; no
// sockets, no clock of its own. The daemon's control thread drives it, and so does the simulator.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/base/storage.hpp"
#include "common/crypto/key.hpp"
#include "common/ledger/log.hpp"
#include "coordinator/round/transition.hpp"

namespace entente::coordinator {

// What a batch came to: one answer for each event, in order, and the entries that it made.
struct Outcome {
  std::vector<round::Answer> answers;
  std::vector<ledger::Entry> entries;
  std::map<std::string, std::uint64_t> unrecorded;  // refusals that were not recorded, by actor
};

class Core {
 public:
  // Folds the ledger in `storage` (begun when empty) into the state, and records the start.
  // `storage` must outlive the Core. `clock` is asked once the ledger is read: its answer for a
  // last entry at the given time. Errors: those of ledger::Log::open; corrupt - an impossible
  // entry; rejected - another federation's ledger.
  static Result<Core> open(Storage& storage, const std::string& federation,
                           const std::string& coordinator_uri, crypto::PrivateKey ledger_key,
                           const std::function<TimePoint(TimePoint last_entry)>& clock);

  // Decides `events` in order, ticks with `surroundings` until nothing follows, makes all entries
  // durable with one sync. One answer for each event, in order. The state is not copied for this: a
  // copy would cost as much as all rounds ever committed. Errors: io - the entries may or may not
  // be on disk and the state is ahead of it: nothing may be answered, and the Core must be opened
  // again before anything else.
  Result<Outcome> handle(std::span<const round::Event> events, const round::Tick& surroundings,
                         TimePoint now);

  // The head over what handle recorded: signed and given out with its answers, stored by this.
  // Errors: io - try again later; the Core goes on.
  Result<void> store_head() { return log_.store_head(); }

  const round::State& state() const { return state_; }
  const ledger::Log& log() const { return log_; }

 private:
  Core(round::State state, ledger::Log log) : state_(std::move(state)), log_(std::move(log)) {}
  round::State state_;
  ledger::Log log_;
};

}  // namespace entente::coordinator
