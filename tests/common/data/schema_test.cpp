// SPDX-License-Identifier: Apache-2.0
#include "common/data/schema.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/common/data/rows.hpp"

namespace entente::data {
namespace {

BOOST_AUTO_TEST_SUITE(schema)

BOOST_AUTO_TEST_CASE(a_table_has_a_feature_for_each_number_and_each_category) {
  const auto schema = parse(R"({
    "kind": "table", "label": "outcome", "classes": ["good", "bad"],
    "columns": [
      {"name": "age", "type": "numeric", "mean": 40, "deviation": 12.5, "missing": 38},
      {"name": "purpose", "type": "categorical", "categories": ["car", "house"], "unknown": "zero"},
      {"name": "amount", "type": "numeric"}]})");
  BOOST_REQUIRE(schema);
  BOOST_TEST(schema->feature_count() == 4U);
  BOOST_TEST(schema->input_shape() == std::vector<std::uint64_t>{4});
  const Table& table = std::get<Table>(schema->kind);
  BOOST_TEST((table.columns[0] == Column{"age", Numeric{40, 12.5, 38.0}}));
  BOOST_TEST((table.columns[1] ==
              Column{"purpose", Categorical{{"car", "house"}, Categorical::Unknown::zero}}));
  BOOST_TEST((table.columns[2] == Column{"amount", Numeric{}}));
  BOOST_TEST(!table.ignore_other_columns);
}

BOOST_AUTO_TEST_CASE(an_image_has_a_feature_for_each_byte) {
  const auto schema = parse(
      R"({"kind": "image", "shape": [28, 20, 3], "classes": ["a", "b"], "mean": 0.25, "deviation": 0.5})");
  BOOST_REQUIRE(schema);
  BOOST_TEST(schema->feature_count() == 28U * 20U * 3U);
  BOOST_TEST(schema->input_shape() == (std::vector<std::uint64_t>{28, 20, 3}));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named) {
  BOOST_TEST(refused(R"({"kind": "sound", "classes": ["a", "b"]})", "plan.data.kind"));
  BOOST_TEST(refused(R"({"classes": ["a", "b"]})", "plan.data.kind"));
  BOOST_TEST(refused(R"({"kind": "image", "shape": [28, 28], "classes": ["a", "b"]})", "shape"));
  BOOST_TEST(refused(R"({"kind": "image", "shape": [28, 28, 0], "classes": ["a", "b"]})", "shape"));
  BOOST_TEST(
      refused(R"({"kind": "image", "shape": [28, -28, 1], "classes": ["a", "b"]})", "shape"));
  BOOST_TEST(refused(R"({"kind": "image", "shape": [28, 28, 1], "classes": ["a"]})", "classes"));
  BOOST_TEST(
      refused(R"({"kind": "image", "shape": [28, 28, 1], "classes": ["a", "a"]})", "'a' twice"));
  BOOST_TEST(
      refused(R"({"kind": "image", "shape": [28, 28, 1], "classes": ["a", ""]})", "classes"));
  BOOST_TEST(
      refused(R"({"kind": "image", "shape": [28, 28, 1], "classes": ["a", "b"], "deviation": 0})",
              "deviation"));
  BOOST_TEST(refused(R"({"kind": "image", "shape": [28, 28, 1], "classes": ["a", "b"], "meen": 0})",
                     "mean"));
  BOOST_TEST(refused(R"({"kind": "image", "shape": [60000, 60000, 3], "classes": ["a", "b"]})",
                     "features in a row"));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_column_is_named_with_its_place) {
  const auto column_refused = [](const std::string& column, std::string_view part) {
    return refused(
        R"({"kind": "table", "label": "l", "classes": ["a", "b"], "columns": [)" + column + "]}",
        part);
  };
  BOOST_TEST(column_refused("", "columns"));
  BOOST_TEST(column_refused(R"({"name": "x", "type": "sound"})", "plan.data.columns[0].type"));
  BOOST_TEST(column_refused(R"({"name": "x"})", "plan.data.columns[0].type"));
  BOOST_TEST(column_refused(R"({"type": "numeric"})", "plan.data.columns[0].name"));
  BOOST_TEST(column_refused(
      R"({"name": "x", "type": "numeric"}, {"name": "y", "type": "numeric", "deviation": -1})",
      "plan.data.columns[1].deviation"));
  BOOST_TEST(
      column_refused(R"({"name": "x", "type": "numeric", "categories": ["a"]})", "categories"));
  BOOST_TEST(column_refused(R"({"name": "x", "type": "categorical"})", "categories"));
  BOOST_TEST(
      column_refused(R"({"name": "x", "type": "categorical", "categories": ["a", "a"]})", "twice"));
  BOOST_TEST(column_refused(
      R"({"name": "x", "type": "categorical", "categories": ["a"], "unknown": "one"})",
      "plan.data.columns[0].unknown"));
  BOOST_TEST(column_refused(R"({"name": "x", "type": "numeric"}, {"name": "x", "type": "numeric"})",
                            "'x' again"));
  BOOST_TEST(column_refused(R"({"name": "l", "type": "numeric"})", "'l' again"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::data
