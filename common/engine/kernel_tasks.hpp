// SPDX-License-Identifier: Apache-2.0
//
// How the gradient of a kernel [rows, columns], a sum over very many steps, is shared out in tasks.
//
// A task copies its rows of one operand and its columns of the other together before it multiplies
// them, so what it copies grows with rows + columns and what it computes with rows * columns: tasks
// are as large as the copies' caches allow. Which task computes a result changes none of its bits.
#pragma once

#include <algorithm>
#include <cstddef>

#include "common/engine/kernels.hpp"

namespace entente::engine {

class KernelTasks {
 public:
  struct Part {
    std::size_t first_row, rows, first_column, columns;
  };

  // At least `parts` of them, where the columns suffice.
  KernelTasks(std::size_t rows, std::size_t columns, std::size_t parts)
      : rows_(rows), columns_(columns), row_bands_(shares(rows, rows_max)) {
    column_bands_ = std::max(shares(columns, columns_max), shares(parts, row_bands_));
    column_bands_ = std::min(column_bands_, panels());
  }

  std::size_t count() const { return row_bands_ * column_bands_; }

  // Even bands; those of columns end where panels do.
  Part part(std::size_t task) const {
    const std::size_t row_band = task / column_bands_, column_band = task % column_bands_;
    const std::size_t row = rows_ * row_band / row_bands_;
    const std::size_t column = column_of(column_band);
    return {row, rows_ * (row_band + 1) / row_bands_ - row, column,
            column_of(column_band + 1) - column};
  }

 private:
  static constexpr std::size_t rows_max = 256, columns_max = 512;

  static std::size_t shares(std::size_t count, std::size_t most) {
    return (count + most - 1) / most;
  }
  std::size_t panels() const { return shares(columns_, panel_columns_max); }
  std::size_t column_of(std::size_t band) const {
    return std::min(columns_, panels() * band / column_bands_ * panel_columns_max);
  }

  std::size_t rows_, columns_, row_bands_, column_bands_ = 1;
};

}  // namespace entente::engine
