// SPDX-License-Identifier: Apache-2.0
//
// An institution's own rows in memory, ready for the engine: read once by the plan's schema, then
// gathered batch by batch.
//
// Letters: n = rows asked for, f = features of a row. Rows are numbered from 0 in file order.
// A Dataset does not change after loading; any thread may gather from it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "common/base/result.hpp"
#include "common/data/growing.hpp"
#include "common/data/schema.hpp"

namespace entente::data {

// Where the rows lie: paths of the institution's own configuration, never of a plan.
struct Source {
  std::filesystem::path table;   // kind "table": a CSV file, plain or gzip
  std::filesystem::path images;  // kind "image": IDX, plain or gzip
  std::filesystem::path labels;
  std::filesystem::path text = {};  // kind "text": UTF-8, plain or gzip
};

// The source that one path means: a table or a text is the file itself; for images the labels lie
// beside it under the same name with "images" replaced by "labels" (and "idx3" by "idx1"), as these
// data sets are published. Errors: invalid_argument - an image file whose name does not show where
// its labels are.
Result<Source> source_of(const Schema& schema, const std::filesystem::path& path);

struct Limits {
  std::uint64_t rows_max = 100'000'000;           // at most 2^32 - 1
  std::uint64_t memory_max_bytes = 16ULL << 30U;  // as Dataset::memory_bytes
};

// Whether errors may hold what a cell says, or a name of the file's own header. Those that go to a
// log may not: they have the place and what was expected there.
enum class Cells { told, withheld };

// The label of a position that does not count (padding).
inline constexpr std::uint32_t no_label = 0xffffffffU;

// The caller's memory for n rows. Where the target is classes: labels [n, positions], values empty;
// where it is numbers: values [n, positions, width], labels empty.
struct Gathered {
  std::span<float> features;  // [n, f]
  std::span<std::uint32_t> labels;
  std::span<float> values;
};

class Dataset {
 public:
  std::size_t rows() const { return rows_; }
  std::size_t feature_count() const { return feature_count_; }
  const Target& target() const { return target_; }
  // Of tables and images with classes: [rows, positions]. Otherwise empty.
  std::span<const std::uint32_t> labels() const { return labels_; }
  // A row's numbers to be predicted [positions, width]. Precondition: the target is numbers.
  std::span<const float> answers(std::size_t row) const;
  // How many positions of all rows have each class. Precondition: the target is classes.
  std::vector<std::uint64_t> class_counts() const;
  // How many rows before a row, and as many behind it, share a part of it: windows of a text do.
  std::size_t overlap() const;
  // What the rows take.
  std::uint64_t memory_bytes() const;

  // Copies rows into the caller's buffers, scaled. With a seed, what the schema says of
  // augmentation is done to them, as (seed, place in `rows`) decides: for training; without,
  // nothing is. Precondition: every row < rows(); the buffers hold at least n rows.
  void gather(std::span<const std::uint32_t> rows, const Gathered& into,
              std::optional<std::uint64_t> seed = std::nullopt) const;

 private:
  friend class DatasetBuilder;
  void copy_image(const std::uint8_t* from, float* to) const;
  void copy_augmented(const std::uint8_t* from, float* to, std::uint64_t seed,
                      std::size_t place) const;
  void copy_labels(std::size_t row, std::uint32_t* to) const;

  std::size_t rows_ = 0;
  std::size_t feature_count_ = 0;
  Target target_;
  Growing<std::uint32_t> labels_;  // [rows, positions]
  Growing<float> answers_;         // [rows, positions, width]
  Growing<float> values_;          // tables: [rows, f], scaled
  Growing<std::uint8_t> bytes_;    // images: [rows, f], scaled when gathered
  // The feature that a byte means: one table for all channels, or one for each.
  std::vector<std::array<float, 256>> byte_scales_;
  Image image_;
  Growing<TokenNumber> tokens_;  // texts: all of them, once
  std::size_t stride_ = 0;       // from a row's first token to the next row's
};

// Errors: malformed - "file.csv:17: column 'age': expected a number, saw 'abc'", an IDX file cut
// short, a text that is not UTF-8, no rows at all, a limit passed; not_found; io; invalid_argument
// - the source lacks a path that the schema's kind needs.
Result<Dataset> load(const Schema& schema, const Source& source, const Limits& limits = {},
                     Cells cells = Cells::told);

// Which rows train and which are kept for evaluation: drawn without repetition by `seed`,
// floor(fraction * rows) of them kept, never all. Both ascending. Precondition: 0 <= fraction < 1.
// Where rows overlap, the kept ones are neighbours, at a place that the seed draws, and rows that
// share a part with them neither train nor are kept; where too few would be left to train, the kept
// ones are the last, and fewer.
struct Split {
  std::vector<std::uint32_t> training;
  std::vector<std::uint32_t> holdout;
};
Split split_holdout(const Dataset& dataset, double fraction, std::uint64_t seed);

// The rows of one epoch in batches: each row once, in an order that (seed, epoch) alone decides.
// The last batch may be smaller.
class Batches {
 public:
  // Precondition: batch_size > 0.
  Batches(std::vector<std::uint32_t> rows, std::size_t batch_size, std::uint64_t seed);
  // Before the first batch of each epoch.
  void start_epoch(std::uint64_t epoch);
  // The rows of the next batch, valid until the next start_epoch; empty when the epoch is over.
  std::span<const std::uint32_t> next();
  std::size_t batches_in_epoch() const { return (rows_.size() + batch_size_ - 1) / batch_size_; }

 private:
  std::vector<std::uint32_t> rows_;   // as given
  std::vector<std::uint32_t> order_;  // of this epoch
  std::size_t batch_size_;
  std::uint64_t seed_;
  std::size_t used_ = 0;
};

}  // namespace entente::data
