// SPDX-License-Identifier: Apache-2.0
//
// The kernel table of one instruction set: compiled once for each, with ENTENTE_KERNELS set to its
// name.
#include "common/engine/kernels.hpp"
#include "common/engine/kernels/curves.hpp"
#include "common/engine/kernels/elementwise.hpp"
#include "common/engine/kernels/normalization.hpp"
#include "common/engine/kernels/pooling.hpp"
#include "common/engine/kernels/product.hpp"
#include "common/engine/kernels/recurrent.hpp"

namespace entente::engine {
namespace {

template <class S>
constexpr Kernels<S> table() {
  Kernels<S> kernels{};
  kernels.lanes = lanes<S>;
  kernels.panel = tile_vectors_max * lanes<S>;
  kernels.product = &multiply<S>;
  kernels.transpose = &transpose<S>;
  kernels.column_sums = &column_sums<S>;
  kernels.relu = &relu<S>;
  kernels.relu_gradient = &relu_gradient<S>;
  kernels.add = &add<S>;
  kernels.max_pool = &max_pool<S>;
  kernels.max_pool_gradient = &max_pool_gradient<S>;
  kernels.average_pool = &average_pool<S>;
  kernels.average_pool_gradient = &average_pool_gradient<S>;
  kernels.multiply = &multiply<S>;
  kernels.multiply_add = &multiply_add<S>;
  kernels.scale = &scale<S>;
  kernels.curve = &curve<S>;
  kernels.curve_gradient = &curve_gradient<S>;
  kernels.drop = &drop<S>;
  kernels.normalize = &normalize<S>;
  kernels.normalize_gradient = &normalize_gradient<S>;
  kernels.column_squares = &column_squares<S>;
  kernels.column_products = &column_products<S>;
  kernels.normalize_columns = &normalize_columns<S>;
  kernels.normalize_columns_gradient = &normalize_columns_gradient<S>;
  kernels.lstm = &lstm<S>;
  kernels.lstm_gradient = &lstm_gradient<S>;
  kernels.gru = &gru<S>;
  kernels.gru_gradient = &gru_gradient<S>;
  kernels.softmax = &softmax<S>;
  kernels.softmax_gradient = &softmax_gradient<S>;
  kernels.cross_entropy = &cross_entropy<S>;
  kernels.all_finite = &all_finite<S>;
  return kernels;
}

}  // namespace

namespace ENTENTE_KERNELS {

extern const Kernels<float> kernels_float32;
constexpr Kernels<float> kernels_float32 = table<float>();

#ifdef ENTENTE_KERNELS_FLOAT64
extern const Kernels<double> kernels_float64;
constexpr Kernels<double> kernels_float64 = table<double>();
#endif

}  // namespace ENTENTE_KERNELS
}  // namespace entente::engine
