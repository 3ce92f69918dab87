// SPDX-License-Identifier: Apache-2.0
//
// Signed heads: C2SP tlog-checkpoint inside a C2SP signed-note, signed with Ed25519; verifier keys
// as C2SP vkey text.
//
//     <origin>\n<size>\n<base64 root>\n\n— <key name> <base64(key id || signature)>\n
//
// The origin and the key's name are "<federation>/ledger". Pure functions. Bytes: docs/ledger.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/digest.hpp"
#include "common/base/result.hpp"
#include "common/crypto/key.hpp"

namespace entente::ledger {

inline constexpr std::size_t checkpoint_max_bytes = 16U << 10U;
inline constexpr std::size_t verifier_key_max_bytes = 1U << 10U;
inline constexpr std::size_t note_signatures_max = 64;

struct VerifierKey {
  std::string name;
  crypto::PublicKey key;  // Ed25519
  // <name>+<8 hexadecimal digits of the key id>+<base64(0x01 || key)>, without a line end.
  std::string text() const;
};

// `text` may end in one newline, as the file `key` does.
// Errors: malformed - form, algorithm or key id.
Result<VerifierKey> parse_verifier_key(std::string_view text);

// What a head says.
struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  Digest root;
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

// "<federation>/ledger"
std::string ledger_origin(std::string_view federation);

// The whole signed note; the key's name is the checkpoint's origin.
// Preconditions: an Ed25519 key; an origin without white space and '+'.
// Errors: those of PrivateKey::sign.
Result<std::string> sign_checkpoint(const Checkpoint& checkpoint, const crypto::PrivateKey& key);

// The signed text of `note` (a view into it, with its last newline), at least one signature by
// `key` and none of `key` that is false. Lines of other keys are passed over. Errors: malformed -
// not a note; unauthenticated - no signature by `key`, or a false one.
Result<std::string_view> open_note(std::string_view note, const VerifierKey& key);

// The head in `note`, its signature by `key` checked over the bytes as they are; its origin is the
// key's name. Lines behind the root (which we never write) are passed over. Errors: malformed - not
// a note or not a checkpoint; unauthenticated - no signature by `key`, a false one, or another
// origin.
Result<Checkpoint> open_checkpoint(std::string_view note, const VerifierKey& key);

// The head in `note`, signatures not checked. Errors: malformed.
Result<Checkpoint> parse_checkpoint(std::string_view note);

}  // namespace entente::ledger
