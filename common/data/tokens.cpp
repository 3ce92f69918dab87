// SPDX-License-Identifier: Apache-2.0
#include "common/data/tokens.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "common/base/assert.hpp"
#include "common/base/bytes.hpp"
#include "common/base/file.hpp"
#include "common/base/text.hpp"
#include "common/data/source.hpp"

namespace entente::data {

namespace {

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0xa0 || (c >= 0x2000 && c <= 0x200b) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

bool is_word(char32_t c) {
  if (c < 0x80) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  }
  if (c < 0xc0 || c == 0xd7 || c == 0xf7) return false;
  const auto within = [c](char32_t first, char32_t last) { return c >= first && c <= last; };
  return !within(0x2000, 0x2bff) && !within(0x3000, 0x303f) && !within(0x1f000, 0x1faff);
}

bool is_apostrophe(char32_t c) {
  return c == '\'' || c == 0x2019;
}

// How many bytes a character has that begins with this one; 0 when none does.
std::size_t size_of(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

std::string_view escape_of(char c) {
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  return c == '\\' ? "\\\\" : "";
}

// The entry that a line of a vocabulary's file means; false where an escape is none.
bool unescape(std::string_view line, std::string& entry) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\') {
      entry += line[i];
      continue;
    }
    constexpr std::array<char, 4> known{'\n', '\r', '\t', '\\'};
    const auto pair = line.substr(i, 2);
    const auto* const found =
        std::find_if(known.begin(), known.end(), [&](char c) { return escape_of(c) == pair; });
    if (found == known.end()) return false;
    entry += *found;
    ++i;
  }
  return true;
}

}  // namespace

// What stands at a place of the text.
struct TokenSplitter::Character {
  enum class State { there, end, not_there_yet, malformed };
  State state = State::end;
  char32_t value = 0;
  std::size_t size = 0;
  bool is_there() const { return state == State::there; }
};

TokenSplitter::TokenSplitter(const TokenRule& rule, std::string_view text, bool whole)
    : rule_(rule), text_(text), whole_(whole) {}

TokenSplitter::Character TokenSplitter::character_at(std::size_t at) const {
  using State = Character::State;
  if (at >= text_.size()) return {whole_ ? State::end : State::not_there_yet};
  const auto first = static_cast<unsigned char>(text_[at]);
  if (first < 0x80) return {State::there, first, 1};
  const std::size_t size = size_of(first);
  if (size == 0) return {State::malformed};
  if (text_.size() - at < size) return {whole_ ? State::malformed : State::not_there_yet};
  const std::string_view bytes = text_.substr(at, size);
  if (!is_utf8(bytes)) return {State::malformed};
  char32_t value = first & (0x7fU >> size);
  for (const char byte : bytes.substr(1)) {
    value = value << 6U | (static_cast<unsigned char>(byte) & 0x3fU);
  }
  return {State::there, value, size};
}

// Moves `end` from behind a token's first character to behind its last; false when the text ends
// before that is known.
bool TokenSplitter::find_end(std::size_t& end) const {
  using State = Character::State;
  for (;;) {
    const Character next = character_at(end);
    if (next.state == State::not_there_yet) return false;
    if (!next.is_there()) return true;
    if (rule_.kind == TokenKind::spaces ? !is_space(next.value) : is_word(next.value)) {
      end += next.size;
      continue;
    }
    if (rule_.kind == TokenKind::spaces || !is_apostrophe(next.value)) return true;
    const Character behind = character_at(end + next.size);
    if (behind.state == State::not_there_yet) return false;
    if (!behind.is_there() || !is_word(behind.value)) return true;
    end += next.size + behind.size;
  }
}

TokenSplitter::Found TokenSplitter::next() {
  Character first = character_at(used_);
  while (first.is_there() && rule_.kind != TokenKind::characters && is_space(first.value)) {
    used_ += first.size;
    first = character_at(used_);
  }
  if (first.state == Character::State::malformed) return Found::malformed;
  if (!first.is_there()) return Found::end;
  std::size_t end = used_ + first.size;
  const bool may_go_on =
      rule_.kind == TokenKind::spaces || (rule_.kind == TokenKind::words && is_word(first.value));
  if (may_go_on && !find_end(end)) return Found::end;
  token_ = text_.substr(used_, end - used_);
  used_ = end;
  if (rule_.lowercase) {
    lower_ = token_;
    for (char& c : lower_) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    token_ = lower_;
  }
  return Found::token;
}

