// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 (FIPS 180-4) over OpenSSL: of bytes at hand, or of a stream.
#pragma once

#include <memory>

#include "common/base/bytes.hpp"
#include "common/base/digest.hpp"

namespace entente::crypto {

Digest sha256(ByteView bytes);
inline Digest sha256(std::string_view text) {
  return sha256(as_bytes(text));
}

// Move-only; copy() forks the state (for a resumable stream). One thread at a time.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(ByteView bytes);
  // The digest of all bytes given so far; the stream starts again from nothing.
  Digest finish();
  Sha256 copy() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::crypto
