// SPDX-License-Identifier: Apache-2.0
//
// One participant's share of a round, as a function: from the global model and the local rows to
// the difference that leaves the house; and a model's figures on the rows that were held out.
//
// Pure: no clock, no file, no state between rounds but what a plan asks the optimiser to remember,
// which is an argument and a part of the outcome. All seeds derive from (plan digest, plan seed,
// round, participant name), never from an attempt, so that the same round trained again gives the
// same bits, on any number of threads. Called by the participant's daemon, by the simulator and by
// whoever replays a round (a plan that keeps the optimiser's state can be replayed only where that
// state is).
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/data/dataset.hpp"
#include "common/engine/metrics.hpp"
#include "common/engine/network.hpp"
#include "common/engine/optimizer.hpp"
#include "common/plan/plan.hpp"
#include "common/tensor/layout.hpp"

namespace entente::participant::training {

// What stays the same over the rounds of a plan; all of it outlives the calls.
struct Setting {
  const plan::Plan& plan;
  const engine::Network& network;  // compiled from plan.model
  const data::Dataset& dataset;    // all rows of this participant, read by plan.data
  std::string_view participant;    // name
};

// Asked before each batch, on the caller's thread; true ends the work. None: never.
using Stop = std::function<bool()>;

// What an optimiser remembers from one round to the next.
struct Remembered {
  std::uint64_t steps = 0;
  tensor::ParameterBuffer values;  // as engine::Optimizer::state
};

struct Outcome {
  tensor::ParameterBuffer update;              // [p]: trained minus global, every value finite
  std::uint64_t examples = 0;                  // training rows
  double loss = 0;                             // mean over the rows of the last epoch, nats
  double norm = 0;                             // Euclidean, of the update
  std::optional<engine::Optimizer> optimizer;  // as the round left it, when the plan keeps it
};

// Which rows train and which are held out: the same in every round.
data::Split split_rows(const Setting& setting);

// Trains plan.training.local_epochs on the training rows, starting from `global` [p], and with what
// the optimiser remembered if anything. Precondition: that has remembered_count() values.
// Errors: cancelled - stopped; invalid_argument - a size differs from the network's, or the loss or
// the parameters did not stay finite; malformed - a row that the model or the loss does not take
// (the text names it, from 1, and its column: it is for this house alone).
Result<Outcome> train(const Setting& setting, std::uint64_t round, std::span<const float> global,
                      const Stop& stop = {}, const Remembered* before = nullptr);

// How many values the plan's optimiser remembers.
std::uint64_t remembered_count(const Setting& setting);

struct Figures {
  std::uint64_t examples = 0;             // rows looked at
  std::map<std::string, double> metrics;  // those that the plan asks for and the rows define
  std::optional<engine::ConfusionMatrix> confusion;  // of classes, where they are not too many
};

// The plan's metrics of `parameters` [p] on `rows`, added in their order.
// Errors: cancelled; invalid_argument - a size differs from the network's, no rows while the plan
// asks for metrics, or a prediction or a figure is not finite (the text names the dataset's row,
// from 1); malformed - as train.
Result<Figures> evaluate(const Setting& setting, std::span<const std::uint32_t> rows,
                         std::span<const float> parameters, const Stop& stop = {});

// Bytes at the peak of training here, or of evaluating, whichever takes more.
struct Memory {
  std::uint64_t rows = 0;  // the dataset, and a batch of it: both have these
  // Training.
  std::uint64_t parameters = 0;  // twice: the model as it came, and as it is trained
  std::uint64_t gradient = 0;
  std::uint64_t optimizer = 0;    // twice where its state comes from the round before
  std::uint64_t activations = 0;  // and their gradients: the workspace
  // Evaluating: the model, a workspace, and what the metrics keep of the rows held out (ranked ones
  // a score for each class).
  std::uint64_t evaluation = 0;
  std::uint64_t training() const { return parameters + gradient + optimizer + activations; }
  std::uint64_t total() const { return rows + std::max(training(), evaluation); }
};
Memory memory_of(const Setting& setting);

// The seed of a round's batches. Exposed for those who prove that it depends on nothing else.
std::uint64_t training_seed(const plan::Plan& plan, std::uint64_t round,
                            std::string_view participant);

}  // namespace entente::participant::training
