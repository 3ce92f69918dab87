// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <iomanip>
#include <iostream>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/json.hpp"
#include "common/base/parallel.hpp"
#include "common/engine/initial.hpp"
#include "participant/commands.hpp"
#include "participant/prepared.hpp"
#include "participant/start_up.hpp"

namespace entente::participant {
namespace {

using Seconds = std::chrono::duration<double>;

// What is known before anything is trained.
struct Statement {
  Suitability suitability;
  training::Memory memory;
  Seconds reading{0};
  std::string refusal;  // the policy's; empty: none
};

// What one local epoch gives.
struct Epoch {
  double loss = 0;
  double norm = 0;
  Seconds took{0};
};

// The same plan with one local epoch.
std::shared_ptr<const plan::Plan> one_epoch_of(const plan::Plan& plan) {
  plan::Plan copy = plan;
  copy.training.local_epochs = 1;
  return std::make_shared<const plan::Plan>(std::move(copy));
}

Statement state(const Prepared& prepared, const plan::Plan& plan, const Policy& policy) {
  Statement statement;
  statement.suitability = suitability_of(prepared);
  statement.memory = training::memory_of(prepared.setting());
  auto allowed = check_plan(policy, plan);
  if (allowed) allowed = check_suitability(policy, plan, statement.suitability);
  if (!allowed) statement.refusal = allowed.error().detail;
  return statement;
}

Result<Epoch> train_one_epoch(const Prepared& prepared) {
  const auto began = std::chrono::steady_clock::now();
  const auto outcome = within_memory(prepared, [&]() -> Result<training::Outcome> {
    const engine::Network& network = prepared.network;
    tensor::ParameterBuffer initial(network.parameter_count());
    engine::initial_values(network, prepared.plan->training.seed, 0, initial.values());
    return training::train(prepared.setting(), 1, initial.values());
  });
  if (!outcome) return in_context("training one epoch", outcome.error());
  return Epoch{outcome->loss, outcome->norm, std::chrono::steady_clock::now() - began};
}

json::object in_json(const plan::Plan& plan, const Statement& statement) {
  const Suitability& here = statement.suitability;
  const training::Memory& memory = statement.memory;
  json::object answer;
  answer["plan"] = plan.digest.hex();
  answer["name"] = plan.name;
  answer["training_rows"] = here.training_rows;
  answer["holdout_rows"] = here.holdout_rows;
  answer["parameters"] = here.parameters;
  answer["bytes"] = here.model_bytes;
  answer["reading_seconds"] = statement.reading.count();
  answer["memory_bytes"] = here.memory_bytes;
  answer["memory"] = json::object{{"rows", memory.rows},
                                  {"parameters", memory.parameters},
                                  {"gradient", memory.gradient},
                                  {"optimizer", memory.optimizer},
                                  {"activations", memory.activations},
                                  {"evaluation", memory.evaluation}};
  answer["allowed"] = statement.refusal.empty();
  if (!statement.refusal.empty()) answer["refusal"] = statement.refusal;
  return answer;
}

Result<void> print_json(json::object answer, const Epoch* epoch) {
  if (epoch != nullptr) {
    answer["loss"] = epoch->loss;
    answer["norm"] = epoch->norm;
    answer["epoch_seconds"] = epoch->took.count();
  }
  const auto line = canonical_json(answer);
  if (!line) return line.error();
  std::cout << *line << "\n";
  return ok();
}

std::ostream& line(std::string_view label) {
  return std::cout << "  " << std::left << std::setw(18) << label;
}

// Flushed, so that it is read even where training takes more than the machine has.
void print(const Configuration& configuration, const plan::Plan& plan, const Statement& statement) {
  const Suitability& here = statement.suitability;
  std::cout << "Plan " << plan.name << "\n";
  line("digest") << plan.digest.hex() << "\n";
  line("rows") << here.training_rows << " to train on, " << here.holdout_rows << " held out\n";
  line("parameters") << here.parameters << "\n";
  line("would be sent") << here.model_bytes << " bytes a round, the difference of "
                        << here.parameters << " parameters\n";
  const training::Memory& memory = statement.memory;
  line("memory") << in_units(here.memory_bytes) << " at the peak: rows " << in_units(memory.rows)
                 << ", and the larger of\n";
  line("") << "training " << in_units(memory.training()) << " (parameters "
           << in_units(memory.parameters) << ", gradient " << in_units(memory.gradient)
           << ", optimizer " << in_units(memory.optimizer) << ", activations "
           << in_units(memory.activations) << ")\n";
  line("") << "and evaluation " << in_units(memory.evaluation) << "\n";
  line("policy");
  if (!statement.refusal.empty()) {
    std::cout << "refuses: " << statement.refusal << "\n";
  } else if (needs_approval(configuration.policy, plan.digest)) {
    std::cout << "allows; needs approval: entente-participant approve " << plan.digest.hex()
              << "\n";
  } else {
    std::cout << "allows\n";
  }
  std::cout << std::flush;
}

void print(const plan::Plan& plan, const Statement& statement, const Epoch& epoch) {
  line("norm") << epoch.norm << " after one local epoch\n";
  line("loss") << epoch.loss << " over that epoch\n";
  line("time") << epoch.took.count() << " s an epoch (the plan asks for "
               << plan.training.local_epochs << " a round), " << statement.reading.count()
               << " s to read the data\n";
}

}  // namespace

Result<ExitCode> check(const CheckOptions& options) {
  const auto start = read_start_up(options.configuration, Clock().now());
  if (!start) return start.error();
  const auto plan = read_any_plan(options.plan);
  if (!plan) return plan.error();
  set_thread_count(start->configuration.threads);
  const auto began = std::chrono::steady_clock::now();
  const auto prepared =
      prepare(one_epoch_of(**plan), start->configuration.data, start->trust.self.name,
              start->configuration.policy.ceilings.memory_max_bytes, data::Cells::told);
  if (!prepared) return as_usage(prepared.error());
  Statement statement = state(**prepared, **plan, start->configuration.policy);
  statement.reading = std::chrono::steady_clock::now() - began;
  if (!options.json) print(start->configuration, **plan, statement);

  // What the policy refuses is not tried: it may be more than the machine can do.
  std::optional<Epoch> epoch;
  if (statement.refusal.empty()) {
    auto trained = train_one_epoch(**prepared);
    if (!trained) return trained.error();
    epoch = *trained;
  }
  if (options.json) {
    const Epoch* shown = epoch ? &*epoch : nullptr;
    if (auto printed = print_json(in_json(**plan, statement), shown); !printed)
      return printed.error();
  } else {
    if (epoch) print(**plan, statement, *epoch);
    std::cout << (epoch ? "Nothing was sent.\n" : "Nothing was trained or sent.\n");
  }
  return statement.refusal.empty() ? ExitCode::done : ExitCode::failed;
}

}  // namespace entente::participant