std::string not_utf8(std::string_view text, std::size_t at) {
  return "expected UTF-8, saw the byte 0x" + to_hex(std::as_bytes(std::span(text.substr(at, 1)))) +
         " at an impossible place";
}

TokenIndex::TokenIndex(const Vocabulary& vocabulary) : rule_(vocabulary.rule) {
  ENTENTE_ASSERT(vocabulary.entries.size() <= vocabulary_max, "every entry has a number");
  numbers_.reserve(vocabulary.entries.size());
  for (std::size_t i = 0; i < vocabulary.entries.size(); ++i) {
    numbers_.emplace(vocabulary.entries[i], static_cast<TokenNumber>(i + first_token));
  }
}

TokenNumber TokenIndex::number(std::string_view token) const {
  const auto found = numbers_.find(token);
  return found == numbers_.end() ? unknown_token : found->second;
}

std::string TokenIndex::add_numbers(std::string_view text,
                                    std::vector<TokenNumber>& numbers) const {
  TokenSplitter tokens(rule_, text, true);
  auto found = tokens.next();
  for (; found == TokenSplitter::Found::token; found = tokens.next()) {
    numbers.push_back(number(tokens.token()));
  }
  return found == TokenSplitter::Found::malformed ? not_utf8(text, tokens.used()) : std::string();
}

std::string_view never_found(const Vocabulary& vocabulary) {
  for (const std::string& entry : vocabulary.entries) {
    TokenSplitter tokens(vocabulary.rule, entry, true);
    if (tokens.next() != TokenSplitter::Found::token || tokens.token() != entry) return entry;
  }
  return {};
}

Result<std::vector<std::string>> make_vocabulary(std::string_view text, const TokenRule& rule,
                                                 std::size_t most) {
  ENTENTE_ASSERT(most <= vocabulary_max, "a vocabulary that has a number for each entry");
  std::unordered_map<std::string, std::uint64_t> counts;
  std::string key;
  TokenSplitter tokens(rule, text, true);
  auto found = tokens.next();
  for (; found == TokenSplitter::Found::token; found = tokens.next()) {
    if (tokens.token().size() > entry_max_bytes) continue;
    key.assign(tokens.token());
    ++counts[key];
  }
  if (found == TokenSplitter::Found::malformed) {
    const std::string_view before = text.substr(0, tokens.used());
    return Error{Errc::malformed,
                 "line " + std::to_string(1 + std::count(before.begin(), before.end(), '\n')) +
                     ", byte " + std::to_string(before.size()) + ": " +
                     not_utf8(text, tokens.used())};
  }
  std::vector<std::pair<std::string, std::uint64_t>> order(counts.begin(), counts.end());
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  std::vector<std::string> entries;
  for (auto& [token, count] : order) {
    if (entries.size() == most) break;
    entries.push_back(std::move(token));
  }
  return entries;
}

std::string to_vocabulary_file(const std::vector<std::string>& entries) {
  std::string text;
  for (const std::string& entry : entries) {
    for (const char c : entry) {
      const std::string_view escape = escape_of(c);
      escape.empty() ? text += c : text += escape;
    }
    text += '\n';
  }
  return text;
}

Result<std::vector<std::string>> read_vocabulary_file(const std::filesystem::path& path) {
  const auto text = read_text(path, vocabulary_file_max_bytes);
  if (!text) return text.error();
  std::vector<std::string> entries;
  std::string_view rest = *text;
  if (rest.starts_with(byte_order_mark)) rest.remove_prefix(byte_order_mark.size());
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto wrong = [&](const std::string& what) {
      return Error{Errc::malformed,
                   path.string() + ":" + std::to_string(entries.size() + 1) + ": " + what};
    };
    std::string entry;
    if (!is_utf8(line)) return wrong("expected UTF-8");
    if (!unescape(line, entry)) {
      return wrong("expected a backslash written \\\\, or \\n, \\r, \\t, saw " + in_quotes(line));
    }
    if (entry.empty() || entry.size() > entry_max_bytes) {
      return wrong("expected an entry of 1 to " + std::to_string(entry_max_bytes) + " bytes, saw " +
                   std::to_string(entry.size()));
    }
    if (entries.size() == vocabulary_max) {
      return wrong("expected at most " + std::to_string(vocabulary_max) + " entries, saw more");
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace entente::data
