// SPDX-License-Identifier: Apache-2.0
//
// Weights in the order in which a product reads them: panel behind panel (Product::b_panel). Made
// once a training step, so that no product copies them again, and read line after line.
#pragma once

#include <algorithm>
#include <cstddef>

#include "common/engine/kernels.hpp"

namespace entente::engine {

// Scalars that b [steps, columns] takes, whatever the instruction set.
inline std::size_t packed_size(std::size_t steps, std::size_t columns) {
  return steps * ((columns + panel_columns_max - 1) / panel_columns_max * panel_columns_max);
}

// Of b [steps, columns], the columns from `first` (a multiple of panel_columns_max) to `last`.
template <class S>
void pack(const Kernels<S>& kernels, const S* b, std::size_t steps, std::size_t columns,
          std::size_t first, std::size_t last, S* packed) {
  for (std::size_t step = 0; step < steps; ++step) {
    for (std::size_t column = first; column < last; column += kernels.panel) {
      std::copy_n(b + step * columns + column, std::min(kernels.panel, last - column),
                  packed + column * steps + step * kernels.panel);
    }
  }
}

// The same of b', that is of `transposed` [columns, steps].
template <class S>
void pack_transposed(const Kernels<S>& kernels, const S* transposed, std::size_t steps,
                     std::size_t first, std::size_t last, S* packed) {
  for (std::size_t column = first; column < last; column += kernels.panel) {
    kernels.transpose(transposed + column * steps, steps, packed + column * steps, kernels.panel,
                      std::min(kernels.panel, last - column), steps);
  }
}

// `product`, whose steps are b's from the first on, reads `packed` of `steps` steps.
template <class S>
void take_packed(Product<S>& product, const Kernels<S>& kernels, const S* packed,
                 std::size_t steps) {
  product.b = packed;
  product.b_step = kernels.panel;
  product.b_panel = steps * kernels.panel;
}

}  // namespace entente::engine
