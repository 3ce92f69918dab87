// SPDX-License-Identifier: Apache-2.0
//
// The kinds of entries that the coordinator writes, and their details. docs/ledger.md has the same
// table for readers.
//
//   kind                   actor        plan round subjects  details
//   ledger.opened          coordinator                       origin, verifier_key
//   coordinator.started    coordinator
//   connection.refused     coordinator, or the member        cause, count
//   plan.submitted         operator     yes                  name, rules, size_bytes, certificate,
//   signature plan.consented         participant  yes                  certificate, signature
//   plan.declined          participant  yes                  (reason)
//   plan.started           coordinator  yes        model
//   plan.finished          coordinator  yes        model
//   plan.failed            coordinator  yes                  (reason)
//   plan.cancelled         operator     yes                  (reason)
//   participant.suspended  operator                          participant (reason)
//   participant.resumed    operator                          participant (reason)
//   round.opened           coordinator  yes  yes   model     attempt, cohort
//   update.accepted        participant  yes  yes   update    examples (when the plan weights by
//   them) update.refused         participant  yes  yes   update    verdict (reason) update.lost
//   participant  yes  yes   update work.declined          participant  yes  yes (reason)
//   round.closed           coordinator  yes  yes             contributors
//   round.aggregated       coordinator  yes  yes   model     contributors
//   round.committed        coordinator  yes  yes   model     contributors, evaluations, metrics,
//   participants round.abandoned        coordinator  yes  yes             attempt (reason)
//
// contributors: the sequences of the accepted updates, ascending by participant's name.
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
