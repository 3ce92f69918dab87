// SPDX-License-Identifier: Apache-2.0
//
// Maximum over windows, and its gradient: a vector of channels at a time.
#pragma once

#include "common/engine/kernels/vector.hpp"

namespace entente::engine {
namespace {

// The part of window `index` that lies on the input: [first, first + count).
struct Covered {
  std::size_t first, count;
};
[[gnu::always_inline]] inline Covered covered(std::size_t index, std::size_t step,
                                              std::size_t before, std::size_t window,
                                              std::size_t size) {
  const std::size_t begin = index * step;
  const std::size_t first = begin < before ? 0 : begin - before;
  return {first, smaller(begin + window - before, size) - first};
}

template <class T>
[[gnu::always_inline]] inline Plane<T> shifted(Plane<T> plane, std::size_t channel) {
  return {plane.data + channel, plane.line, plane.pixel};
}

// A vector of channels, or a single one.
template <class S>
struct Wide {
  static Vector<S> get(const S* from) { return load(from); }
  static void put(Vector<S> value, S* to) { store<S>(value, to); }
};
template <class S>
struct Single {
  static S get(const S* from) { return *from; }
  static void put(S value, S* to) { *to = value; }
};

template <class S, class Access>
[[gnu::always_inline]] inline void max_of_window(Plane<const S> input, Covered y, Covered x,
                                                 S* output) {
  auto greatest = Access::get(input.data + y.first * input.line + x.first * input.pixel);
  for (std::size_t dy = 0; dy < y.count; ++dy) {
    for (std::size_t dx = 0; dx < x.count; ++dx) {
      const auto value =
          Access::get(input.data + (y.first + dy) * input.line + (x.first + dx) * input.pixel);
      greatest = greatest < value ? value : greatest;
    }
  }
  Access::put(greatest, output);
}

template <class S, class Access, bool overwrite>
[[gnu::always_inline]] inline void spread_to_window(Plane<const S> input, Covered y, Covered x,
                                                    const S* output, const S* output_gradient,
                                                    Plane<S> input_gradient) {
  const auto greatest = Access::get(output);
  auto left = Access::get(output_gradient);  // what no input has taken yet
  const decltype(left) none{};
  for (std::size_t dy = 0; dy < y.count; ++dy) {
    for (std::size_t dx = 0; dx < x.count; ++dx) {
      const auto value =
          Access::get(input.data + (y.first + dy) * input.line + (x.first + dx) * input.pixel);
      S* to = input_gradient.data + (y.first + dy) * input_gradient.line +
              (x.first + dx) * input_gradient.pixel;
      const auto taken = value == greatest ? left : none;
      if constexpr (overwrite) {
        Access::put(taken, to);
      } else {
        Access::put(Access::get(to) + taken, to);
      }
      left = value == greatest ? none : left;
    }
  }
}

template <class S>
void max_pool(const Pooling& pooling, Plane<const S> input, Plane<S> output) {
  for (std::size_t oy = 0; oy < pooling.output_height; ++oy) {
    const Covered y =
        covered(oy, pooling.step_y, pooling.top, pooling.window_height, pooling.input_height);
    for (std::size_t ox = 0; ox < pooling.output_width; ++ox) {
      const Covered x =
          covered(ox, pooling.step_x, pooling.left, pooling.window_width, pooling.input_width);
      S* to = output.data + oy * output.line + ox * output.pixel;
      std::size_t c = 0;
      for (; c + lanes<S> <= pooling.channels; c += lanes<S>) {
        max_of_window<S, Wide<S>>(shifted(input, c), y, x, to + c);
      }
      for (; c < pooling.channels; ++c)
        max_of_window<S, Single<S>>(shifted(input, c), y, x, to + c);
    }
  }
}

template <class S, bool overwrite>
void spread_to_windows(const Pooling& pooling, Plane<const S> input, Plane<const S> output,
                       Plane<const S> output_gradient, Plane<S> input_gradient) {
  for (std::size_t oy = 0; oy < pooling.output_height; ++oy) {
    const Covered y =
        covered(oy, pooling.step_y, pooling.top, pooling.window_height, pooling.input_height);
    for (std::size_t ox = 0; ox < pooling.output_width; ++ox) {
      const Covered x =
          covered(ox, pooling.step_x, pooling.left, pooling.window_width, pooling.input_width);
      const S* result = output.data + oy * output.line + ox * output.pixel;
      const S* gradient =
          output_gradient.data + oy * output_gradient.line + ox * output_gradient.pixel;
      std::size_t c = 0;
      for (; c + lanes<S> <= pooling.channels; c += lanes<S>) {
        spread_to_window<S, Wide<S>, overwrite>(shifted(input, c), y, x, result + c, gradient + c,
                                                shifted(input_gradient, c));
      }
      for (; c < pooling.channels; ++c) {
        spread_to_window<S, Single<S>, overwrite>(shifted(input, c), y, x, result + c, gradient + c,
                                                  shifted(input_gradient, c));
      }
    }
  }
}

template <class S>
void average_pool(const Pooling& pooling, Plane<const S> input, Plane<S> output) {
  for (std::size_t oy = 0; oy < pooling.output_height; ++oy) {
    const Covered y =
        covered(oy, pooling.step_y, pooling.top, pooling.window_height, pooling.input_height);
    for (std::size_t ox = 0; ox < pooling.output_width; ++ox) {
      const Covered x =
          covered(ox, pooling.step_x, pooling.left, pooling.window_width, pooling.input_width);
      S* to = output.data + oy * output.line + ox * output.pixel;
      for (std::size_t c = 0; c < pooling.channels; ++c) to[c] = S{0};
      for (std::size_t dy = 0; dy < y.count; ++dy) {
        for (std::size_t dx = 0; dx < x.count; ++dx) {
          const S* from = input.data + (y.first + dy) * input.line + (x.first + dx) * input.pixel;
          for (std::size_t c = 0; c < pooling.channels; ++c) to[c] += from[c];
        }
      }
      const S share = S{1} / static_cast<S>(y.count * x.count);
      for (std::size_t c = 0; c < pooling.channels; ++c) to[c] *= share;
    }
  }
}

template <class S>
void average_pool_gradient(const Pooling& pooling, Plane<const S> output_gradient,
                           Plane<S> input_gradient) {
  for (std::size_t oy = 0; oy < pooling.output_height; ++oy) {
    const Covered y =
        covered(oy, pooling.step_y, pooling.top, pooling.window_height, pooling.input_height);
    for (std::size_t ox = 0; ox < pooling.output_width; ++ox) {
      const Covered x =
          covered(ox, pooling.step_x, pooling.left, pooling.window_width, pooling.input_width);
      const S* from = output_gradient.data + oy * output_gradient.line + ox * output_gradient.pixel;
      const S share = S{1} / static_cast<S>(y.count * x.count);
      for (std::size_t dy = 0; dy < y.count; ++dy) {
        for (std::size_t dx = 0; dx < x.count; ++dx) {
          S* to = input_gradient.data + (y.first + dy) * input_gradient.line +
                  (x.first + dx) * input_gradient.pixel;
          for (std::size_t c = 0; c < pooling.channels; ++c) to[c] += share * from[c];
        }
      }
    }
  }
}

template <class S>
void max_pool_gradient(const Pooling& pooling, Plane<const S> input, Plane<const S> output,
                       Plane<const S> output_gradient, Plane<S> input_gradient) {
  if (pooling.tiles) {
    spread_to_windows<S, true>(pooling, input, output, output_gradient, input_gradient);
  } else {
    spread_to_windows<S, false>(pooling, input, output, output_gradient, input_gradient);
  }
}

}  // namespace
}  // namespace entente::engine
