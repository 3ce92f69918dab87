// SPDX-License-Identifier: Apache-2.0
//
// A Network is an architecture, compiled. It owns no weights: those are one flat vector of float32,
// the object that travels, is averaged, hashed and stored. It is cheap to copy; all methods are
// const and may be called from several threads, with a workspace each.
//
// Letters: n = rows of the batch, i = values of one example (all inputs together), q = positions of
// the output (1, or the steps of a sequence), k = outputs of a position (classes, or numbers),
// p = parameter_count().
//
// Some parameters are state (BatchNormalization's moving statistics): they travel and are averaged
// like all others, but are not learnt by gradients. Their gradient is zero; a training step finds
// their next values and write_state puts them in place, after the optimiser's step and whatever
// that did to them.
//
// Same parameters, batch and instruction set: the same bits, whatever the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "common/base/result.hpp"
#include "common/engine/isa.hpp"
#include "common/engine/layers.hpp"
#include "common/engine/loss.hpp"
#include "common/engine/shape.hpp"
#include "common/engine/workspace.hpp"
#include "common/tensor/layout.hpp"

namespace entente::engine {

// A label of a position that does not count.
inline constexpr std::uint32_t no_label = 0xffffffffU;

// features [n, i] row after row: the inputs in order, each as its shape says (channels last). What
// an Embedding reads are whole numbers (exact up to 2^24). Targets are as the loss takes them, one
// of the two: labels [n, q] or no_label; values [n, q, k] (loss.hpp). `seed` decides what is random
// in a step (Dropout): another for each step.
template <class S>
struct BasicBatch {
  std::span<const S> features;
  std::span<const std::uint32_t> labels;
  std::uint64_t seed = 0;
  std::span<const S> values = {};
};
using Batch = BasicBatch<float>;
using Batch64 = BasicBatch<double>;

// A feature that a network does not take: NaN, infinite, or no token where one must be.
struct UnfitFeature {
  std::size_t row = 0, value = 0;  // both from 0
  std::uint64_t bound = 0;         // expected: a whole number below it; 0: a finite number
};

class Network {
 public:
  // `isa`: the process's choice (chosen_isa) when not given.
  // Errors: invalid_argument - layers that do not fit together (the text names the layer, what it
  // needs and what it gets), an end that is not what the loss takes (softmax for the categorical
  // cross-entropy, sigmoid for the binary), a loss with a wrong number, ENTENTE_ISA wrong.
  static Result<Network> compile(const Shape& input, const std::vector<LayerSpec>& layers,
                                 std::optional<Isa> isa = std::nullopt);
  static Result<Network> compile(const GraphSpec& graph, std::optional<Isa> isa = std::nullopt,
                                 const LossSpec& loss = CategoricalCrossEntropy{});

  // Names, shapes and places of the parameters.
  const tensor::ParameterLayout& layout() const;
  std::uint64_t parameter_count() const { return layout().parameter_count(); }
  std::span<const InputSpec> inputs() const;
  const Shape& input_shape() const;        // of the first input
  std::size_t input_count() const;         // i
  std::span<const Tokens> tokens() const;  // which of them are tokens
  std::size_t output_count() const;        // k
  std::size_t position_count() const;      // q
  Isa isa() const;
  // How each of the layout's tensors begins (see initial.hpp).
  std::span<const TensorInitial> initial() const;

  // Memory for batches of up to `rows_max` rows (at least 1); a training workspace also serves for
  // prediction. Throws std::bad_alloc, as containers do.
  Workspace make_workspace(std::size_t rows_max, Purpose purpose, const Saving& saving = {}) const;
  std::uint64_t workspace_bytes(std::size_t rows_max, Purpose purpose,
                                const Saving& saving = {}) const;

  // The mean loss over the positions that count (none: 0), and its gradient. A position does not
  // count when its label is no_label or its step is masked.
  //   parameters  [p]
  //   gradient    [p], overwritten
  // Errors: invalid_argument - a size differs from the above, a target is none of the loss's, a
  // feature is NaN, infinite or no token where one must be (the text names row and value), or the
  // loss is not finite: then the gradient means nothing.
  Result<double> loss_and_gradient(std::span<const float> parameters, const Batch& batch,
                                   std::span<float> gradient, Workspace& workspace) const;

  // Puts the state that the workspace's last loss_and_gradient found into `parameters` [p].
  // Models without state: nothing happens.
  void write_state(std::span<float> parameters, Workspace& workspace) const;

  // What the last layer gives: the probability of each class; numbers.
  //   features     [n, i]; n may be more than the workspace's rows: it goes through them in parts
  //   predictions  [n, q, k], overwritten
  // Errors: invalid_argument - as above.
  Result<void> predict(std::span<const float> parameters, std::span<const float> features,
                       std::span<float> predictions, Workspace& workspace) const;

  // The first such feature of `features` [n, i], if there is one: what an error above is about, for
  // those who know the rows by other names.
  std::optional<UnfitFeature> unfit(std::span<const float> features) const;

  // The same in float64 on the baseline instruction set, by the same code: to check gradients, not
  // to train.
  Workspace64 make_workspace64(std::size_t rows_max, Purpose purpose,
                               const Saving& saving = {}) const;
  Result<double> loss_and_gradient(std::span<const double> parameters, const Batch64& batch,
                                   std::span<double> gradient, Workspace64& workspace) const;
  Result<void> predict(std::span<const double> parameters, std::span<const double> features,
                       std::span<double> predictions, Workspace64& workspace) const;
  void write_state(std::span<double> parameters, Workspace64& workspace) const;

 private:
  struct Parts;
  explicit Network(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  template <class S>
  BasicWorkspace<S> make(std::size_t rows_max, Purpose purpose, const Saving& saving) const;
  template <class S>
  Result<void> check_targets(const BasicBatch<S>& batch, std::size_t rows) const;
  template <class S>
  Result<double> train(std::span<const S> parameters, const BasicBatch<S>& batch,
                       std::span<S> gradient, BasicWorkspace<S>& workspace) const;
  template <class S>
  Result<void> infer(std::span<const S> parameters, std::span<const S> features,
                     std::span<S> predictions, BasicWorkspace<S>& workspace) const;

  std::shared_ptr<const Parts> parts_;
};

}  // namespace entente::engine
