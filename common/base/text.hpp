// SPDX-License-Identifier: Apache-2.0
//
// Text from outside, made fit to be shown: UTF-8 checked, control characters escaped, misspelled
// words matched. Pure functions. For error texts and log lines; never for a format that somebody
// parses.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace entente {

// Whether `text` is UTF-8 (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF).
bool is_utf8(std::string_view text);

// `text` on one line and harmless on a terminal: backslash, control characters, line and paragraph
// separators, and characters that change the direction of writing become \n, \t, \u009b, ...; bytes
// that are not UTF-8 become \xNN. At most about `size_max_bytes`, then "...".
std::string escaped(std::string_view text, std::size_t size_max_bytes = 200);

// escaped(text) between single quotes: how error texts show what was seen.
std::string in_quotes(std::string_view text, std::size_t size_max_bytes = 80);

// The word nearest to `word` by edit distance, when near enough to be a misspelling; otherwise an
// empty text. Views `known`. Of equally near words, the first.
std::string_view nearest(std::string_view word, std::span<const std::string> known);

}  // namespace entente
