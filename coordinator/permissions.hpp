// SPDX-License-Identifier: Apache-2.0
//
// What a peer may ask, by the role in its certificate: the one table. The default is no.
#pragma once

#include "common/base/identity.hpp"
#include "protocol/messages.hpp"

namespace entente::coordinator {

// Whether a peer of `role` has anything to ask of the coordinator at all.
bool may_call(Role role);

// Whether a peer of `role` may send `message` to the coordinator.
bool may_send(Role role, const protocol::Message& message);

}  // namespace entente::coordinator
