// SPDX-License-Identifier: Apache-2.0
//
// A network ready to run in one precision on one instruction set: its operations in order, and the
// values between them.
//
// A training step is four loops of independent tasks: prepare; blocks of rows, each forward and
// backward through all operations; parameters' gradients; their last sums. Where an operation needs
// the whole batch (its rows meet), the second loop is cut there, forward and backward. The tasks
// are the same whatever the number of threads, and each number is one sum in a fixed order: so are
// the bits.
//
// A value that several operations read is followed by a fork, which sums their gradients; so is one
// whose reader writes tight gradients when its maker asks for others. One that lies otherwise than
// its reader asks is followed by a copy. Models that need neither have neither.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/engine/operation.hpp"
#include "common/engine/workspace.hpp"

namespace entente::engine {

// What a step is given beside the parameters; sizes are checked by the caller.
template <class S>
struct Examples {
  const S* features = nullptr;
  std::span<const std::uint32_t> labels;  // one for each position of each row
  std::size_t rows = 0;
  std::uint64_t seed = 0;
};

// Whether a feature is a whole number from 0 to below `bound`.
template <class S>
bool is_token(S value, std::uint64_t bound) {
  return value >= S{0} && value < static_cast<S>(bound) && value == std::floor(value);
}

template <class S>
class Graph {
 public:
  Graph(const Blueprint& blueprint, Isa isa);

  MemoryPlan plan(std::size_t rows_max, Purpose purpose) const;

  // The whole step; the mean loss of the labels that count. `features_fine` tells whether all were
  // finite, and tokens where tokens must be; if not, the gradient means nothing.
  double train(const S* parameters, const Examples<S>& examples, S* gradient,
               BasicWorkspace<S>& workspace, bool& features_fine) const;

  // probabilities [rows, positions, classes]; false: some feature is not fine.
  bool predict(const S* parameters, const S* features, std::size_t rows, S* probabilities,
               BasicWorkspace<S>& workspace) const;

  // Puts the state that the workspace's last training step found into `parameters`.
  void write_state(S* parameters, BasicWorkspace<S>& workspace) const;

 private:
  using TaskCount = std::size_t (Operation<S>::*)(std::size_t) const;
  using Task = void (Operation<S>::*)(const Pass<S>&, std::size_t) const;
  // Operations [first, last), by index.
  using Run = Rows;
  struct Reader {
    std::size_t step = 0, input = 0;  // the loss: step is the number of steps
  };

  void build(const Blueprint& blueprint);
  std::size_t add_buffer(std::size_t activation_row, std::size_t gradient_row);
  void append(std::unique_ptr<Operation<S>> operation, Binding binding);
  Value fresh_value(const Layout& activation, const Layout& gradient, bool wants_gradient);
  Value output_of(const Operation<S>& operation, const std::vector<Value>& inputs,
                  const Layout& asked);
  // How a reader wants a value: in that layout, and with a tight gradient to write.
  struct Wish {
    Layout layout;
    bool tight_gradient = false;
  };
  std::vector<Value> hand_out(const Value& value, const std::vector<Wish>& wishes);
  Layout common_layout(const std::vector<Wish>& wishes, bool tight) const;
  void bind_operations();

  Pass<S> pass_over(const S* parameters, const S* features, std::size_t rows,
                    BasicWorkspace<S>& workspace) const;
  void run_tasks(const Pass<S>& pass, TaskCount count, Task task,
                 BasicWorkspace<S>& workspace) const;
  Run run_around(std::size_t i, const Run& within) const;
  bool features_fine(const Pass<S>& pass, Rows rows) const;
  void forward(const Pass<S>& pass, const Run& run, const Block& block) const;
  S scale_of(const Pass<S>& pass, std::span<const std::uint32_t> labels,
             std::size_t& counted) const;
  bool label_counts(const Pass<S>& pass, std::uint32_t label, std::size_t row,
                    std::size_t position) const;
  void lose(const Pass<S>& pass, Rows rows, std::span<const std::uint32_t> labels, S scale,
            std::vector<S>& losses) const;
  void backward(const Pass<S>& pass, const Run& run, const Block& block) const;

  const Kernels<S>* kernels_;
  Extent output_;
  std::size_t positions_ = 1, classes_ = 0;  // the output's
  std::size_t feature_count_ = 0;
  std::vector<Tokens> tokens_;
  std::optional<Mask> mask_;  // of the output
  std::vector<std::unique_ptr<Operation<S>>> operations_;
  std::vector<Binding> bindings_;
  std::vector<bool> goes_back_;  // whether some gradient is wanted of it
  Value logits_;
  std::vector<Run> segments_;  // between meetings; each but the first begins with one that meets
  std::vector<std::size_t>
      activation_rows_;  // a row's size in each buffer of activations; 0: not one
  std::vector<std::size_t> gradient_rows_;  // and of gradients
};

}  // namespace entente::engine
