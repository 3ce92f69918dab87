// SPDX-License-Identifier: Apache-2.0
//
// The one product behind dense layers and convolutions: tiles of rows x columns held in registers.
//
// For each block of steps whose panel of columns fits the first-level cache, for each panel, for
// each tile of rows: c's tile is loaded (or started from the bias), all steps are added in order,
// and it is stored. What would be read badly is copied together first: panels that are cut off at
// the right edge, panels that many rows will use and whose lines lie far apart, and rows of a whose
// steps do.
#pragma once

#include "common/engine/kernels/vector.hpp"

namespace entente::engine {
namespace {

inline constexpr std::size_t steps_in_cache = 256;
inline constexpr std::size_t rows_worth_packing = 48;
inline constexpr std::size_t steps_far_apart = 64, gathered_rows_max = 96;
// Of gathered steps: an odd number of cache lines.
inline constexpr std::size_t gathered_step = 112;

inline constexpr std::size_t line_bytes = 64, page_bytes = 4096;
// How far before its use a line of b is asked for.
inline constexpr std::size_t steps_ahead = vector_bytes == line_bytes ? 16 : 8;
// Where a vector is a line, the next ones are asked for whatever lies where.
inline constexpr bool asks_always = vector_bytes == line_bytes;

// Panels that are copied together, and rows that meet each of them before the next rows do: both
// stay in the second-level cache.
template <class S>
inline constexpr std::size_t columns_together = 1024 / sizeof(S);
inline constexpr std::size_t rows_together = 96;

// Tiles: as many accumulators as the registers hold beside the vectors of b and one of a.
inline constexpr std::size_t tile_vectors_max = vector_bytes == 64 ? 4 : 2;
constexpr std::size_t tile_rows_max(std::size_t vectors) {
  if (vector_bytes == 64) return vectors == 4 ? 7 : 14;
  return vectors == 2 ? 6 : 12;
}

// Of a copied panel: lines of neighbours are in other sets of the cache.
template <class S>
inline constexpr std::size_t panel_room = steps_in_cache* tile_vectors_max* lanes<S> +
                                          line_bytes / sizeof(S);

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
  const S* bias;
  bool accumulate, relu;
};

// `asks`: b is asked for ahead. Its lines lie where no processor looks by itself.
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
  const std::size_t a_row = tile.a_row;
  for (std::size_t segment = 0; segment < tile.segments; ++segment) {
    const S* a = tile.a + segment * tile.a_segment;
    const S* b = tile.b + segment * tile.b_segment;
    for (std::size_t step = 0; step < tile.steps; ++step) {
      Vector<S> right[vectors];
#pragma GCC unroll 4
      for (std::size_t j = 0; j < vectors; ++j) {
        right[j] = load(b + j * lanes<S>);
        if (asks && j * vector_bytes % line_bytes == 0)
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
template <class S, std::size_t vectors, bool asks>
struct TileFunctions {
  TileFunction<S> of_rows[tile_rows_max(vectors) + 1] = {};
  constexpr TileFunctions() { fill<1>(); }
  template <std::size_t rows>
  constexpr void fill() {
    of_rows[rows] = &multiply_tile<S, rows, vectors, asks>;
    if constexpr (rows < tile_rows_max(vectors)) fill<rows + 1>();
  }
};
template <class S, std::size_t vectors, bool asks>
inline constexpr TileFunctions<S, vectors, asks> tile_functions{};

// The steps of a product that are worked on at once: some segments whole, or a part of one.
struct StepBlock {
  std::size_t first_segment, segments, first_step, steps;
  bool first, last;
};

// The rows that are worked on at once: some groups whole, or a part of one.
struct RowBlock {
  std::size_t first_group, groups, first_row, rows;
};

// A panel of columns: `columns` of them count, the rest of the vectors is padding.
template <class S>
struct Panel {
  const S* b;
  std::size_t b_segment, b_step;
  std::size_t first, columns, vectors;
  bool asks;    // its lines are asked for when they are first read
  bool copied;  // they are read from a copy
};

// Where the block's part of a lies.
template <class S>
struct Left {
  const S* a;
  std::size_t a_segment, a_step;
};

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
  tile_functions<S, vectors, false>.of_rows[rows](tile);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) c[i * c_row + j] = whole[i * width + j];
  }
}

template <class S, std::size_t vectors>
void multiply_panel(const Product<S>& product, const StepBlock& block, const RowBlock& rows_of,
                    const Left<S>& left, const Panel<S>& panel) {
  constexpr std::size_t width = vectors * lanes<S>;
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
  const std::size_t tiles = (rows_of.rows + tile_rows_max(vectors) - 1) / tile_rows_max(vectors);
  bool asks = panel.asks;
  for (std::size_t g = 0; g < rows_of.groups; ++g) {
    const std::size_t group = rows_of.first_group + g;
    for (std::size_t i = 0; i < tiles; ++i) {
      const std::size_t offset = rows_of.rows * i / tiles;
      const std::size_t rows = rows_of.rows * (i + 1) / tiles - offset;
      const std::size_t row = rows_of.first_row + offset;
      tile.a = left.a + group * product.a_group + row * product.a_row;
      tile.c = product.c + group * product.c_group + row * product.c_row + panel.first;
      if (panel.columns < width) {
        multiply_cut_tile<S, vectors>(tile, rows, panel.columns);
      } else if (asks) {
        tile_functions<S, vectors, true>.of_rows[rows](tile);
      } else {
        tile_functions<S, vectors, asks_always>.of_rows[rows](tile);
      }
      asks = false;
    }
  }
}

// One step's columns of a panel that is cut off at the right edge: zeros behind them.
template <class S>
void copy_cut(const S* from, std::size_t columns, std::size_t width, S* to) {
  for (std::size_t j = 0; j < width; ++j) to[j] = j < columns ? from[j] : S{0};
}

template <class S, std::size_t vectors>
void copy_step(const S* from, S* to) {
  for (std::size_t j = 0; j < vectors; ++j) store(load(from + j * lanes<S>), to + j * lanes<S>);
}

// Whether lines so many bytes apart share few sets of the cache, or few pages.
inline bool is_crowded(std::size_t bytes) {
  return bytes % 256 == 0 || bytes >= 2048;
}

// The panels of columns that are worked on together.
template <class S>
struct Panels {
  Panel<S> of[columns_together<S> / lanes<S>];
  std::size_t count = 0;
  bool copies = false;  // some of them
};

template <class S>
Panels<S> panels_from(const Product<S>& product, const StepBlock& block, std::size_t column) {
  const S* b =
      product.b + block.first_segment * product.b_segment + block.first_step * product.b_step;
  const std::size_t end = smaller(column + columns_together<S>, product.columns);
  Panels<S> panels;
  while (column < end) {
    std::size_t vectors = tile_vectors_max;
    while (vectors > 1 && column + vectors * lanes < S >> product.columns) vectors /= 2;
    const std::size_t width = vectors * lanes<S>;
    const bool scattered = product.b_step > width && is_crowded(product.b_step * sizeof(S));
    // Lines a page apart are all in one set: what is asked for would push out what is needed.
    const bool asks_help = product.b_step * sizeof(S) % page_bytes != 0;
    const bool many = product.groups * product.rows > rows_worth_packing;
    Panel<S>& panel = panels.of[panels.count++];
    panel = {b + column,
             product.b_segment,
             product.b_step,
             column,
             smaller(width, product.columns - column),
             vectors,
             scattered && asks_help,
             false};
    panel.copied = panel.columns < width || (scattered && many);
    panels.copies = panels.copies || panel.copied;
    column += panel.columns;
  }
  return panels;
}

// Step by step, so that b is read as it lies.
template <class S>
void copy_panels(const StepBlock& block, S* packed, Panels<S>& panels) {
  for (std::size_t segment = 0; segment < block.segments; ++segment) {
    for (std::size_t step = 0; step < block.steps; ++step) {
      for (std::size_t i = 0; i < panels.count; ++i) {
        const Panel<S>& panel = panels.of[i];
        if (!panel.copied) continue;
        const S* from = panel.b + segment * panel.b_segment + step * panel.b_step;
        const std::size_t width = panel.vectors * lanes<S>;
        for (std::size_t j = 0; j < width; j += line_bytes / sizeof(S))
          __builtin_prefetch(from + steps_ahead * panel.b_step + j);
        S* to = packed + i * panel_room<S> + (segment * block.steps + step) * width;
        // What lies beyond a cut panel, up to the next step's, ends in columns that do not count.
        const bool readable = panel.columns == width ||
                              (step + 1 < block.steps && width <= panel.b_step + panel.columns);
        if (!readable) {
          copy_cut(from, panel.columns, width, to);
        } else if (panel.vectors == tile_vectors_max) {
          copy_step<S, tile_vectors_max>(from, to);
        } else {
          for (std::size_t j = 0; j < width; j += lanes<S>) store(load(from + j), to + j);
        }
      }
    }
  }
  for (std::size_t i = 0; i < panels.count; ++i) {
    Panel<S>& panel = panels.of[i];
    if (!panel.copied) continue;
    panel.b = packed + i * panel_room<S>;
    panel.b_step = panel.vectors * lanes<S>;
    panel.b_segment = block.steps * panel.b_step;
    panel.asks = false;
  }
}

template <class S>
void multiply_rows(const Product<S>& product, const StepBlock& block, const RowBlock& rows,
                   const Left<S>& left, Panels<S>& panels) {
  for (std::size_t i = 0; i < panels.count; ++i) {
    Panel<S>& panel = panels.of[i];
    if (panel.vectors == 1) multiply_panel<S, 1>(product, block, rows, left, panel);
    if (panel.vectors == 2) multiply_panel<S, 2>(product, block, rows, left, panel);
    if constexpr (tile_vectors_max == 4) {
      if (panel.vectors == 4) multiply_panel<S, 4>(product, block, rows, left, panel);
    }
    panel.asks = false;
  }
}

template <class S>
void multiply_block(const Product<S>& product, const StepBlock& block, const Left<S>& left) {
  static_assert(tile_vectors_max * lanes<S> <= panel_columns_max);
  static_assert(columns_together<S> % (tile_vectors_max * lanes<S>) == 0);
  alignas(64) S packed[(columns_together<S> / (tile_vectors_max * lanes<S>)+2) * panel_room<S>];
  for (std::size_t column = 0; column < product.columns; column += columns_together<S>) {
    Panels<S> panels = panels_from(product, block, column);
    if (panels.copies) copy_panels(block, packed, panels);
    // Whole groups, or a part of one: a's rows stay in the cache from one panel to the next.
    const std::size_t groups = product.rows < rows_together ? rows_together / product.rows : 1;
    for (std::size_t group = 0; group < product.groups; group += groups) {
      const std::size_t parts = (product.rows + rows_together - 1) / rows_together;
      for (std::size_t i = 0; i < parts; ++i) {
        const std::size_t row = product.rows * i / parts;
        const RowBlock rows{group, smaller(groups, product.groups - group), row,
                            product.rows * (i + 1) / parts - row};
        multiply_rows(product, block, rows, left, panels);
      }
    }
  }
}

// Whether a's rows lie side by side, its steps far apart, and enough panels read them.
template <class S>
bool is_worth_gathering(const Product<S>& product) {
  return product.groups == 1 && product.a_row == 1 && product.a_step >= steps_far_apart &&
         product.rows <= gathered_rows_max && product.columns > 2 * tile_vectors_max * lanes<S>;
}

template <class S>
void multiply_gathered(const Product<S>& product, const StepBlock& block) {
  alignas(64) S gathered[steps_in_cache * gathered_step];
  S* to = gathered;
  for (std::size_t segment = 0; segment < block.segments; ++segment) {
    const S* from = product.a + (block.first_segment + segment) * product.a_segment +
                    block.first_step * product.a_step;
    for (std::size_t step = 0; step < block.steps; ++step) {
      for (std::size_t i = 0; i < product.rows; ++i) to[i] = from[i];
      from += product.a_step;
      to += gathered_step;
    }
  }
  multiply_block(product, block, Left<S>{gathered, block.steps * gathered_step, gathered_step});
}

template <class S>
void multiply(const Product<S>& product) {
  const bool gathers = is_worth_gathering(product);
  const std::size_t together = product.steps < steps_in_cache ? steps_in_cache / product.steps : 1;
  for (std::size_t segment = 0; segment < product.segments; segment += together) {
    for (std::size_t step = 0; step < product.steps; step += steps_in_cache) {
      const std::size_t segments = smaller(together, product.segments - segment);
      const std::size_t steps = smaller(steps_in_cache, product.steps - step);
      const bool last = segment + segments == product.segments && step + steps == product.steps;
      const StepBlock block{segment, segments, step, steps, segment == 0 && step == 0, last};
      if (gathers) {
        multiply_gathered(product, block);
        continue;
      }
      const S* a = product.a + segment * product.a_segment + step * product.a_step;
      multiply_block(product, block, Left<S>{a, product.a_segment, product.a_step});
    }
  }
}

}  // namespace
}  // namespace entente::engine
