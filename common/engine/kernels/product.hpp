// SPDX-License-Identifier: Apache-2.0
//
// The one product behind dense layers and convolutions: tiles of rows x columns held in registers.
//
// For each block of steps that fits the first-level cache, for each panel of columns, for each tile
// of rows: c's tile is loaded (or started from the bias), all steps are added in order, and it is
// stored. Panels that are cut off at the right edge, or that many rows will use, are copied
// together first.
#pragma once

#include <type_traits>

#include "common/engine/kernels/vector.hpp"

namespace entente::engine {
namespace {

inline constexpr std::size_t steps_in_cache = 256;
inline constexpr std::size_t rows_worth_packing = 48;
// Of a large b that few rows meet: so that what is asked for ahead stays in the cache until then.
inline constexpr std::size_t steps_of_few_rows = 32;
inline constexpr std::size_t large_line = 1024;
inline constexpr std::size_t rows_in_cache = 256;
inline constexpr std::size_t steps_far_apart = 64, gathered_rows_max = 256;
// Copied at a time, so that memory that lies together is read together: panels of 512 bytes in all,
// and so many tiles' rows, asked for so many steps ahead.
inline constexpr std::size_t tiles_together = 8, gathered_ahead = 8;

// How far before its use a line of b is asked for, where vectors are as long as lines.
inline constexpr std::size_t steps_ahead = 16;

// Tiles: as many accumulators as the registers hold beside the vectors of b and one of a.
inline constexpr std::size_t tile_vectors_max = vector_bytes == 64 ? 4 : 2;
inline constexpr std::size_t panels_together = 512 / (tile_vectors_max * vector_bytes);
constexpr std::size_t tile_rows_max(std::size_t vectors) {
  if (vector_bytes == 64) return vectors == 4 ? 7 : 14;
  return vectors == 2 ? 6 : 12;
}

// One tile's share of a product: `bias` and `relu` as they apply to this block of steps.
template <class S>
struct Tile {
  const S* a;
  std::size_t a_row, a_segment, a_step;
  const S* b;
  std::size_t b_segment, b_step;
  S* c;
  std::size_t c_row;
  std::size_t segments, steps;
  const S* ahead;  // memory to ask for meanwhile, or none
  const S* bias;
  bool accumulate, relu;
};

template <class S, std::size_t rows, std::size_t vectors, bool asks>
void multiply_tile(const Tile<S>& tile) {
  Vector<S> sums[rows][vectors];
#pragma GCC unroll 16
  for (std::size_t i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (std::size_t j = 0; j < vectors; ++j) {
      if (tile.accumulate) {
        sums[i][j] = load(tile.c + i * tile.c_row + j * lanes<S>);
      } else if (tile.bias != nullptr) {
        sums[i][j] = load(tile.bias + j * lanes<S>);
      } else {
        sums[i][j] = Vector<S>{};
      }
    }
  }
  // As much as a step reads of b.
  constexpr std::size_t line = 64 / sizeof(S);
  constexpr std::size_t lines = vectors * lanes<S> < line ? 1 : vectors * lanes<S> / line;
  const std::size_t a_row = tile.a_row;
  const S* ahead = tile.ahead;
  for (std::size_t segment = 0; segment < tile.segments; ++segment) {
    const S* a = tile.a + segment * tile.a_segment;
    const S* b = tile.b + segment * tile.b_segment;
    for (std::size_t step = 0; step < tile.steps; ++step) {
      Vector<S> right[vectors];
      if constexpr (asks) {
        for (std::size_t j = 0; j < lines; ++j) __builtin_prefetch(ahead + j * line);
        ahead += lines * line;
      }
#pragma GCC unroll 4
      for (std::size_t j = 0; j < vectors; ++j) {
        right[j] = load(b + j * lanes<S>);
        if constexpr (vector_bytes == 64)
          __builtin_prefetch(b + steps_ahead * tile.b_step + j * lanes<S>);
      }
#pragma GCC unroll 16
      for (std::size_t i = 0; i < rows; ++i) {
        const S left = a[i * a_row];
#pragma GCC unroll 4
        for (std::size_t j = 0; j < vectors; ++j) sums[i][j] += left * right[j];
      }
      a += tile.a_step;
      b += tile.b_step;
    }
  }
#pragma GCC unroll 16
  for (std::size_t i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (std::size_t j = 0; j < vectors; ++j) {
      if (tile.relu) sums[i][j] = sums[i][j] < S{0} ? Vector<S>{} : sums[i][j];
      store(sums[i][j], tile.c + i * tile.c_row + j * lanes<S>);
    }
  }
}

template <class S>
using TileFunction = void (*)(const Tile<S>&);

// multiply_tile for 1 .. tile_rows_max(vectors) rows.
template <class S, std::size_t vectors>
struct TileFunctions {
  TileFunction<S> of_rows[tile_rows_max(vectors) + 1] = {}, asking[tile_rows_max(vectors) + 1] = {};
  constexpr TileFunctions() { fill<1>(); }
  template <std::size_t rows>
  constexpr void fill() {
    of_rows[rows] = &multiply_tile<S, rows, vectors, false>;
    asking[rows] = &multiply_tile<S, rows, vectors, true>;
    if constexpr (rows < tile_rows_max(vectors)) fill<rows + 1>();
  }
};
template <class S, std::size_t vectors>
inline constexpr TileFunctions<S, vectors> tile_functions{};

// The steps of a product that are worked on at once: some segments whole, or a part of one.
struct StepBlock {
  std::size_t first_segment, segments, first_step, steps;
  bool first, last;
};

// A panel of columns: `columns` of them count, the rest of the vectors is padding.
template <class S>
struct Panel {
  const S* b;
  std::size_t b_segment, b_step;
  std::size_t first, columns;
  const S* ahead = nullptr;  // memory to ask for meanwhile
};

// Where the block's part of a lies. Gathered: [steps, rows of the tile] of each tile, one behind
// the other with room between them.
template <class S>
struct Left {
  const S* a;
  std::size_t a_segment, a_step;
  bool gathered;
};

// Tiles are gathered with vectors that may take more than a tile's rows: the tile's next step
// overwrites these, and behind the last one there is room.
template <class S>
inline constexpr std::size_t gathered_width =
    (tile_rows_max(tile_vectors_max) + lanes<S> - 1) / lanes<S>* lanes<S>;

template <class T>
T* gathered_tile(T* gathered, const StepBlock& block, std::size_t row, std::size_t tile) {
  return gathered + row * block.segments * block.steps +
         tile * gathered_width<std::remove_const_t<T>>;
}

template <class S, std::size_t vectors>
void multiply_cut_tile(Tile<S> tile, std::size_t rows, std::size_t columns) {
  constexpr std::size_t width = vectors * lanes<S>;
  alignas(64) S whole[tile_rows_max(vectors) * width];
  S* const c = tile.c;
  const std::size_t c_row = tile.c_row;
  if (tile.accumulate) {
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < width; ++j)
        whole[i * width + j] = j < columns ? c[i * c_row + j] : S{0};
    }
  }
  tile.c = whole;
  tile.c_row = width;
  tile_functions<S, vectors>.of_rows[rows](tile);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) c[i * c_row + j] = whole[i * width + j];
  }
}

