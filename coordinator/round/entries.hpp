// SPDX-License-Identifier: Apache-2.0
//
// The kinds of entries that the coordinator writes. docs/ledger.md has the table: who the actor is,
// what plan, round, subjects and details say.
#pragma once

#include <string_view>

namespace entente::coordinator::round::kind {

inline constexpr std::string_view ledger_opened = "ledger.opened";
inline constexpr std::string_view coordinator_started = "coordinator.started";
inline constexpr std::string_view connection_refused = "connection.refused";
inline constexpr std::string_view plan_submitted = "plan.submitted";
inline constexpr std::string_view plan_consented = "plan.consented";
inline constexpr std::string_view plan_declined = "plan.declined";
inline constexpr std::string_view plan_started = "plan.started";
inline constexpr std::string_view plan_finished = "plan.finished";
inline constexpr std::string_view plan_failed = "plan.failed";
inline constexpr std::string_view plan_cancelled = "plan.cancelled";
inline constexpr std::string_view participant_suspended = "participant.suspended";
inline constexpr std::string_view participant_resumed = "participant.resumed";
inline constexpr std::string_view round_opened = "round.opened";
inline constexpr std::string_view update_accepted = "update.accepted";
inline constexpr std::string_view update_refused = "update.refused";
inline constexpr std::string_view update_lost = "update.lost";
inline constexpr std::string_view work_declined = "work.declined";
inline constexpr std::string_view round_closed = "round.closed";
inline constexpr std::string_view round_aggregated = "round.aggregated";
inline constexpr std::string_view round_committed = "round.committed";
inline constexpr std::string_view round_abandoned = "round.abandoned";

}  // namespace entente::coordinator::round::kind
