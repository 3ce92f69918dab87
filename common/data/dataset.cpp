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
constexpr std::uint64_t augmentation_stream = std::uint64_t{1} << 62U;

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  if (const auto at = text.rfind(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

// Neighbours out of `rows` windows, each of which shares tokens with `overlap` windows on each
// side.
Split split_windows(std::size_t rows, std::size_t overlap, std::size_t kept, Random random) {
  // One window trains at least, and the overlap lies between it and the last ones.
  kept = std::min(kept, rows - std::min(rows, overlap + 1));
  const bool in_the_middle = kept > 0 && rows > kept + 2 * overlap;
  const std::size_t first =
      in_the_middle ? static_cast<std::size_t>(random.below(rows - kept + 1)) : rows - kept;
  Split split;
  for (std::size_t row = 0; row < rows; ++row) {
    if (row >= first && row < first + kept) {
      split.holdout.push_back(static_cast<std::uint32_t>(row));
    } else if (kept == 0 || row + overlap < first || row >= first + kept + overlap) {
      split.training.push_back(static_cast<std::uint32_t>(row));
    }
  }
  return split;
}

template <class T>
std::uint64_t bytes_of(const Growing<T>& items) {
  return items.capacity() * sizeof(T);
}

}  // namespace

Result<Source> source_of(const Schema& schema, const std::filesystem::path& path) {
  Source source;
  if (std::holds_alternative<Table>(schema.kind)) {
    source.table = path;
    return source;
  }
  if (std::holds_alternative<Text>(schema.kind)) {
    source.text = path;
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

Result<Dataset> load(const Schema& schema, const Source& source, const Limits& limits,
                     Cells cells) {
  if (!std::holds_alternative<Image>(schema.kind)) {
    const bool text = std::holds_alternative<Text>(schema.kind);
    const std::filesystem::path& path = text ? source.text : source.table;
    if (path.empty()) {
      return Error{Errc::invalid_argument, std::string("the plan asks for a ") +
                                               (text ? "text" : "table") +
                                               ", the data name no such file"};
    }
    return text ? load_text(schema, path, limits, cells) : load_table(schema, path, limits, cells);
  }
  if (source.images.empty() || source.labels.empty()) {
    return Error{Errc::invalid_argument,
                 "the plan asks for images and labels, the data do not name both"};
  }
  return load_images(schema, source, limits, cells);
}

std::vector<std::uint64_t> Dataset::class_counts() const {
  ENTENTE_ASSERT(target_.kind == Target::Kind::classes, "classes to count");
  std::vector<std::uint64_t> counts(target_.width);
  std::vector<std::uint32_t> labels(target_.positions);
  for (std::size_t row = 0; row < rows_; ++row) {
    copy_labels(row, labels.data());
    for (const std::uint32_t label : labels) {
      if (label != no_label) ++counts[label];
    }
  }
  return counts;
}

std::span<const float> Dataset::answers(std::size_t row) const {
  ENTENTE_ASSERT(target_.kind == Target::Kind::numbers && row < rows_, "numbers of a row");
  const std::size_t of_row = target_.positions * target_.width;
  return {answers_.data() + row * of_row, of_row};
}

std::size_t Dataset::overlap() const {
  return tokens_.empty() ? 0 : feature_count_ / stride_;
}

std::uint64_t Dataset::memory_bytes() const {
  return bytes_of(labels_) + bytes_of(answers_) + bytes_of(values_) + bytes_of(bytes_) +
         bytes_of(tokens_);
}

void Dataset::copy_labels(std::size_t row, std::uint32_t* to) const {
  if (tokens_.empty()) {
    std::copy_n(labels_.data() + row * target_.positions, target_.positions, to);
    return;
  }
  const std::size_t behind_window = row * stride_ + feature_count_ + 1;
  std::copy_n(tokens_.data() + behind_window - target_.positions, target_.positions, to);
}

void Dataset::copy_image(const std::uint8_t* from, float* to) const {
  const std::size_t tables = byte_scales_.size();
  if (tables == 1) {
    const auto& scale = byte_scales_.front();
    for (std::size_t f = 0; f < feature_count_; ++f) to[f] = scale[from[f]];
    return;
  }
  for (std::size_t f = 0; f < feature_count_; f += tables) {
    for (std::size_t channel = 0; channel < tables; ++channel) {
      to[f + channel] = byte_scales_[channel][from[f + channel]];
    }
  }
}

// Mirrored first, then moved.
void Dataset::copy_augmented(const std::uint8_t* from, float* to, std::uint64_t seed,
                             std::size_t place) const {
  Random random(seed, augmentation_stream + place);
  const auto& [flip, crop] = image_.augmentation;
  const bool mirrored = (random.next32() & 1U) != 0 && flip;
  const auto down = static_cast<std::ptrdiff_t>(random.below(2 * crop + 1)) - crop;
  const auto right = static_cast<std::ptrdiff_t>(random.below(2 * crop + 1)) - crop;
  const auto height = static_cast<std::ptrdiff_t>(image_.height);
  const auto width = static_cast<std::ptrdiff_t>(image_.width);
  const std::size_t channels = image_.channels;
  for (std::ptrdiff_t y = 0; y < height; ++y) {
    for (std::ptrdiff_t x = 0; x < width; ++x, to += channels) {
      const std::ptrdiff_t line = y - down;
      const std::ptrdiff_t moved = x - right;
      if (line < 0 || line >= height || moved < 0 || moved >= width) {
        std::fill_n(to, channels, 0.0F);
        continue;
      }
      const std::ptrdiff_t column = mirrored ? width - 1 - moved : moved;
      const std::uint8_t* pixel = from + static_cast<std::size_t>(line * width + column) * channels;
      for (std::size_t channel = 0; channel < channels; ++channel) {
        to[channel] = byte_scales_[channel % byte_scales_.size()][pixel[channel]];
      }
    }
  }
}

void Dataset::gather(std::span<const std::uint32_t> rows, const Gathered& into,
                     std::optional<std::uint64_t> seed) const {
  const bool numbers = target_.kind == Target::Kind::numbers;
  const std::size_t of_row = target_.positions * target_.width;
  ENTENTE_ASSERT(into.features.size() >= rows.size() * feature_count_ &&
                     (numbers ? into.values.size() >= rows.size() * of_row
                              : into.labels.size() >= rows.size() * target_.positions),
                 "the buffers hold the rows asked for");
  const bool augmented = seed && image_.augmentation != Augmentation{};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t row = rows[i];
    ENTENTE_ASSERT(row < rows_, "the row exists");
    if (numbers) {
      std::ranges::copy(answers(row), into.values.data() + i * of_row);
    } else {
      copy_labels(row, into.labels.data() + i * target_.positions);
    }
    float* to = into.features.data() + i * feature_count_;
    if (!tokens_.empty()) {
      std::copy_n(tokens_.data() + row * stride_, feature_count_, to);
    } else if (bytes_.empty()) {
      std::copy_n(values_.data() + row * feature_count_, feature_count_, to);
    } else if (augmented) {
      copy_augmented(bytes_.data() + row * feature_count_, to, *seed, i);
    } else {
      copy_image(bytes_.data() + row * feature_count_, to);
    }
  }
}

Split split_holdout(const Dataset& dataset, double fraction, std::uint64_t seed) {
  ENTENTE_ASSERT(fraction >= 0 && fraction < 1, "a fraction of the rows");
  const auto kept = static_cast<std::ptrdiff_t>(fraction * static_cast<double>(dataset.rows()));
  Random random(seed, holdout_stream);
  if (dataset.overlap() > 0) {
    return split_windows(dataset.rows(), dataset.overlap(), static_cast<std::size_t>(kept), random);
  }
  std::vector<std::uint32_t> rows(dataset.rows());
  std::iota(rows.begin(), rows.end(), 0U);
  shuffle(std::span(rows), random);
  Split split;
  split.holdout.assign(rows.begin(), rows.begin() + kept);
  rows.erase(rows.begin(), rows.begin() + kept);
  split.training = std::move(rows);  // no second list of all rows
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
