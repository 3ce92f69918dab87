// SPDX-License-Identifier: Apache-2.0
#include "common/data/dataset.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <numeric>

#include "tests/common/data/rows.hpp"

namespace entente::data {
namespace {

Schema table_schema(bool ignore_other_columns = false, bool unknown_is_zero = false) {
  return Schema{{"no", "yes"},
                Table{{{"age", Numeric{40, 10, {}}},
                       {"colour", Categorical{{"red", "blue"},
                                              unknown_is_zero ? Categorical::Unknown::zero
                                                              : Categorical::Unknown::error}},
                       {"weight", Numeric{0, 2, 8.0}}},
                      "sick",
                      ignore_other_columns,
                      false,
                      {}}};
}

struct TableFixture {
  Folder folder;
  Result<Dataset> read(std::string_view text, const Schema& schema = table_schema(),
                       const Limits& limits = {}) const {
    Source source;
    source.table = folder.write("t.csv", text);
    return load(schema, source, limits);
  }
  bool refuses(std::string_view text, std::string_view part,
               const Schema& schema = table_schema()) const {
    return fails(read(text, schema), Errc::malformed, part);
  }
};

BOOST_FIXTURE_TEST_SUITE(table, TableFixture)

BOOST_AUTO_TEST_CASE(cells_become_scaled_and_one_hot_features_in_the_plans_order) {
  const auto dataset = read("weight,sick,age,colour\n4,yes,50,blue\n, no ,35.5,red\n",
                            Schema{{" no ", "yes"}, table_schema().kind});
  BOOST_REQUIRE(dataset);
  BOOST_TEST(dataset->feature_count() == 4U);
  const Rows rows = all_rows(*dataset);
  BOOST_TEST(rows.features == (std::vector<float>{1, 0, 1, 2, -0.45F, 1, 0, 4}));
  BOOST_TEST(rows.labels == (std::vector<std::uint32_t>{1, 0}));
  BOOST_TEST(dataset->class_counts() == (std::vector<std::uint64_t>{1, 1}));
}

BOOST_AUTO_TEST_CASE(numbers_are_read_in_any_usual_form) {
  const auto dataset = read("age,colour,weight,sick\n 4e1 ,red,-2.50,no\n\"40\",red,1e-3,no\n");
  BOOST_REQUIRE(dataset);
  const Rows rows = all_rows(*dataset);
  BOOST_TEST(rows.features[0] == 0.0F);
  BOOST_TEST(rows.features[3] == -1.25F);
  BOOST_TEST(rows.features[7] == 0.0005F);
}

BOOST_AUTO_TEST_CASE(a_bad_cell_is_named_by_line_and_column) {
  const std::string head = "age,colour,weight,sick\n40,red,1,no\n";
  BOOST_TEST(
      refuses(head + "abc,red,1,no\n", "t.csv:3: column 'age': expected a number, saw 'abc'"));
  BOOST_TEST(
      refuses(head + "1.5x,red,1,no\n", "t.csv:3: column 'age': expected a number, saw '1.5x'"));
  BOOST_TEST(refuses(head + "\"1,5\",red,1,no\n", "expected a number, saw '1,5'"));
  BOOST_TEST(refuses(head + ",red,1,no\n", "column 'age': expected a number, saw an empty cell"));
  BOOST_TEST(refuses(head + "nan,red,1,no\n", "column 'age': expected a finite number, saw 'nan'"));
  BOOST_TEST(refuses(head + "40,red,-inf,no\n", "column 'weight': expected a finite number"));
  BOOST_TEST(refuses(head + "1e999,red,1,no\n", "expected a finite number, saw '1e999'"));
  BOOST_TEST(refuses(head + "1e60,red,1,no\n", "too large after scaling"));
  BOOST_TEST(refuses(head + "40,green,1,no\n",
                     "column 'colour': expected one of the plan's categories, saw 'green'"));
  BOOST_TEST(refuses(head + "40,,1,no\n",
                     "column 'colour': expected one of the plan's categories, saw an empty cell"));
  BOOST_TEST(refuses(head + "40,red,1,maybe\n",
                     "column 'sick': expected one of the plan's 2 classes, saw 'maybe'"));
  BOOST_TEST(refuses(head + "40,red,1,\n", "column 'sick'"));
  BOOST_TEST(refuses(head + "40,red,1\n", "t.csv:3: expected 4 cells, saw 3"));
  BOOST_TEST(refuses(head + "40,red,1,no,5\n", "t.csv:3: expected 4 cells, saw 5"));
  BOOST_TEST(refuses(head + "\n\n\"x\ny\",red,1,no\n",
                     "t.csv:5: column 'age': expected a number, saw 'x\\ny'"));
}

BOOST_AUTO_TEST_CASE(an_unknown_category_is_all_zero_where_the_plan_says_so) {
  const auto dataset =
      read("age,colour,weight,sick\n40,green,0,no\n40,,0,no\n", table_schema(false, true));
  BOOST_REQUIRE(dataset);
  BOOST_TEST(all_rows(*dataset).features == std::vector<float>(8, 0.0F));
}

BOOST_AUTO_TEST_CASE(columns_must_be_there_and_be_known) {
  BOOST_TEST(refuses("Age,colour,weight,sick\n",
                     "t.csv:1: expected a column 'age', saw none (nearest: 'Age')"));
  BOOST_TEST(refuses("age,colour,weight\n", "expected a column 'sick', saw none"));
  BOOST_TEST(refuses("age,colour,weight,age,sick\n", "column 'age' occurs twice"));
  BOOST_TEST(refuses("age,colour,weight,sick,split\n40,red,1,no,train\n",
                     "column 'split' is not in the plan"));
  BOOST_TEST(
      read("age,colour,weight,sick,split\n40,red,1,no,train\n", table_schema(true)).has_value());
  BOOST_TEST(refuses("", "saw an empty file"));
  BOOST_TEST(refuses("age,colour,weight,sick\n", "expected rows behind the header, saw none"));
}

BOOST_AUTO_TEST_CASE(rows_and_memory_are_limited) {
  const std::string two = "age,colour,weight,sick\n40,red,1,no\n40,red,1,no\n";
  BOOST_TEST(read(two, table_schema(), Limits{2, 1U << 20U}).has_value());
  BOOST_TEST(fails(read(two, table_schema(), Limits{1, 1U << 20U}), Errc::malformed,
                   "t.csv:3: expected at most 1 rows"));
  BOOST_TEST(read(two, table_schema(), Limits{10, 40}).has_value());
  BOOST_TEST(fails(read(two, table_schema(), Limits{10, 39}), Errc::malformed, "bytes in memory"));
}

BOOST_AUTO_TEST_CASE(a_source_of_the_wrong_kind_is_refused) {
  BOOST_TEST(fails(load(table_schema(), Source{}), Errc::invalid_argument, "asks for a table"));
  BOOST_TEST(fails(load(table_schema(), Source{folder / "none.csv", {}, {}}), Errc::not_found,
                   "none.csv"));
}

BOOST_AUTO_TEST_SUITE_END()

// A big-endian IDX header with these dimensions, then `content`.
std::string idx(std::initializer_list<std::uint32_t> dimensions, std::string_view content) {
  std::string text{'\0', '\0', '\x08', static_cast<char>(dimensions.size())};
  for (const std::uint32_t dimension : dimensions) {
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(dimension >> shift);
  }
  return text + std::string(content);
}

const std::string pixels{"\x00\x01\x02\x03\x04\x05\xff\xfe\xfd\xfc\xfb\x33", 12};
const std::string images_of_2x3 = idx({2, 2, 3}, pixels);
const std::string two_labels = idx({2}, std::string_view("\x01\x00", 2));

struct ImageFixture {
  Folder folder;
  Schema schema{{"a", "b"}, Image{2, 3, 1, {0.5}, {0.25}, {}}};
  Result<Dataset> read(std::string_view images, std::string_view labels,
                       const Limits& limits = {}) const {
    return load(schema, Source{{}, folder.write("images", images), folder.write("labels", labels)},
                limits);
  }
  bool refuses(std::string_view images, std::string_view labels, std::string_view part) const {
    return fails(read(images, labels), Errc::malformed, part);
  }
};

BOOST_FIXTURE_TEST_SUITE(images, ImageFixture)

BOOST_AUTO_TEST_CASE(bytes_become_scaled_features) {
  const auto dataset = read(images_of_2x3, two_labels);
  BOOST_REQUIRE(dataset);
  const Rows rows = all_rows(*dataset);
  BOOST_TEST(rows.labels == (std::vector<std::uint32_t>{1, 0}));
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const double byte = static_cast<unsigned char>(pixels[i]);
    BOOST_TEST(rows.features[i] == static_cast<float>((byte / 255.0 - 0.5) / 0.25));
  }
}

BOOST_AUTO_TEST_CASE(packed_files_read_like_plain_ones) {
  const auto plain = read(images_of_2x3, two_labels);
  const Source source{{},
                      folder.write_gzip("images.gz", images_of_2x3),
                      folder.write_gzip("labels.gz", two_labels)};
  const auto packed = load(schema, source);
  BOOST_REQUIRE(packed);
  BOOST_TEST(all_rows(*packed).features == all_rows(*plain).features);
}

BOOST_AUTO_TEST_CASE(a_dimension_of_one_channel_may_be_written) {
  BOOST_TEST(read(idx({2, 2, 3, 1}, pixels), two_labels).has_value());
}

BOOST_AUTO_TEST_CASE(files_cut_anywhere_are_refused) {
  for (std::size_t size = 0; size < images_of_2x3.size(); ++size) {
    BOOST_REQUIRE(
        fails(read(images_of_2x3.substr(0, size), two_labels), Errc::malformed, "images: "));
  }
  for (std::size_t size = 0; size < two_labels.size(); ++size) {
    BOOST_REQUIRE(
        fails(read(images_of_2x3, two_labels.substr(0, size)), Errc::malformed, "labels: "));
  }
  BOOST_TEST(refuses(images_of_2x3.substr(0, 20), two_labels,
                     "cut short: expected 12 bytes behind the header, saw 4"));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_named) {
  BOOST_TEST(
      refuses(images_of_2x3 + "x", two_labels, "expected 12 bytes behind the header, saw more"));
  BOOST_TEST(refuses(images_of_2x3, two_labels + "x",
                     "labels: expected 2 bytes behind the header, saw more"));
  BOOST_TEST(refuses("PNG.....", two_labels, "not an IDX file"));
  BOOST_TEST(refuses(std::string("\0\0\x0d\x03", 4), two_labels, "saw type 0x0d"));
  BOOST_TEST(refuses(std::string("\0\0\x08\x05", 4), two_labels, "saw 5"));
  BOOST_TEST(refuses(idx({2, 3, 2}, pixels), two_labels, "expected images of 2 x 3, saw 3 x 2"));
  BOOST_TEST(refuses(idx({12}, pixels), two_labels, "saw one byte an image"));
  BOOST_TEST(
      refuses(images_of_2x3, images_of_2x3, "expected labels in one dimension, saw 2 x 2 x 3"));
  BOOST_TEST(refuses(images_of_2x3, idx({3}, "abc"), "expected 2 labels"));
  BOOST_TEST(refuses(images_of_2x3, idx({2}, std::string_view("\x01\x02", 2)),
                     "row 2: expected a label below 2, saw 2"));
  BOOST_TEST(refuses(idx({0, 2, 3}, ""), idx({0}, ""), "expected images, saw none"));
}

BOOST_AUTO_TEST_CASE(a_header_that_promises_too_much_costs_no_memory) {
  BOOST_TEST(refuses(idx({0xffffffff, 2, 3}, pixels), idx({0xffffffff}, "ab"),
                     "expected at most 100000000 rows"));
  BOOST_TEST(refuses(idx({100'000'000, 2, 3}, pixels), idx({100'000'000}, "ab"), "cut short"));
  BOOST_TEST(
      fails(read(images_of_2x3, two_labels, Limits{2, 19}), Errc::malformed, "bytes in memory"));
  BOOST_TEST(read(images_of_2x3, two_labels, Limits{2, 20}).has_value());
}

BOOST_AUTO_TEST_CASE(labels_are_found_beside_their_images) {
  const auto source = source_of(schema, "x-images/t10k-images-idx3-ubyte.gz");
  BOOST_REQUIRE(source);
  BOOST_TEST(source->labels.string() == "x-images/t10k-labels-idx1-ubyte.gz");
  BOOST_TEST(source_of(schema, "photos.idx").has_error());
  BOOST_TEST(source_of(table_schema(), "photos.csv")->table.string() == "photos.csv");
}

BOOST_AUTO_TEST_SUITE_END()

struct SplitFixture : ImageFixture {
  Dataset of_rows(std::uint32_t rows) const {
    return read(idx({rows, 2, 3}, std::string(rows * 6, 'x')), idx({rows}, std::string(rows, '\0')))
        .value();
  }
};

BOOST_FIXTURE_TEST_SUITE(batches, SplitFixture)

BOOST_AUTO_TEST_CASE(a_split_keeps_the_asked_fraction_and_loses_no_row) {
  const Dataset dataset = of_rows(1003);
  const Split split = split_holdout(dataset, 0.2, 7);
  BOOST_TEST(split.holdout.size() == 200U);
  std::vector<std::uint32_t> all = split.training;
  all.insert(all.end(), split.holdout.begin(), split.holdout.end());
  std::sort(all.begin(), all.end());
  for (std::uint32_t row = 0; row < 1003; ++row) BOOST_REQUIRE(all[row] == row);
  BOOST_TEST(split_holdout(dataset, 0.2, 7).holdout == split.holdout);
  BOOST_TEST(split_holdout(dataset, 0.2, 8).holdout != split.holdout);
  BOOST_TEST(split_holdout(dataset, 0, 7).holdout.empty());
  BOOST_TEST(split_holdout(of_rows(1), 0.9, 7).training.size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_draw_for_a_seed_never_changes) {
  const Split split = split_holdout(of_rows(20), 0.25, 42);
  BOOST_TEST(split.holdout == (std::vector<std::uint32_t>{0, 3, 7, 8, 18}));
  Batches batches({0, 1, 2, 3, 4, 5, 6, 7}, 8, 42);
  batches.start_epoch(3);
  const auto batch = batches.next();
  BOOST_TEST(std::vector<std::uint32_t>(batch.begin(), batch.end()) ==
             (std::vector<std::uint32_t>{0, 5, 7, 3, 1, 4, 6, 2}));
}

BOOST_AUTO_TEST_CASE(an_epoch_holds_each_row_once_in_an_order_of_its_own) {
  std::vector<std::uint32_t> rows(103);
  std::iota(rows.begin(), rows.end(), 1000U);
  Batches batches(rows, 10, 5);
  BOOST_TEST(batches.next().empty());
  BOOST_TEST(batches.batches_in_epoch() == 11U);
  const auto epoch = [&](std::uint64_t number) {
    std::vector<std::uint32_t> order;
    std::size_t count = 0;
    batches.start_epoch(number);
    for (auto batch = batches.next(); !batch.empty(); batch = batches.next()) {
      BOOST_TEST(batch.size() == (++count == 11 ? 3U : 10U));
      order.insert(order.end(), batch.begin(), batch.end());
    }
    return order;
  };
  const auto first = epoch(0);
  const auto second = epoch(1);
  BOOST_TEST(first != second);
  BOOST_TEST(epoch(0) == first);
  auto sorted = second;
  std::sort(sorted.begin(), sorted.end());
  BOOST_TEST(sorted == rows);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::data
