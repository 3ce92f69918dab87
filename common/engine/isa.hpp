// SPDX-License-Identifier: Apache-2.0
//
// Instruction sets that the kernels are built for, and which one this process uses.
//
// The choice is the best that the processor has, or what ENTENTE_ISA says: v2, v3, v4 (the x86-64
// levels) or generic (the compiler's baseline, and the only one elsewhere). It never changes within
// a process.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace entente::engine {

enum class Isa : std::uint8_t { generic, v2, v3, v4 };

// "generic", "v2", "v3", "v4".
std::string_view to_string(Isa isa);

// Whether this build has the kernels and this processor can run them.
bool supported(Isa isa);

// All that are supported, least first; never empty.
std::vector<Isa> supported_isas();

// What this process uses.
// Errors: invalid_argument - ENTENTE_ISA names none of them, or one that is not supported here.
Result<Isa> chosen_isa();

// The choice as a function of the variable's text (empty: the best). For tests.
Result<Isa> choose_isa(std::string_view requested);

}  // namespace entente::engine
