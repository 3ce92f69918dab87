// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/merkle.hpp"

#include <array>
#include <bit>
#include <boost/test/unit_test.hpp>
#include <span>

#include "common/crypto/hash.hpp"

namespace entente::ledger {
namespace {

constexpr std::uint64_t sizes_max = 40;

using Leaves = std::span<const Digest>;

// RFC 6962 section 2.1, word by word.
Digest naive_root(Leaves leaves) {
  if (leaves.empty()) return crypto::sha256(ByteView{});
  if (leaves.size() == 1) return leaves[0];
  const std::size_t k = std::bit_floor(leaves.size() - 1);
  return node_hash(naive_root(leaves.first(k)), naive_root(leaves.subspan(k)));
}

// Section 2.1.1.
Proof naive_path(std::size_t index, Leaves leaves) {
  if (leaves.size() == 1) return {};
  const std::size_t k = std::bit_floor(leaves.size() - 1);
  const bool left = index < k;
  Proof proof =
      left ? naive_path(index, leaves.first(k)) : naive_path(index - k, leaves.subspan(k));
  proof.push_back(naive_root(left ? leaves.subspan(k) : leaves.first(k)));
  return proof;
}

// Section 2.1.2.
Proof naive_subproof(std::size_t m, Leaves leaves, bool complete) {
  if (m == leaves.size()) return complete ? Proof{} : Proof{naive_root(leaves)};
  const std::size_t k = std::bit_floor(leaves.size() - 1);
  const bool left = m <= k;
  Proof proof = left ? naive_subproof(m, leaves.first(k), complete)
                     : naive_subproof(m - k, leaves.subspan(k), false);
  proof.push_back(naive_root(left ? leaves.subspan(k) : leaves.first(k)));
  return proof;
}

std::vector<Digest> leaves_of(std::uint64_t count) {
  std::vector<Digest> leaves;
  for (std::uint64_t i = 0; i < count; ++i)
    leaves.push_back(leaf_hash("entry " + std::to_string(i)));
  return leaves;
}

MerkleTree tree_of(const std::vector<Digest>& leaves) {
  MerkleTree tree;
  for (const Digest& leaf : leaves) tree.append(leaf);
  return tree;
}

// Every proof that differs from `proof` by one flipped bit, one hash missing, or one hash more.
std::vector<Proof> mutations_of(const Proof& proof) {
  std::vector<Proof> mutations;
  for (std::size_t i = 0; i < proof.size(); ++i) {
    for (std::size_t bit = 0; bit < 8 * Digest::size_bytes; ++bit) {
      mutations.push_back(proof);
      mutations.back()[i].bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    }
    mutations.push_back(proof);
    mutations.back().erase(mutations.back().begin() + static_cast<std::ptrdiff_t>(i));
  }
  for (std::size_t i = 0; i <= proof.size(); ++i) {
    for (const Digest& more : {Digest{}, proof.empty() ? leaf_hash("") : proof[0]}) {
      mutations.push_back(proof);
      mutations.back().insert(mutations.back().begin() + static_cast<std::ptrdiff_t>(i), more);
    }
  }
  std::erase(mutations, proof);
  return mutations;
}

struct Trees {
  std::vector<Digest> leaves = leaves_of(sizes_max);
  MerkleTree tree = tree_of(leaves);
  Leaves first(std::uint64_t count) const { return Leaves(leaves).first(count); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(merkle)

BOOST_AUTO_TEST_CASE(roots_of_the_certificate_transparency_reference_tree_come_out) {
  const std::array<const char*, 8> inputs{"",
                                          "00",
                                          "10",
                                          "2021",
                                          "3031",
                                          "40414243",
                                          "5051525354555657",
                                          "606162636465666768696a6b6c6d6e6f"};
  const std::array<const char*, 9> roots{
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  MerkleTree tree;
  MerkleFrontier frontier;
  BOOST_TEST(tree.root().hex() == roots[0]);
  BOOST_TEST(frontier.root().hex() == roots[0]);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Bytes input = from_hex(inputs[i]).value();
    tree.append(leaf_hash(as_text(input)));
    frontier.append(leaf_hash(as_text(input)));
    BOOST_TEST(tree.root().hex() == roots[i + 1]);
    BOOST_TEST(frontier.root().hex() == roots[i + 1]);
  }
}

BOOST_AUTO_TEST_CASE(leaf_and_node_hashes_are_those_of_the_public_vectors) {
  BOOST_TEST(leaf_hash("L123456").hex() ==
             "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
  // The vector's "hashes" are four bytes each, which node_hash cannot be given.
  crypto::Sha256 hash;
  hash.update(as_bytes("\x01N123N456"));
  BOOST_TEST(hash.finish().hex() ==
             "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb");
  const Digest left = crypto::sha256("left");
  const Digest right = crypto::sha256("right");
  const std::string input =
      "\x01" + std::string(as_text(left.bytes)) + std::string(as_text(right.bytes));
  BOOST_TEST(node_hash(left, right).hex() == crypto::sha256(input).hex());
}

BOOST_AUTO_TEST_CASE(roots_of_all_sizes_agree_with_the_definition) {
  const auto leaves = leaves_of(300);
  MerkleTree tree;
  MerkleFrontier frontier;
  for (std::size_t size = 1; size <= leaves.size(); ++size) {
    tree.append(leaves[size - 1]);
    frontier.append(leaves[size - 1]);
    const Digest expected = naive_root(Leaves(leaves).first(size));
    BOOST_REQUIRE(tree.root() == expected);
    BOOST_REQUIRE(frontier.root() == expected);
  }
  for (std::size_t size = 0; size <= leaves.size(); ++size) {
    BOOST_REQUIRE(tree.root(size) == naive_root(Leaves(leaves).first(size)));
  }
}

BOOST_FIXTURE_TEST_CASE(inclusion_proofs_of_all_small_trees_are_the_defined_ones_and_hold, Trees) {
  for (std::uint64_t size = 1; size <= sizes_max; ++size) {
    for (std::uint64_t index = 0; index < size; ++index) {
      const Proof proof = tree.inclusion_proof(index, size);
      BOOST_REQUIRE(proof == naive_path(index, first(size)));
      BOOST_REQUIRE(check_inclusion(index, size, leaves[index], proof, tree.root(size)));
      for (std::uint64_t other = 0; other <= size; ++other) {
        if (other == index) continue;
        BOOST_REQUIRE(!check_inclusion(other, size, leaves[index], proof, tree.root(size)));
      }
      BOOST_REQUIRE(!check_inclusion(index, size, leaf_hash("another"), proof, tree.root(size)));
      BOOST_REQUIRE(!check_inclusion(index, size, leaves[index], proof, leaf_hash("another")));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(every_mutated_inclusion_proof_is_refused, Trees) {
  std::size_t tried = 0;
  for (const std::uint64_t size : {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 17, 31, 32, 33, 40}) {
    for (std::uint64_t index = 0; index < size; ++index) {
      for (const Proof& mutation : mutations_of(tree.inclusion_proof(index, size))) {
        const auto checked = check_inclusion(index, size, leaves[index], mutation, tree.root(size));
        BOOST_REQUIRE(!checked);
        BOOST_REQUIRE(checked.error().code == Errc::unauthenticated);
        ++tried;
      }
    }
  }
  BOOST_TEST(tried > 100'000U);
}

BOOST_FIXTURE_TEST_CASE(consistency_proofs_of_all_small_trees_are_the_defined_ones_and_hold,
                        Trees) {
  for (std::uint64_t size = 1; size <= sizes_max; ++size) {
    for (std::uint64_t old_size = 1; old_size <= size; ++old_size) {
      const Proof proof = tree.consistency_proof(old_size, size);
      BOOST_REQUIRE(proof == naive_subproof(old_size, first(size), true));
      const Digest old_root = tree.root(old_size);
      const Digest root = tree.root(size);
      BOOST_REQUIRE(check_consistency(old_size, old_root, size, root, proof));
      BOOST_REQUIRE(!check_consistency(old_size, leaf_hash("forked"), size, root, proof));
      BOOST_REQUIRE(!check_consistency(old_size, old_root, size, leaf_hash("forked"), proof));
      if (old_size < size) BOOST_REQUIRE(!check_consistency(size, root, old_size, old_root, proof));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(every_mutated_consistency_proof_is_refused, Trees) {
  for (const std::uint64_t size : {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 17, 31, 32, 33, 40}) {
    for (std::uint64_t old_size = 1; old_size <= size; ++old_size) {
      for (const Proof& mutation : mutations_of(tree.consistency_proof(old_size, size))) {
        const auto checked =
            check_consistency(old_size, tree.root(old_size), size, tree.root(size), mutation);
        BOOST_REQUIRE(!checked);
        BOOST_REQUIRE(checked.error().code == Errc::unauthenticated);
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(an_empty_tree_proves_nothing, Trees) {
  const Digest empty = tree.root(0);
  BOOST_TEST(!check_inclusion(0, 0, leaves[0], {}, empty));
  BOOST_TEST(!check_consistency(0, empty, 5, tree.root(5), {}));
  BOOST_TEST(!check_consistency(0, empty, 0, empty, {}));
  BOOST_TEST(tree.consistency_proof(0, 5).empty());
}

// Numbers of any size come from outside.
BOOST_FIXTURE_TEST_CASE(absurd_sizes_are_refused_without_harm, Trees) {
  constexpr std::uint64_t most = ~std::uint64_t{0};
  const Proof longest(proof_length_max, leaves[0]);
  BOOST_TEST(!check_inclusion(most - 1, most, leaves[0], longest, leaves[1]));
  BOOST_TEST(!check_inclusion(most, most, leaves[0], longest, leaves[1]));
  BOOST_TEST(!check_consistency(most - 1, leaves[0], most, leaves[1], longest));
  BOOST_TEST(!check_consistency(std::uint64_t{1} << 63U, leaves[0], most, leaves[1], longest));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::ledger