template <class S, std::size_t vectors>
void multiply_panel(const Product<S>& product, const StepBlock& block, const Left<S>& left,
                    const Panel<S>& panel, std::size_t first_group, std::size_t last_group) {
  constexpr std::size_t width = vectors * lanes<S>;
  const bool cut = panel.columns < width;
  alignas(64) S bias[width] = {};
  if (product.bias != nullptr) {
    for (std::size_t j = 0; j < panel.columns; ++j) bias[j] = product.bias[panel.first + j];
  }
  Tile<S> tile{};
  tile.a_row = product.a_row;
  tile.a_segment = left.a_segment;
  tile.a_step = left.a_step;
  tile.b = panel.b;
  tile.b_segment = panel.b_segment;
  tile.b_step = panel.b_step;
  tile.c_row = product.c_row;
  tile.segments = block.segments;
  tile.steps = block.steps;
  tile.bias = product.bias != nullptr ? bias : nullptr;
  tile.accumulate = product.accumulate || !block.first;
  tile.relu = product.relu && block.last;
  // a is read once, from end to end.
  const bool a_streams = product.columns <= width && product.groups * product.segments == 1 &&
                         left.a_step == 1 && product.a_row == product.steps &&
                         product.steps >= steps_in_cache;
  const std::size_t rows_max = tile_rows_max(left.gathered ? tile_vectors_max : vectors);
  const std::size_t tiles = (product.rows + rows_max - 1) / rows_max;
  for (std::size_t group = first_group; group < last_group; ++group) {
    for (std::size_t i = 0; i < tiles; ++i) {
      const std::size_t row = product.rows * i / tiles;
      const std::size_t rows = product.rows * (i + 1) / tiles - row;
      tile.ahead = group + i == 0 ? panel.ahead : nullptr;
      if (a_streams) tile.ahead = left.a + (row + rows) * product.a_row;
      if (left.gathered) {
        tile.a = gathered_tile(left.a, block, row, i);
        tile.a_segment = block.steps * rows;
        tile.a_step = rows;
      } else {
        tile.a = left.a + group * product.a_group + row * product.a_row;
      }
      tile.c = product.c + group * product.c_group + row * product.c_row + panel.first;
      if (cut) {
        multiply_cut_tile<S, vectors>(tile, rows, panel.columns);
      } else {
        const auto& functions = tile_functions<S, vectors>;
        (tile.ahead != nullptr ? functions.asking : functions.of_rows)[rows](tile);
      }
    }
  }
}

