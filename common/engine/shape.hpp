// SPDX-License-Identifier: Apache-2.0
//
// The shape of one example, without the batch dimension: (28, 28, 1) is height, width, channels;
// (30) a row of a table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace entente::engine {

using Shape = std::vector<std::uint64_t>;

inline constexpr std::uint64_t dimension_max = std::uint64_t{1} << 31U;
inline constexpr std::uint64_t elements_max = std::uint64_t{1} << 40U;  // of one example

// The product of the dimensions; 0 when one is zero, or beyond dimension_max, or the product beyond
// elements_max.
std::uint64_t element_count(const Shape& shape);

// "(28, 28, 1)".
std::string to_text(const Shape& shape);

}  // namespace entente::engine
