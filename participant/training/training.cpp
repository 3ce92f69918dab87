// SPDX-License-Identifier: Apache-2.0
#include "participant/training/training.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "common/base/assert.hpp"
#include "common/base/bytes.hpp"
#include "common/base/random.hpp"
#include "common/crypto/hash.hpp"
#include "participant/training/faults.hpp"
#include "participant/training/scores.hpp"

namespace entente::participant::training {
namespace {

constexpr std::size_t evaluation_rows_max = 256;  // at once
// Of the training's seed: the numbers behind 2^32 are not epochs.
constexpr std::uint64_t dropout_stream = std::uint64_t{1} << 40U;

std::uint64_t seed_of(std::string_view purpose, const plan::Plan& plan, const std::string& place,
                      std::string_view participant) {
  const Digest digest = crypto::sha256(
      "entente/1 " + std::string(purpose) + "\n" + plan.digest.hex() + "\n" +
      std::to_string(plan.training.seed) + "\n" + place + std::string(participant) + "\n");
  return load_little_endian<std::uint64_t>(digest.bytes.data());
}

// Rows of the dataset as the engine takes them, in memory that is used again for each batch.
class BatchBuffer {
 public:
  BatchBuffer(const data::Dataset& dataset, std::size_t rows_max)
      : dataset_(dataset),
        features_(rows_max * dataset.feature_count()),
        labels_(rows_max * labels_of_row(dataset)),
        values_(rows_max * values_of_row(dataset)) {}

  // Scalars that a row's target has, in labels or in values.
  static std::size_t labels_of_row(const data::Dataset& dataset) {
    const data::Target& target = dataset.target();
    return target.kind == data::Target::Kind::classes ? target.positions : 0;
  }
  static std::size_t values_of_row(const data::Dataset& dataset) {
    const data::Target& target = dataset.target();
    return target.kind == data::Target::Kind::numbers ? target.positions * target.width : 0;
  }

  // Precondition: at most rows_max rows. Valid until the next call. With a seed: for training.
  engine::Batch gather(std::span<const std::uint32_t> rows, std::optional<std::uint64_t> seed) {
    dataset_.gather(rows, {features_, labels_, values_}, seed);
    const std::size_t count = rows.size();
    return {std::span<const float>(features_).first(count * dataset_.feature_count()),
            std::span<const std::uint32_t>(labels_).first(count * labels_of_row(dataset_)),
            seed.value_or(0),
            std::span<const float>(values_).first(count * values_of_row(dataset_))};
  }

 private:
  const data::Dataset& dataset_;
  std::vector<float> features_;
  std::vector<std::uint32_t> labels_;
  std::vector<float> values_;
};

Result<void> check_parameters(const Setting& setting, std::span<const float> parameters) {
  if (parameters.size() == setting.network.parameter_count()) return ok();
  return Error{Errc::invalid_argument, "expected " +
                                           std::to_string(setting.network.parameter_count()) +
                                           " parameters, saw " + std::to_string(parameters.size())};
}

Error stopped() {
  return {Errc::cancelled, "stopped"};
}

std::size_t batch_rows(const Setting& setting, std::size_t rows) {
  return std::min<std::size_t>(setting.plan.training.batch_size, std::max<std::size_t>(rows, 1));
}

// Rows that go through the network at once, and what that saves.
std::size_t rows_at_once(const Setting& setting, std::size_t rows) {
  const std::size_t most = setting.plan.training.micro_batch;
  const std::size_t batch = batch_rows(setting, rows);
  return most == 0 ? batch : std::min(most, batch);
}
engine::Saving saving_of(const Setting& setting, std::size_t rows) {
  return {setting.plan.training.recompute, rows_at_once(setting, rows) < batch_rows(setting, rows)};
}

// Everything that one run of training holds.
class Trainer {
 public:
  Trainer(const Setting& setting, std::vector<std::uint32_t> rows, std::uint64_t seed,
          engine::Optimizer optimizer)
      : setting_(setting),
        row_count_(rows.size()),
        batch_(setting.dataset, batch_rows(setting, rows.size())),
        workspace_(setting.network.make_workspace(rows_at_once(setting, rows.size()),
                                                  engine::Purpose::training,
                                                  saving_of(setting, rows.size()))),
        batches_(std::move(rows), setting.plan.training.batch_size, seed),
        seeds_(seed, dropout_stream),
        optimizer_(std::move(optimizer)),
        parameters_(setting.network.parameter_count()),
        gradient_(setting.network.parameter_count()) {}

  std::span<float> parameters() { return parameters_.values(); }
  tensor::ParameterBuffer take_parameters() { return std::move(parameters_); }
  engine::Optimizer take_optimizer() { return std::move(optimizer_); }