// `count` whole panels, or one that is cut off, packed one behind the other.
template <class S>
void pack_panels(const StepBlock& block, const Panel<S>& panel, std::size_t width,
                 std::size_t count, S* packed) {
  const std::size_t panel_size = block.segments * block.steps * width;
  for (std::size_t segment = 0; segment < block.segments; ++segment) {
    for (std::size_t step = 0; step < block.steps; ++step) {
      const S* from = panel.b + segment * panel.b_segment + step * panel.b_step;
      S* to = packed + (segment * block.steps + step) * width;
      if (panel.columns == width) {
        for (std::size_t i = 0; i < count; ++i) {
          for (std::size_t j = 0; j < width; j += lanes<S>)
            store(load(from + i * width + j), to + i * panel_size + j);
        }
      } else if (step + 1 < block.steps && width <= panel.b_step + panel.columns) {
        // What lies beyond the panel, up to the next step's, ends in columns that do not count.
        for (std::size_t j = 0; j < width; j += lanes<S>) store(load(from + j), to + j);
      } else {
        for (std::size_t j = 0; j < width; ++j) to[j] = j < panel.columns ? from[j] : S{0};
      }
    }
  }
}

// Whether lines so many bytes apart share few sets of the cache, or few pages.
inline bool is_crowded(std::size_t bytes) {
  return bytes % 256 == 0 || bytes >= 2048;
}

// Whether b is read but once, its lines are long, and there are many: weights of a wide layer.
template <class S>
bool is_large_for_few_rows(const Product<S>& product) {
  return product.b_panel == 0 && product.groups * product.rows <= rows_worth_packing &&
         product.columns * sizeof(S) >= large_line && product.steps > steps_in_cache;
}

template <class S>
void multiply_panel_of(std::size_t vectors, const Product<S>& product, const StepBlock& block,
                       const Left<S>& left, const Panel<S>& panel, std::size_t first_group,
                       std::size_t last_group) {
  if (vectors == 1) multiply_panel<S, 1>(product, block, left, panel, first_group, last_group);
  if (vectors == 2) multiply_panel<S, 2>(product, block, left, panel, first_group, last_group);
  if constexpr (tile_vectors_max == 4) {
    if (vectors == 4) multiply_panel<S, 4>(product, block, left, panel, first_group, last_group);
  }
}

template <class S>
void multiply_block(const Product<S>& product, const StepBlock& block, const Left<S>& left) {
  static_assert(tile_vectors_max * lanes<S> <= panel_columns_max);
  alignas(64) S packed[panels_together * steps_in_cache * tile_vectors_max * lanes<S>];
  const S* b =
      product.b + block.first_segment * product.b_segment + block.first_step * product.b_step;
  // b lies without gaps: the next block of steps is the memory behind this one, a share of it for
  // each panel.
  const bool streams = product.columns == product.b_step && is_large_for_few_rows(product) &&
                       block.first_step + 2 * block.steps <= product.steps;
  for (std::size_t column = 0; column < product.columns;) {
    std::size_t vectors = tile_vectors_max;
    while (vectors > 1 && column + vectors * lanes < S >> product.columns) vectors /= 2;
    const std::size_t width = vectors * lanes<S>;
    constexpr std::size_t whole = tile_vectors_max * lanes<S>;
    const S* const from =
        product.b_panel == 0 ? b + column : b + column / whole * product.b_panel + column % whole;
    Panel<S> panel{from, product.b_segment, product.b_step, column,
                   smaller(width, product.columns - column)};
    if (streams) panel.ahead = b + block.steps * product.b_step + column * block.steps;
    const bool cut = panel.columns < width;
    const bool scattered =
        product.b_panel == 0 && product.b_step > width && is_crowded(product.b_step * sizeof(S));
    if (!cut && !(scattered && product.groups * product.rows > rows_worth_packing)) {
      multiply_panel_of(vectors, product, block, left, panel, 0, product.groups);
      column += width;
      continue;
    }
    // Each few groups meet all panels that were packed together before the next do.
    const std::size_t count =
        cut ? 1 : smaller(panels_together, (product.columns - column) / width);
    pack_panels(block, panel, width, count, packed);
    const std::size_t groups =
        product.rows < rows_in_cache ? rows_in_cache / product.rows : std::size_t{1};
    for (std::size_t group = 0; group < product.groups; group += groups) {
      for (std::size_t i = 0; i < count; ++i) {
        panel.b = packed + i * block.segments * block.steps * width;
        panel.b_segment = block.steps * width;
        panel.b_step = width;
        panel.first = column + i * width;
        multiply_panel_of(vectors, product, block, left, panel, group,
                          smaller(group + groups, product.groups));
      }
    }
    column += count * width;
  }
}

