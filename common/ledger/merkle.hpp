// SPDX-License-Identifier: Apache-2.0
//
// The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1): roots, inclusion and consistency
// proofs.
//
//     leaf = SHA-256(0x00 || line)    node = SHA-256(0x01 || left || right)    empty root =
//     SHA-256("")
//
// Pure. Proofs come from outside: they are checked by the algorithms of RFC 9162, 2.1.3.2
// and 2.1.4.2, and no sequence of hashes and numbers does any harm.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/digest.hpp"
#include "common/base/result.hpp"

namespace entente::ledger {

using Proof = std::vector<Digest>;

// No proof of a tree of up to 2^64 leaves is longer.
inline constexpr std::size_t proof_length_max = 65;

Digest leaf_hash(std::string_view line);
Digest node_hash(const Digest& left, const Digest& right);

// A growing tree with all its nodes in memory (64 bytes a leaf): who makes proofs holds one.
class MerkleTree {
 public:
  void append(const Digest& leaf);
  std::uint64_t size() const;
  // Precondition: index < size().
  const Digest& leaf(std::uint64_t index) const;
  // The root over the first `size` leaves. Precondition: size <= this->size().
  Digest root(std::uint64_t size) const;
  Digest root() const { return root(size()); }
  // That leaf `index` is in the tree of the first `size` leaves.
  // Precondition: index < size <= this->size().
  Proof inclusion_proof(std::uint64_t index, std::uint64_t size) const;
  // That the tree of `new_size` leaves extends that of `old_size`. Empty for `old_size` 0, which
  // proves nothing. Precondition: old_size <= new_size <= this->size().
  Proof consistency_proof(std::uint64_t old_size, std::uint64_t new_size) const;

 private:
  Digest range_root(std::uint64_t begin, std::uint64_t end) const;

  std::vector<std::vector<Digest>> levels_;  // levels_[0]: leaves; only complete subtrees
};

// A growing tree that keeps only what its root needs (at most 64 digests): who reads a whole ledger
// holds one.
class MerkleFrontier {
 public:
  void append(const Digest& leaf);
  std::uint64_t size() const { return size_; }
  Digest root() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> peaks_;  // roots of the complete subtrees, the largest first
};

// Errors: unauthenticated - the proof does not lead to `root`.
Result<void> check_inclusion(std::uint64_t index, std::uint64_t size, const Digest& leaf,
                             const Proof& proof, const Digest& root);
// A tree of size 0 says nothing: `old_size` 0 is refused. Whoever holds no head yet takes the first
// one. Errors: unauthenticated - the proof does not lead to both roots.
Result<void> check_consistency(std::uint64_t old_size, const Digest& old_root,
                               std::uint64_t new_size, const Digest& new_root, const Proof& proof);

}  // namespace entente::ledger
