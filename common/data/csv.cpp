// SPDX-License-Identifier: Apache-2.0
#include "common/data/csv.hpp"

#include <algorithm>

#include "common/base/text.hpp"

namespace entente::data {

namespace {

constexpr std::size_t block_bytes = 256U << 10U;

}  // namespace

CsvReader::CsvReader(ByteSource source) : source_(std::move(source)), block_(block_bytes) {}

Result<CsvReader> CsvReader::open(const std::filesystem::path& path) {
  auto source = ByteSource::open(path);
  if (!source) return source.error();
  return CsvReader(std::move(*source));
}

std::string_view CsvReader::cell(std::size_t i) const {
  const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(text_).substr(begin, ends_[i] - begin);
}

Error CsvReader::error(std::string_view what) const {
  return Error{Errc::malformed, source_.path().string() + ":" + std::to_string(record_line_) +
                                    ": " + std::string(what)};
}

// False at the end of the file.
Result<bool> CsvReader::refill() {
  auto size = source_.read(std::as_writable_bytes(std::span(block_)));
  if (!size) return size.error();
  block_size_ = *size;
  block_used_ = 0;
  if (!started_ && std::string_view(block_.data(), block_size_).starts_with(byte_order_mark)) {
    block_used_ = byte_order_mark.size();
  }
  started_ = true;
  return block_size_ > 0;
}

Result<void> CsvReader::end_cell() {
  if (ends_.size() == cells_max) {
    return error("more than " + std::to_string(cells_max) + " cells in one record");
  }
  ends_.push_back(text_.size());
  place_ = Place::cell_start;
  return ok();
}

// Takes one character; `ended` becomes true when it ends the record.
Result<void> CsvReader::take(char next, bool& ended) {
  if (place_ == Place::quoted) {
    if (next == '"') {
      place_ = Place::quote_in_quoted;
    } else {
      text_ += next;
    }
  } else if (place_ == Place::carriage_return && next != '\n') {
    return error("a carriage return without a line feed outside quotes");
  } else if (next == ',') {
    return end_cell();
  } else if (next == '\n') {
    ended = true;
    return end_cell();
  } else if (next == '\r') {
    place_ = Place::carriage_return;
  } else if (next == '"') {
    if (place_ == Place::plain) return error("a quote inside a cell that is not quoted");
    if (place_ == Place::quote_in_quoted) text_ += '"';
    place_ = Place::quoted;
  } else {
    if (place_ == Place::quote_in_quoted) {
      return error("expected a comma or the end of the line behind a closing quote");
    }
    text_ += next;
    place_ = Place::plain;
  }
  return ok();
}

// Takes the run of characters that mean nothing but themselves here: most of the file.
bool CsvReader::take_ordinary() {
  if (place_ == Place::quote_in_quoted || place_ == Place::carriage_return) return false;
  const std::string_view rest(block_.data() + block_used_, block_size_ - block_used_);
  const std::size_t size = std::min(rest.find_first_of(",\n\r\""), rest.size());
  text_.append(rest.substr(0, size));
  block_used_ += size;
  if (size > 0 && place_ == Place::cell_start) place_ = Place::plain;
  return size > 0;
}

Result<bool> CsvReader::next() {
  text_.clear();
  ends_.clear();
  place_ = Place::cell_start;
  record_line_ = line_;
  bool empty_line = true;
  for (;;) {
    if (block_used_ == block_size_) {
      const auto more = refill();
      if (!more) return more.error();
      if (!*more) break;
      continue;
    }
    if (take_ordinary()) empty_line = false;
    if (text_.size() - (ends_.empty() ? 0 : ends_.back()) > cell_max_bytes) {
      return error("a cell of more than " + std::to_string(cell_max_bytes) + " bytes");
    }
    if (block_used_ == block_size_) continue;
    const char character = block_[block_used_++];
    empty_line = empty_line && (character == '\n' || character == '\r');
    bool ended = false;
    if (auto taken = take(character, ended); !taken) return taken.error();
    if (character == '\n') ++line_;
    if (!ended) continue;
    if (!empty_line) return true;
    text_.clear();
    ends_.clear();
    record_line_ = line_;
  }
  if (place_ == Place::quoted) return error("a quoted cell has no closing quote");
  if (place_ == Place::carriage_return) {
    return error("a carriage return without a line feed outside quotes");
  }
  if (empty_line) return false;
  if (auto done = end_cell(); !done) return done.error();
  return true;
}

}  // namespace entente::data
