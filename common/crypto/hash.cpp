// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/hash.hpp"

#include "common/base/assert.hpp"
#include "common/crypto/openssl.hpp"

namespace entente::crypto {

namespace {

// Fetched once: a fetch costs more than hashing a ledger node. Never freed, so that static
// destruction may still hash.
const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  ENTENTE_ASSERT(algorithm != nullptr, "OpenSSL has no SHA-256");
  return algorithm;
}

}  // namespace

struct Sha256::State {
  OwnedDigestContext context{EVP_MD_CTX_new()};

  State() { ENTENTE_ASSERT(context != nullptr, "out of memory"); }
  void begin() {
    const int done = EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr);
    ENTENTE_ASSERT(done == 1, "SHA-256 cannot begin");
  }
};

Digest sha256(ByteView bytes) {
  Digest digest;
  const int done = EVP_Digest(bytes.data(), bytes.size(), octets(digest.bytes.data()), nullptr,
                              sha256_algorithm(), nullptr);
  ENTENTE_ASSERT(done == 1, "SHA-256 failed");
  return digest;
}

Sha256::Sha256() : state_(std::make_unique<State>()) {
  state_->begin();
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(ByteView bytes) {
  ENTENTE_ASSERT(state_ != nullptr, "a moved-from Sha256");
  const int done = EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size());
  ENTENTE_ASSERT(done == 1, "SHA-256 failed");
}

Digest Sha256::finish() {
  ENTENTE_ASSERT(state_ != nullptr, "a moved-from Sha256");
  Digest digest;
  const int done = EVP_DigestFinal_ex(state_->context.get(), octets(digest.bytes.data()), nullptr);
  ENTENTE_ASSERT(done == 1, "SHA-256 failed");
  state_->begin();
  return digest;
}

Sha256 Sha256::copy() const {
  ENTENTE_ASSERT(state_ != nullptr, "a moved-from Sha256");
  Sha256 twin;
  const int done = EVP_MD_CTX_copy_ex(twin.state_->context.get(), state_->context.get());
  ENTENTE_ASSERT(done == 1, "SHA-256 cannot be copied");
  return twin;
}

}  // namespace entente::crypto
