// SPDX-License-Identifier: Apache-2.0
#include "common/base/text.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <vector>

BOOST_AUTO_TEST_SUITE(text)

using namespace entente;
using namespace std::string_view_literals;

BOOST_AUTO_TEST_CASE(utf8_is_told_from_what_only_looks_like_it) {
  for (const std::string_view good : {""sv, "a"sv, "\0"sv, "ä€😀"sv, "\x7f"sv, "\xc2\x80"sv,
                                      "\xed\x9f\xbf"sv, "\xee\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv}) {
    BOOST_TEST(is_utf8(good), escaped(good));
  }
  // Stray and missing continuations, overlong forms, surrogates, beyond U+10FFFF.
  for (const std::string_view bad :
       {"\x80"sv, "\xc2"sv, "\xc2\x41"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xe0\x9f\xbf"sv,
        "\xf0\x8f\xbf\xbf"sv, "\xed\xa0\x80"sv, "\xed\xbf\xbf"sv, "\xf4\x90\x80\x80"sv,
        "\xf5\x80\x80\x80"sv, "\xff"sv, "a\xe2\x82"sv}) {
    BOOST_TEST(!is_utf8(bad), escaped(bad));
  }
}

BOOST_AUTO_TEST_CASE(what_is_shown_stays_on_one_line_and_commands_no_terminal) {
  BOOST_TEST(escaped("a\nb\r\t\\") == "a\\nb\\r\\t\\\\");
  BOOST_TEST(escaped("\x1b[31m\x7f"sv) == "\\u001b[31m\\u007f");
  BOOST_TEST(escaped("\xc2\x9b"sv) == "\\u009b");  // the one-character escape sequence
  BOOST_TEST(escaped("\xe2\x80\xae\xe2\x80\xa8") == "\\u202e\\u2028");  // right to left, line
  BOOST_TEST(escaped("ok\xff\xc2"sv) == "ok\\xff\\xc2");
  BOOST_TEST(escaped("Charité") == "Charité");
  BOOST_TEST(in_quotes("a\nb") == "'a\\nb'");
}

BOOST_AUTO_TEST_CASE(a_long_text_is_cut_between_characters) {
  BOOST_TEST(escaped("abcdef", 6) == "abcdef");
  BOOST_TEST(escaped("abcdefg", 6) == "abcdef...");
  BOOST_TEST(escaped("äöü", 3) == "äö...");
}

BOOST_AUTO_TEST_CASE(a_misspelled_word_finds_its_original_and_a_strange_one_nothing) {
  const std::vector<std::string> known = {"training", "rounds", "data", "name", "seed"};
  BOOST_TEST(nearest("trainig", known) == "training");
  BOOST_TEST(nearest("Rounds", known) == "rounds");
  BOOST_TEST(nearest("nmae", known) == "name");
  BOOST_TEST(nearest("quorum", known) == "");
  BOOST_TEST(nearest("x", known) == "");
  BOOST_TEST(nearest("", known) == "");
  BOOST_TEST(nearest(std::string(100'000, 'a'), known) == "");
}

BOOST_AUTO_TEST_SUITE_END()
