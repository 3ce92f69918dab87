// SPDX-License-Identifier: Apache-2.0
//
// Faults that the simulator plants to prove that it would find them. In every program the answer is
// a constant `false`; only the simulator's own build of this room (ENTENTE_PLANTED_FAULTS) can
// switch one on.
#pragma once

namespace entente::coordinator::round {

enum class Fault {
  none,
  participant_counted_twice,  // a second update of a participant is accepted beside the first
  commit_on_too_few,          // a round is closed one update short of its quorum
  deadline_never_fires,       // a round without a quorum waits for ever
  deadline_never_armed,       // nobody is woken at a deadline
  straggler_awaited,          // a round that has its quorum waits for the rest for ever
  same_cohort_again,          // a retry asks those who let the round down
  recruiting_never_ends,      // a plan whose quorum does not come holds up all others
  evaluation_never_ends,      // a candidate waits for the last evaluation for ever
};

#ifdef ENTENTE_PLANTED_FAULTS
inline thread_local Fault planted_fault = Fault::none;
inline bool planted(Fault fault) {
  return planted_fault == fault;
}
#else
constexpr bool planted(Fault) {
  return false;
}
#endif

}  // namespace entente::coordinator::round
