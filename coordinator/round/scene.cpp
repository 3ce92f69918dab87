// SPDX-License-Identifier: Apache-2.0
#include "coordinator/round/scene.hpp"

#include <algorithm>

#include "common/base/identity.hpp"
#include "common/base/version.hpp"

namespace entente::coordinator::round {
namespace {

constexpr std::size_t reason_max_bytes = 512;

}  // namespace

ledger::Entry new_entry(const Scene& scene, std::string_view kind, std::string actor) {
  ledger::Entry entry;
  entry.sequence = scene.state.next_sequence;
  entry.time = std::max(scene.now, scene.state.last_time);
  entry.kind = kind;
  entry.federation = scene.state.federation;
  entry.actor = std::move(actor);
  entry.software = software_version;
  return entry;
}

ledger::Entry own_entry(const Scene& scene, std::string_view kind) {
  return new_entry(scene, kind, scene.state.coordinator);
}

std::string uri_of(const Scene& scene, const std::string& participant) {
  return Identity{scene.state.federation, Role::participant, participant}.uri();
}

std::string clipped(std::string reason) {
  if (reason.size() > reason_max_bytes) {
    std::size_t end = reason_max_bytes;
    while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0U) == 0x80U) --end;
    reason.resize(end);
  }
  return reason;
}

Decision only_answer(Verdict verdict, std::string reason, std::optional<std::uint64_t> receipt) {
  return Decision{{}, Answer{verdict, std::move(reason), receipt}};
}

Decision one_entry(ledger::Entry entry) {
  Decision decision;
  decision.answer.receipt = entry.sequence;
  decision.entries.push_back(std::move(entry));
  return decision;
}

bool may_record_refusal(const Scene& scene, const std::string& actor) {
  const auto found = scene.state.refusals.find(actor);
  if (found == scene.state.refusals.end()) return true;
  const RefusalCount& refusals = found->second;
  const auto time = std::max(scene.now, scene.state.last_time);
  if (refusals.hour != std::chrono::floor<std::chrono::hours>(time)) return true;
  if (refusals.in_hour >= refusals_recorded_an_hour_max) return false;
  return refusals.minute != std::chrono::floor<std::chrono::minutes>(time) ||
         refusals.in_minute < refusals_recorded_a_minute_max;
}

const PlanRecord* find_plan(const State& state, const Digest& plan) {
  const auto found = state.plans.find(plan);
  return found == state.plans.end() ? nullptr : &found->second;
}

const PlanRecord& plan_of(const State& state, const Digest& plan) {
  return state.plans.at(plan);
}

bool is_open(const PlanRecord& plan) {
  return plan.standing == PlanStanding::waiting || plan.standing == PlanStanding::running;
}

}  // namespace entente::coordinator::round
