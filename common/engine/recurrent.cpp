// SPDX-License-Identifier: Apache-2.0
//
// SimpleRNN, LSTM and GRU. The input's share of all steps is one product; in the loop only the
// state's. A block of rows goes through all steps together. Backward keeps the gradients of every
// step's gates in their place, so that those of the weights and of the input are large products
// behind the loop.
//
// A masked step hands the state on; its output is that state, or 0 (`zero_masked`). Everything lies
// at the step of the input that it belongs to, whichever way the loop goes.
#include <algorithm>

#include "common/engine/kernel_tasks.hpp"
#include "common/engine/operation.hpp"
#include "common/engine/packing.hpp"

namespace entente::engine {
namespace {

// Between the gates of one step and the next: steps a power of two apart would share few sets of
// the caches.
constexpr std::size_t gate_padding = 16;

template <class S>
class RecurrentOperation final : public Operation<S> {
 public:
  explicit RecurrentOperation(const RecurrentStep& step)
      : step_(step),
        units_(step.units),
        width_(gates() * step.units),
        gate_distance_(width_ + gate_padding) {
    // What the state's gradient multiplies must lie in the input's order.
    owns_states_ = !step.sequences || (step.backwards && !step.in_order) || step.zero_masked;
  }
  Layout input_layout(std::size_t) const override {
    return Layout::tight({1, step_.steps, step_.inputs});
  }
  Layout output_gradient_layout(bool) const override {
    return Layout::tight({1, step_.sequences ? step_.steps : 1, units_});
  }
  bool has_parameters() const override { return true; }
  bool works_by_row() const override { return false; }
  std::size_t block_scratch() const override {
    return units_ + block_rows_max * (width_ + 3 * units_);
  }
  std::size_t row_scratch(Purpose) const override {
    return states_at() + (owns_states_ ? step_.steps * units_ : 0);
  }
  std::size_t step_scratch(std::size_t) const override {
    return transposed_input_at() +
           (this->input_.wants_gradient ? packed_size(width_, step_.inputs) : 0);
  }
  std::size_t prepare_tasks(std::size_t) const override {
    return this->input_.wants_gradient ? 4 : 3;
  }
  void prepare(const Pass<S>& pass, std::size_t task) const override;
  void forward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  void backward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  std::size_t gradient_tasks(std::size_t) const override {
    return kernel_tasks().count() + recurrent_tasks().count() + candidate_tasks().count() +
           (step_.bias ? 1 : 0);
  }
  void gradient(const Pass<S>& pass, std::size_t task) const override;

