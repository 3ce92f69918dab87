// SPDX-License-Identifier: Apache-2.0
//
// Randomness for secrets, nonces and serial numbers: OpenSSL's generator, seeded by the kernel. Any
// thread. Seeds of training and simulation come from common/base/random.hpp, which repeats.
#pragma once

#include <cstddef>
#include <span>

namespace entente::crypto {

// Fills `into`. Aborts when the generator fails: nothing that needs a secret may go on without one.
void random_bytes(std::span<std::byte> into);

}  // namespace entente::crypto
