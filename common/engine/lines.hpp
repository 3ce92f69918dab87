// SPDX-License-Identifier: Apache-2.0
//
// Walks two layouts of one extent side by side, in the longest runs that are contiguous in both.
#pragma once

#include "common/engine/operation.hpp"

namespace entente::engine {

// Calls each(a, b, count): offsets from the rows' starts, for all elements.
template <class Each>
void for_each_run(const Layout& a, const Layout& b, const Each& each) {
  const Extent& extent = a.extent;
  if (a.is_tight() && b.is_tight()) return each(std::size_t{0}, std::size_t{0}, extent.count());
  const bool lines = a.pixel == extent.channels && b.pixel == extent.channels;
  for (std::size_t y = 0; y < extent.height; ++y) {
    const std::size_t in_a = a.origin + y * a.line, in_b = b.origin + y * b.line;
    if (lines) {
      each(in_a, in_b, extent.width * extent.channels);
      continue;
    }
    for (std::size_t x = 0; x < extent.width; ++x)
      each(in_a + x * a.pixel, in_b + x * b.pixel, extent.channels);
  }
}

// The gradient by `value` becomes the gradient before its relu.
template <class S>
void relu_gradient(const Pass<S>& pass, const Value& value, std::size_t row) {
  const S* output = pass.input(value, row);
  S* gradient = pass.gradient_of(value, row);
  for_each_run(value.activation, value.gradient,
               [&](std::size_t a, std::size_t b, std::size_t count) {
                 pass.kernels->relu_gradient(output + a, gradient + b, count);
               });
}

}  // namespace entente::engine