 private:
  using Cell = Recurrent::Cell;
  std::size_t gates() const {
    return step_.cell == Cell::simple ? 1 : (step_.cell == Cell::lstm ? 4 : 3);
  }
  // GRU's candidate multiplies the state by its own columns of the recurrent kernel, after a gate.
  std::size_t joint_columns() const { return step_.cell == Cell::gru ? 2 * units_ : width_; }
  KernelTasks kernel_tasks() const { return {step_.inputs, width_, 1}; }
  KernelTasks recurrent_tasks() const { return {units_, joint_columns(), 1}; }
  KernelTasks candidate_tasks() const { return {units_, width_ - joint_columns(), 0}; }
  // A row's own: gates [steps, width], LSTM's cell and its tanh or GRU's kept part [steps, units],
  // states [steps, units].
  std::size_t cells_at() const { return step_.steps * gate_distance_; }
  std::size_t squashed_at() const { return cells_at() + step_.steps * units_; }
  std::size_t states_at() const {
    const std::size_t more = step_.cell == Cell::lstm ? 2 : (step_.cell == Cell::gru ? 1 : 0);
    return cells_at() + more * step_.steps * units_;
  }
  std::size_t own_distance(const Pass<S>& pass) const {
    return row_distance(this->row_scratch(pass.purpose));
  }
  S* gates_of(const Pass<S>& pass, std::size_t row, std::size_t t) const {
    return this->own_row(pass, row) + t * gate_distance_;
  }
  S* cell_of(const Pass<S>& pass, std::size_t row, std::size_t t) const {
    return this->own_row(pass, row) + cells_at() + t * units_;
  }
  S* squashed_of(const Pass<S>& pass, std::size_t row, std::size_t t) const {
    return this->own_row(pass, row) + squashed_at() + t * units_;
  }
  S* state_of(const Pass<S>& pass, std::size_t row, std::size_t t) const {
    if (owns_states_) return this->own_row(pass, row) + states_at() + t * units_;
    return pass.output(this->output_, row) + t * units_;
  }
  std::size_t state_distance(const Pass<S>& pass) const {
    return owns_states_ ? own_distance(pass) : this->output_.activation.row;
  }
  // The step of the input in round k of the loop.
  std::size_t time_of(std::size_t k) const { return step_.backwards ? step_.steps - 1 - k : k; }
  // Where the output of input step t stands.
  std::size_t place_of(std::size_t t) const {
    return step_.backwards && !step_.in_order ? step_.steps - 1 - t : t;
  }
  bool counts(const Pass<S>& pass, std::size_t row, std::size_t t) const {
    return !step_.mask || pass.counts(*step_.mask, row, t);
  }
  const S* recurrent_bias(const Pass<S>& pass) const {
    return step_.bias && step_.cell == Cell::gru ? pass.parameters + *step_.bias + width_ : nullptr;
  }
  // This training step's own, packed: the recurrent kernel, it transposed, the input's kernel, it
  // transposed.
  std::size_t transposed_at() const { return packed_size(units_, width_); }
  std::size_t input_at() const { return transposed_at() + packed_size(width_, units_); }
  std::size_t transposed_input_at() const { return input_at() + packed_size(step_.inputs, width_); }
  void add_states(const Pass<S>& pass, Rows rows, std::size_t k, S* inner) const;
  void step_forward(const Pass<S>& pass, Rows rows, std::size_t k, S* scratch) const;
  void write_outputs(const Pass<S>& pass, Rows rows) const;
  void step_backward(const Pass<S>& pass, std::size_t row, std::size_t k, const S* none,
                     const S* state_gradient, S* cell_gradient) const;
  void state_gradients(const Pass<S>& pass, Rows rows, std::size_t t, S* to) const;
  void input_gradient(const Pass<S>& pass, Rows rows) const;
  void kernel_gradient(const Pass<S>& pass, const KernelTasks::Part& part) const;
  void recurrent_gradient(const Pass<S>& pass, const KernelTasks::Part& part, bool candidate) const;
  void bias_gradient(const Pass<S>& pass) const;

