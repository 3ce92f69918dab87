// SPDX-License-Identifier: Apache-2.0
//
// What is done to images on their way to a model: scaling by channel, mirroring and moving.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>

#include "tests/common/data/rows.hpp"

namespace entente::data {
namespace {

std::string image(const std::string& shape, const std::string& more = "") {
  return R"({"kind": "image", "classes": ["a", "b"], "shape": )" + shape + more + "}";
}

// Two images of two lines and three pixels: bytes 1 to 6 and 7 to 12, or with more channels on.
struct Images {
  Folder folder;
  Dataset read(const std::string& schema, char channels = 1, char count = 2) const {
    const bool flat = channels == 1;
    std::string text{'\0', '\0', '\x08', flat ? '\x03' : '\x04'};
    for (const char dimension : {count, '\x02', '\x03'}) text += std::string(3, '\0') + dimension;
    if (!flat) text += std::string(3, '\0') + channels;
    for (int i = 1; i <= count * 6 * channels; ++i) text += static_cast<char>(i);
    const std::string labels = std::string("\0\0\x08\x01\0\0\0", 7) + count +
                               std::string(static_cast<std::size_t>(count), '\0');
    return load(parse(schema).value(),
                {{}, folder.write("images", text), folder.write("labels", labels)})
        .value();
  }
};

constexpr std::string_view unscaled = R"(, "deviation": 0.003921568627450980392)";  // 1 / 255

BOOST_FIXTURE_TEST_SUITE(image_features, Images)

BOOST_AUTO_TEST_CASE(each_channel_may_have_its_own_scale) {
  const Dataset dataset =
      read(image("[2, 3, 2]", R"(, "mean": [0.5, 0.25], "deviation": [0.1, 2])"), 2);
  const Rows rows = all_rows(dataset);
  BOOST_REQUIRE(rows.features.size() == 24U);
  for (std::size_t i = 0; i < 24; ++i) {
    const double byte = static_cast<double>(i + 1) / 255.0;
    BOOST_TEST(rows.features[i] ==
               static_cast<float>(i % 2 == 0 ? (byte - 0.5) / 0.1 : (byte - 0.25) / 2));
  }
}

BOOST_AUTO_TEST_CASE(one_number_may_be_for_all_channels) {
  const Rows one =
      all_rows(read(image("[2, 3, 2]", R"(, "mean": 0.5, "deviation": [0.1, 0.1])"), 2));
  const Rows each =
      all_rows(read(image("[2, 3, 2]", R"(, "mean": [0.5, 0.5], "deviation": 0.1)"), 2));
  BOOST_TEST(one.features == each.features);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_an_image_schema_is_named) {
  BOOST_TEST(refused(image("[2, 3, 3]", R"(, "mean": [0.5, 0.5])"), "plan.data.mean"));
  BOOST_TEST(refused(image("[2, 3, 2]", R"(, "mean": [0.5, "x"])"), "plan.data.mean"));
  BOOST_TEST(refused(image("[2, 3, 2]", R"(, "deviation": [0.5, 0])"), "plan.data.deviation"));
  BOOST_TEST(refused(image("[2, 3, 2]", R"(, "deviation": [])"), "plan.data.deviation"));
  BOOST_TEST(refused(image("[2, 3, 1]", R"(, "mean": 1e30, "deviation": 1e-30)"), "float32"));
  BOOST_TEST(refused(image("[2, 3, 1]", R"(, "augment": {"flip": "vertical"})"),
                     "plan.data.augment.flip"));
  BOOST_TEST(refused(image("[2, 3, 1]", R"(, "augment": {"crop": 3})"), "plan.data.augment.crop"));
  BOOST_TEST(refused(image("[2, 3, 1]", R"(, "augment": {"turn": 3})"), "plan.data.augment.turn"));
  BOOST_TEST(refused(image("[2, 3, 1]", R"(, "augment": 1)"), "plan.data.augment"));
}

BOOST_AUTO_TEST_CASE(without_a_seed_nothing_is_done_to_an_image) {
  const Dataset dataset = read(image(
      "[2, 3, 1]", std::string(unscaled) + R"(, "augment": {"flip": "horizontal", "crop": 1})"));
  const Rows rows = all_rows(dataset);
  for (std::size_t i = 0; i < 12; ++i) BOOST_TEST(rows.features[i] == static_cast<float>(i + 1));
}

BOOST_AUTO_TEST_CASE(one_image_in_two_is_mirrored) {
  const Dataset dataset =
      read(image("[2, 3, 1]", std::string(unscaled) + R"(, "augment": {"flip": "horizontal"})"));
  const std::vector<std::uint32_t> rows(200, 0);
  const Rows seen = gathered(dataset, rows, 7);
  std::size_t mirrored = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto begin = seen.features.begin() + static_cast<std::ptrdiff_t>(i * 6);
    const std::vector<float> one(begin, begin + 6);
    const bool is_mirrored = one == std::vector<float>{3, 2, 1, 6, 5, 4};
    BOOST_REQUIRE((is_mirrored || one == std::vector<float>{1, 2, 3, 4, 5, 6}));
    mirrored += is_mirrored ? 1 : 0;
  }
  BOOST_TEST(mirrored > 70U);
  BOOST_TEST(mirrored < 130U);
}

BOOST_AUTO_TEST_CASE(images_are_moved_every_way_and_zeros_follow) {
  const Dataset dataset =
      read(image("[2, 3, 1]", std::string(unscaled) + R"(, "augment": {"crop": 1})"));
  const std::vector<std::uint32_t> rows(200, 0);
  const Rows seen = gathered(dataset, rows, 7);
  std::set<std::vector<float>> different;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto begin = seen.features.begin() + static_cast<std::ptrdiff_t>(i * 6);
    different.emplace(begin, begin + 6);
  }
  std::set<std::vector<float>> expected;
  const auto pixel = [](int y, int x) {
    return y < 0 || y > 1 || x < 0 || x > 2 ? 0.0F : static_cast<float>(1 + y * 3 + x);
  };
  for (int down = -1; down <= 1; ++down) {
    for (int right = -1; right <= 1; ++right) {
      std::vector<float> moved;
      for (int y = 0; y < 2; ++y) {
        for (int x = 0; x < 3; ++x) moved.push_back(pixel(y - down, x - right));
      }
      expected.insert(moved);
    }
  }
  BOOST_TEST((different == expected));
}

