// SPDX-License-Identifier: Apache-2.0
//
// What a plan says about the data: how one row becomes features and a target. Every institution
// reads its own rows by the same schema; the statistics for scaling and the vocabularies stand in
// it and are never learned across institutions.
//
// kind "table": a CSV file with a header line; each column makes one or more features, in the order
// of the plan's columns. kind "image": IDX files of unsigned bytes. One feature a byte, in
// row-major height, width, channels order. kind "text": a UTF-8 file; a row is a window of its
// tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/json.hpp"
#include "common/base/result.hpp"
#include "common/data/tokens.hpp"

namespace entente::data {

inline constexpr std::size_t columns_max = 16'384;
inline constexpr std::size_t categories_max = 16'384;  // of one column
inline constexpr std::size_t classes_max = 65'536;
inline constexpr std::size_t features_max = 1U << 20U;  // of one row
inline constexpr std::size_t name_max_bytes = 256;      // of a column, category or class
inline constexpr std::size_t targets_max = 1'024;
inline constexpr std::size_t length_max = 65'536;  // tokens of one sequence or window
static_assert(vocabulary_max + first_token <= classes_max, "a token is a class of next tokens");

// The feature is (cell - mean) / deviation.
struct Numeric {
  double mean = 0;
  double deviation = 1;            // > 0
  std::optional<double> missing;   // stands for an empty cell, in the column's own unit; without it
                                   // an empty cell is an error
  bool missing_indicator = false;  // a second feature behind the first: 1 where the cell is empty
  friend bool operator==(const Numeric&, const Numeric&) = default;
};

// One feature a category: 1 where the cell is that text, else 0. Or one feature for all: the
// category's place, from 0.
struct Categorical {
  enum class Encoding { one_hot, index };
  // What an empty cell, or a text that is no category, is: an error; all features 0 (one_hot only);
  // one category more, behind the others.
  enum class Unknown { error, zero, extra };
  std::vector<std::string> categories;
  Unknown unknown = Unknown::error;
  Encoding encoding = Encoding::one_hot;
  // With the extra one.
  std::size_t category_count() const { return categories.size() + (unknown == Unknown::extra); }
  friend bool operator==(const Categorical&, const Categorical&) = default;
};

// The numbers of the cell's tokens: `length` features.
struct Sequence {
  enum class End { before, after };
  Vocabulary vocabulary;
  std::uint32_t length = 0;
  End padding = End::after;     // where 0s stand when the cell has fewer tokens
  End truncation = End::after;  // which tokens are left out when it has more
  friend bool operator==(const Sequence&, const Sequence&) = default;
};

struct Column {
  std::string name;
  std::variant<Numeric, Categorical, Sequence> type;
  std::size_t feature_count() const;
  friend bool operator==(const Column&, const Column&) = default;
};

// A number to be predicted, as the model sees it: (cell - mean) / deviation. Never missing.
struct TargetColumn {
  std::string name;
  double mean = 0;
  double deviation = 1;  // > 0
  friend bool operator==(const TargetColumn&, const TargetColumn&) = default;
};

struct Table {
  std::vector<Column> columns;
  std::string label;                  // the column that holds the class name; empty with targets
  bool ignore_other_columns = false;  // otherwise a column that is not named here is an error
  // The label's cell holds a class name for each token of the one Sequence column, with spaces
  // between them; they are cut and padded (with no_label) as the tokens are.
  bool label_per_token = false;
  std::vector<TargetColumn> targets;
  friend bool operator==(const Table&, const Table&) = default;
};

// What is done to images in training, anew each time.
struct Augmentation {
  bool flip_horizontal = false;  // one image in two is mirrored, left to right
  std::uint32_t crop = 0;  // moved by up to so many pixels each way; 0s, the mean of a channel
                           // that is normalised, where nothing was
  friend bool operator==(const Augmentation&, const Augmentation&) = default;
};

// The feature is (byte / 255 - mean) / deviation.
struct Image {
  std::uint32_t height = 0;
  std::uint32_t width = 0;
  std::uint32_t channels = 1;
  std::vector<double> mean{0};       // one for all channels, or one for each
  std::vector<double> deviation{1};  // > 0
  Augmentation augmentation;
  friend bool operator==(const Image&, const Image&) = default;
};

// Row i is the `length` tokens from i * stride on; only whole windows with the token behind them
// are rows. Its target: for each token the one behind it, or only the token behind the window.
struct Text {
  enum class Predict { each, last };
  Vocabulary vocabulary;
  std::uint32_t length = 0;
  std::uint32_t stride = 0;
  Predict predict = Predict::each;
  friend bool operator==(const Text&, const Text&) = default;
};

// What belongs to a row beside its features: at each of its positions one class, or some numbers.
struct Target {
  enum class Kind { classes, numbers };
  Kind kind = Kind::classes;
  std::size_t positions = 1;  // more than one where each step of a sequence has its own
  std::size_t width = 0;      // classes to choose from; numbers of a position
  friend bool operator==(const Target&, const Target&) = default;
};

// Features beside each other that come of the same place of the data.
struct FeatureRange {
  std::string name;  // "column 'age'", for errors
  std::size_t first = 0, count = 0;
  // They are whole numbers from 0 to below this, whatever the rows; 0: any numbers.
  std::uint64_t bound = 0;
};

struct Schema {
  std::vector<std::string> classes;  // label i is classes[i]; empty where the target is numbers or
                                     // tokens
  std::variant<Table, Image, Text> kind;

  // Features of one row.
  std::size_t feature_count() const;
  // All features of a row, in order.
  std::vector<FeatureRange> feature_ranges() const;
  Target target() const;
  // As a model sees one row: [features], [height, width, channels] or [length].
  std::vector<std::uint64_t> input_shape() const;
  friend bool operator==(const Schema&, const Schema&) = default;
};

// The `data` member of a plan. `path` names it in errors.
// Errors: malformed - what was expected of which field and what was seen.
Result<Schema> parse_schema(const json::value& value, std::string path);

}  // namespace entente::data
