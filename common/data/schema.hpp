// SPDX-License-Identifier: Apache-2.0
//
// What a plan says about the data: how one row becomes features and a label. Every institution
// reads its own rows by the same schema; the statistics for scaling stand in it and are never
// learned across institutions.
//
// kind "table": a CSV file with a header line. One feature a numeric column, one feature a category
// of each categorical column (one-hot), in the order of the plan's columns. kind "image": IDX files
// of unsigned bytes. One feature a byte, in row-major height, width, channels order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/json.hpp"
#include "common/base/result.hpp"

namespace entente::data {

inline constexpr std::size_t columns_max = 16'384;
inline constexpr std::size_t categories_max = 16'384;  // of one column
inline constexpr std::size_t classes_max = 65'536;
inline constexpr std::size_t features_max = 1U << 20U;  // of one row
inline constexpr std::size_t name_max_bytes = 256;      // of a column, category or class

// The feature is (cell - mean) / deviation.
struct Numeric {
  double mean = 0;
  double deviation = 1;           // > 0
  std::optional<double> missing;  // stands for an empty cell, in the column's own unit; without it
                                  // an empty cell is an error
  friend bool operator==(const Numeric&, const Numeric&) = default;
};

// One feature a category: 1 where the cell is that text, else 0.
struct Categorical {
  std::vector<std::string> categories;
  bool unknown_is_zero =
      false;  // another text or an empty cell: all features 0; otherwise an error
  friend bool operator==(const Categorical&, const Categorical&) = default;
};

struct Column {
  std::string name;
  std::variant<Numeric, Categorical> type;
  friend bool operator==(const Column&, const Column&) = default;
};

struct Table {
  std::vector<Column> columns;
  std::string label;                  // the column that holds the class name
  bool ignore_other_columns = false;  // otherwise a column that is not named here is an error
  friend bool operator==(const Table&, const Table&) = default;
};

// The feature is (byte / 255 - mean) / deviation.
struct Image {
  std::uint32_t height = 0;
  std::uint32_t width = 0;
  std::uint32_t channels = 1;
  double mean = 0;
  double deviation = 1;  // > 0
  friend bool operator==(const Image&, const Image&) = default;
};

// What belongs to a row beside its features: at each of its positions one class, or some numbers.
struct Target {
  enum class Kind { classes, numbers };
  Kind kind = Kind::classes;
  std::size_t positions = 1;  // more than one where each step of a sequence has its own
  std::size_t width = 0;      // classes to choose from; numbers of a position
  friend bool operator==(const Target&, const Target&) = default;
};

struct Schema {
  std::vector<std::string> classes;  // label i is classes[i]
  std::variant<Table, Image> kind;

  // Features of one row.
  std::size_t feature_count() const;
  Target target() const;
  // As a model sees one row: [features] or [height, width, channels].
  std::vector<std::uint64_t> input_shape() const;
  friend bool operator==(const Schema&, const Schema&) = default;
};

// The `data` member of a plan. `path` names it in errors.
// Errors: malformed - what was expected of which field and what was seen.
Result<Schema> parse_schema(const json::value& value, std::string path);

}  // namespace entente::data
