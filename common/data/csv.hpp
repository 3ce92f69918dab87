// SPDX-License-Identifier: Apache-2.0
//
// CSV as RFC 4180 has it, record by record in constant memory: comma, CRLF or LF, quoted cells with
// "" for a quote and line breaks inside, a UTF-8 byte order mark skipped, empty lines skipped, a
// last line without its end. Knows nothing of columns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/data/source.hpp"

namespace entente::data {

inline constexpr std::size_t cell_max_bytes = 64U << 10U;
inline constexpr std::size_t cells_max = 65'536;  // of one record

class CsvReader {
 public:
  // Errors: not_found; io.
  static Result<CsvReader> open(const std::filesystem::path& path);

  // Reads the next record; false at the end of the file.
  // Errors: malformed - "file.csv:17: ..."; io.
  Result<bool> next();
  // The cells of the record; they live until the next call of next().
  std::size_t cell_count() const { return ends_.size(); }
  std::string_view cell(std::size_t i) const;
  // The line on which the record begins, from 1.
  std::uint64_t line() const { return record_line_; }
  // An error about this record: "file.csv:17: `what`".
  Error error(std::string_view what) const;

 private:
  enum class Place { cell_start, plain, quoted, quote_in_quoted, carriage_return };
  explicit CsvReader(ByteSource source);
  Result<bool> refill();
  bool take_ordinary();
  Result<void> take(char next, bool& ended);
  Result<void> end_cell();

  ByteSource source_;
  std::vector<char> block_;
  std::size_t block_used_ = 0;
  std::size_t block_size_ = 0;
  bool started_ = false;
  std::uint64_t line_ = 1;         // of the next character
  std::uint64_t record_line_ = 0;  // of the record's first character
  Place place_ = Place::cell_start;
  std::string text_;               // all cells of the record, one behind the other
  std::vector<std::size_t> ends_;  // where each cell ends in text_
};

}  // namespace entente::data
