// SPDX-License-Identifier: Apache-2.0
//
// A text file as one stream of token numbers, read block by block: what is kept of the text itself
// is at most a block and the token that crosses it.
#include <algorithm>

#include "common/data/builder.hpp"
#include "common/data/source.hpp"

namespace entente::data {

namespace {

constexpr std::size_t block_bytes = 256U << 10U;

class TextReader {
 public:
  TextReader(ByteSource source, const Vocabulary& vocabulary, std::uint64_t tokens_max, Cells cells)
      : cells_(cells),
        source_(std::move(source)),
        rule_(vocabulary.rule),
        index_(vocabulary),
        tokens_max_(tokens_max) {}

  // Appends the numbers of the next block's tokens; false when the text is over.
  Result<bool> read(Growing<TokenNumber>& numbers) {
    const std::size_t rest = text_.size();
    text_.resize(rest + block_bytes);
    const auto size =
        source_.read(std::as_writable_bytes(std::span(text_.data() + rest, block_bytes)));
    if (!size) return size.error();
    text_.resize(rest + *size);
    const bool whole = *size < block_bytes;
    const bool marked = place_ == 0 && text_.starts_with(byte_order_mark);
    if (marked) pass(byte_order_mark.size());

    TokenSplitter tokens(rule_, text_, whole);
    auto found = tokens.next();
    for (; found == TokenSplitter::Found::token; found = tokens.next()) {
      const std::size_t token_bytes = tokens.token().size();
      if (token_bytes > token_max_bytes) return too_long(tokens.used() - token_bytes);
      if (numbers.size() == tokens_max_) {
        return wrong(tokens.used(), "expected at most " + std::to_string(tokens_max_) +
                                        " tokens by the limit on memory, saw more");
      }
      numbers.push_back(index_.number(tokens.token()));
    }
    if (found == TokenSplitter::Found::malformed) {
      return wrong(tokens.used(), cells_ == Cells::told ? not_utf8(text_, tokens.used())
                                                        : std::string("expected UTF-8"));
    }
    if (text_.size() - tokens.used() > token_max_bytes) return too_long(tokens.used());
    pass(tokens.used());
    return !whole;
  }

  Error error(const std::string& what) const {
    return Error{Errc::malformed, source_.path().string() + ": " + what};
  }

 private:
  // An error `used` bytes behind the beginning of text_.
  Error wrong(std::size_t used, const std::string& what) const {
    const auto begin = text_.begin();
    const auto lines = std::count(begin, begin + static_cast<std::ptrdiff_t>(used), '\n');
    return Error{Errc::malformed, source_.path().string() + ":" +
                                      std::to_string(line_ + static_cast<std::uint64_t>(lines)) +
                                      ": byte " + std::to_string(place_ + used) + ": " + what};
  }

  Error too_long(std::size_t used) const {
    return wrong(used, "a token of more than " + std::to_string(token_max_bytes) + " bytes");
  }

  // Forgets the first bytes of text_.
  void pass(std::size_t bytes) {
    const auto begin = text_.begin();
    const auto end = begin + static_cast<std::ptrdiff_t>(bytes);
    line_ += static_cast<std::uint64_t>(std::count(begin, end, '\n'));
    place_ += bytes;
    text_.erase(begin, end);
  }

  Cells cells_;
  ByteSource source_;
  TokenRule rule_;
  TokenIndex index_;
  std::uint64_t tokens_max_;
  std::string text_;         // what was read and not cut yet
  std::uint64_t place_ = 0;  // of its first byte in the file, from 0
  std::uint64_t line_ = 1;   // and its line
};

}  // namespace

Result<Dataset> load_text(const Schema& schema, const std::filesystem::path& path,
                          const Limits& limits, Cells cells) {
  const Text& text = std::get<Text>(schema.kind);
  auto source = ByteSource::open(path);
  if (!source) return source.error();
  TextReader reader(std::move(*source), text.vocabulary,
                    limits.memory_max_bytes / sizeof(TokenNumber), cells);
  DatasetBuilder builder(schema);
  for (;;) {
    const auto more = reader.read(builder.tokens());
    if (!more) return more.error();
    if (!*more) break;
  }
  const std::size_t tokens = builder.tokens().size();
  if (tokens <= text.length) {
    return reader.error("expected at least " + std::to_string(text.length + 1) +
                        " tokens, a window and the one behind it, saw " + std::to_string(tokens));
  }
  const std::size_t rows = (tokens - text.length - 1) / text.stride + 1;
  if (auto fits = check_limits(rows, 1, {limits.rows_max, rows}); !fits) {
    return reader.error(fits.error().detail);
  }
  builder.set_stride(text.stride);
  builder.set_rows(rows);
  return builder.finish();
}

}  // namespace entente::data
