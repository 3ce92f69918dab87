// SPDX-License-Identifier: Apache-2.0
//
// What tables give besides plain numbers, one-hot categories and a class for each row, which are in
// dataset_test.cpp.
#include <boost/test/unit_test.hpp>

#include "tests/common/data/rows.hpp"

namespace entente::data {
namespace {

// A table of these columns with the classes a and b in column "l".
std::string with_columns(const std::string& columns, const std::string& more = "") {
  return R"({"kind": "table", "label": "l", "classes": ["a", "b"], "columns": [)" + columns + "]" +
         more + "}";
}

const std::string regression = R"({"kind": "table",
  "targets": [{"name": "price", "mean": 10, "deviation": 2}, {"name": "area"}],
  "columns": [{"name": "rooms", "type": "numeric"}]})";

BOOST_FIXTURE_TEST_SUITE(table_targets, Reading)

BOOST_AUTO_TEST_CASE(numbers_to_be_predicted_are_scaled_and_belong_to_their_row) {
  const auto dataset = read(regression, "area,rooms,price\n50,2,14\n-1,3,9\n70,4,10\n");
  BOOST_REQUIRE_MESSAGE(dataset, dataset.error().detail);
  BOOST_TEST((dataset->target() == Target{Target::Kind::numbers, 1, 2}));
  BOOST_TEST(dataset->rows() == 3U);
  BOOST_TEST(dataset->labels().empty());
  const Rows rows = all_rows(*dataset);
  BOOST_TEST(rows.features == (std::vector<float>{2, 3, 4}));
  BOOST_TEST(rows.values == (std::vector<float>{2, 50, -0.5F, -1, 0, 70}));
  const std::vector<std::uint32_t> some{2, 0};
  BOOST_TEST(gathered(*dataset, some).values == (std::vector<float>{0, 70, 2, 50}));
}

BOOST_AUTO_TEST_CASE(a_bad_number_to_be_predicted_is_named_by_line_and_column) {
  BOOST_TEST(refuses(regression, "area,rooms,price\n1,2,3\n1,2,\n",
                     "rows:3: column 'price': expected a number, saw an empty cell"));
  BOOST_TEST(refuses(regression, "area,rooms,price\nnan,2,3\n",
                     "rows:2: column 'area': expected a finite number, saw 'nan'"));
  BOOST_TEST(refuses(regression, "area,rooms,price\n1e200,2,3\n",
                     "column 'area': too large after scaling"));
  BOOST_TEST(refuses(regression, "area,rooms\n1,2\n", "expected a column 'price', saw none"));
}

BOOST_AUTO_TEST_CASE(a_number_too_small_for_a_double_is_not_called_too_large) {
  const std::string words = "column 'area': too small a number for a double (0 may be meant)";
  for (const std::string& tiny :
       std::vector<std::string>{"1e-400", "-1E-400", "0." + std::string(400, '0') + "1"}) {
    BOOST_TEST(refuses(regression, "area,rooms,price\n" + tiny + ",2,3\n", words));
  }
  for (const std::string& huge : std::vector<std::string>{"1e400", "1" + std::string(400, '0'),
                                                          "1" + std::string(400, '0') + ".0"}) {
    BOOST_TEST(
        refuses(regression, "area,rooms,price\n" + huge + ",2,3\n", "expected a finite number"));
  }
  BOOST_TEST(read(regression, "area,rooms,price\n1e-300,2,3\n").has_value());
}

