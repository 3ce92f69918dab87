// SPDX-License-Identifier: Apache-2.0
//
// Each kernel of each instruction set that this processor has, against a plain loop in double.
#include "common/engine/kernels.hpp"

#include <algorithm>
#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "common/engine/isa.hpp"
#include "common/engine/packing.hpp"
#include "tests/common/engine/networks.hpp"

namespace entente::engine {
namespace {

// Strides of a product over random a and b, with gaps everywhere.
struct ProductCase {
  std::size_t groups, rows, columns, segments, steps;
  bool accumulate = false, bias = false, relu = false;
  // a's rows side by side and its steps far apart; b's lines a power of two apart.
  bool across = false, crowded = false;
};

template <class S>
double worst_difference(const Kernels<S>& kernels, const ProductCase& shape) {
  Product<S> p;
  p.groups = shape.groups;
  p.rows = shape.rows;
  p.columns = shape.columns;
  p.segments = shape.segments;
  p.steps = shape.steps;
  p.a_step = shape.across ? shape.rows + 70 : 2;
  p.a_segment = p.a_step * shape.steps + 3;
  p.a_row = shape.across ? 1 : 5;
  p.a_group = 7;
  p.b_step =
      shape.crowded ? std::bit_ceil(std::max<std::size_t>(shape.columns, 64)) : shape.columns + 1;
  p.b_segment = p.b_step * shape.steps + 2;
  p.c_row = shape.columns + 3;
  p.c_group = p.c_row * shape.rows + 1;
  const auto a =
      random_values<S>(shape.groups * 7 + shape.rows * 5 + shape.segments * p.a_segment, 1);
  const auto b = random_values<S>(shape.segments * p.b_segment + shape.columns, 2);
  const auto bias = random_values<S>(shape.columns, 3);
  const auto before = random_values<S>(shape.groups * p.c_group, 4);
  auto c = before;
  p.a = a.data();
  p.b = b.data();
  p.c = c.data();
  p.bias = shape.bias ? bias.data() : nullptr;
  p.accumulate = shape.accumulate;
  p.relu = shape.relu;
  kernels.product(p);

  auto expected = std::vector<double>(before.begin(), before.end());
  for (std::size_t g = 0; g < shape.groups; ++g) {
    for (std::size_t i = 0; i < shape.rows; ++i) {
      for (std::size_t j = 0; j < shape.columns; ++j) {
        double& value = expected[g * p.c_group + i * p.c_row + j];
        if (!shape.accumulate) value = shape.bias ? bias[j] : 0;
        for (std::size_t s = 0; s < shape.segments; ++s) {
          for (std::size_t t = 0; t < shape.steps; ++t) {
            value += double{a[g * p.a_group + i * p.a_row + s * p.a_segment + t * p.a_step]} *
                     double{b[s * p.b_segment + t * p.b_step + j]};
          }
        }
        if (shape.relu) value = std::max(value, 0.0);
      }
    }
  }
  double worst = 0;
  for (std::size_t i = 0; i < c.size(); ++i)
    worst = std::max(worst, std::abs(double{c[i]} - expected[i]));
  return worst / std::sqrt(static_cast<double>(shape.segments * shape.steps));
}

const std::vector<ProductCase> product_cases = [] {
  std::vector<ProductCase> cases;
  for (const std::size_t columns : {1U, 3U, 8U, 10U, 16U, 17U, 32U, 33U, 64U, 65U, 100U, 200U}) {
    for (const std::size_t rows : {1U, 2U, 5U, 7U, 13U, 15U, 29U, 50U}) {
      const std::size_t n = columns + rows;
      cases.push_back(
          {1 + n % 3, rows, columns, 1 + n % 2, 1 + n % 11, n % 3 == 0, n % 3 == 1, n % 5 == 0});
    }
  }
  cases.push_back({1, 20, 40, 1, 600, false, true, true});   // more steps than a block of them
  cases.push_back({1, 20, 40, 3, 300, true, false, true});   // in each of several segments
  cases.push_back({2, 33, 70, 9, 100, false, true, false});  // several segments in a block of steps
  cases.push_back({1, 4, 5, 1, 256, false, true, false});
  // More rows and columns than are worked on together; b in copies, and read as it lies; both of
  // a's ways.
  for (const bool across : {false, true}) {
    for (const bool crowded : {false, true}) {
      for (const std::size_t rows : {3U, 84U, 96U, 128U, 230U})
        cases.push_back({1, rows, 590, 2, 140, rows == 84, rows != 84, true, across, crowded});
      cases.push_back({5, 41, 300, 1, 70, true, false, false, false, crowded});
      cases.push_back({5, 150, 300, 1, 70, false, true, false, false, crowded});
    }
  }
  // Few rows and a large b that lies without gaps.
  cases.push_back({1, 5, 512, 1, 700, false, true, true, false, true});
  cases.push_back({2, 13, 256, 2, 300, true, false, false, false, true});
  return cases;
}();

}  // namespace

BOOST_AUTO_TEST_SUITE(kernels)

BOOST_AUTO_TEST_CASE(a_product_of_any_shape_is_what_a_plain_loop_gives) {
  for (const Isa isa : supported_isas()) {
    for (const ProductCase& shape : product_cases) {
      const double worst = worst_difference(kernels_of<float>(isa), shape);
      BOOST_TEST(worst < 2e-6, to_string(isa)
                                   << ": " << shape.rows << " x " << shape.columns << " over "
                                   << shape.segments << " x " << shape.steps << ": " << worst);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_product_in_float64_is_what_a_plain_loop_gives) {
  for (const ProductCase& shape : product_cases) {
    BOOST_TEST(worst_difference(kernels_of<double>(Isa::generic), shape) < 2e-15);
  }
}

// Packed from b or from b', for fewer and more rows than are worked on together.
BOOST_AUTO_TEST_CASE(a_product_of_a_packed_b_has_the_bits_of_one_that_reads_b_as_it_lies) {
  struct Shape {
    std::size_t groups, rows, columns, steps;
  };
  for (const Isa isa : supported_isas()) {
    const Kernels<float>& kernels = kernels_of<float>(isa);
    for (const auto& [groups, rows, columns, steps] :
         {Shape{1, 16, 512, 128}, Shape{5, 80, 100, 300}, Shape{1, 600, 70, 17},
          Shape{2, 300, 9, 3}, Shape{3, 1, 1, 1}}) {
      const auto a = random_values<float>(groups * rows * steps, 1);
      const auto b = random_values<float>(steps * columns, 2);
      std::vector<float> transposed(b.size()), packed(packed_size(steps, columns));
      auto once_more = packed;
      kernels.transpose(b.data(), columns, transposed.data(), steps, steps, columns);
      for (std::size_t first = 0; first < columns; first += panel_columns_max) {
        const std::size_t last = std::min(first + panel_columns_max, columns);
        pack(kernels, b.data(), steps, columns, first, last, packed.data());
        pack_transposed(kernels, transposed.data(), steps, first, last, once_more.data());
      }
      BOOST_TEST((packed == once_more));

      std::vector<float> expected(groups * rows * columns), c(expected.size());
      Product<float> product;
      product.a = a.data();
      product.a_group = rows * steps;
      product.a_row = steps;
      product.a_step = 1;
      product.b = b.data();
      product.b_step = columns;
      product.c = expected.data();
      product.c_group = rows * columns;
      product.c_row = columns;
      product.groups = groups;
      product.rows = rows;
      product.columns = columns;
      product.steps = steps;
      kernels.product(product);
      take_packed(product, kernels, packed.data(), steps);
      product.c = c.data();
      kernels.product(product);
      BOOST_TEST((c == expected), to_string(isa) << ": " << groups << " x " << rows << " x "
                                                 << columns << " over " << steps);
    }
  }
}

// What is beside a result belongs to another task.
BOOST_AUTO_TEST_CASE(a_product_writes_nothing_beside_its_result) {
  // worst_difference compares the gaps of c as well; here the bias and relu of a cut tile.
  for (const Isa isa : supported_isas()) {
    std::vector<float> c(30, -5.0F);
    const std::vector<float> a(10, 1.0F), b(30, -1.0F), bias(3, 0.5F);
    Product<float> p;
    p.a = a.data();
    p.a_row = 1;
    p.a_step = 1;
    p.b = b.data();
    p.b_step = 3;
    p.c = c.data();
    p.c_row = 10;
    p.rows = 3;
    p.columns = 3;
    p.steps = 4;
    p.bias = bias.data();
    p.relu = true;
    kernels_of<float>(isa).product(p);
    for (std::size_t i = 0; i < c.size(); ++i) BOOST_TEST(c[i] == (i % 10 < 3 ? 0.0F : -5.0F));
  }
}

BOOST_AUTO_TEST_CASE(a_transposed_matrix_has_rows_for_columns) {
  for (const Isa isa : supported_isas()) {
    for (const std::size_t rows : {1U, 4U, 7U, 16U, 25U}) {
      for (const std::size_t columns : {1U, 3U, 8U, 13U}) {
        const auto from = random_values<float>(rows * (columns + 2), 5);
        std::vector<float> to(columns * (rows + 1), -9.0F);
        kernels_of<float>(isa).transpose(from.data(), columns + 2, to.data(), rows + 1, rows,
                                         columns);
        bool right = true;
        for (std::size_t r = 0; r < rows; ++r) {
          for (std::size_t c = 0; c < columns; ++c)
            right &= to[c * (rows + 1) + r] == from[r * (columns + 2) + c];
        }
        for (std::size_t c = 0; c < columns; ++c) right &= to[c * (rows + 1) + rows] == -9.0F;
        BOOST_TEST(right);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(column_sums_add_rows_and_groups_and_what_was_there) {
  for (const Isa isa : supported_isas()) {
    const auto values = random_values<float>(3 * 200, 6);
    for (const bool accumulate : {false, true}) {
      std::vector<float> sums(21, 2.0F);
      kernels_of<float>(isa).column_sums(values.data(), 200, 25, 3, 7, 21, sums.data(), accumulate);
      for (std::size_t j = 0; j < 21; ++j) {
        double expected = accumulate ? 2.0 : 0.0;
        for (std::size_t g = 0; g < 3; ++g) {
          for (std::size_t i = 0; i < 7; ++i) expected += double{values[g * 200 + i * 25 + j]};
        }
        BOOST_TEST(std::abs(double{sums[j]} - expected) < 1e-5);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(relu_keeps_what_is_above_zero_and_lets_nan_be_seen) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Isa isa : supported_isas()) {
    std::vector<float> input(37, -1.0F), output(37), gradient(37, 3.0F);
    input[1] = 2.0F;
    input[36] = 0.5F;
    input[20] = nan;
    kernels_of<float>(isa).relu(input.data(), output.data(), 37);
    BOOST_TEST(output[0] == 0.0F);
    BOOST_TEST(output[1] == 2.0F);
    BOOST_TEST(output[36] == 0.5F);
    BOOST_TEST(std::isnan(output[20]));
    kernels_of<float>(isa).relu_gradient(output.data(), gradient.data(), 37);
    BOOST_TEST(gradient[0] == 0.0F);
    BOOST_TEST(gradient[1] == 3.0F);
    BOOST_TEST(gradient[36] == 3.0F);
  }
}

BOOST_AUTO_TEST_CASE(of_equal_maxima_the_first_takes_the_gradient) {
  for (const Isa isa : supported_isas()) {
    const Pooling pooling{2, 2, 17, 1, 1, 2, 2, 2, 2, 0, 0};
    std::vector<float> input(4 * 17, 1.0F), output(17), output_gradient(17, 2.0F),
        gradient(4 * 17, 0.0F);
    kernels_of<float>(isa).max_pool(pooling, {input.data(), 34, 17}, {output.data(), 17, 17});
    kernels_of<float>(isa).max_pool_gradient(
        pooling, {input.data(), 34, 17}, {output.data(), 17, 17}, {output_gradient.data(), 17, 17},
        {gradient.data(), 34, 17});
    for (std::size_t i = 0; i < gradient.size(); ++i)
      BOOST_TEST(gradient[i] == (i < 17 ? 2.0F : 0.0F));
  }
}

BOOST_AUTO_TEST_CASE(softmax_and_cross_entropy_agree_with_the_c_library_in_double) {
  for (const Isa isa : supported_isas()) {
    for (const std::size_t classes : {2U, 10U, 33U}) {
      auto logits = random_values<float>(classes, 7);
      for (float& logit : logits) logit *= 20.0F;
      std::vector<float> probabilities(classes), gradient(classes);
      kernels_of<float>(isa).softmax(logits.data(), classes, probabilities.data());
      const float loss =
          kernels_of<float>(isa).cross_entropy(logits.data(), classes, 1, 0.25F, gradient.data());
      double sum = 0;
      for (const float logit : logits) sum += std::exp(double{logit});
      BOOST_TEST(std::abs(double{loss} - (std::log(sum) - double{logits[1]})) < 1e-5);
      for (std::size_t i = 0; i < classes; ++i) {
        const double p = std::exp(double{logits[i]}) / sum;
        BOOST_TEST(std::abs(double{probabilities[i]} - p) < 1e-6);
        BOOST_TEST(std::abs(double{gradient[i]} - 0.25 * (p - (i == 1 ? 1.0 : 0.0))) < 1e-6);
      }
    }
  }
}

// Number k of a row is word k % 4 of philox(key, (k / 4, row, layer, 1)), from wherever one begins.
BOOST_AUTO_TEST_CASE(what_is_dropped_is_a_function_of_seed_layer_row_and_place) {
  for (const Isa isa : supported_isas()) {
    Drop<float> drop;
    drop.key[0] = 5;
    drop.key[1] = 6;
    drop.stream = 7;
    drop.row = 8;
    drop.threshold = 0x60000000U;
    drop.scale = 1.5F;
    const std::vector<float> from(200, 2.0F);
    for (const std::size_t first : {0U, 1U, 63U, 64U, 150U}) {
      std::vector<float> to(200 - first);
      drop.first = first;
      kernels_of<float>(isa).drop(drop, from.data() + first, to.data(), to.size());
      for (std::size_t i = 0; i < to.size(); ++i) {
        const auto k = static_cast<std::uint32_t>(first + i);
        const std::uint32_t random = philox({5, 6}, {k / 4, 8, 7, 1})[k % 4];
        BOOST_TEST(to[i] == (random < drop.threshold ? 0.0F : 3.0F));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_class_as_unlikely_as_can_be_still_has_a_finite_loss) {
  for (const Isa isa : supported_isas()) {
    const std::vector<float> logits{0.0F, 1000.0F};
    std::vector<float> gradient(2);
    BOOST_TEST(kernels_of<float>(isa).cross_entropy(logits.data(), 2, 0, 1.0F, gradient.data()) ==
               1000.0F);
    BOOST_TEST(gradient[0] == -1.0F);
    BOOST_TEST(gradient[1] == 1.0F);
  }
}

BOOST_AUTO_TEST_CASE(a_value_that_is_not_finite_is_seen_wherever_it_is) {
  for (const Isa isa : supported_isas()) {
    std::vector<float> values(67, std::numeric_limits<float>::max());
    BOOST_TEST(kernels_of<float>(isa).all_finite(values.data(), values.size()));
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
      for (const std::size_t at : {0U, 31U, 66U}) {
        values[at] = bad;
        BOOST_TEST(!kernels_of<float>(isa).all_finite(values.data(), values.size()));
        values[at] = 1.0F;
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
