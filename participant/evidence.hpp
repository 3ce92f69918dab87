// SPDX-License-Identifier: Apache-2.0
//
// What the coordinator says, held against what others signed: a plan against its operator, a task
// against the ledger's entry that orders it, an answer against the entry that records it. Pure: the
// certificates, the keys and the time are arguments.
#pragma once

#include <string>
#include <vector>

#include "common/base/clock.hpp"
#include "common/base/identity.hpp"
#include "common/base/result.hpp"
#include "common/crypto/certificate.hpp"
#include "common/ledger/note.hpp"
#include "protocol/messages.hpp"

namespace entente::participant {

// Whom this participant believes: from its start-up kit.
struct Trust {
  Identity self;
  std::vector<crypto::Certificate> authorities;
  ledger::VerifierKey ledger_key;
};

// Whether the coordinator that says `welcome` keeps this federation's ledger.
// Errors: unauthenticated - another federation, or another verifier's key.
Result<void> check_welcome(const Trust& trust, const protocol::Welcome& welcome);

// The name of the operator who signed the plan.
// Errors: unauthenticated - a certificate that does not chain to the federation's authorities or is
// no operator's, or a signature that is false; malformed - no certificate.
Result<std::string> check_operator_signature(const Trust& trust,
                                             const protocol::PlanToConsider& plan, TimePoint now);

// Whether the ledger says what the task says: the round was opened, from this model, with this
// participant in its cohort. Errors: unauthenticated - a receipt that proves nothing, or an entry
// that says something else; malformed.
Result<void> check_opening(const Trust& trust, const protocol::Train& task);
// The same for a candidate to evaluate.
Result<void> check_aggregation(const Trust& trust, const protocol::Evaluate& task);

// Whether the receipt in the answer to a consent or an update proves that the ledger took it.
// Errors: unauthenticated - no receipt, or one that proves something else; malformed.
Result<void> check_consent_receipt(const Trust& trust, const Digest& plan,
                                   const protocol::Answer& answer);
Result<void> check_update_receipt(const Trust& trust, const protocol::OfferUpdate& offer,
                                  const protocol::Answer& answer);

}  // namespace entente::participant