// Whether a's rows lie side by side, its steps far apart, and enough panels read them.
template <class S>
bool is_worth_gathering(const Product<S>& product) {
  return product.groups == 1 && product.a_row == 1 && product.a_step >= steps_far_apart &&
         product.rows <= gathered_rows_max && product.columns > 2 * tile_vectors_max * lanes<S>;
}

// Some tiles' rows of all steps, each tile's step by step. A step is read for all of them while its
// lines are in the cache.
template <class S>
void gather_tiles(const Product<S>& product, const StepBlock& block, std::size_t tiles,
                  std::size_t first, std::size_t last, S* gathered) {
  constexpr std::size_t width = gathered_width<S>;
  const std::size_t count = last - first;
  std::size_t rows[tiles_together];
  const S* from[tiles_together];
  S* to[tiles_together];
  std::size_t whole = 0;  // tiles whose vectors end within a's rows
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = product.rows * (first + i) / tiles;
    rows[i] = product.rows * (first + i + 1) / tiles - row;
    from[i] = product.a + row;
    to[i] = gathered_tile(gathered, block, row, first + i);
    if (row + width <= product.rows) whole = i + 1;
  }
  for (std::size_t segment = 0; segment < block.segments; ++segment) {
    std::size_t at =
        (block.first_segment + segment) * product.a_segment + block.first_step * product.a_step;
    for (std::size_t step = 0; step < block.steps; ++step, at += product.a_step) {
      for (std::size_t i = 0; i < whole; ++i) {
        __builtin_prefetch(from[i] + at + gathered_ahead * product.a_step);
        for (std::size_t j = 0; j < width; j += lanes<S>) store(load(from[i] + at + j), to[i] + j);
        to[i] += rows[i];
      }
      for (std::size_t i = whole; i < count; ++i) {
        for (std::size_t j = 0; j < rows[i]; ++j) to[i][j] = from[i][at + j];
        to[i] += rows[i];
      }
    }
  }
}

template <class S>
void multiply_gathered(const Product<S>& product, const StepBlock& block) {
  constexpr std::size_t rows_max = tile_rows_max(tile_vectors_max);
  constexpr std::size_t tiles_max = gathered_rows_max / rows_max + 1;
  alignas(64) S gathered[steps_in_cache * gathered_rows_max + tiles_max * gathered_width<S>];
  const std::size_t tiles = (product.rows + rows_max - 1) / rows_max;
  for (std::size_t first = 0; first < tiles; first += tiles_together) {
    gather_tiles(product, block, tiles, first, smaller(first + tiles_together, tiles), gathered);
  }
  multiply_block(product, block, Left<S>{gathered, 0, 0, true});
}

template <class S>
void multiply_rows(const Product<S>& product) {
  const bool gathers = is_worth_gathering(product);
  const std::size_t steps_max = is_large_for_few_rows(product) ? steps_of_few_rows : steps_in_cache;
  const std::size_t together = product.steps < steps_max ? steps_max / product.steps : 1;
  for (std::size_t segment = 0; segment < product.segments; segment += together) {
    for (std::size_t step = 0; step < product.steps; step += steps_max) {
      const std::size_t segments = smaller(together, product.segments - segment);
      const std::size_t steps = smaller(steps_max, product.steps - step);
      const bool last = segment + segments == product.segments && step + steps == product.steps;
      const StepBlock block{segment, segments, step, steps, segment == 0 && step == 0, last};
      if (gathers) {
        multiply_gathered(product, block);
        continue;
      }
      const S* a = product.a + segment * product.a_segment + step * product.a_step;
      multiply_block(product, block, Left<S>{a, product.a_segment, product.a_step, false});
    }
  }
}

// A packed b costs nothing to read again: it meets as many of a's rows at a time as the
// second-level cache holds.
template <class S>
void multiply(const Product<S>& product) {
  if (product.rows == 0) return;
  if (product.b_panel == 0) return multiply_rows(product);
  const std::size_t rows = smaller(product.rows, rows_in_cache);
  const std::size_t groups = rows_in_cache / rows;
  for (std::size_t group = 0; group < product.groups; group += groups) {
    for (std::size_t row = 0; row < product.rows; row += rows) {
      Product<S> part = product;
      part.a += group * product.a_group + row * product.a_row;
      part.c += group * product.c_group + row * product.c_row;
      part.groups = smaller(groups, product.groups - group);
      part.rows = smaller(rows, product.rows - row);
      multiply_rows(part);
    }
  }
}

}  // namespace
}  // namespace entente::engine