BOOST_AUTO_TEST_CASE(rows_with_numbers_to_be_predicted_are_held_out_like_others) {
  std::string text = "area,rooms,price\n";
  for (int i = 0; i < 20; ++i) text += "1,2,3\n";
  const Split split = split_holdout(read(regression, text).value(), 0.25, 42);
  BOOST_TEST(split.holdout == (std::vector<std::uint32_t>{0, 3, 7, 8, 18}));
  BOOST_TEST(split.training.size() == 15U);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_targets_is_named) {
  const auto with = [](const std::string& more) {
    return R"({"kind": "table", "columns": [{"name": "x", "type": "numeric"}], )" + more + "}";
  };
  BOOST_TEST(refused(with(R"("targets": [])"), "plan.data.targets"));
  BOOST_TEST(refused(with(R"("targets": [{}])"), "plan.data.targets[0].name"));
  BOOST_TEST(refused(with(R"("targets": [{"name": ""}])"),
                     "plan.data.targets[0].name: expected a column's name, saw an empty text"));
  BOOST_TEST(refused(with(R"("label": "", "classes": ["a", "b"])"),
                     "plan.data.label: expected a column's name"));
  BOOST_TEST(refused(with_columns(R"({"name": "", "type": "numeric"})"),
                     "plan.data.columns[0].name: expected a column's name"));
  BOOST_TEST(refused(with(R"("targets": [{"name": "y", "deviation": 0}])"),
                     "plan.data.targets[0].deviation"));
  BOOST_TEST(refused(with(R"("targets": [{"name": "y"}, {"name": "y"}])"), "'y' again"));
  BOOST_TEST(refused(with(R"("targets": [{"name": "x"}])"), "'x' again"));
  BOOST_TEST(refused(with(R"("targets": [{"name": "y"}], "label": "z")"), "saw both"));
  BOOST_TEST(refused(with(R"("targets": [{"name": "y"}], "classes": ["a", "b"])"),
                     "plan.data.classes: expected none, the targets are numbers"));
  BOOST_TEST(refused(with(R"("classes": ["a", "b"])"), "plan.data.label"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(table_columns, Reading)

BOOST_AUTO_TEST_CASE(a_category_may_be_one_number) {
  const std::string column =
      R"({"name": "c", "type": "categorical", "categories": ["x", "y"], "encoding": "index")";
  const auto dataset =
      read(with_columns(column + R"(, "unknown": "extra"})"), "c,l\ny,a\nx,a\nz,b\n,b\n");
  BOOST_REQUIRE_MESSAGE(dataset, dataset.error().detail);
  BOOST_TEST(all_rows(*dataset).features == (std::vector<float>{1, 0, 2, 2}));
  BOOST_TEST(refuses(with_columns(column + "}"), "c,l\nz,a\n",
                     "rows:2: column 'c': expected one of the plan's categories, saw 'z'"));
  BOOST_TEST(refused(with_columns(column + R"(, "unknown": "zero"})"), "columns[0].unknown"));
  BOOST_TEST(refused(with_columns(R"({"name": "c", "type": "categorical", "categories": ["x"],
                                      "encoding": "binary"})"),
                     "columns[0].encoding"));
}

BOOST_AUTO_TEST_CASE(an_unknown_category_may_have_a_feature_of_its_own) {
  const auto dataset = read(with_columns(R"({"name": "c", "type": "categorical",
                                             "categories": ["x", "y"], "unknown": "extra"})"),
                            "c,l\ny,a\nz,b\n");
  BOOST_REQUIRE_MESSAGE(dataset, dataset.error().detail);
  BOOST_TEST(all_rows(*dataset).features == (std::vector<float>{0, 1, 0, 0, 0, 1}));
}

BOOST_AUTO_TEST_CASE(an_empty_cell_may_be_marked) {
  const auto dataset = read(with_columns(R"({"name": "n", "type": "numeric", "mean": 1,
                                             "missing": 3, "missing_indicator": true},
                                            {"name": "m", "type": "numeric"})"),
                            "n,m,l\n5,7,a\n ,8,b\n");
  BOOST_REQUIRE_MESSAGE(dataset, dataset.error().detail);
  BOOST_TEST(all_rows(*dataset).features == (std::vector<float>{4, 0, 7, 2, 1, 8}));
  // Refused with the plan, not with the first empty cell.
  BOOST_TEST(refused(with_columns(R"({"name": "n", "type": "numeric", "deviation": 1e-30,
                                      "missing": 1e20})"),
                     "plan.data.columns[0].missing: expected a number that fits a float32"));
  BOOST_TEST(refused(with_columns(R"({"name": "n", "type": "numeric", "missing_indicator": true})"),
                     "plan.data.columns[0].missing_indicator"));
}

BOOST_AUTO_TEST_SUITE_END()

