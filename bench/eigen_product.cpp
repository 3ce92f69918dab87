// SPDX-License-Identifier: Apache-2.0
//
// Eigen's product of two square matrices, as a roof to measure by: compiled once for each
// instruction set, with Eigen's namespace renamed for each (the linker would keep one copy of what
// they share).
#include <Eigen/Core>
#include <cstddef>

namespace ENTENTE_ROOF {

void multiply(const float* a, const float* b, float* c, std::size_t side);

void multiply(const float* a, const float* b, float* c, std::size_t side) {
  using Matrix = Eigen::MatrixXf;
  const auto size = static_cast<Eigen::Index>(side);
  const Eigen::Map<const Matrix> left(a, size, size), right(b, size, size);
  Eigen::Map<Matrix>(c, size, size).noalias() = left * right;
}

}  // namespace ENTENTE_ROOF
