// SPDX-License-Identifier: Apache-2.0
//
// How often this test program has asked operator new for memory, on any thread.
#pragma once

#include <cstddef>

namespace entente::test {
std::size_t allocations_so_far();
}  // namespace entente::test