std::string text_column(const std::string& more) {
  return R"({"name": "t", "type": "text", "tokens": "words", "vocabulary": ["the", "cat", "sat"],
             "lowercase": true, "length": 4)" +
         more + "}";
}

BOOST_FIXTURE_TEST_SUITE(table_texts, Reading)

BOOST_AUTO_TEST_CASE(a_text_becomes_the_numbers_of_its_tokens) {
  const std::string rows = "l,t\na,The cat sat\nb,the cat sat on the mat\na,\n";
  const auto features = [&](const std::string& more) {
    const auto dataset = read(with_columns(text_column(more)), rows);
    BOOST_REQUIRE_MESSAGE(dataset, dataset.error().detail);
    return all_rows(*dataset).features;
  };
  BOOST_TEST(features("") == (std::vector<float>{2, 3, 4, 0, 2, 3, 4, 1, 0, 0, 0, 0}));
  BOOST_TEST(features(R"(, "padding": "before")") ==
             (std::vector<float>{0, 2, 3, 4, 2, 3, 4, 1, 0, 0, 0, 0}));
  BOOST_TEST(features(R"(, "truncation": "before")") ==
             (std::vector<float>{2, 3, 4, 0, 4, 1, 2, 1, 0, 0, 0, 0}));
}

BOOST_AUTO_TEST_CASE(texts_stand_among_other_columns) {
  const auto dataset = read(with_columns(R"({"name": "n", "type": "numeric"}, )" + text_column("") +
                                         R"(, {"name": "m", "type": "numeric"})"),
                            "l,t,n,m\na,cat,7,8\n");
  BOOST_REQUIRE_MESSAGE(dataset, dataset.error().detail);
  BOOST_TEST(all_rows(*dataset).features == (std::vector<float>{7, 3, 0, 0, 0, 8}));
}

BOOST_AUTO_TEST_CASE(each_token_may_have_a_label) {
  const auto labels = [&](const std::string& more) {
    const auto dataset = read(with_columns(text_column(more), R"(, "label_per": "token")"),
                              "l,t\na b  a,The cat sat\na a b b a,the the the sat cat\n,\n");
    BOOST_REQUIRE_MESSAGE(dataset, dataset.error().detail);
    BOOST_TEST((dataset->target() == Target{Target::Kind::classes, 4, 2}));
    BOOST_TEST(dataset->rows() == 3U);
    BOOST_TEST(dataset->class_counts()[0] + dataset->class_counts()[1] == 7U);
    return all_rows(*dataset).labels;
  };
  constexpr std::uint32_t none = no_label;
  BOOST_TEST(labels("") ==
             (std::vector<std::uint32_t>{0, 1, 0, none, 0, 0, 1, 1, none, none, none, none}));
  BOOST_TEST(labels(R"(, "padding": "before", "truncation": "before")") ==
             (std::vector<std::uint32_t>{none, 0, 1, 0, 0, 1, 1, 0, none, none, none, none}));
}

