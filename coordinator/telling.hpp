// SPDX-License-Identifier: Apache-2.0
//
// The state put into messages: a participant's agenda with its proofs, the status for the operator.
// Reads the ledger for proofs, changes nothing.
#pragma once

#include <map>
#include <set>
#include <string>

#include "common/base/clock.hpp"
#include "coordinator/core.hpp"
#include "coordinator/store.hpp"
#include "protocol/messages.hpp"

namespace entente::coordinator {

struct UploadProgress;

// Errors: io, corrupt - the ledger or a file that the state names cannot be read.
Result<protocol::Agenda> agenda_message(const Core& core, const Store& store,
                                        const round::Agenda& agenda, TimePoint now);

// The answer with the receipt of its entry, when it has one. Errors: io.
Result<protocol::Answer> answer_message(const Core& core, const round::Answer& answer);

// What the shell knows besides the state.
struct Scenery {
  std::set<std::string> connected;  // participants' names
  std::set<std::string> evaluated;
  std::map<std::string, UploadProgress> uploads;  // by participant
  std::string problem;
  TimePoint now;
};
protocol::Status status_message(const round::State& state, std::uint64_t ledger_entries,
                                const Scenery& scenery);

}  // namespace entente::coordinator