BOOST_AUTO_TEST_CASE(the_seed_and_the_place_alone_decide_what_is_done) {
  const Dataset dataset =
      read(image("[2, 3, 2]",
                 std::string(unscaled) + R"(, "augment": {"flip": "horizontal", "crop": 2})"),
           2);
  std::vector<std::uint32_t> rows(64);
  for (std::uint32_t i = 0; i < 64; ++i) rows[i] = i % 2;
  const Rows all = gathered(dataset, rows, 7);
  BOOST_TEST((gathered(dataset, rows, 7).features == all.features));
  BOOST_TEST((gathered(dataset, rows, 8).features != all.features));
  const Rows first = gathered(dataset, std::span(rows).first(10), 7);
  BOOST_TEST(std::equal(first.features.begin(), first.features.end(), all.features.begin()));
}

BOOST_AUTO_TEST_CASE(what_a_seed_does_never_changes) {
  const Dataset dataset = read(image(
      "[2, 3, 1]", std::string(unscaled) + R"(, "augment": {"flip": "horizontal", "crop": 1})"));
  const std::vector<std::uint32_t> rows{0, 1, 0};
  const Rows seen = gathered(dataset, rows, 42);
  BOOST_TEST(seen.features ==
             (std::vector<float>{4, 5, 6, 0, 0, 0, 0, 0, 0, 8, 9, 0, 0, 3, 2, 0, 6, 5}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::data