  // Gives the mean loss a row.
  Result<double> run_epoch(std::uint64_t epoch, const Stop& stop) {
    batches_.start_epoch(epoch);
    double loss = 0;
    for (auto rows = batches_.next(); !rows.empty(); rows = batches_.next()) {
      if (stop && stop()) return stopped();
      const engine::Batch batch = batch_.gather(rows, seeds_.next64());
      const auto batch_loss = setting_.network.loss_and_gradient(parameters_.values(), batch,
                                                                 gradient_.values(), workspace_);
      if (!batch_loss) return in_terms_of_data(setting_, rows, batch, batch_loss.error());
      loss += *batch_loss * static_cast<double>(rows.size());
      optimizer_.step(gradient_.values(), parameters_.values());
      setting_.network.write_state(parameters_.values(), workspace_);
    }
    return loss / static_cast<double>(row_count_);
  }

 private:
  const Setting& setting_;
  std::size_t row_count_;
  BatchBuffer batch_;
  engine::Workspace workspace_;
  data::Batches batches_;
  Random seeds_;  // of each step's own randomness
  engine::Optimizer optimizer_;
  tensor::ParameterBuffer parameters_;
  tensor::ParameterBuffer gradient_;
};

// Rows to evaluate at once: as many as take no more memory than training does.
std::size_t evaluation_rows(const Setting& setting) {
  const engine::Network& network = setting.network;
  const std::size_t training = rows_at_once(setting, setting.dataset.rows());
  const std::uint64_t most = network.workspace_bytes(training, engine::Purpose::training,
                                                     saving_of(setting, setting.dataset.rows()));
  const std::uint64_t of_row = network.position_count() * network.output_count() * sizeof(float);
  std::size_t rows = evaluation_rows_max;
  while (rows > 1 &&
         network.workspace_bytes(rows, engine::Purpose::inference) + rows * of_row > most)
    rows /= 2;
  return rows;
}

std::uint64_t row_bytes(const Setting& setting) {
  return (setting.dataset.feature_count() + BatchBuffer::labels_of_row(setting.dataset) +
          BatchBuffer::values_of_row(setting.dataset)) *
         sizeof(float);
}

// What evaluating takes beside the rows.
std::uint64_t evaluation_bytes(const Setting& setting) {
  if (setting.plan.rules.metrics.empty()) return 0;
  const engine::Network& network = setting.network;
  const auto rows = static_cast<std::uint64_t>(setting.plan.holdout *
                                               static_cast<double>(setting.dataset.rows()));
  const auto together = std::clamp<std::uint64_t>(rows, 1, evaluation_rows(setting));
  const std::uint64_t of_row = network.position_count() * network.output_count() * sizeof(float);
  return network.parameter_count() * sizeof(float) +
         network.workspace_bytes(together, engine::Purpose::inference) +
         together * (of_row + row_bytes(setting)) +
         Scores::memory_bytes(setting.plan, rows * network.position_count());
}

bool keeps_optimizer(const Setting& setting) {
  return setting.plan.training.optimizer_state == plan::OptimizerState::keep;
}

std::uint64_t optimizer_bytes(const Setting& setting) {
  return engine::Optimizer::state_bytes(plan::optimizer_of(setting.plan.training, 1),
                                        setting.network.parameter_count());
}

// NaN would pass for the first class, and for any number.
Result<void> check_predictions(std::span<const float> predictions,
                               std::span<const std::uint32_t> rows) {
  const auto bad = std::ranges::find_if_not(predictions, [](float p) { return std::isfinite(p); });
  if (bad == predictions.end()) return ok();
  const std::size_t of_row = predictions.size() / rows.size();
  const auto at = static_cast<std::size_t>(bad - predictions.begin()) / of_row;
  return Error{Errc::invalid_argument, "the model's prediction for " + place_of(rows[at]) +
                                           " is not finite: its parameters have diverged"};
}

// Finite predictions may still be so far off that float32 holds no loss of them.
Result<void> check_figures(const std::map<std::string, double>& figures) {
  for (const auto& [name, value] : figures) {
    if (std::isfinite(value)) continue;
    return Error{Errc::invalid_argument, "the model's " + name +
                                             " is not finite here: its predictions are too far "
                                             "from the targets, or its parameters have diverged"};
  }
  return ok();
}

// trained -= global; the Euclidean norm of what is left.
double subtract(std::span<const float> global, std::span<float> trained) {
  double squares = 0;
  for (std::size_t i = 0; i < trained.size(); ++i) {
    trained[i] -= global[i];
    squares += static_cast<double>(trained[i]) * static_cast<double>(trained[i]);
  }
  return std::sqrt(squares);
}

}  // namespace

std::uint64_t training_seed(const plan::Plan& plan, std::uint64_t round,
                            std::string_view participant) {
  return seed_of("training", plan, std::to_string(round) + "\n", participant);
}

data::Split split_rows(const Setting& setting) {
  return data::split_holdout(setting.dataset, setting.plan.holdout,
                             seed_of("holdout", setting.plan, "", setting.participant));
}

Result<Outcome> train(const Setting& setting, std::uint64_t round, std::span<const float> global,
                      const Stop& stop, const Remembered* before) {
  if (auto fits = check_parameters(setting, global); !fits) return fits.error();
  auto optimizer = engine::Optimizer::make(plan::optimizer_of(setting.plan.training, round),
                                           setting.network.layout(), setting.network.isa());
  if (!optimizer) return optimizer.error();
  if (before != nullptr) {
    ENTENTE_ASSERT(before->values.values().size() == optimizer->state().size(),
                   "what another optimiser remembered");
    std::ranges::copy(before->values.values(), optimizer->state().begin());
    optimizer->set_steps(before->steps);
  }
  data::Split split = split_rows(setting);
  Outcome outcome;
  outcome.examples = split.training.size();
  Trainer trainer(setting, std::move(split.training),
                  training_seed(setting.plan, round, setting.participant), std::move(*optimizer));
  std::ranges::copy(global, trainer.parameters().begin());
  for (std::uint32_t epoch = 0; epoch < setting.plan.training.local_epochs; ++epoch) {
    const auto loss = trainer.run_epoch(epoch, stop);
    if (!loss && loss.error().code == Errc::malformed) return loss.error();
    if (!loss) return in_context("epoch " + std::to_string(epoch + 1), loss.error());
    outcome.loss = *loss;
  }
  if (keeps_optimizer(setting)) outcome.optimizer = trainer.take_optimizer();
  outcome.update = trainer.take_parameters();
  outcome.norm = subtract(global, outcome.update.values());
  if (!std::isfinite(outcome.norm)) {
    return Error{Errc::invalid_argument, "the parameters did not stay finite"};
  }
  return outcome;
}

Result<Figures> evaluate(const Setting& setting, std::span<const std::uint32_t> rows,
                         std::span<const float> parameters, const Stop& stop) {
  if (auto fits = check_parameters(setting, parameters); !fits) return fits.error();
  Figures figures;
  figures.examples = rows.size();
  if (setting.plan.rules.metrics.empty()) return figures;
  if (rows.empty()) {
    return Error{Errc::invalid_argument, "no rows are held out for the plan's metrics"};
  }
  const std::size_t of_row = setting.network.position_count() * setting.network.output_count();
  const std::size_t rows_max = std::min(evaluation_rows(setting), rows.size());
  BatchBuffer batch(setting.dataset, rows_max);
  std::vector<float> predictions(rows_max * of_row);
  auto workspace = setting.network.make_workspace(rows_max, engine::Purpose::inference);
  Scores scores(setting.plan, rows.size() * setting.network.position_count());
  for (std::size_t first = 0; first < rows.size(); first += rows_max) {
    if (stop && stop()) return stopped();
    const auto part = rows.subspan(first, std::min(rows_max, rows.size() - first));
    const engine::Batch gathered = batch.gather(part, std::nullopt);
    const auto predicted = std::span(predictions).first(part.size() * of_row);
    auto done = setting.network.predict(parameters, gathered.features, predicted, workspace);
    if (!done) return in_terms_of_data(setting, part, gathered, done.error());
    if (auto finite = check_predictions(predicted, part); !finite) return finite.error();
    scores.add(predicted, gathered.labels, gathered.values);
  }
  figures.metrics = scores.figures();
  if (auto finite = check_figures(figures.metrics); !finite) return finite.error();
  if (scores.confusion() != nullptr) figures.confusion = *scores.confusion();
  return figures;
}

std::uint64_t remembered_count(const Setting& setting) {
  return optimizer_bytes(setting) / sizeof(float);
}

Memory memory_of(const Setting& setting) {
  const std::uint64_t rows = setting.dataset.rows();
  const std::size_t batch = batch_rows(setting, setting.dataset.rows());
  Memory memory;
  memory.rows = setting.dataset.memory_bytes() + 3 * rows * sizeof(std::uint32_t) +
                batch * row_bytes(setting);
  memory.parameters = 2 * setting.network.parameter_count() * sizeof(float);
  memory.gradient = setting.network.parameter_count() * sizeof(float);
  memory.optimizer = (keeps_optimizer(setting) ? 2 : 1) * optimizer_bytes(setting);
  memory.activations = setting.network.workspace_bytes(
      rows_at_once(setting, batch), engine::Purpose::training, saving_of(setting, batch));
  memory.evaluation = evaluation_bytes(setting);
  return memory;
}

}  // namespace entente::participant::training
