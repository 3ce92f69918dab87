// SPDX-License-Identifier: Apache-2.0
#include "common/tensor/layout.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>

namespace entente::tensor {
namespace {

BOOST_AUTO_TEST_SUITE(parameter_layout)

BOOST_AUTO_TEST_CASE(tensors_lie_one_behind_the_other_in_the_given_order) {
  const auto layout = ParameterLayout::make({{"b/kernel", {3, 2}}, {"a/bias", {2}}, {"scale", {}}});
  BOOST_REQUIRE(layout);
  BOOST_TEST(layout->parameter_count() == 9U);
  BOOST_TEST(layout->tensors()[1].name == "a/bias");
  BOOST_TEST(layout->tensors()[1].offset == 6U);
  BOOST_TEST(layout->tensors()[2].offset == 8U);
  BOOST_TEST(layout->tensors()[2].count == 1U);
}

BOOST_AUTO_TEST_CASE(a_tensor_without_values_takes_no_room) {
  const auto layout = ParameterLayout::make({{"none", {0, 5}}, {"one", {1}}});
  BOOST_REQUIRE(layout);
  BOOST_TEST(layout->parameter_count() == 1U);
}

BOOST_AUTO_TEST_CASE(names_and_limits_are_checked) {
  const auto refused = [](std::string name, std::vector<std::uint64_t> shape) {
    return ParameterLayout::make({{"x", {1}}, {std::move(name), std::move(shape)}}).has_error();
  };
  BOOST_TEST(refused("x", {2}));
  BOOST_TEST(refused("", {2}));
  BOOST_TEST(refused("__metadata__", {2}));
  BOOST_TEST(refused("\xff", {2}));
  BOOST_TEST(refused(std::string(tensor_name_max_bytes + 1, 'n'), {2}));
  BOOST_TEST(!refused(std::string(tensor_name_max_bytes, 'n'), {2}));
  BOOST_TEST(refused("rank", std::vector<std::uint64_t>(tensor_rank_max + 1, 1)));
  BOOST_TEST(!refused("rank", std::vector<std::uint64_t>(tensor_rank_max, 1)));
  BOOST_TEST(refused("overflow", {1ULL << 40U, 1ULL << 40U}));
  BOOST_TEST(refused("hidden overflow", {1ULL << 40U, 1ULL << 40U, 0}));
  BOOST_TEST(refused("one too many", {parameters_max}));
  BOOST_TEST(!refused("as many as there may be", {parameters_max - 1}));
}

BOOST_AUTO_TEST_CASE(the_number_of_tensors_is_limited) {
  std::vector<std::pair<std::string, std::vector<std::uint64_t>>> tensors;
  for (std::size_t i = 0; i < tensors_max; ++i) tensors.push_back({std::to_string(i), {1}});
  BOOST_TEST(ParameterLayout::make(tensors).has_value());
  tensors.push_back({"one more", {1}});
  BOOST_TEST(ParameterLayout::make(tensors).has_error());
}

BOOST_AUTO_TEST_CASE(a_buffer_is_zeroed_and_aligned) {
  for (const std::size_t count : {1UL, 15UL, 16UL, 100'001UL}) {
    ParameterBuffer buffer(count);
    BOOST_TEST(buffer.values().size() == count);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(buffer.values().data()) % 64 == 0U);
    for (const float value : buffer.values()) BOOST_REQUIRE(value == 0.0F);
  }
  BOOST_TEST(ParameterBuffer().values().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::tensor
