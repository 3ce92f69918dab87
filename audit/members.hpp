// SPDX-License-Identifier: Apache-2.0
//
// The signatures that members' entries carry: the operator's on a plan that it submits, a
// participant's on a plan that it consents to.
#pragma once

#include <vector>

#include "common/base/result.hpp"
#include "common/crypto/certificate.hpp"
#include "common/ledger/entry.hpp"

namespace entente::audit {

// Whether `entry` is of a kind that a member signs (docs/ledger.md, "Signatures of members").
bool carries_signature(const ledger::Entry& entry);

// Checks certificate and signature in the details: the certificate chains to `authorities` at the
// entry's time, it is the actor's, the actor's role is the one that may sign this, and the
// signature is over the statement. Precondition: carries_signature(entry). Errors: unauthenticated
// - which of these.
Result<void> check_member_signature(const ledger::Entry& entry,
                                    const std::vector<crypto::Certificate>& authorities);

}  // namespace entente::audit
