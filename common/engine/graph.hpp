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
// Where activations are computed again (Saving::recompute), the operations are cut into stretches
// that share one memory. Forward keeps what crosses the cuts; backward goes stretch by stretch,
// each forward once more, then backward, then its parameters' gradients. A cut is where a single
// value crosses and no rows meet.
//
// A value that several operations read is followed by a fork, which sums their gradients; so is one
// whose reader writes tight gradients when its maker asks for others. One that lies otherwise than
// its reader asks is followed by a copy. Models that need neither have neither.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/engine/loss.hpp"
#include "common/engine/operation.hpp"
#include "common/engine/workspace.hpp"

namespace entente::engine {

// What a step is given beside the parameters; sizes are checked by the caller. They may be a part
// of a batch.
template <class S>
struct Examples {
  const S* features = nullptr;
  BasicTargets<S> targets;  // one label, or `outputs` values, for each position of each row
  std::size_t rows = 0;
  std::uint64_t seed = 0;
  std::size_t first_row = 0;  // of the batch
  S scale = 0;                // 1 / positions that count in the whole batch; 0 where none does
};

// Whether a feature is a whole number from 0 to below `bound`.
template <class S>
bool is_token(S value, std::uint64_t bound) {
  return value >= S{0} && value < static_cast<S>(bound) && value == std::floor(value);
}

template <class S>
class Graph {
 public:
  // The loss takes what the blueprint ends in.
  Graph(const Blueprint& blueprint, const BasicLoss<S>& loss, Isa isa);

  MemoryPlan plan(std::size_t rows_max, Purpose purpose, const Saving& saving) const;

  const BasicLoss<S>& loss() const { return loss_; }
  // Positions that count.
  std::size_t count(const S* features, const BasicTargets<S>& targets, std::size_t rows) const;

  // The whole step; the sum of the losses of the positions that count. `features_fine` tells
  // whether all were finite, and tokens where tokens must be; if not, the gradient means nothing.
  double train(const S* parameters, const Examples<S>& examples, S* gradient,
               BasicWorkspace<S>& workspace, bool& features_fine) const;
  // to += from, both [p].
  void add(const S* from, S* to, std::size_t size) const;

  // predictions [rows, positions, outputs]; false: some feature is not fine.
  bool predict(const S* parameters, const S* features, std::size_t rows, S* predictions,
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

  // For `plan`: where stretches begin (beside 0), and what follows from it.
  struct Use {
    std::size_t first = 0, last = 0;  // operations that touch a buffer
  };
  std::vector<Use> find_uses() const;
  std::size_t row_size(std::size_t buffer, Purpose purpose) const;
  std::vector<std::size_t> choose_cuts(const std::vector<Use>& uses) const;
  std::vector<std::size_t> cuts_below(const std::vector<Use>& uses, std::size_t limit) const;
  std::size_t row_total(const std::vector<Use>& uses, const std::vector<std::size_t>& cuts) const;
  void cut_stages(MemoryPlan& plan, const std::vector<std::size_t>& cuts) const;
  void place_buffers(MemoryPlan& plan, const std::vector<Use>& uses,
                     const std::vector<std::size_t>& cuts) const;
  std::vector<bool> find_spread() const;

  Pass<S> pass_over(const S* parameters, const S* features, std::size_t rows,
                    BasicWorkspace<S>& workspace) const;
  void run_tasks(const Pass<S>& pass, const Run& run, TaskCount count, Task task,
                 BasicWorkspace<S>& workspace) const;
  void find_gradients(const Pass<S>& pass, const Run& run, BasicWorkspace<S>& workspace) const;
  void clear(const Pass<S>& pass, const Stretch& stretch, const Block& block) const;
  bool run_forward(const Pass<S>& pass, const Examples<S>& examples,
                   BasicWorkspace<S>& workspace) const;
  void run_backward(const Pass<S>& pass, BasicWorkspace<S>& workspace) const;
  void forward_stage(const Pass<S>& pass, const MemoryPlan& plan, std::size_t stage,
                     const Block& block) const;
  void backward_stage(const Pass<S>& pass, const MemoryPlan& plan, std::size_t stage,
                      const Block& block) const;
  void recompute(const Pass<S>& pass, const Stretch& stretch, const MemoryPlan& plan) const;
  Run run_around(std::size_t i, const Run& within) const;
  bool features_fine(const Pass<S>& pass, Rows rows) const;
  void forward(const Pass<S>& pass, const Run& run, const Block& block) const;
  bool position_counts(const Pass<S>& pass, const BasicTargets<S>& targets, std::size_t row,
                       std::size_t position) const;
  void end(const S* outputs, S* prediction) const;
  void lose(const Pass<S>& pass, Rows rows, const Examples<S>& examples,
            std::vector<S>& losses) const;
  void backward(const Pass<S>& pass, const Run& run, const Block& block) const;

  const Kernels<S>* kernels_;
  Extent output_;
  std::size_t positions_ = 1, outputs_ = 0;  // the last value's
  Activation ending_;
  BasicLoss<S> loss_;
  std::size_t feature_count_ = 0, parameter_count_ = 0;
  std::vector<Tokens> tokens_;
  std::optional<Mask> mask_;  // of the output
  std::vector<std::unique_ptr<Operation<S>>> operations_;
  std::vector<Binding> bindings_;
  std::vector<bool> goes_back_;  // whether some gradient is wanted of it
  Value outputs_value_;
  std::vector<std::size_t>
      activation_rows_;  // a row's size in each buffer of activations; 0: not one
  std::vector<std::size_t> gradient_rows_;  // and of gradients
};

}  // namespace entente::engine
