// SPDX-License-Identifier: Apache-2.0
//
// A Network is an architecture, compiled. It owns no weights: those are one flat vector of float32,
// the object that travels, is averaged, hashed and stored. It is cheap to copy; all methods are
// const and may be called from several threads, with a workspace each.
//
// Letters: n = rows of the batch, i = input values of one example, c = classes, p =
// parameter_count().
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
#include "common/engine/shape.hpp"
#include "common/engine/workspace.hpp"
#include "common/tensor/layout.hpp"

namespace entente::engine {

// features [n, i] row after row, each as the input shape says (channels last); labels [n], below c.
template <class S>
struct BasicBatch {
  std::span<const S> features;
  std::span<const std::uint32_t> labels;
};
using Batch = BasicBatch<float>;
using Batch64 = BasicBatch<double>;

class Network {
 public:
  // `isa`: the process's choice (chosen_isa) when not given.
  // Errors: invalid_argument - layers that do not fit together (the text names the layer, what it
  // needs and what it gets), no softmax at the end, ENTENTE_ISA wrong.
  static Result<Network> compile(const Shape& input, const std::vector<LayerSpec>& layers,
                                 std::optional<Isa> isa = std::nullopt);

  // Names, shapes and places of the parameters.
  const tensor::ParameterLayout& layout() const;
  std::uint64_t parameter_count() const { return layout().parameter_count(); }
  const Shape& input_shape() const;
  std::size_t input_count() const;  // i
  std::size_t class_count() const;  // c
  Isa isa() const;
  // How each of the layout's tensors begins (see initial.hpp).
  std::span<const TensorInitial> initial() const;

  // Memory for batches of up to `rows_max` rows (at least 1); a training workspace also serves for
  // prediction. Throws std::bad_alloc, as containers do.
  Workspace make_workspace(std::size_t rows_max, Purpose purpose) const;
  std::uint64_t workspace_bytes(std::size_t rows_max, Purpose purpose) const;

  // Mean cross-entropy of the batch in nats a row, and its gradient.
  //   parameters  [p]
  //   gradient    [p], overwritten
  // Errors: invalid_argument - a size differs from the above, a label is not below c, a feature is
  // NaN or infinite (the text names row and value), or the loss is: then the gradient means
  // nothing.
  Result<double> loss_and_gradient(std::span<const float> parameters, const Batch& batch,
                                   std::span<float> gradient, Workspace& workspace) const;

  // The probability of each class.
  //   features       [n, i]; n may be more than the workspace's rows: it goes through them in parts
  //   probabilities  [n, c], overwritten
  // Errors: invalid_argument - as above.
  Result<void> predict(std::span<const float> parameters, std::span<const float> features,
                       std::span<float> probabilities, Workspace& workspace) const;

  // The same in float64 on the baseline instruction set, by the same code: to check gradients, not
  // to train.
  Workspace64 make_workspace64(std::size_t rows_max, Purpose purpose) const;
  Result<double> loss_and_gradient(std::span<const double> parameters, const Batch64& batch,
                                   std::span<double> gradient, Workspace64& workspace) const;
  Result<void> predict(std::span<const double> parameters, std::span<const double> features,
                       std::span<double> probabilities, Workspace64& workspace) const;

 private:
  struct Parts;
  explicit Network(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  template <class S>
  BasicWorkspace<S> make(std::size_t rows_max, Purpose purpose) const;
  template <class S>
  Result<double> train(std::span<const S> parameters, const BasicBatch<S>& batch,
                       std::span<S> gradient, BasicWorkspace<S>& workspace) const;
  template <class S>
  Result<void> classify(std::span<const S> parameters, std::span<const S> features,
                        std::span<S> probabilities, BasicWorkspace<S>& workspace) const;

  std::shared_ptr<const Parts> parts_;
};

}  // namespace entente::engine
