// SPDX-License-Identifier: Apache-2.0
//
// A network ready to run in one precision on one instruction set: its operations in order, and the
// values between them.
//
// A training step is four loops of independent tasks: prepare; blocks of rows, each forward and
// backward through all operations; parameters' gradients; their last sums. The tasks are the same
// whatever the number of threads, and each number is one sum in a fixed order: so are the bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/engine/operation.hpp"
#include "common/engine/workspace.hpp"

namespace entente::engine {

template <class S>
class Graph {
 public:
  Graph(const Blueprint& blueprint, Isa isa);

  MemoryPlan plan(std::size_t rows_max, Purpose purpose) const;

  // The whole step for labels.size() rows; the mean loss. Sizes are checked by the caller.
  // `features_finite` tells whether all were; if not, the gradient means nothing.
  double train(const S* parameters, const S* features, std::span<const std::uint32_t> labels,
               S* gradient, BasicWorkspace<S>& workspace, bool& features_finite) const;

  // probabilities [rows, classes]; false: some feature is not finite.
  bool predict(const S* parameters, const S* features, std::size_t rows, S* probabilities,
               BasicWorkspace<S>& workspace) const;

 private:
  using TaskCount = std::size_t (Operation<S>::*)(std::size_t) const;
  using Task = void (Operation<S>::*)(const Pass<S>&, std::size_t) const;

  void add_values(std::size_t classes);
  void bind_operations();
  Pass<S> pass_over(const S* parameters, const S* features, std::size_t rows,
                    BasicWorkspace<S>& workspace) const;
  void run_tasks(const Pass<S>& pass, TaskCount count, Task task,
                 BasicWorkspace<S>& workspace) const;
  Rows run_around(std::size_t i) const;
  bool forward(const Pass<S>& pass, Rows rows) const;
  void lose(const Pass<S>& pass, Rows rows, std::span<const std::uint32_t> labels,
            std::vector<S>& losses) const;
  void backward(const Pass<S>& pass, const Block& block) const;

  const Kernels<S>* kernels_;
  std::size_t classes_ = 0;
  std::size_t feature_count_ = 0;
  std::vector<std::unique_ptr<Operation<S>>> operations_;
  std::vector<Value> values_;  // operation i leads from value i to value i + 1
  std::vector<std::size_t>
      activation_rows_;  // a row's size in each buffer of activations; 0: not one
  std::vector<std::size_t> gradient_rows_;  // and of gradients
  std::vector<std::size_t> step_buffers_;   // each operation's own
};

}  // namespace entente::engine
