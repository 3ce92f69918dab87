// SPDX-License-Identifier: Apache-2.0
//
// What the decisions of this room share: what they may look at, and the beginnings of entries and
// answers. For decide*.cpp only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "coordinator/round/entries.hpp"
#include "coordinator/round/transition.hpp"

namespace entente::coordinator::round {

// Everything that a decision may look at.
struct Scene {
  const State& state;
  TimePoint now;
};

// An entry of the present moment, next in the ledger; as from the coordinator itself.
ledger::Entry new_entry(const Scene& scene, std::string_view kind, std::string actor);
ledger::Entry own_entry(const Scene& scene, std::string_view kind);

// The SPIFFE id of a participant.
std::string uri_of(const Scene& scene, const std::string& participant);
// As long as an entry's reason may be, cut between characters.
std::string clipped(std::string reason);

Decision only_answer(Verdict verdict, std::string reason = {},
                     std::optional<std::uint64_t> receipt = std::nullopt);
Decision one_entry(ledger::Entry entry);

// Whether a refusal of `actor` may be recorded by itself: not beyond the limits of state.hpp.
bool may_record_refusal(const Scene& scene, const std::string& actor);

// nullptr when there is none; and where there must be one.
const PlanRecord* find_plan(const State& state, const Digest& plan);
const PlanRecord& plan_of(const State& state, const Digest& plan);
// Whether it has not ended.
bool is_open(const PlanRecord& plan);

// Decisions about updates and work (decide_updates.cpp).
Decision on(const Scene& scene, const UpdateOffered& event);
Decision on(const Scene& scene, const UpdateArrived& event);
Decision on(const Scene& scene, const UpdateFlawed& event);
Decision on(const Scene& scene, const UpdateLost& event);
Decision on(const Scene& scene, const WorkDeclined& event);

}  // namespace entente::coordinator::round