BOOST_AUTO_TEST_CASE(labels_that_do_not_fit_their_tokens_are_named) {
  const std::string schema = with_columns(text_column(""), R"(, "label_per": "token")");
  BOOST_TEST(
      refuses(schema, "l,t\na b,the cat sat\n",
              "rows:2: column 'l': expected one class for each token of the text, saw 2 for 3"));
  BOOST_TEST(refuses(schema, "l,t\na c a,the cat sat\n",
                     "rows:2: column 'l': expected one of the plan's 2 classes, saw 'c'"));
  const std::string number = R"({"name": "n", "type": "numeric"})";
  BOOST_TEST(refused(with_columns(number, R"(, "label_per": "token")"),
                     "plan.data.label_per: expected one column of type \"text\""));
  BOOST_TEST(refused(with_columns(number, R"(, "label_per": "word")"), "plan.data.label_per"));
  BOOST_TEST(refused(R"({"kind": "table", "label": "l", "classes": ["a b", "c"],
                         "label_per": "token", "columns": [)" +
                         text_column("") + "]}",
                     "plan.data.classes: expected names without spaces"));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_text_is_named) {
  BOOST_TEST(refuses(with_columns(text_column("")), "l,t\na,the \xff\n",
                     "rows:2: column 't': expected UTF-8, saw the byte 0xff"));
  const auto column_refused = [](const std::string& members, std::string_view part) {
    return refused(with_columns(R"({"name": "t", "type": "text", )" + members + "}"), part);
  };
  const std::string tokens = R"("tokens": "words", )";
  const std::string vocabulary = R"("vocabulary": ["a"], )";
  BOOST_TEST(column_refused(vocabulary + R"("length": 4)", "plan.data.columns[0].tokens"));
  BOOST_TEST(column_refused(tokens + R"("length": 4)", "columns[0].vocabulary"));
  BOOST_TEST(column_refused(tokens + vocabulary + R"("length": 0)", "columns[0].length"));
  BOOST_TEST(column_refused(tokens + vocabulary + R"("length": 65537)", "columns[0].length"));
  BOOST_TEST(column_refused(tokens + R"("length": 4, "vocabulary": ["a", "a"])", "twice"));
  BOOST_TEST(column_refused(tokens + R"("length": 4, "vocabulary": ["a", "New York"])",
                            "columns[0].vocabulary: expected entries that are one token each"));
  BOOST_TEST(column_refused(tokens + R"("length": 4, "vocabulary": "words.txt")", "vocabulary"));
  BOOST_TEST(column_refused(tokens + vocabulary + R"("length": 4, "padding": "left")",
                            "columns[0].padding"));
}

// Should: name line and column. Should not: say anything of what stands in the file.
BOOST_AUTO_TEST_CASE(errors_for_a_log_have_the_place_and_not_what_stands_there) {
  const std::string number = with_columns(R"({"name": "n", "type": "numeric"})");
  BOOST_TEST(withheld(number, "n,l\n1,a\nHIV,a\n") == "rows:3: column 'n': expected a number");
  BOOST_TEST(withheld(number, "n,l\n,a\n") == "rows:2: column 'n': expected a number");
  BOOST_TEST(withheld(number, "n,l\n1e999,a\n") == "rows:2: column 'n': expected a finite number");
  BOOST_TEST(withheld(number, "n,l\n1e200,a\n") == "rows:2: column 'n': too large after scaling");
  BOOST_TEST(withheld(number, "n,l\n1,HIV\n") ==
             "rows:2: column 'l': expected one of the plan's 2 classes");
  const std::string category =
      with_columns(R"({"name": "c", "type": "categorical", "categories": ["x", "y"]})");
  BOOST_TEST(withheld(category, "c,l\nHIV,a\n") ==
             "rows:2: column 'c': expected one of the plan's categories");
  const std::string tagged = with_columns(text_column(""), R"(, "label_per": "token")");
  BOOST_TEST(withheld(tagged, "l,t\na,the HIV\n") ==
             "rows:2: column 'l': expected one class for each token of the text");
  BOOST_TEST(withheld(tagged, "l,t\na,the \xff\n") == "rows:2: column 't': expected UTF-8");
  // A file without a header begins with a row.
  BOOST_TEST(withheld(number, "ll,HIV\n") == "rows:1: expected a column 'n', saw none");
  BOOST_TEST(withheld(number, "HIV,HIV\n") == "rows:1: column 2 occurs twice");
  BOOST_TEST(withheld(number, "n,l,HIV\n").find("rows:1: column 3 is not in the plan") == 0U);
  BOOST_TEST(withheld(number, "n,l\n\"1\"HIV,a\n") ==
             "rows:2: expected a comma or the end of the line behind a closing quote");
}

BOOST_AUTO_TEST_CASE(memory_counts_the_tokens_and_their_labels) {
  const std::string schema = with_columns(text_column(""), R"(, "label_per": "token")");
  const std::string text = "l,t\na,the\nb,cat\n";
  const auto dataset = read(schema, text, {2, 64});
  BOOST_REQUIRE_MESSAGE(dataset, dataset.error().detail);
  BOOST_TEST(dataset->memory_bytes() == 64U);
  BOOST_TEST(refuses(schema, text, "bytes in memory", {2, 63}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::data
