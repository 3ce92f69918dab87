// SPDX-License-Identifier: Apache-2.0
#include "common/base/text.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace entente {
namespace {

constexpr std::size_t misspelled_word_size_max = 64;

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t size_bytes = 0;  // 0: not UTF-8
};

// The code point at the front of `text`, which is not empty.
CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xF0 ? 4U : lead >= 0xE0 ? 3U : 2U;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
  std::uint32_t value = lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {};
    value = value << 6U | (byte(i) & 0x3FU);
  }
  const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (overlong || surrogate || value > 0x10FFFF) return {};
  return {value, size};
}

std::string hexadecimal(std::uint32_t value, std::size_t digits) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i > 0; --i, value >>= 4U)
    text[i - 1] = "0123456789abcdef"[value & 15U];
  return text;
}

bool must_be_escaped(std::uint32_t c) {
  const auto within = [c](std::uint32_t first, std::uint32_t last) {
    return first <= c && c <= last;
  };
  return c < 0x20 || c == '\\' || within(0x7F, 0x9F) || c == 0x061C || within(0x200B, 0x200F) ||
         within(0x2028, 0x202E) || within(0x2060, 0x2069) || c == 0xFEFF;
}

std::string escape(std::uint32_t c) {
  switch (c) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\\':
      return "\\\\";
    default:
      return "\\u" + hexadecimal(c, 4);
  }
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint next = first_code_point(text);
    if (next.size_bytes == 0) return false;
    text.remove_prefix(next.size_bytes);
  }
  return true;
}

std::string escaped(std::string_view text, std::size_t size_max_bytes) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= size_max_bytes) return out + "...";
    const CodePoint next = first_code_point(text);
    if (next.size_bytes == 0) {
      out += "\\x" + hexadecimal(static_cast<std::uint8_t>(text[0]), 2);
      text.remove_prefix(1);
      continue;
    }
    if (must_be_escaped(next.value)) {
      out += escape(next.value);
    } else {
      out += text.substr(0, next.size_bytes);
    }
    text.remove_prefix(next.size_bytes);
  }
  return out;
}

std::string in_quotes(std::string_view text, std::size_t size_max_bytes) {
  return "'" + escaped(text, size_max_bytes) + "'";
}

std::string_view nearest(std::string_view word, std::span<const std::string> known) {
  if (word.size() > misspelled_word_size_max) return {};
  std::size_t best = std::max<std::size_t>(2, word.size() / 3) + 1;
  std::string_view found;
  for (const std::string& candidate : known) {
    if (candidate.size() > misspelled_word_size_max) continue;
    const std::size_t distance = edit_distance(word, candidate);
    // A word of which nothing is left has not been misspelled.
    if (distance >= best || distance >= std::min(word.size(), candidate.size())) continue;
    best = distance;
    found = candidate;
  }
  return found;
}

}  // namespace entente
