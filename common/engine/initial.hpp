// SPDX-License-Identifier: Apache-2.0
//
// Initial parameters, as the layers' initialisers say (Keras' distributions, not its random
// numbers).
//
// Value k of tensor t is a function of (seed, t, k) alone, by a counter-based generator: any part
// of the buffer can be made by itself, so a coordinator writes a model larger than its memory block
// by block. The same bits on every machine.
#pragma once

#include <cstdint>
#include <span>

#include "common/engine/network.hpp"

namespace entente::engine {

// Parameters [first, first + values.size()) of the network's buffer. Parallel; allocates nothing
// but for orthogonal tensors, whose lines it makes in double. Precondition: they lie within
// parameter_count().
void initial_values(const Network& network, std::uint64_t seed, std::uint64_t first,
                    std::span<float> values);

}  // namespace entente::engine
