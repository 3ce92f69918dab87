// SPDX-License-Identifier: Apache-2.0
#include "common/engine/initial.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "common/base/assert.hpp"
#include "common/base/parallel.hpp"
#include "common/base/random.hpp"
#include "common/engine/elementary.hpp"

namespace entente::engine {
namespace {

constexpr std::uint64_t block_size = 16'384;
// The standard deviation that is left of a unit normal cut at two of them.
constexpr double truncated_deviation = 0.87962566103423978;
constexpr double below_minus_two = 0.022750131948179195;  // the normal distribution's share there

// c[0] + c[1] x + ... + c[7] x^7
double polynomial(const std::array<double, 8>& c, double x) {
  double value = c[7];
  for (std::size_t i = 7; i-- > 0;) value = value * x + c[i];
  return value;
}

// The x below which a unit normal falls with probability p, 0 < p < 1 (M. J. Wichura, algorithm AS
// 241, 1988).
double normal_quantile(double p) {
  static constexpr std::array<double, 8> a{3.3871328727963666080e0,  1.3314166789178437745e+2,
                                           1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                           4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                           3.3430575583588128105e+4, 2.5090809287301226727e+3};
  static constexpr std::array<double, 8> b{1.0,
                                           4.2313330701600911252e+1,
                                           6.8718700749205790830e+2,
                                           5.3941960214247511077e+3,
                                           2.1213794301586595867e+4,
                                           3.9307895800092710610e+4,
                                           2.8729085735721942674e+4,
                                           5.2264952788528545610e+3};
  static constexpr std::array<double, 8> c{1.42343711074968357734e0,  4.63033784615654529590e0,
                                           5.76949722146069140550e0,  3.64784832476320460504e0,
                                           1.27045825245236838258e0,  2.41780725177450611770e-1,
                                           2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr std::array<double, 8> d{1.0,
                                           2.05319162663775882187e0,
                                           1.67638483018380384940e0,
                                           6.89767334985100004550e-1,
                                           1.48103976427480074590e-1,
                                           1.51986665636164571966e-2,
                                           5.47593808499534494600e-4,
                                           1.05075007164441684324e-9};
  static constexpr std::array<double, 8> e{6.65790464350110377720e0,  5.46378491116411436990e0,
                                           1.78482653991729133580e0,  2.96560571828504891230e-1,
                                           2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                           2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static constexpr std::array<double, 8> f{1.0,
                                           5.99832206555887937690e-1,
                                           1.36929880922735805310e-1,
                                           1.48753612908506148525e-2,
                                           7.86869131745613259100e-4,
                                           1.84631831751005468180e-5,
                                           1.42151175831644588870e-7,
                                           2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(a, r) / polynomial(b, r);
  }
  const double r = std::sqrt(-log_of(q < 0 ? p : 1.0 - p));
  const double x = r <= 5.0 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6)
                            : polynomial(e, r - 5.0) / polynomial(f, r - 5.0);
  return q < 0 ? -x : x;
}

// A tensor's initialiser with its variance worked out: a + b * (a draw from a unit distribution).
struct Draw {
  enum class From { constant, uniform, normal, truncated_normal } from = From::constant;
  double a = 0, b = 0;
};

Draw draw_of(const TensorInitial& initial) {
  const Initializer& given = initial.initializer;
  const double fan = given.fan == Initializer::Fan::in ? initial.fan_in
                     : given.fan == Initializer::Fan::out
                         ? initial.fan_out
                         : (initial.fan_in + initial.fan_out) / 2.0;
  const double variance = given.first / std::max(fan, 1.0);
  const double limit = std::sqrt(3.0 * variance);
  switch (given.kind) {
    case Initializer::Kind::constant:
      return {Draw::From::constant, given.first, 0};
    case Initializer::Kind::uniform:
      return {Draw::From::uniform, given.first, given.second - given.first};
    case Initializer::Kind::normal:
      return {Draw::From::normal, given.first, given.second};
    case Initializer::Kind::truncated_normal:
      return {Draw::From::truncated_normal, given.first, given.second};
    case Initializer::Kind::scaled_uniform:
      return {Draw::From::uniform, -limit, 2.0 * limit};
    case Initializer::Kind::scaled_normal:
      return {Draw::From::normal, 0, std::sqrt(variance)};
    case Initializer::Kind::scaled_truncated_normal:
      return {Draw::From::truncated_normal, 0, std::sqrt(variance) / truncated_deviation};
    case Initializer::Kind::orthogonal:
      return {Draw::From::normal, 0, given.first};  // fill_orthogonal makes the matrix of it
    case Initializer::Kind::identity:
      return {Draw::From::constant, 0, 0};  // fill_identity puts the ones
  }
  return {};
}

float value_of(const Draw& draw, std::uint32_t random) {
  const double u = (static_cast<double>(random) + 0.5) / 4294967296.0;  // inside (0, 1)
  switch (draw.from) {
    case Draw::From::constant:
      return static_cast<float>(draw.a);
    case Draw::From::uniform:
      return static_cast<float>(draw.a + draw.b * u);
    case Draw::From::normal:
      return static_cast<float>(draw.a + draw.b * normal_quantile(u));
    case Draw::From::truncated_normal:
      return static_cast<float>(
          draw.a + draw.b * normal_quantile(below_minus_two + u * (1.0 - 2.0 * below_minus_two)));
  }
  return 0;
}

// Values [first, first + values.size()) of tensor `tensor`: four for each number of the counter.
void fill(const Draw& draw, std::uint64_t seed, std::uint32_t tensor, std::uint64_t first,
          std::span<float> values) {
  if (draw.from == Draw::From::constant)
    return std::fill(values.begin(), values.end(), static_cast<float>(draw.a));
  const std::array<std::uint32_t, 2> key{static_cast<std::uint32_t>(seed),
                                         static_cast<std::uint32_t>(seed >> 32U)};
  std::array<std::uint32_t, 4> random{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t k = first + i;
    if (i == 0 || k % 4 == 0) {
      const std::uint64_t counter = k / 4;
      random = philox(key, {static_cast<std::uint32_t>(counter),
                            static_cast<std::uint32_t>(counter >> 32U), tensor, 0});
    }
    values[i] = value_of(draw, random[k % 4]);
  }
}

struct Stream {
  std::uint64_t seed = 0;
  std::uint32_t tensor = 0;
};

// Number k of a stream, from the unit normal distribution.
double normal_number(const Stream& stream, std::uint64_t k) {
  const std::array<std::uint32_t, 2> key{static_cast<std::uint32_t>(stream.seed),
                                         static_cast<std::uint32_t>(stream.seed >> 32U)};
  const std::uint64_t counter = k / 4;
  const auto random = philox(key, {static_cast<std::uint32_t>(counter),
                                   static_cast<std::uint32_t>(counter >> 32U), stream.tensor, 0});
  return normal_quantile((static_cast<double>(random[k % 4]) + 0.5) / 4294967296.0);
}

// Values [first, first + values.size()) of a matrix whose shorter side is orthonormal: lines of a
// product of reflections, each of which leaves alone the places before its own (G. W. Stewart, "The
// efficient generation of random orthogonal matrices", 1980). Any lines can be made by themselves.
void fill_orthogonal(const TensorInitial& initial, const tensor::TensorEntry& entry,
                     const Stream& stream, std::uint64_t first, std::span<float> values) {
  const std::uint64_t columns = entry.shape.back(), rows = entry.count / columns;
  const bool wide = rows <= columns;
  const std::size_t lines = std::min(rows, columns), length = std::max(rows, columns);
  const std::size_t begin = wide ? first / length : 0;
  const std::size_t end = wide ? (first + values.size() - 1) / length + 1 : lines;
  std::vector<double> made((end - begin) * length), mirror(length);
  for (std::size_t line = begin; line < end; ++line) made[(line - begin) * length + line] = 1;
  for (std::size_t turn = 0; turn < lines; ++turn) {
    double squares = 0;
    for (std::size_t i = turn; i < length; ++i) {
      mirror[i] = normal_number(stream, turn * length + i);
      squares += mirror[i] * mirror[i];
    }
    const double sign = mirror[turn] < 0 ? -1 : 1, size = std::sqrt(squares);
    const double half = squares + size * std::abs(mirror[turn]);  // half the mirror's square
    mirror[turn] += sign * size;
    for (std::size_t line = begin; line < end; ++line) {
      double* to = made.data() + (line - begin) * length;
      double along = 0;
      for (std::size_t i = turn; i < length; ++i) along += to[i] * mirror[i];
      for (std::size_t i = turn; i < length; ++i) to[i] -= along / half * mirror[i];
      to[turn] *= -sign;
    }
  }
  for (std::size_t k = 0; k < values.size(); ++k) {
    const std::uint64_t at = first + k, row = at / columns, column = at % columns;
    const double value = wide ? made[(row - begin) * length + column] : made[column * length + row];
    values[k] = static_cast<float>(initial.initializer.first * value);
  }
}

// The same of a matrix that is 0 but for its main diagonal.
void fill_identity(const TensorInitial& initial, const tensor::TensorEntry& entry,
                   std::uint64_t first, std::span<float> values) {
  const std::uint64_t columns = entry.shape.back();
  for (std::size_t k = 0; k < values.size(); ++k) {
    const std::uint64_t at = first + k;
    values[k] = at / columns == at % columns ? static_cast<float>(initial.initializer.first) : 0.0F;
  }
}

void fill_block(const Network& network, std::uint64_t seed, std::uint64_t first,
                std::span<float> values) {
  const auto& tensors = network.layout().tensors();
  auto tensor =
      std::upper_bound(tensors.begin(), tensors.end(), first,
                       [](std::uint64_t at, const auto& entry) { return at < entry.offset; });
  for (--tensor; !values.empty(); ++tensor) {
    const auto index = static_cast<std::size_t>(tensor - tensors.begin());
    const std::uint64_t inside = first - tensor->offset;
    const std::size_t count = std::min<std::uint64_t>(values.size(), tensor->count - inside);
    const TensorInitial& initial = network.initial()[index];
    if (initial.initializer.kind == Initializer::Kind::orthogonal) {
      fill_orthogonal(initial, *tensor, {seed, static_cast<std::uint32_t>(index)}, inside,
                      values.first(count));
    } else if (initial.initializer.kind == Initializer::Kind::identity) {
      fill_identity(initial, *tensor, inside, values.first(count));
    } else {
      fill(draw_of(initial), seed, static_cast<std::uint32_t>(index), inside, values.first(count));
    }
    const std::uint64_t ones_last = initial.ones_first + initial.ones_count;
    for (std::size_t i = 0; i < count; ++i) {
      if (inside + i >= initial.ones_first && inside + i < ones_last) values[i] = 1.0F;
    }
    values = values.subspan(count);
    first += count;
  }
}

}  // namespace

void initial_values(const Network& network, std::uint64_t seed, std::uint64_t first,
                    std::span<float> values) {
  const std::uint64_t count = network.parameter_count();
  ENTENTE_ASSERT(first <= count && values.size() <= count - first,
                 "initial values beyond the parameters");
  parallel_for((values.size() + block_size - 1) / block_size, [&](std::size_t block) {
    const std::size_t begin = block * block_size;
    const std::size_t size = std::min<std::size_t>(block_size, values.size() - begin);
    fill_block(network, seed, first + begin, values.subspan(begin, size));
  });
}

}  // namespace entente::engine
