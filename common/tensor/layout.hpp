// SPDX-License-Identifier: Apache-2.0
//
// One layout for parameters: a model is one contiguous, 64-byte aligned float32 buffer plus this
// table of what lies where. Engine, aggregation, wire and disk all see the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.hpp"

namespace entente::tensor {

inline constexpr std::size_t tensors_max = 65'536;
inline constexpr std::size_t tensor_name_max_bytes = 256;
inline constexpr std::size_t tensor_rank_max = 8;
// So that every byte offset in a file is an integer that JSON holds exactly (2^53).
inline constexpr std::uint64_t parameters_max = (std::uint64_t{1} << 53U) / sizeof(float);

struct TensorEntry {
  std::string name;  // "layer/weight"
  std::vector<std::uint64_t> shape;
  std::uint64_t offset = 0;  // in floats, from the start of the buffer
  std::uint64_t count = 0;   // in floats: the product of the shape
  friend bool operator==(const TensorEntry&, const TensorEntry&) = default;
};

class ParameterLayout {
 public:
  // Tensors in layer order, without gaps.
  // Errors: invalid_argument - a name twice, empty or too long, a limit passed, a size that
  // overflows.
  static Result<ParameterLayout> make(
      std::vector<std::pair<std::string, std::vector<std::uint64_t>>> tensors);
  const std::vector<TensorEntry>& tensors() const { return tensors_; }
  std::uint64_t parameter_count() const { return count_; }
  friend bool operator==(const ParameterLayout&, const ParameterLayout&) = default;

 private:
  std::vector<TensorEntry> tensors_;
  std::uint64_t count_ = 0;
};

// Zeroed floats on a 64-byte boundary, sized once. Move-only. Throws std::bad_alloc, as containers
// do.
class ParameterBuffer {
 public:
  ParameterBuffer() = default;
  explicit ParameterBuffer(std::size_t count);
  std::span<float> values() { return {values_.get(), count_}; }
  std::span<const float> values() const { return {values_.get(), count_}; }

 private:
  struct Free {
    void operator()(float* values) const;
  };
  std::unique_ptr<float[], Free> values_;
  std::size_t count_ = 0;
};

}  // namespace entente::tensor
