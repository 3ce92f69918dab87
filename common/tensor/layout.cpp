// SPDX-License-Identifier: Apache-2.0
#include "common/tensor/layout.hpp"

#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <unordered_set>

#include "common/base/text.hpp"

namespace entente::tensor {

namespace {

constexpr std::size_t alignment_bytes = 64;

// Why `name` cannot name a tensor; empty when it can.
std::string name_problem(const std::string& name) {
  if (name.empty()) return "a tensor has an empty name";
  if (name.size() > tensor_name_max_bytes) {
    return "a tensor's name has " + std::to_string(name.size()) + " bytes, expected at most " +
           std::to_string(tensor_name_max_bytes);
  }
  if (!is_utf8(name)) return "a tensor's name is not UTF-8";
  if (name == "__metadata__") return "no tensor may be named __metadata__";
  return {};
}

}  // namespace

Result<ParameterLayout> ParameterLayout::make(
    std::vector<std::pair<std::string, std::vector<std::uint64_t>>> tensors) {
  if (tensors.size() > tensors_max) {
    return Error{Errc::invalid_argument, std::to_string(tensors.size()) +
                                             " tensors, expected at most " +
                                             std::to_string(tensors_max)};
  }
  ParameterLayout layout;
  layout.tensors_.reserve(tensors.size());
  std::unordered_set<std::string> names;
  for (auto& [name, shape] : tensors) {
    if (auto problem = name_problem(name); !problem.empty()) {
      return Error{Errc::invalid_argument, std::move(problem)};
    }
    if (!names.insert(name).second) {
      return Error{Errc::invalid_argument,
                   "tensor " + in_quotes(name, tensor_name_max_bytes) + " occurs twice"};
    }
    if (shape.size() > tensor_rank_max) {
      return Error{Errc::invalid_argument, "tensor " + in_quotes(name, tensor_name_max_bytes) +
                                               " has rank " + std::to_string(shape.size()) +
                                               ", expected at most " +
                                               std::to_string(tensor_rank_max)};
    }
    std::uint64_t count = 1;
    bool overflows = false;
    for (const std::uint64_t dimension : shape) {
      overflows |= __builtin_mul_overflow(count, dimension, &count);
    }
    std::uint64_t end = 0;
    overflows |= __builtin_add_overflow(layout.count_, count, &end);
    if (overflows || end > parameters_max) {
      return Error{Errc::invalid_argument, "tensor " + in_quotes(name, tensor_name_max_bytes) +
                                               " is too large: more than " +
                                               std::to_string(parameters_max) +
                                               " parameters in all"};
    }
    layout.tensors_.push_back({std::move(name), std::move(shape), layout.count_, count});
    layout.count_ = end;
  }
  return layout;
}

ParameterBuffer::ParameterBuffer(std::size_t count) : count_(count) {
  if (count == 0) return;
  if (count > std::numeric_limits<std::size_t>::max() / sizeof(float) - alignment_bytes) {
    throw std::bad_alloc();
  }
  const std::size_t size_bytes =
      (count * sizeof(float) + alignment_bytes - 1) / alignment_bytes * alignment_bytes;
  auto* values = static_cast<float*>(std::aligned_alloc(alignment_bytes, size_bytes));
  if (values == nullptr) throw std::bad_alloc();
  std::memset(values, 0, size_bytes);
  values_.reset(values);
}

void ParameterBuffer::Free::operator()(float* values) const {
  std::free(values);
}

}  // namespace entente::tensor
