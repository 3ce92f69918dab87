// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/random.hpp"

#include <openssl/rand.h>

#include "common/base/assert.hpp"
#include "common/crypto/openssl.hpp"

namespace entente::crypto {

void random_bytes(std::span<std::byte> into) {
  const int done = RAND_bytes_ex(nullptr, octets(into.data()), into.size(), 0);
  ENTENTE_ASSERT(done == 1, "no randomness");
}

}  // namespace entente::crypto
