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
#include "common/data/schema.hpp"

namespace entente::data {

// Where the rows lie: paths of the institution's own configuration, never of a plan.
struct Source {
  std::filesystem::path table;   // kind "table": a CSV file, plain or gzip
  std::filesystem::path images;  // kind "image": IDX, plain or gzip
  std::filesystem::path labels;
};

// The source that one path means: a table is the file itself; for images the labels lie beside it
// under the same name with "images" replaced by "labels" (and "idx3" by "idx1"), as these data sets
// are published. Errors: invalid_argument - an image file whose name does not show where its labels
// are.
Result<Source> source_of(const Schema& schema, const std::filesystem::path& path);

struct Limits {
  std::uint64_t rows_max = 100'000'000;           // at most 2^32 - 1
  std::uint64_t memory_max_bytes = 16ULL << 30U;  // features and labels together
};

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
  std::size_t rows() const { return labels_.size(); }
  std::size_t feature_count() const { return feature_count_; }
  const Target& target() const { return target_; }
  std::span<const std::uint32_t> labels() const { return labels_; }
  std::uint64_t memory_bytes() const;
  // How many rows each class has.
  std::vector<std::uint64_t> class_counts() const;

  // Copies rows into the caller's buffers, scaled. With a seed, what the schema says of
  // augmentation is done to them, as (seed, place in `rows`) decides: for training; without,
  // nothing is. Precondition: every row < rows(); the buffers hold at least n rows.
  void gather(std::span<const std::uint32_t> rows, const Gathered& into,
              std::optional<std::uint64_t> seed = std::nullopt) const;

 private:
  friend class DatasetBuilder;
  std::size_t feature_count_ = 0;
  Target target_;
  std::vector<std::uint32_t> labels_;
  std::vector<float> values_;            // tables: [rows, f], scaled
  std::vector<std::uint8_t> bytes_;      // images: [rows, f], scaled when gathered
  std::array<float, 256> byte_scale_{};  // the feature that a byte means
};

// Errors: malformed - "file.csv:17: column 'age': expected a number, saw 'abc'", an IDX file cut
// short, no rows at all, a limit passed; not_found; io; invalid_argument - the source lacks a path
// that the schema's kind needs.
Result<Dataset> load(const Schema& schema, const Source& source, const Limits& limits = {});

// Which rows train and which are kept for evaluation: drawn without repetition by `seed`,
// floor(fraction * rows) of them kept, never all. Both ascending. Precondition: 0 <= fraction < 1.
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
