// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "common/engine/operation.hpp"

namespace entente::engine {

// Rows whose distance is a large power of two would share few places in the first-level cache.
std::size_t row_distance(std::size_t size) {
  const std::size_t rounded = (size + row_alignment - 1) / row_alignment * row_alignment;
  return rounded % 512 == 0 ? rounded + row_alignment : rounded;
}

std::size_t block_count(std::size_t rows) {
  return std::max((rows + block_rows_max - 1) / block_rows_max, std::min<std::size_t>(rows, 2));
}

Block block_of(std::size_t index, std::size_t rows) {
  const std::size_t blocks = block_count(rows);
  return {index, {rows * index / blocks, rows * (index + 1) / blocks}};
}

Layout Layout::tight(const Extent& extent) {
  return spread(extent, 0, 0, extent.height, extent.width);
}

Layout Layout::spread(const Extent& extent, std::size_t top, std::size_t left, std::size_t height,
                      std::size_t width, std::size_t step_y, std::size_t step_x) {
  const std::size_t line = width * extent.channels;
  Layout layout;
  layout.extent = extent;
  layout.origin = top * line + left * extent.channels;
  layout.line = step_y * line;
  layout.pixel = step_x * extent.channels;
  layout.row = row_distance(height * line);
  return layout;
}

bool Layout::is_contiguous() const {
  const bool lines = extent.height == 1 || line == extent.width * extent.channels;
  const bool pixels = extent.width == 1 || pixel == extent.channels;
  return origin == 0 && lines && pixels;
}

bool Layout::is_tight() const {
  return is_contiguous() && row < extent.count() + 2 * row_alignment;
}

}  // namespace entente::engine
