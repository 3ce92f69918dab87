// SPDX-License-Identifier: Apache-2.0
//
// Tokens: the pieces that text is cut into, and the numbers that a vocabulary gives them. Pure
// functions over UTF-8; a model sees the numbers alone.
//
// Spaces are the ASCII ones (space, \t, \n, \v, \f, \r), U+00A0, U+2000 to U+200B, U+2028, U+2029,
// U+202F, U+205F and U+3000. The three ways to cut:
//
//   characters  every Unicode character is a token, spaces and line ends too
//   words       every run of word characters is a token, and so is every other character that is no
//               space. Word characters: A-Z, a-z, 0-9, and everything from U+00C0 up but the signs
//               U+00D7, U+00F7, U+2000 to U+2BFF, U+3000 to U+303F and U+1F000 to U+1FAFF. An
//               apostrophe (' or U+2019) between two of them belongs to the word.
//               "It's 3.5 km" is It's, 3, ".", 5, km.
//   spaces      every run of characters that are no spaces is a token
//
// Lower case, where asked for, is that of A to Z alone. The numbers are those of Keras'
// TextVectorization: 0 is padding, 1 is every token that the vocabulary does not have, its entries
// begin at 2.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.hpp"

namespace entente::data {

using TokenNumber = std::uint16_t;

inline constexpr TokenNumber padding_token = 0;
inline constexpr TokenNumber unknown_token = 1;
inline constexpr TokenNumber first_token = 2;
inline constexpr std::size_t vocabulary_max = 65'534;  // entries: every number fits a TokenNumber
inline constexpr std::size_t entry_max_bytes = 256;
inline constexpr std::size_t vocabulary_file_max_bytes = 4U << 20U;
inline constexpr std::size_t token_max_bytes = 64U << 10U;  // in a text

enum class TokenKind { characters, words, spaces };

struct TokenRule {
  TokenKind kind = TokenKind::characters;
  bool lowercase = false;
  friend bool operator==(const TokenRule&, const TokenRule&) = default;
};

struct Vocabulary {
  TokenRule rule;
  std::vector<std::string> entries;
  // How many numbers a token may have.
  std::size_t width() const { return entries.size() + first_token; }
  friend bool operator==(const Vocabulary&, const Vocabulary&) = default;
};

// Cuts `text`, token by token. Views `text`, which must outlive it.
class TokenSplitter {
 public:
  enum class Found { token, end, malformed };

  // `whole`: nothing follows `text`. Otherwise a last token that might go on is not given.
  TokenSplitter(const TokenRule& rule, std::string_view text, bool whole);

  // `malformed`: the bytes at used() are not UTF-8.
  Found next();
  // The token found; lives until the next call of next().
  std::string_view token() const { return token_; }
  // Bytes of `text` that need not be looked at again.
  std::size_t used() const { return used_; }

 private:
  struct Character;
  Character character_at(std::size_t at) const;
  bool find_end(std::size_t& end) const;

  TokenRule rule_;
  std::string_view text_;
  bool whole_;
  std::size_t used_ = 0;
  std::string_view token_;
  std::string lower_;
};

// "expected UTF-8, saw the byte 0xff", of the byte at `at`.
std::string not_utf8(std::string_view text, std::size_t at);

// Finds the numbers of tokens. Views the vocabulary, which must outlive it.
class TokenIndex {
 public:
  explicit TokenIndex(const Vocabulary& vocabulary);
  TokenNumber number(std::string_view token) const;
  // Appends the numbers of all tokens of `text`. What is wrong with it; empty when nothing is.
  std::string add_numbers(std::string_view text, std::vector<TokenNumber>& numbers) const;

 private:
  TokenRule rule_;
  std::unordered_map<std::string_view, TokenNumber> numbers_;
};

// The first entry that is not one token as the vocabulary's own rule cuts text, and so would never
// be found; empty when there is none. Views the vocabulary.
std::string_view never_found(const Vocabulary& vocabulary);

// The `most` most frequent tokens of `text`, the most frequent first, equally frequent ones in the
// order of their bytes; tokens that are too long for an entry are passed over.
// Precondition: most <= vocabulary_max. Errors: malformed - not UTF-8; the text says where.
Result<std::vector<std::string>> make_vocabulary(std::string_view text, const TokenRule& rule,
                                                 std::size_t most);

// A vocabulary's file: one entry a line, UTF-8, a line feed written \n, a carriage return \r, a tab
// \t and a backslash \\ . A byte order mark is skipped.
std::string to_vocabulary_file(const std::vector<std::string>& entries);
// Errors: malformed - "words.txt:17: ..."; not_found; io.
Result<std::vector<std::string>> read_vocabulary_file(const std::filesystem::path& path);

}  // namespace entente::data