  RecurrentStep step_;
  std::size_t units_ = 0, width_ = 0, gate_distance_ = 0;
  bool owns_states_ = false;
};

template <class S>
void RecurrentOperation<S>::prepare(const Pass<S>& pass, std::size_t task) const {
  const Kernels<S>& kernels = *pass.kernels;
  const S* recurrent = pass.parameters + step_.recurrent_kernel;
  const S* input = pass.parameters + step_.kernel;
  S* to = this->own_step(pass);
  if (task == 0) pack(kernels, recurrent, units_, width_, 0, width_, to);
  if (task == 1) pack_transposed(kernels, recurrent, width_, 0, units_, to + transposed_at());
  if (task == 2) pack(kernels, input, step_.inputs, width_, 0, width_, to + input_at());
  if (task == 3)
    pack_transposed(kernels, input, width_, 0, step_.inputs, to + transposed_input_at());
}

// The state before round k times the recurrent kernel: added to the gates, or (GRU) into `inner`
// [rows, width].
template <class S>
void RecurrentOperation<S>::add_states(const Pass<S>& pass, Rows rows, std::size_t k,
                                       S* inner) const {
  const bool apart = step_.cell == Cell::gru;
  const S* bias = recurrent_bias(pass);
  if (k == 0) {
    for (std::size_t row = 0; apart && row < rows.count(); ++row) {
      if (bias != nullptr) {
        std::copy_n(bias, width_, inner + row * width_);
      } else {
        std::fill_n(inner + row * width_, width_, S{0});
      }
    }
    return;
  }
  Product<S> product;
  product.a = state_of(pass, rows.first, time_of(k - 1));
  product.a_row = state_distance(pass);
  product.a_step = 1;
  if (pass.training) {
    take_packed(product, *pass.kernels, this->own_step(pass), units_);
  } else {
    product.b = pass.parameters + step_.recurrent_kernel;
    product.b_step = width_;
  }
  product.c = apart ? inner : gates_of(pass, rows.first, time_of(k));
  product.c_row = apart ? width_ : own_distance(pass);
  product.rows = rows.count();
  product.columns = width_;
  product.steps = units_;
  product.bias = bias;
  product.accumulate = !apart;
  pass.kernels->product(product);
}

template <class S>
void RecurrentOperation<S>::step_forward(const Pass<S>& pass, Rows rows, std::size_t k,
                                         S* scratch) const {
  const std::size_t t = time_of(k);
  const S* none = scratch;  // zeros: the state before the first
  S* inner = scratch + units_;
  add_states(pass, rows, k, inner);
  for (std::size_t row = rows.first; row < rows.last; ++row, inner += width_) {
    S* state = state_of(pass, row, t);
    const S* before = k == 0 ? none : state_of(pass, row, time_of(k - 1));
    const S* cell_before =
        k == 0 || step_.cell != Cell::lstm ? none : cell_of(pass, row, time_of(k - 1));
    if (!counts(pass, row, t)) {
      std::copy_n(before, units_, state);
      if (step_.cell == Cell::lstm) std::copy_n(cell_before, units_, cell_of(pass, row, t));
      continue;
    }
    S* gate = gates_of(pass, row, t);
    if (step_.cell == Cell::lstm) {
      pass.kernels->lstm(units_, gate, cell_before, cell_of(pass, row, t),
                         squashed_of(pass, row, t), state);
    } else if (step_.cell == Cell::gru) {
      pass.kernels->gru(units_, gate, inner, before, cell_of(pass, row, t), state);
    } else if (step_.activation == Activation::tanh) {
      pass.kernels->curve(Curve::tanh, S{1}, gate, state, units_);
    } else if (step_.activation == Activation::relu) {
      pass.kernels->relu(gate, state, units_);
    } else {
      std::copy_n(gate, units_, state);
    }
  }
}

template <class S>
void RecurrentOperation<S>::forward(const Pass<S>& pass, Rows rows, const Block& block) const {
  Product<S> product;
  product.a = pass.input(this->input_, rows.first);
  product.a_group = this->input_.activation.row;
  product.a_row = step_.inputs;
  product.a_step = 1;
  if (pass.training) {
    take_packed(product, *pass.kernels, this->own_step(pass) + input_at(), step_.inputs);
  } else {
    product.b = pass.parameters + step_.kernel;
    product.b_step = width_;
  }
  product.c = gates_of(pass, rows.first, 0);
  product.c_group = own_distance(pass);
  product.c_row = gate_distance_;
  product.groups = rows.count();
  product.rows = step_.steps;
  product.columns = width_;
  product.steps = step_.inputs;
  product.bias = step_.bias ? pass.parameters + *step_.bias : nullptr;
  pass.kernels->product(product);
  S* scratch = pass.scratch_of(block.index);
  std::fill_n(scratch, units_, S{0});
  for (std::size_t k = 0; k < step_.steps; ++k) step_forward(pass, rows, k, scratch);
  if (owns_states_) write_outputs(pass, rows);
}

template <class S>
void RecurrentOperation<S>::write_outputs(const Pass<S>& pass, Rows rows) const {
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    S* to = pass.output(this->output_, row);
    if (!step_.sequences) {
      std::copy_n(state_of(pass, row, time_of(step_.steps - 1)), units_, to);
      continue;
    }
    for (std::size_t t = 0; t < step_.steps; ++t) {
      S* output = to + place_of(t) * units_;
      if (step_.zero_masked && !counts(pass, row, t)) {
        std::fill_n(output, units_, S{0});
      } else {
        std::copy_n(state_of(pass, row, t), units_, output);
      }
    }
  }
}

// Gates (and GRU's kept part) become gradients.
template <class S>
void RecurrentOperation<S>::step_backward(const Pass<S>& pass, std::size_t row, std::size_t k,
                                          const S* none, const S* state_gradient,
                                          S* carried) const {
  const std::size_t t = time_of(k);
  S* gate = gates_of(pass, row, t);
  const S* state = state_of(pass, row, t);
  const S* before = k == 0 ? none : state_of(pass, row, time_of(k - 1));
  if (step_.cell == Cell::lstm) {
    const S* cell_before = k == 0 ? none : cell_of(pass, row, time_of(k - 1));
    pass.kernels->lstm_gradient(units_, gate, cell_before, squashed_of(pass, row, t),
                                state_gradient, carried);
  } else if (step_.cell == Cell::gru) {
    pass.kernels->gru_gradient(units_, gate, before, cell_of(pass, row, t), state_gradient,
                               carried);
  } else if (step_.activation == Activation::tanh) {
    pass.kernels->curve_gradient(Curve::tanh, S{1}, state, state, state_gradient, gate, units_);
  } else {
    std::copy_n(state_gradient, units_, gate);
    if (step_.activation == Activation::relu) pass.kernels->relu_gradient(state, gate, units_);
  }
}

// The gradient by the state before step t, by way of the gates: to [rows, units].
template <class S>
void RecurrentOperation<S>::state_gradients(const Pass<S>& pass, Rows rows, std::size_t t,
                                            S* to) const {
  const bool apart = step_.cell == Cell::gru;
  Product<S> product;
  product.a = gates_of(pass, rows.first, t);
  product.a_row = own_distance(pass);
  product.a_step = 1;
  take_packed(product, *pass.kernels, this->own_step(pass) + transposed_at(), width_);
  product.c = to;
  product.c_row = units_;
  product.rows = rows.count();
  product.columns = units_;
  product.steps = apart ? 2 * units_ : width_;
  pass.kernels->product(product);
  if (!apart) return;
  product.a = cell_of(pass, rows.first, t);
  product.b += 2 * units_ * product.b_step;
  product.steps = units_;
  product.accumulate = true;
  pass.kernels->product(product);
}

// Scratch: zeros [units]; then, [rows, units] each: the gradient by the state, what goes straight
// on to the state or cell before, and what comes by way of the gates.
template <class S>
void RecurrentOperation<S>::backward(const Pass<S>& pass, Rows rows, const Block& block) const {
  const std::size_t size = rows.count() * units_;
  S* none = pass.scratch_of(block.index);
  S* states = none + units_;
  S* carried = states + size;
  S* by_gates = carried + size;
  std::fill_n(none, units_ + 3 * size, S{0});
  for (std::size_t k = step_.steps; k-- > 0;) {
    const std::size_t t = time_of(k);
    for (std::size_t i = 0; i < rows.count(); ++i) {
      const std::size_t row = rows.first + i;
      S* state = states + i * units_;
      const S* output = pass.gradient_of(this->output_, row);
      const bool counted = counts(pass, row, t);
      if (step_.sequences) {
        if (counted || !step_.zero_masked)
          pass.kernels->add(output + place_of(t) * units_, state, units_);
      } else if (k + 1 == step_.steps) {
        pass.kernels->add(output, state, units_);
      }
      if (counted) {
        step_backward(pass, row, k, none, state, carried + i * units_);
        continue;
      }
      std::fill_n(gates_of(pass, row, t), width_, S{0});
      if (step_.cell == Cell::gru) std::fill_n(cell_of(pass, row, t), units_, S{0});
    }
    if (k == 0) break;
    state_gradients(pass, rows, t, by_gates);
    for (std::size_t i = 0; i < rows.count(); ++i) {
      S* state = states + i * units_;
      const bool counted = counts(pass, rows.first + i, t);
      if (counted) std::copy_n(by_gates + i * units_, units_, state);
      if (counted && step_.cell == Cell::gru)
        pass.kernels->add(carried + i * units_, state, units_);
    }
  }
  if (this->input_.wants_gradient) input_gradient(pass, rows);
}

template <class S>
void RecurrentOperation<S>::input_gradient(const Pass<S>& pass, Rows rows) const {
  Product<S> product;
  product.a = gates_of(pass, rows.first, 0);
  product.a_group = own_distance(pass);
  product.a_row = gate_distance_;
  product.a_step = 1;
  take_packed(product, *pass.kernels, this->own_step(pass) + transposed_input_at(), width_);
  product.c = pass.gradient_of(this->input_, rows.first);
  product.c_group = this->input_.gradient.row;
  product.c_row = step_.inputs;
  product.groups = rows.count();
  product.rows = step_.steps;
  product.columns = step_.inputs;
  product.steps = width_;
  pass.kernels->product(product);
}

// Parts of the kernel, then of the recurrent kernel, then the bias.
template <class S>
void RecurrentOperation<S>::gradient(const Pass<S>& pass, std::size_t task) const {
  if (task < kernel_tasks().count()) return kernel_gradient(pass, kernel_tasks().part(task));
  task -= kernel_tasks().count();
  if (task < recurrent_tasks().count())
    return recurrent_gradient(pass, recurrent_tasks().part(task), false);
  task -= recurrent_tasks().count();
  if (task < candidate_tasks().count())
    return recurrent_gradient(pass, candidate_tasks().part(task), true);
  bias_gradient(pass);
}

template <class S>
void RecurrentOperation<S>::kernel_gradient(const Pass<S>& pass,
                                            const KernelTasks::Part& part) const {
  Product<S> product;
  product.a = pass.input(this->input_, 0) + part.first_row;
  product.a_row = 1;
  product.a_segment = this->input_.activation.row;
  product.a_step = step_.inputs;
  product.b = gates_of(pass, 0, 0) + part.first_column;
  product.b_segment = own_distance(pass);
  product.b_step = gate_distance_;
  product.c = pass.gradient + step_.kernel + part.first_row * width_ + part.first_column;
  product.c_row = width_;
  product.rows = part.rows;
  product.columns = part.columns;
  product.segments = pass.rows;
  product.steps = step_.steps;
  pass.kernels->product(product);
}

// States of all steps but the last, with the gates of the step behind each.
template <class S>
void RecurrentOperation<S>::recurrent_gradient(const Pass<S>& pass, const KernelTasks::Part& part,
                                               bool candidate) const {
  const std::size_t before = candidate ? joint_columns() : 0;
  S* to =
      pass.gradient + step_.recurrent_kernel + part.first_row * width_ + before + part.first_column;
  if (step_.steps == 1) {
    for (std::size_t row = 0; row < part.rows; ++row) {
      std::fill_n(to + row * width_, part.columns, S{0});
    }
    return;
  }
  const std::size_t state = step_.backwards ? 1 : 0, gate = step_.backwards ? 0 : 1;
  Product<S> product;
  product.a = state_of(pass, 0, state) + part.first_row;
  product.a_row = 1;
  product.a_segment = state_distance(pass);
  product.a_step = units_;
  product.b = (candidate ? cell_of(pass, 0, gate) : gates_of(pass, 0, gate)) + part.first_column;
  product.b_segment = own_distance(pass);
  product.b_step = candidate ? units_ : gate_distance_;
  product.c = to;
  product.c_row = width_;
  product.rows = part.rows;
  product.columns = part.columns;
  product.segments = pass.rows;
  product.steps = step_.steps - 1;
  pass.kernels->product(product);
}

template <class S>
void RecurrentOperation<S>::bias_gradient(const Pass<S>& pass) const {
  S* to = pass.gradient + *step_.bias;
  pass.kernels->column_sums(gates_of(pass, 0, 0), own_distance(pass), gate_distance_, pass.rows,
                            step_.steps, width_, to, false);
  if (step_.cell != Cell::gru) return;
  std::copy_n(to, 2 * units_, to + width_);
  pass.kernels->column_sums(cell_of(pass, 0, 0), own_distance(pass), units_, pass.rows, step_.steps,
                            units_, to + width_ + 2 * units_, false);
}

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const RecurrentStep& step) {
  return std::make_unique<RecurrentOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const RecurrentStep&);
template std::unique_ptr<Operation<double>> make_operation(const RecurrentStep&);

}  // namespace entente::engine
