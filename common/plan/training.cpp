// SPDX-License-Identifier: Apache-2.0
#include "common/plan/training.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/assert.hpp"
#include "common/base/text.hpp"
#include "common/data/schema.hpp"
#include "common/plan/choice.hpp"

namespace entente::plan {
namespace {

constexpr double learning_rate_least = 1e-12;
constexpr double learning_rate_max = 1e6;
constexpr double momentum_max = 0.9999;
constexpr double beta_max = 0.999999;
constexpr double epsilon_least = 1e-16;
constexpr double epsilon_max = 1e3;
constexpr double accumulator_max = 1e6;
constexpr double decay_max = 10;
constexpr double adamw_decay = 0.004;
constexpr double clip_least = 1e-12;
constexpr double clip_max = 1e12;
constexpr double factor_least = 1e-6;
constexpr double smoothing_max = 0.999;
constexpr double weight_max = 1e6;
constexpr double delta_least = 1e-12, delta_max = 1e12;
constexpr double level_least = 1e-6;
constexpr std::int64_t seed_max = std::int64_t{1} << 53U;

// A field that belongs to some of the kinds that a table may be of.
struct Option {
  std::string_view key;
  std::array<std::string_view, 4> kinds;  // empty ones behind
  bool of(std::string_view kind) const {
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  }
};

constexpr std::array<Option, 8> optimizer_options{{
    {"momentum", {"sgd", "rmsprop"}},
    {"nesterov", {"sgd"}},
    {"beta_1", {"adam", "adamw"}},
    {"beta_2", {"adam", "adamw"}},
    {"rho", {"rmsprop"}},
    {"centered", {"rmsprop"}},
    {"initial_accumulator", {"adagrad"}},
    {"epsilon", {"adam", "adamw", "adagrad", "rmsprop"}},
}};

constexpr std::array<Option, 4> schedule_options{{
    {"every", {"step"}},
    {"factor", {"step"}},
    {"length", {"cosine"}},
    {"last", {"cosine"}},
}};

constexpr std::array<Option, 4> loss_options{{
    {"label_smoothing", {"categorical_crossentropy", "binary_crossentropy"}},
    {"class_weights", {"categorical_crossentropy", "binary_crossentropy"}},
    {"delta", {"huber"}},
    {"level", {"quantile"}},
}};

// Asks for all of them, so that a misspelled one is known; a strange one is an error.
template <std::size_t count>
void refuse_strange(JsonReader& reader, const std::array<Option, count>& options,
                    std::string_view what, std::string_view kind) {
  for (const Option& option : options) {
    if (reader.find(option.key) == nullptr || option.of(kind)) continue;
    std::string kinds;
    for (const std::string_view each : option.kinds) {
      if (!each.empty()) kinds += (kinds.empty() ? "" : " or ") + in_quotes(each);
    }
    reader.fail(option.key, "belongs to " + std::string(what) + " " + kinds + "; this plan's is " +
                                in_quotes(kind));
  }
}

void read_optimizer(JsonReader& reader, Training& training) {
  training.optimizer =
      choice_or_first(reader, "optimizer", {"sgd", "adam", "adamw", "adagrad", "rmsprop"});
  training.learning_rate = reader.number("learning_rate", learning_rate_least, learning_rate_max);
  if (!reader.failed()) {
    refuse_strange(reader, optimizer_options, "the optimizer", training.optimizer);
  }
  training.momentum = reader.number_or("momentum", 0, 0, momentum_max);
  training.nesterov = reader.boolean_or("nesterov", false);
  training.beta_1 = reader.number_or("beta_1", training.beta_1, 0, beta_max);
  training.beta_2 = reader.number_or("beta_2", training.beta_2, 0, beta_max);
  training.rho = reader.number_or("rho", training.rho, 0, beta_max);
  training.centered = reader.boolean_or("centered", false);
  training.initial_accumulator =
      reader.number_or("initial_accumulator", training.initial_accumulator, 0, accumulator_max);
  training.epsilon = reader.number_or("epsilon", training.epsilon, epsilon_least, epsilon_max);
  training.optimizer_state = choice_or_first(reader, "optimizer_state", {"reset", "keep"}) == "keep"
                                 ? OptimizerState::keep
                                 : OptimizerState::reset;
}

void read_weight_decay(JsonReader& reader, Training& training) {
  const bool adamw = training.optimizer == "adamw";
  training.weight_decay.rate =
      reader.number_or("weight_decay", adamw ? adamw_decay : 0.0, 0, decay_max);
  const std::string kind = choice_or_first(reader, "weight_decay_kind", {"decoupled", "l2"});
  if (kind != "l2") return;
  training.weight_decay.kind = engine::WeightDecay::Kind::l2;
  if (adamw) {
    reader.fail("weight_decay_kind", "expected 'decoupled' for the optimizer 'adamw', saw 'l2'");
  }
}

void read_clipping(JsonReader& reader, Training& training) {
  using Kind = engine::Clipping::Kind;
  std::string_view before;
  for (const auto& [key, kind] :
       {std::pair{std::string_view("clip_value"), Kind::value},
        std::pair{std::string_view("clip_norm"), Kind::norm},
        std::pair{std::string_view("clip_global_norm"), Kind::global_norm}}) {
    if (reader.find(key) == nullptr) continue;
    training.clipping = {kind, reader.number(key, clip_least, clip_max)};
    if (!before.empty())
      reader.fail(key, "expected one kind of clipping; there is " + in_quotes(before) + " already");
    before = key;
  }
}

// Finished here: its fields are its own.
Result<void> read_schedule(JsonReader& reader, Training& training) {
  if (reader.find("schedule") == nullptr) return ok();
  JsonReader schedule = reader.object("schedule");
  const std::string kind = choice_or_first(schedule, "kind", {"constant", "step", "cosine"});
  if (!schedule.failed()) refuse_strange(schedule, schedule_options, "the schedule", kind);
  const auto count = [&](std::string_view key, std::int64_t least) {
    return static_cast<std::uint64_t>(schedule.integer(key, least, schedule_length_max));
  };
  if (kind == "step") {
    training.schedule.decay =
        engine::StepDecay{count("every", 1), schedule.number_or("factor", 0.1, factor_least, 1)};
  } else if (kind == "cosine") {
    training.schedule.decay =
        engine::CosineDecay{count("length", 1), schedule.number_or("last", 0, 0, 1)};
  }
  training.schedule.warm_up =
      static_cast<std::uint64_t>(schedule.integer_or("warm_up", 0, 0, schedule_length_max));
  training.schedule_by = choice_or_first(schedule, "by", {"step", "round"}) == "round"
                             ? ScheduleBy::round
                             : ScheduleBy::step;
  return schedule.finish();
}

std::vector<double> read_class_weights(JsonReader& reader) {
  std::vector<double> weights;
  if (reader.find("class_weights") == nullptr) return weights;
  for (const json::value& item : reader.array("class_weights", 2, data::classes_max)) {
    const double weight = item.is_number() ? item.to_number<double>() : -1;
    if (!(weight >= 0 && weight <= weight_max)) {
      reader.fail("class_weights", "expected numbers from 0 to 1e6, saw " + describe(item));
      break;
    }
    weights.push_back(weight);
  }
  return weights;
}

engine::LossSpec read_loss(JsonReader& reader) {
  constexpr std::string_view sparse = "sparse_categorical_crossentropy";
  if (const json::value* loss = reader.find("loss");
      loss != nullptr && *loss == json::value(sparse)) {
    reader.fail("loss",
                "expected 'categorical_crossentropy', which takes classes as they are, saw " +
                    in_quotes(sparse));
  }
  const std::string kind =
      choice_or_first(reader, "loss",
                      {"categorical_crossentropy", "binary_crossentropy", "mean_squared_error",
                       "mean_absolute_error", "huber", "quantile"});
  if (!reader.failed()) refuse_strange(reader, loss_options, "the loss", kind);
  const double smoothing = reader.number_or("label_smoothing", 0, 0, smoothing_max);
  std::vector<double> weights = read_class_weights(reader);
  const double delta = reader.number_or("delta", 1, delta_least, delta_max);
  const double level = reader.number_or("level", 0.5, level_least, 1 - level_least);
  if (kind == "binary_crossentropy")
    return engine::BinaryCrossEntropy{smoothing, std::move(weights)};
  if (kind == "mean_squared_error") return engine::SquaredError{};
  if (kind == "mean_absolute_error") return engine::AbsoluteError{};
  if (kind == "huber") return engine::Huber{delta};
  if (kind == "quantile") return engine::Quantile{level};
  return engine::CategoricalCrossEntropy{smoothing, std::move(weights)};
}

engine::UpdateRule rule_of(const Training& training) {
  const double rate = training.learning_rate;
  if (training.optimizer == "sgd") {
    return engine::Sgd{rate, training.momentum, training.nesterov};
  }
  if (training.optimizer == "adagrad") {
    return engine::Adagrad{rate, training.initial_accumulator, training.epsilon};
  }
  if (training.optimizer == "rmsprop") {
    return engine::RmsProp{rate, training.rho, training.momentum, training.epsilon,
                           training.centered};
  }
  ENTENTE_ASSERT(training.optimizer == "adam" || training.optimizer == "adamw",
                 "an optimiser that no plan can name");
  return engine::Adam{rate, training.beta_1, training.beta_2, training.epsilon};
}

}  // namespace

Result<Training> read_training(JsonReader& reader) {
  Training training;
  read_optimizer(reader, training);
  read_weight_decay(reader, training);
  read_clipping(reader, training);
  training.local_epochs =
      static_cast<std::uint32_t>(reader.integer_or("local_epochs", 1, 1, local_epochs_max));
  training.batch_size =
      static_cast<std::uint32_t>(reader.integer_or("batch_size", 32, 1, batch_size_max));
  training.micro_batch =
      static_cast<std::uint32_t>(reader.integer_or("micro_batch", 0, 1, batch_size_max));
  training.recompute = reader.boolean_or("recompute", false);
  training.loss = read_loss(reader);
  training.seed = static_cast<std::uint64_t>(reader.integer_or("seed", 0, 0, seed_max));
  const Result<void> schedule = read_schedule(reader, training);
  if (auto done = reader.finish(); !done) return done.error();
  if (!schedule) return schedule.error();
  return training;
}

engine::OptimizerSpec optimizer_of(const Training& training, std::uint64_t round) {
  engine::OptimizerSpec spec;
  spec.rule = rule_of(training);
  spec.clipping = training.clipping;
  spec.decay = training.weight_decay;
  spec.schedule = training.schedule;
  if (training.schedule_by == ScheduleBy::round) {
    spec.schedule = {engine::ConstantRate{engine::factor_at(training.schedule, round - 1)}, 0};
  }
  return spec;
}

}  // namespace entente::plan
