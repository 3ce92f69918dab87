// SPDX-License-Identifier: Apache-2.0
#include "common/data/dataset.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "common/base/assert.hpp"
#include "common/base/random.hpp"
#include "common/data/builder.hpp"

namespace entente::data {

namespace {

// Streams of the generator, so that the hold-out and the first epoch are not drawn alike from one
// seed.
constexpr std::uint64_t holdout_stream = std::uint64_t{1} << 63U;

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  if (const auto at = text.rfind(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

}  // namespace

Result<Source> source_of(const Schema& schema, const std::filesystem::path& path) {
  Source source;
  if (std::holds_alternative<Table>(schema.kind)) {
    source.table = path;
    return source;
  }
  const std::string name = path.filename().string();
  if (name.find("images") == std::string::npos) {
    return Error{Errc::invalid_argument,
                 path.string() +
                     ": expected a file name with \"images\" in it, so that its labels "
                     "are found under the same name with \"labels\""};
  }
  source.images = path;
  source.labels = path.parent_path() / replaced(replaced(name, "images", "labels"), "idx3", "idx1");
  return source;
}

Result<void> check_limits(std::uint64_t rows, std::uint64_t row_bytes, const Limits& limits) {
  const std::uint64_t rows_max =
      std::min<std::uint64_t>(limits.rows_max, std::numeric_limits<std::uint32_t>::max());
  if (rows > rows_max) {
    return Error{Errc::malformed, "expected at most " + std::to_string(rows_max) +
                                      " rows, saw at least " + std::to_string(rows)};
  }
  if (rows > limits.memory_max_bytes / row_bytes) {
    return Error{Errc::malformed, "expected data of at most " +
                                      std::to_string(limits.memory_max_bytes) +
                                      " bytes in memory, saw more"};
  }
  return ok();
}

Result<Dataset> load(const Schema& schema, const Source& source, const Limits& limits) {
  if (std::holds_alternative<Table>(schema.kind)) {
    if (source.table.empty()) {
      return Error{Errc::invalid_argument, "the plan asks for a table, the data name none"};
    }
    return load_table(schema, source.table, limits);
  }
  if (source.images.empty() || source.labels.empty()) {
    return Error{Errc::invalid_argument,
                 "the plan asks for images and labels, the data do not name both"};
  }
  return load_images(schema, source.images, source.labels, limits);
}

std::vector<std::uint64_t> Dataset::class_counts() const {
  std::vector<std::uint64_t> counts(target_.width);
  for (const std::uint32_t label : labels_) ++counts[label];
  return counts;
}

std::uint64_t Dataset::memory_bytes() const {
  return labels_.size() * sizeof(std::uint32_t) + values_.size() * sizeof(float) + bytes_.size();
}

void Dataset::gather(std::span<const std::uint32_t> rows, const Gathered& into,
                     std::optional<std::uint64_t> /*seed*/) const {
  ENTENTE_ASSERT(
      into.features.size() >= rows.size() * feature_count_ && into.labels.size() >= rows.size(),
      "the buffers hold the rows asked for");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t row = rows[i];
    ENTENTE_ASSERT(row < labels_.size(), "the row exists");
    into.labels[i] = labels_[row];
    float* to = into.features.data() + i * feature_count_;
    if (bytes_.empty()) {
      std::copy_n(values_.data() + row * feature_count_, feature_count_, to);
    } else {
      const std::uint8_t* from = bytes_.data() + row * feature_count_;
      for (std::size_t f = 0; f < feature_count_; ++f) to[f] = byte_scale_[from[f]];
    }
  }
}

Split split_holdout(const Dataset& dataset, double fraction, std::uint64_t seed) {
  ENTENTE_ASSERT(fraction >= 0 && fraction < 1, "a fraction of the rows");
  std::vector<std::uint32_t> rows(dataset.rows());
  std::iota(rows.begin(), rows.end(), 0U);
  Random random(seed, holdout_stream);
  shuffle(std::span(rows), random);
  const auto kept = static_cast<std::ptrdiff_t>(fraction * static_cast<double>(rows.size()));
  Split split{{rows.begin() + kept, rows.end()}, {rows.begin(), rows.begin() + kept}};
  std::sort(split.training.begin(), split.training.end());
  std::sort(split.holdout.begin(), split.holdout.end());
  return split;
}

Batches::Batches(std::vector<std::uint32_t> rows, std::size_t batch_size, std::uint64_t seed)
    : rows_(std::move(rows)), batch_size_(batch_size), seed_(seed), used_(rows_.size()) {
  ENTENTE_ASSERT(batch_size_ > 0, "a batch holds at least one row");
}

void Batches::start_epoch(std::uint64_t epoch) {
  order_ = rows_;
  Random random(seed_, epoch);
  shuffle(std::span(order_), random);
  used_ = 0;
}

std::span<const std::uint32_t> Batches::next() {
  const std::size_t size = std::min(batch_size_, rows_.size() - used_);
  used_ += size;
  return size == 0 ? std::span<const std::uint32_t>()
                   : std::span<const std::uint32_t>(order_).subspan(used_ - size, size);
}

}  // namespace entente::data
