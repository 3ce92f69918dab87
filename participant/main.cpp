// SPDX-License-Identifier: Apache-2.0
//
// entente-participant: an institution's side of the federation.
#include <CLI/CLI.hpp>
#include <string>

#include "common/base/program.hpp"
#include "participant/commands.hpp"

int main(int argc, char** argv) {
  namespace participant = entente::participant;
  entente::Program program("entente-participant",
                           "Trains on an institution's own data and sends nothing but updates.");

  participant::CheckOptions check_options;
  CLI::App& check = program.command("check", "Tries a plan on the local data; sends nothing.",
                                    [&] { return participant::check(check_options); });
  check.add_option("--config", check_options.configuration, "configuration file")->required();
  check.add_option("--plan", check_options.plan, "plan (TOML, or canonical .json)")->required();
  check.add_flag("--json", check_options.json, "answer as one line of JSON");

  std::string serve_configuration;
  CLI::App& serve = program.command("serve", "Takes part, until it is stopped.",
                                    [&] { return participant::serve(serve_configuration); });
  serve.add_option("--config", serve_configuration, "configuration file")->required();

  std::string digest;
  std::string approve_configuration;
  CLI::App& approve = program.command("approve", "Approves a plan that waits for it.", [&] {
    return participant::approve(approve_configuration, digest);
  });
  approve.add_option("DIGEST", digest, "the plan's SHA-256")->required();
  approve.add_option("--config", approve_configuration, "configuration file")->required();

  participant::EvaluateOptions evaluate_options;
  CLI::App& evaluate =
      program.command("evaluate", "Gives the plan's metrics of a model on local data.",
                      [&] { return participant::evaluate(evaluate_options); });
  evaluate.add_option("--plan", evaluate_options.plan, "plan (TOML, or canonical .json)")
      ->required();
  evaluate.add_option("--model", evaluate_options.model, "safetensors file")->required();
  evaluate.add_option("--data", evaluate_options.data, "CSV file, text, or IDX images")->required();
  evaluate.add_option("--labels", evaluate_options.labels, "IDX labels of the images");
  evaluate.add_flag("--json", evaluate_options.json, "answer as one line of JSON");

  return program.run(argc, argv);
}
