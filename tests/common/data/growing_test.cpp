// SPDX-License-Identifier: Apache-2.0
#include "common/data/growing.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <numeric>
#include <vector>

namespace entente::data {
namespace {

std::vector<std::uint16_t> content(const Growing<std::uint16_t>& values) {
  const std::span<const std::uint16_t> all = values;
  return {all.begin(), all.end()};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(growing)

BOOST_AUTO_TEST_CASE(what_was_put_in_stays_while_it_grows_far_beyond_a_page) {
  Growing<std::uint16_t> values;
  std::vector<std::uint16_t> expected;
  for (std::uint32_t i = 0; i < 300'000; ++i) {
    const auto value = static_cast<std::uint16_t>(i * 7);
    const std::vector<std::uint16_t> some{value, 1, 2};
    values.push_back(value);
    values.append(some);
    expected.push_back(value);
    expected.insert(expected.end(), some.begin(), some.end());
  }
  BOOST_TEST((content(values) == expected));
  values.shrink_to_fit();
  BOOST_TEST(values.capacity() == expected.size());
  BOOST_TEST((content(values) == expected));
}

BOOST_AUTO_TEST_CASE(it_is_resized_with_the_value_given_and_emptied) {
  Growing<std::uint16_t> values;
  BOOST_TEST(values.empty());
  values.shrink_to_fit();
  values.resize(2, 9);
  values.resize(4);
  BOOST_TEST(content(values) == (std::vector<std::uint16_t>{9, 9, 0, 0}));
  values.resize(1);
  BOOST_TEST(content(values) == (std::vector<std::uint16_t>{9}));
  values.clear();
  BOOST_TEST(values.empty());
  values.shrink_to_fit();
  BOOST_TEST(values.capacity() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_moved_from_is_empty) {
  Growing<std::uint16_t> from;
  from.resize(3, 5);
  Growing<std::uint16_t> to = std::move(from);
  BOOST_TEST(content(to) == (std::vector<std::uint16_t>{5, 5, 5}));
  BOOST_TEST(from.size() == 0U);  // NOLINT: that is the point
  from = std::move(to);
  BOOST_TEST(from.size() == 3U);
  BOOST_TEST(to.capacity() == 0U);  // NOLINT
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::data
