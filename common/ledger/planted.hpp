// SPDX-License-Identifier: Apache-2.0
//
// Faults that the simulator plants to prove that it would find them. In every program the answer is
// a constant `false`; only the simulator's own build of the log (ENTENTE_PLANTED_FAULTS) can switch
// one on.
#pragma once

namespace entente::ledger {

enum class Fault {
  none,
  answer_before_sync,  // a head is signed over entries that are not synced
  torn_tail_accepted,  // what a crash left of a line stays there, and the next line behind it
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

}  // namespace entente::ledger
