// SPDX-License-Identifier: Apache-2.0
//
// Texts as windows of next tokens.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/common/data/rows.hpp"

namespace entente::data {
namespace {

// Characters a to e are the numbers 2 to 6.
std::string windows(int length, const std::string& more = "") {
  return R"({"kind": "text", "tokens": "characters", "vocabulary": ["a", "b", "c", "d", "e"],
             "length": )" +
         std::to_string(length) + more + "}";
}

BOOST_FIXTURE_TEST_SUITE(text, Reading)

BOOST_AUTO_TEST_CASE(each_token_of_a_window_has_the_one_behind_it) {
  const auto dataset = read(windows(3), "abcdexab");
  BOOST_REQUIRE_MESSAGE(dataset, dataset.error().detail);
  BOOST_TEST((dataset->target() == Target{Target::Kind::classes, 3, 7}));
  BOOST_TEST(dataset->feature_count() == 3U);
  BOOST_TEST(dataset->rows() == 2U);
  const Rows rows = all_rows(*dataset);
  BOOST_TEST(rows.features == (std::vector<float>{2, 3, 4, 5, 6, 1}));
  BOOST_TEST(rows.labels == (std::vector<std::uint32_t>{3, 4, 5, 6, 1, 2}));
  BOOST_TEST(dataset->class_counts() == (std::vector<std::uint64_t>{0, 1, 1, 1, 1, 1, 1}));
}

BOOST_AUTO_TEST_CASE(a_window_may_have_the_token_behind_it_alone) {
  const auto dataset = read(windows(3, R"(, "stride": 1, "predict": "last")"), "abcdea");
  BOOST_REQUIRE_MESSAGE(dataset, dataset.error().detail);
  BOOST_TEST((dataset->target() == Target{Target::Kind::classes, 1, 7}));
  const Rows rows = all_rows(*dataset);
  BOOST_TEST(rows.features == (std::vector<float>{2, 3, 4, 3, 4, 5, 4, 5, 6}));
  BOOST_TEST(rows.labels == (std::vector<std::uint32_t>{5, 6, 2}));
  const std::vector<std::uint32_t> some{2, 2, 0};
  BOOST_TEST(gathered(*dataset, some).labels == (std::vector<std::uint32_t>{2, 2, 5}));
}

BOOST_AUTO_TEST_CASE(only_whole_windows_with_the_token_behind_them_are_rows) {
  const auto rows = [&](std::size_t tokens, const std::string& stride) {
    return read(windows(4, stride), std::string(tokens, 'a')).value().rows();
  };
  BOOST_TEST(rows(5, "") == 1U);
  BOOST_TEST(rows(8, "") == 1U);
  BOOST_TEST(rows(9, "") == 2U);
  BOOST_TEST(rows(9, R"(, "stride": 1)") == 5U);
  BOOST_TEST(rows(11, R"(, "stride": 6)") == 2U);
  BOOST_TEST(rows(10, R"(, "stride": 6)") == 1U);
  BOOST_TEST(refuses(windows(4), "abcd", "rows: expected at least 5 tokens"));
  BOOST_TEST(refuses(windows(4), "", "saw 0"));
}

BOOST_AUTO_TEST_CASE(windows_take_the_memory_of_their_text_once) {
  const auto dataset = read(windows(100, R"(, "stride": 1)"), std::string(1'000, 'a'));
  BOOST_REQUIRE_MESSAGE(dataset, dataset.error().detail);
  BOOST_TEST(dataset->rows() == 900U);
  BOOST_TEST(dataset->memory_bytes() == 2'000U);
}

BOOST_AUTO_TEST_CASE(packed_and_marked_files_read_like_plain_ones) {
  const Schema schema = parse(windows(2)).value();
  std::string long_text;
  while (long_text.size() < (1U << 20U))
    long_text +=
        "ab\xc3\xa4"
        "cde\n";
  const auto of = [&](const std::filesystem::path& path) {
    return all_rows(load(schema, {{}, {}, {}, path}).value()).features;
  };
  const auto plain = of(folder.write("plain", long_text));
  BOOST_TEST(plain.size() > 900'000U);
  BOOST_TEST((of(folder.write("marked", "\xef\xbb\xbf" + long_text)) == plain));
  BOOST_TEST((of(folder.write_gzip("packed", long_text)) == plain));
}

BOOST_AUTO_TEST_CASE(words_that_cross_the_reading_blocks_stay_whole) {
  const std::string schema = R"({"kind": "text", "tokens": "words", "vocabulary": ["seven", "up"],
                                 "length": 1})";
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "seven up\n";
  const auto counts = read(schema, text).value().class_counts();
  BOOST_TEST(counts == (std::vector<std::uint64_t>{0, 0, 199'999, 200'000}));
}

BOOST_AUTO_TEST_CASE(what_is_not_utf8_is_named_by_line_and_byte) {
  BOOST_TEST(refuses(windows(1), "ab\nc\xff", "rows:2: byte 4: expected UTF-8, saw the byte 0xff"));
  BOOST_TEST(refuses(windows(1), "ab\nc\xe2\x82", "rows:2: byte 4: expected UTF-8"));
  std::string late(600'000, 'a');
  late[300'000] = '\n';
  BOOST_TEST(refuses(windows(1), late + "\xff", "rows:2: byte 600000: expected UTF-8"));
}

BOOST_AUTO_TEST_CASE(errors_for_a_log_have_the_place_and_not_the_byte) {
  BOOST_TEST(withheld(windows(1), "ab\nc\xff") == "rows:2: byte 4: expected UTF-8");
}

BOOST_AUTO_TEST_CASE(tokens_rows_and_the_longest_token_are_limited) {
  BOOST_TEST(read(windows(1), "abcde", {4, 10}).has_value());
  BOOST_TEST(refuses(windows(1), "abcde", "expected at most 4 tokens", {4, 9}));
  BOOST_TEST(refuses(windows(1), "abcde", "expected at most 3 rows, saw at least 4", {3, 10}));
  const std::string words =
      R"({"kind": "text", "tokens": "words", "vocabulary": ["a"], "length": 1})";
  BOOST_TEST(refuses(words, "a\n" + std::string(1U << 20U, 'x'),
                     "rows:2: byte 2: a token of more than 65536 bytes"));
  // Wherever it lies in the blocks that are read.
  const auto long_word = [](std::size_t before, std::size_t size) {
    return std::string(before, '\n') + std::string(size, 'x') + "\na a";
  };
  for (const std::size_t before : {0U, 1U, 150'000U, 262'143U, 262'144U, 300'000U}) {
    BOOST_TEST(refuses(words, long_word(before, 65'537),
                       ": byte " + std::to_string(before) + ": a token of more than 65536 bytes"));
    BOOST_TEST(read(words, long_word(before, 65'536)).has_value());
  }
  BOOST_TEST(fails(load(parse(windows(1)).value(), {{}, {}, {}, folder / "none"}), Errc::not_found,
                   "none"));
  BOOST_TEST(fails(load(parse(windows(1)).value(), {}), Errc::invalid_argument, "asks for a text"));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_text_schema_is_named) {
  BOOST_TEST(refused(windows(0), "plan.data.length"));
  BOOST_TEST(refused(windows(3, R"(, "stride": 0)"), "plan.data.stride"));
  BOOST_TEST(refused(windows(3, R"(, "predict": "first")"), "plan.data.predict"));
  BOOST_TEST(refused(windows(3, R"(, "classes": ["a", "b"])"),
                     "plan.data.classes: expected none, the tokens are the classes"));
  BOOST_TEST(refused(windows(3, R"(, "strife": 1)"), "stride"));
  BOOST_TEST(refused(R"({"kind": "text", "tokens": "characters", "vocabulary": ["ab"],
                         "length": 3})",
                     "plan.data.vocabulary: expected entries that are one token each"));
}

// The first and last token of a window with the tokens behind it.
std::pair<std::size_t, std::size_t> span_of(std::size_t row, std::size_t stride,
                                            std::size_t length) {
  return {row * stride, row * stride + length};
}

BOOST_AUTO_TEST_CASE(no_token_of_a_kept_window_trains) {
  constexpr std::size_t length = 6;
  const std::string text(400, 'a');
  for (const std::size_t stride : {1U, 2U, 4U, 6U, 7U, 9U}) {
    const auto dataset =
        read(windows(length, R"(, "stride": )" + std::to_string(stride)), text).value();
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      const Split split = split_holdout(dataset, 0.2, seed);
      BOOST_REQUIRE(split.holdout.size() == dataset.rows() / 5);
      BOOST_REQUIRE(split.training.size() + split.holdout.size() + 2 * dataset.overlap() >=
                    dataset.rows());
      BOOST_REQUIRE(std::is_sorted(split.training.begin(), split.training.end()));
      for (const std::uint32_t kept : split.holdout) {
        const auto [first, last] = span_of(kept, stride, length);
        for (const std::uint32_t trained : split.training) {
          const auto [begin, end] = span_of(trained, stride, length);
          BOOST_REQUIRE((end < first || begin > last));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_kept_windows_are_neighbours_where_the_seed_says) {
  const auto dataset = read(windows(2), std::string(201, 'a')).value();
  const Split split = split_holdout(dataset, 0.1, 3);
  BOOST_REQUIRE(split.holdout.size() == 10U);
  BOOST_TEST(split.holdout.back() - split.holdout.front() == 9U);
  BOOST_TEST(split_holdout(dataset, 0.1, 3).holdout == split.holdout);
  BOOST_TEST(split_holdout(dataset, 0.1, 4).holdout != split.holdout);
  BOOST_TEST(split_holdout(dataset, 0, 3).training.size() == dataset.rows());
}

BOOST_AUTO_TEST_CASE(some_window_always_trains) {
  for (std::size_t tokens = 3; tokens < 30; ++tokens) {
    for (const int stride : {1, 2, 3}) {
      const auto dataset =
          read(windows(2, R"(, "stride": )" + std::to_string(stride)), std::string(tokens, 'a'))
              .value();
      for (std::uint64_t seed = 0; seed < 10; ++seed) {
        const Split split = split_holdout(dataset, 0.9, seed);
        BOOST_REQUIRE(!split.training.empty());
        BOOST_REQUIRE((!split.holdout.empty() || dataset.rows() <= dataset.overlap() + 1));
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::data
