// SPDX-License-Identifier: Apache-2.0
#include "common/base/random.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

BOOST_AUTO_TEST_SUITE(random_numbers)

using namespace entente;
using Key = std::array<std::uint32_t, 2>;
using Block = std::array<std::uint32_t, 4>;

// The known answers that the authors' own library is tested with (Random123, kat_vectors).
BOOST_AUTO_TEST_CASE(philox_gives_its_authors_known_answers) {
  constexpr std::uint32_t ones = 0xffffffff;
  BOOST_TEST((philox(Key{}, Block{}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  BOOST_TEST((philox(Key{ones, ones}, Block{ones, ones, ones, ones}) ==
              Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  BOOST_TEST(
      (philox(Key{0xa4093822, 0x299f31d0}, Block{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}) ==
       Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

BOOST_AUTO_TEST_CASE(a_stream_is_philox_of_its_seed_and_number_block_by_block) {
  Random random(0x299f31d0a4093822, 0x0370734413198a2e);
  for (std::uint32_t block = 0; block < 3; ++block) {
    const Block expected = philox(Key{0xa4093822, 0x299f31d0}, {block, 0, 0x13198a2e, 0x03707344});
    for (const std::uint32_t word : expected) BOOST_TEST(random.next32() == word);
  }
  Random wide(7);
  Random narrow(7);
  const std::uint64_t low = narrow.next32();
  const std::uint64_t high = narrow.next32();
  BOOST_TEST(wide.next64() == (high << 32U | low));
}

BOOST_AUTO_TEST_CASE(seeds_and_streams_differ_and_a_copy_goes_on_alike) {
  Random a(1);
  Random b(2);
  Random c(1, 1);
  Random copy = a;
  const std::uint64_t first = a.next64();
  BOOST_TEST(first != b.next64());
  BOOST_TEST(first != c.next64());
  BOOST_TEST(first == copy.next64());
}

BOOST_AUTO_TEST_CASE(below_stays_below_and_reaches_everything_about_equally) {
  Random random(42);
  std::array<int, 7> seen{};
  for (int i = 0; i < 70'000; ++i) ++seen[random.below(7)];
  for (const int times : seen) BOOST_TEST(std::abs(times - 10'000) < 500);
  BOOST_TEST(random.below(1) == 0U);
  // Half of all draws are rejected here.
  constexpr std::uint64_t bound = (std::uint64_t{1} << 63U) + 1;
  for (int i = 0; i < 1000; ++i) BOOST_TEST(random.below(bound) < bound);
}

BOOST_AUTO_TEST_CASE(uniform_numbers_lie_from_0_to_below_1_with_the_right_mean) {
  Random random(42);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double number = random.uniform();
    BOOST_REQUIRE(number >= 0 && number < 1);
    sum += number;
  }
  BOOST_TEST(std::abs(sum / 100'000 - 0.5) < 0.005);
  BOOST_TEST(!random.chance(0));
  BOOST_TEST(random.chance(1));
}

// The order is part of what a seed means: it must never change.
BOOST_AUTO_TEST_CASE(a_shuffle_is_a_permutation_and_always_the_same_one) {
  std::vector<int> items = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  Random random(2026, 7);
  shuffle<int>(items, random);
  const std::vector<int> frozen = {4, 7, 6, 0, 5, 3, 2, 9, 1, 8};
  BOOST_TEST(items == frozen, boost::test_tools::per_element());
  std::sort(items.begin(), items.end());
  BOOST_TEST((items == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

BOOST_AUTO_TEST_SUITE_END()
