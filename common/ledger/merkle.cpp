// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/merkle.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "common/base/assert.hpp"
#include "common/crypto/hash.hpp"

namespace entente::ledger {
namespace {

constexpr std::byte leaf_prefix{0x00};
constexpr std::byte node_prefix{0x01};

// The largest power of two smaller than `size`. Precondition: size > 1.
std::uint64_t split_point(std::uint64_t size) {
  return std::bit_floor(size - 1);
}

bool is_odd(std::uint64_t value) {
  return (value & 1U) != 0;
}

// One node of the way up, as RFC 9162 walks it: the node's index and its level's last index.
struct Walk {
  std::uint64_t node;
  std::uint64_t last;

  // Whether the next hash of the proof stands to the left of the node.
  bool is_right_child() const { return is_odd(node) || node == last; }
  void rise() {
    node >>= 1U;
    last >>= 1U;
  }
  // Past the levels on which the node is the last one and has no sibling.
  void rise_past_lonely() {
    while (!is_odd(node) && node != 0) rise();
  }
};

}  // namespace

Digest leaf_hash(std::string_view line) {
  crypto::Sha256 hash;
  hash.update({&leaf_prefix, 1});
  hash.update(as_bytes(line));
  return hash.finish();
}

Digest node_hash(const Digest& left, const Digest& right) {
  std::array<std::byte, 1 + 2 * Digest::size_bytes> input{};
  input[0] = node_prefix;
  std::copy(left.bytes.begin(), left.bytes.end(), input.begin() + 1);
  std::copy(right.bytes.begin(), right.bytes.end(), input.begin() + 1 + Digest::size_bytes);
  return crypto::sha256(ByteView(input));
}

void MerkleTree::append(const Digest& leaf) {
  if (levels_.empty()) levels_.emplace_back();
  levels_[0].push_back(leaf);
  for (std::size_t level = 0; levels_[level].size() % 2 == 0; ++level) {
    if (level + 1 == levels_.size()) levels_.emplace_back();
    const std::vector<Digest>& nodes = levels_[level];
    levels_[level + 1].push_back(node_hash(nodes[nodes.size() - 2], nodes[nodes.size() - 1]));
  }
}

std::uint64_t MerkleTree::size() const {
  return levels_.empty() ? 0 : levels_[0].size();
}

const Digest& MerkleTree::leaf(std::uint64_t index) const {
  ENTENTE_ASSERT(index < size(), "a leaf's index is below the tree's size");
  return levels_[0][index];
}

// The root over leaves [begin, end) of one node of the RFC's recursion: `begin` is a multiple of
// the smallest power of two that holds the range, so that a complete one is a node at hand.
Digest MerkleTree::range_root(std::uint64_t begin, std::uint64_t end) const {
  const std::uint64_t size = end - begin;
  if (std::has_single_bit(size)) {
    const auto level = static_cast<std::size_t>(std::countr_zero(size));
    return levels_[level][begin >> level];
  }
  const std::uint64_t middle = begin + split_point(size);
  return node_hash(range_root(begin, middle), range_root(middle, end));
}

Digest MerkleTree::root(std::uint64_t size) const {
  ENTENTE_ASSERT(size <= this->size(), "a root is over leaves that exist");
  return size == 0 ? crypto::sha256(ByteView{}) : range_root(0, size);
}

Proof MerkleTree::inclusion_proof(std::uint64_t index, std::uint64_t size) const {
  ENTENTE_ASSERT(index < size && size <= this->size(), "a proof is about a leaf that exists");
  Proof proof;
  std::uint64_t begin = 0;
  std::uint64_t end = size;
  while (end - begin > 1) {
    const std::uint64_t middle = begin + split_point(end - begin);
    if (index < middle) {
      proof.push_back(range_root(middle, end));
      end = middle;
    } else {
      proof.push_back(range_root(begin, middle));
      begin = middle;
    }
  }
  std::reverse(proof.begin(), proof.end());
  return proof;
}

Proof MerkleTree::consistency_proof(std::uint64_t old_size, std::uint64_t new_size) const {
  ENTENTE_ASSERT(old_size <= new_size && new_size <= size(), "a proof is about leaves that exist");
  Proof proof;
  if (old_size == 0 || old_size == new_size) return proof;
  std::uint64_t begin = 0;
  std::uint64_t end = new_size;
  while (end != old_size) {
    const std::uint64_t middle = begin + split_point(end - begin);
    if (old_size <= middle) {
      proof.push_back(range_root(middle, end));
      end = middle;
    } else {
      proof.push_back(range_root(begin, middle));
      begin = middle;
    }
  }
  // Whoever checks holds the old root already when this node is the whole old tree.
  if (begin != 0) proof.push_back(range_root(begin, end));
  std::reverse(proof.begin(), proof.end());
  return proof;
}

void MerkleFrontier::append(const Digest& leaf) {
  Digest node = leaf;
  for (std::uint64_t rest = size_; is_odd(rest); rest >>= 1U) {
    node = node_hash(peaks_.back(), node);
    peaks_.pop_back();
  }
  peaks_.push_back(node);
  ++size_;
}

Digest MerkleFrontier::root() const {
  if (peaks_.empty()) return crypto::sha256(ByteView{});
  Digest root = peaks_.back();
  for (std::size_t i = peaks_.size() - 1; i > 0; --i) root = node_hash(peaks_[i - 1], root);
  return root;
}

Result<void> check_inclusion(std::uint64_t index, std::uint64_t size, const Digest& leaf,
                             const Proof& proof, const Digest& root) {
  if (index >= size) {
    return Error{Errc::unauthenticated, "inclusion proof: entry " + std::to_string(index) +
                                            " of a ledger of " + std::to_string(size) + " entries"};
  }
  Walk walk{index, size - 1};
  Digest node = leaf;
  for (const Digest& sibling : proof) {
    if (walk.last == 0) return Error{Errc::unauthenticated, "inclusion proof: too long"};
    if (walk.is_right_child()) {
      node = node_hash(sibling, node);
      walk.rise_past_lonely();
    } else {
      node = node_hash(node, sibling);
    }
    walk.rise();
  }
  if (walk.last != 0) return Error{Errc::unauthenticated, "inclusion proof: too short"};
  if (node != root) {
    return Error{Errc::unauthenticated, "inclusion proof: it does not lead to the signed root"};
  }
  return ok();
}

Result<void> check_consistency(std::uint64_t old_size, const Digest& old_root,
                               std::uint64_t new_size, const Digest& new_root, const Proof& proof) {
  const auto refuse = [](std::string_view what) {
    return Error{Errc::unauthenticated, "consistency proof: " + std::string(what)};
  };
  if (old_size == 0 || old_size > new_size) {
    return refuse("from " + std::to_string(old_size) + " to " + std::to_string(new_size) +
                  " entries");
  }
  if (old_size == new_size) {
    if (!proof.empty()) return refuse("too long");
    if (old_root != new_root) return refuse("two roots for one size");
    return ok();
  }
  const bool starts_with_old_root = std::has_single_bit(old_size);
  if (proof.empty()) return refuse("too short");
  Walk walk{old_size - 1, new_size - 1};
  while (is_odd(walk.node)) walk.rise();
  Digest old_node = starts_with_old_root ? old_root : proof.front();
  Digest new_node = old_node;
  for (std::size_t i = starts_with_old_root ? 0 : 1; i < proof.size(); ++i) {
    if (walk.last == 0) return refuse("too long");
    if (walk.is_right_child()) {
      old_node = node_hash(proof[i], old_node);
      new_node = node_hash(proof[i], new_node);
      walk.rise_past_lonely();
    } else {
      new_node = node_hash(new_node, proof[i]);
    }
    walk.rise();
  }
  if (walk.last != 0) return refuse("too short");
  if (old_node != old_root) return refuse("it does not lead to the old root");
  if (new_node != new_root) return refuse("it does not lead to the new root");
  return ok();
}

}  // namespace entente::ledger
