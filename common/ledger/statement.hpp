// SPDX-License-Identifier: Apache-2.0
//
// What a member signs when it submits a plan or consents to one: a short text that names the act,
// the federation and the plan, so that no signature can be taken for another.
//
//     entente/1 plan consented\n<federation>\n<64 hexadecimal digits>\n
//
// Pure. The entries that carry such signatures: docs/ledger.md.
#pragma once

#include <string>
#include <string_view>

#include "common/base/digest.hpp"

namespace entente::ledger {

inline constexpr std::string_view plan_submitted = "plan submitted";
inline constexpr std::string_view plan_consented = "plan consented";

// The bytes to sign. `kind`: plan_submitted or plan_consented.
std::string statement(std::string_view kind, std::string_view federation, const Digest& plan);

}  // namespace entente::ledger
