// SPDX-License-Identifier: Apache-2.0
#include "common/data/tokens.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/common/data/folder.hpp"

namespace entente::data {
namespace {

using Texts = std::vector<std::string>;

// The tokens of `text`, read in pieces that end anywhere; "!N" where byte N is not UTF-8.
Texts cut(TokenKind kind, std::string_view text, bool lowercase = false,
          std::size_t piece = 1U << 20U) {
  Texts tokens;
  std::size_t begin = 0;
  for (std::size_t end = std::min(piece, text.size());; end = std::min(end + piece, text.size())) {
    TokenSplitter splitter({kind, lowercase}, text.substr(begin, end - begin), end == text.size());
    auto found = splitter.next();
    for (; found == TokenSplitter::Found::token; found = splitter.next()) {
      tokens.emplace_back(splitter.token());
    }
    begin += splitter.used();
    if (found == TokenSplitter::Found::malformed) tokens.push_back("!" + std::to_string(begin));
    if (found == TokenSplitter::Found::malformed || end == text.size()) return tokens;
  }
}

BOOST_AUTO_TEST_SUITE(tokens)

BOOST_AUTO_TEST_CASE(every_character_is_a_token) {
  BOOST_TEST(cut(TokenKind::characters, "aB \n") == (Texts{"a", "B", " ", "\n"}));
  BOOST_TEST(cut(TokenKind::characters, "aB", true) == (Texts{"a", "b"}));
  BOOST_TEST(cut(TokenKind::characters, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") ==
             (Texts{"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}));
  BOOST_TEST(cut(TokenKind::characters, "").empty());
}

BOOST_AUTO_TEST_CASE(words_are_cut_as_the_rule_says) {
  const auto words = [](std::string_view text) { return cut(TokenKind::words, text); };
  BOOST_TEST(words("It's 3.5 km,\tnot 4!") ==
             (Texts{"It's", "3", ".", "5", "km", ",", "not", "4", "!"}));
  BOOST_TEST(words("'a' rock'n'roll dogs' ''b") ==
             (Texts{"'", "a", "'", "rock'n'roll", "dogs", "'", "'", "'", "b"}));
  BOOST_TEST(words("Gr\xc3\xb6\xc3\x9f"
                   "e isn\xe2\x80\x99t \xe2\x80\x9c"
                   "big\xe2\x80\x9d") ==
             (Texts{"Gr\xc3\xb6\xc3\x9f"
                    "e",
                    "isn\xe2\x80\x99t", "\xe2\x80\x9c", "big", "\xe2\x80\x9d"}));
  BOOST_TEST(words("a_b-c\xc2\xa0"
                   "d\xe3\x80\x80"
                   "e") == (Texts{"a", "_", "b", "-", "c", "d", "e"}));
  BOOST_TEST(words("ok\xf0\x9f\x98\x80 2\xc3\x97"
                   "3") == (Texts{"ok", "\xf0\x9f\x98\x80", "2", "\xc3\x97", "3"}));
  BOOST_TEST(words(" \r\n ").empty());
}

BOOST_AUTO_TEST_CASE(lower_case_is_that_of_ascii) {
  BOOST_TEST(cut(TokenKind::words, "HELLO \xc3\x84Z", true) == (Texts{"hello", "\xc3\x84z"}));
}

BOOST_AUTO_TEST_CASE(runs_between_spaces_are_tokens) {
  BOOST_TEST(cut(TokenKind::spaces, " New York,\n3.5\xc2\xa0km ") ==
             (Texts{"New", "York,", "3.5", "km"}));
}

BOOST_AUTO_TEST_CASE(where_a_text_is_cut_into_pieces_does_not_matter) {
  const std::string text =
      "It's  Gr\xc3\xb6\xc3\x9f"
      "e \xe2\x80\x9cisn\xe2\x80\x99t\xe2\x80\x9d x' \xf0\x9f\x98\x80'y z";
  for (const TokenKind kind : {TokenKind::characters, TokenKind::words, TokenKind::spaces}) {
    const Texts whole = cut(kind, text);
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
      BOOST_REQUIRE(cut(kind, text, false, piece) == whole);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_utf8_is_found_at_its_byte) {
  for (const std::string& bad : {std::string("\x80"), std::string("\xff"), std::string("\xc0\xaf"),
                                 std::string("\xed\xa0\x80"), std::string("\xf4\x90\x80\x80"),
                                 std::string("\xe2\x82"), std::string("\xe2\x82 ")}) {
    for (const TokenKind kind : {TokenKind::characters, TokenKind::words, TokenKind::spaces}) {
      for (std::size_t piece = 1; piece <= bad.size() + 1; ++piece) {
        BOOST_REQUIRE(cut(kind, "a" + bad, false, piece) == (Texts{"a", "!1"}));
      }
    }
  }
  BOOST_TEST(not_utf8("a\xff", 1).find("0xff") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(numbers_are_those_of_keras) {
  const Vocabulary vocabulary{{TokenKind::words, true}, {"the", "cat"}};
  const TokenIndex index(vocabulary);
  std::vector<TokenNumber> numbers;
  BOOST_TEST(index.add_numbers("The dog, the CAT", numbers).empty());
  BOOST_TEST(numbers == (std::vector<TokenNumber>{2, 1, 1, 2, 3}));
  BOOST_TEST(vocabulary.width() == 4U);
  BOOST_TEST(!index.add_numbers("the \xff", numbers).empty());
}

BOOST_AUTO_TEST_CASE(an_entry_that_no_text_can_hold_is_found) {
  const auto found = [](TokenRule rule, Texts entries) {
    const Vocabulary vocabulary{rule, std::move(entries)};
    return std::string(never_found(vocabulary));
  };
  BOOST_TEST(found({TokenKind::words, false}, {"New", "York", "!"}) == "");
  BOOST_TEST(found({TokenKind::words, false}, {"New", "New York"}) == "New York");
  BOOST_TEST(found({TokenKind::words, false}, {" a"}) == " a");
  BOOST_TEST(found({TokenKind::words, false}, {" "}) == " ");
  BOOST_TEST(found({TokenKind::words, true}, {"a", "B"}) == "B");
  BOOST_TEST(found({TokenKind::characters, false}, {"a", " ", "\n"}) == "");
  BOOST_TEST(found({TokenKind::characters, false}, {"ab"}) == "ab");
  BOOST_TEST(found({TokenKind::characters, false}, {"\xff"}) == "\xff");
  BOOST_TEST(found({TokenKind::spaces, false}, {"[UNK]"}) == "");
}

BOOST_AUTO_TEST_CASE(the_most_frequent_tokens_make_the_vocabulary) {
  const auto made = make_vocabulary("b a c a B", {TokenKind::words, true}, 10);
  BOOST_REQUIRE(made);
  BOOST_TEST(*made == (Texts{"a", "b", "c"}));
  BOOST_TEST(make_vocabulary("b a c a b", {TokenKind::words, false}, 2).value() ==
             (Texts{"a", "b"}));
  BOOST_TEST(make_vocabulary(std::string(300, 'x') + " y", {TokenKind::words, false}, 2).value() ==
             (Texts{"y"}));
  BOOST_TEST(fails(make_vocabulary("a\nb\xff", {}, 10), Errc::malformed, "line 2, byte 3"));
}

BOOST_AUTO_TEST_CASE(a_vocabulary_file_reads_back) {
  const Folder folder;
  const Texts entries{"\n", " ", "\t", "\\", "\r", "word", "\xc3\xa4"};
  const std::string text = to_vocabulary_file(entries);
  BOOST_TEST(text == "\\n\n \n\\t\n\\\\\n\\r\nword\n\xc3\xa4\n");
  BOOST_TEST(read_vocabulary_file(folder.write("v.txt", text)).value() == entries);
  BOOST_TEST(read_vocabulary_file(folder.write("v.txt", "a\r\nb")).value() == (Texts{"a", "b"}));
  BOOST_TEST(read_vocabulary_file(folder.write("v.txt", "\xef\xbb\xbf" + text)).value() == entries);
}

BOOST_AUTO_TEST_CASE(a_bad_vocabulary_file_is_refused_with_its_line) {
  const Folder folder;
  const auto refuses = [&](std::string_view text, std::string_view part) {
    return fails(read_vocabulary_file(folder.write("v.txt", text)), Errc::malformed, part);
  };
  BOOST_TEST(refuses("a\n\nb\n", "v.txt:2: expected an entry of 1 to 256 bytes, saw 0"));
  BOOST_TEST(refuses("a\n" + std::string(257, 'x'), "v.txt:2: expected an entry"));
  BOOST_TEST(refuses("a\\b\n", "v.txt:1: expected a backslash written"));
  BOOST_TEST(refuses("a\\", "v.txt:1: expected a backslash written"));
  BOOST_TEST(refuses("a\n\xff\n", "v.txt:2: expected UTF-8"));
  std::string many;
  for (std::size_t i = 0; i <= vocabulary_max; ++i) many += std::to_string(i) + "\n";
  BOOST_TEST(refuses(many, "v.txt:65535: expected at most 65534 entries"));
  BOOST_TEST(fails(read_vocabulary_file(folder / "none.txt"), Errc::not_found, "none.txt"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::data
