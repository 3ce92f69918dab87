// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <chrono>
#include <iomanip>
#include <iostream>
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

struct Findings {
  Suitability suitability;
  training::Memory memory;
  double loss = 0;
  double norm = 0;
  Seconds reading{0};
  Seconds training{0};
  std::string refusal;  // the policy's; empty: none
};

// The same plan with one local epoch.
std::shared_ptr<const plan::Plan> one_epoch_of(const plan::Plan& plan) {
  plan::Plan copy = plan;
  copy.training.local_epochs = 1;
  return std::make_shared<const plan::Plan>(std::move(copy));
}

std::string refusal_of(const Policy& policy, const plan::Plan& plan,
                       const Suitability& suitability) {
  auto allowed = check_plan(policy, plan);
  if (allowed) allowed = check_suitability(policy, plan, suitability);
  return allowed ? "" : allowed.error().detail;
}

Result<Findings> try_out(const StartUp& start, const plan::Plan& plan) {
  const auto began = std::chrono::steady_clock::now();
  const auto prepared = prepare(one_epoch_of(plan), start.configuration.data, start.trust.self.name,
                                start.configuration.policy.ceilings.memory_max_bytes);
  if (!prepared) return as_usage(prepared.error());
  const auto read = std::chrono::steady_clock::now();
  const engine::Network& network = (*prepared)->network;
  tensor::ParameterBuffer initial(network.parameter_count());
  engine::initial_values(network, plan.training.seed, 0, initial.values());
  const auto outcome = training::train((*prepared)->setting(), 1, initial.values());
  if (!outcome) return in_context("training one epoch", outcome.error());
  Findings findings;
  findings.suitability = suitability_of(**prepared);
  findings.memory = training::memory_of((*prepared)->setting());
  findings.loss = outcome->loss;
  findings.norm = outcome->norm;
  findings.reading = read - began;
  findings.training = std::chrono::steady_clock::now() - read;
  findings.refusal = refusal_of(start.configuration.policy, plan, findings.suitability);
  return findings;
}

Result<void> print_json(const plan::Plan& plan, const Findings& findings) {
  const Suitability& here = findings.suitability;
  json::object answer;
  answer["plan"] = plan.digest.hex();
  answer["name"] = plan.name;
  answer["training_rows"] = here.training_rows;
  answer["holdout_rows"] = here.holdout_rows;
  answer["parameters"] = here.parameters;
  answer["bytes"] = here.model_bytes;
  answer["loss"] = findings.loss;
  answer["norm"] = findings.norm;
  answer["reading_seconds"] = findings.reading.count();
  answer["epoch_seconds"] = findings.training.count();
  answer["memory_bytes"] = here.memory_bytes;
  const training::Memory& memory = findings.memory;
  answer["memory"] = json::object{{"rows", memory.rows},
                                  {"parameters", memory.parameters},
                                  {"gradient", memory.gradient},
                                  {"optimizer", memory.optimizer},
                                  {"activations", memory.activations}};
  answer["allowed"] = findings.refusal.empty();
  if (!findings.refusal.empty()) answer["refusal"] = findings.refusal;
  const auto line = canonical_json(answer);
  if (!line) return line.error();
  std::cout << *line << "\n";
  return ok();
}

std::string in_mebibytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1U << 20U));
}

void print_text(const Configuration& configuration, const plan::Plan& plan,
                const Findings& findings) {
  const Suitability& here = findings.suitability;
  const auto line = [](std::string_view label) -> std::ostream& {
    return std::cout << "  " << std::left << std::setw(18) << label;
  };
  std::cout << "Plan " << plan.name << "\n";
  line("digest") << plan.digest.hex() << "\n";
  line("rows") << here.training_rows << " to train on, " << here.holdout_rows << " held out\n";
  line("parameters") << here.parameters << "\n";
  line("would be sent") << here.model_bytes << " bytes a round, the difference of "
                        << here.parameters << " parameters\n";
  line("norm") << findings.norm << " after one local epoch\n";
  line("loss") << findings.loss << " over that epoch\n";
  line("time") << findings.training.count() << " s an epoch (the plan asks for "
               << plan.training.local_epochs << " a round), " << findings.reading.count()
               << " s to read the data\n";
  const training::Memory& memory = findings.memory;
  line("memory") << in_mebibytes(here.memory_bytes) << " at the peak: rows "
                 << in_mebibytes(memory.rows) << ", parameters " << in_mebibytes(memory.parameters)
                 << ", gradient " << in_mebibytes(memory.gradient) << ",\n";
  line("") << "optimizer " << in_mebibytes(memory.optimizer) << ", activations "
           << in_mebibytes(memory.activations) << "\n";
  line("policy");
  if (!findings.refusal.empty()) {
    std::cout << "refuses: " << findings.refusal << "\n";
  } else if (needs_approval(configuration.policy, plan.digest)) {
    std::cout << "allows; needs approval: entente-participant approve " << plan.digest.hex()
              << "\n";
  } else {
    std::cout << "allows\n";
  }
  std::cout << "Nothing was sent.\n";
}

}  // namespace

Result<ExitCode> check(const CheckOptions& options) {
  const auto start = read_start_up(options.configuration, Clock().now());
  if (!start) return start.error();
  const auto plan = read_any_plan(options.plan);
  if (!plan) return plan.error();
  set_thread_count(start->configuration.threads);
  const auto findings = try_out(*start, **plan);
  if (!findings) return findings.error();
  if (options.json) {
    if (auto printed = print_json(**plan, *findings); !printed) return printed.error();
  } else {
    print_text(start->configuration, **plan, *findings);
  }
  return findings->refusal.empty() ? ExitCode::done : ExitCode::failed;
}

}  // namespace entente::participant
