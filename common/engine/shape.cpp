// SPDX-License-Identifier: Apache-2.0
#include "common/engine/shape.hpp"

namespace entente::engine {

std::uint64_t element_count(const Shape& shape) {
  std::uint64_t count = 1;
  for (const std::uint64_t dimension : shape) {
    if (dimension == 0 || dimension > dimension_max || count > elements_max / dimension) return 0;
    count *= dimension;
  }
  return count;
}

std::string to_text(const Shape& shape) {
  std::string text;
  for (const std::uint64_t dimension : shape)
    text += (text.empty() ? "" : ", ") + std::to_string(dimension);
  return "(" + text + ")";
}

}  // namespace entente::engine
