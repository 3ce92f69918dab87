// SPDX-License-Identifier: Apache-2.0
#include "coordinator/core.hpp"

#include "common/base/assert.hpp"

namespace entente::coordinator {
namespace {

// Entries that one batch of ticks may make: a phase moves at most a few times before it has to wait
// for somebody.
constexpr int ticks_max = 64;

// Applies what was decided. A decision that its own state refuses is a
// programmer's error.
void take(const round::Decision& decision, round::State& state,
          std::vector<ledger::Entry>& entries) {
  for (const ledger::Entry& entry : decision.entries) {
    auto next = round::apply(std::move(state), entry);
    if (!next) ENTENTE_ASSERT(false, next.error().detail);
    state = std::move(*next);
    entries.push_back(entry);
  }
}

}  // namespace

Result<Core> Core::open(Storage& storage, const std::string& federation,
                        const std::string& coordinator_uri, crypto::PrivateKey ledger_key,
                        const std::function<TimePoint(TimePoint last_entry)>& clock) {
  round::State state;
  auto fold = [&state](const ledger::Entry& entry, std::string_view) -> Result<void> {
    auto next = round::apply(std::move(state), entry);
    if (!next) return next.error();
    state = std::move(*next);
    return ok();
  };
  auto log =
      ledger::Log::open(storage, ledger::ledger_origin(federation), std::move(ledger_key), fold);
  if (!log) return in_context("opening the ledger", log.error());
  if (!state.federation.empty() && state.federation != federation) {
    return Error{Errc::rejected, "the ledger belongs to federation '" + state.federation +
                                     "', the configuration says '" + federation + "'"};
  }
  const TimePoint last = state.last_time;
  Core core(std::move(state), std::move(*log));
  const round::Event started =
      round::Started{federation, coordinator_uri, core.log_.verifier_key().text()};
  auto recorded = core.handle(std::span(&started, 1), round::Tick{}, clock(last));
  if (!recorded) return recorded.error();
  if (auto stored = core.store_head(); !stored) return stored.error();
  return core;
}

Result<Outcome> Core::handle(std::span<const round::Event> events, const round::Tick& surroundings,
                             TimePoint now) {
  Outcome outcome;
  for (const round::Event& event : events) {
    round::Decision decision = round::decide(state_, event, now);
    take(decision, state_, outcome.entries);
    outcome.answers.push_back(std::move(decision.answer));
    if (!decision.unrecorded.empty()) ++outcome.unrecorded[decision.unrecorded];
  }
  for (int i = 0; i < ticks_max; ++i) {
    const round::Decision decision = round::decide(state_, surroundings, now);
    if (decision.entries.empty()) break;
    take(decision, state_, outcome.entries);
  }
  if (auto durable = log_.append(outcome.entries, ledger::StoreHead::later); !durable)
    return durable.error();
  return outcome;
}

}  // namespace entente::coordinator
