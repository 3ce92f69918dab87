// SPDX-License-Identifier: Apache-2.0
//
// entente-coordinator: runs the federation's rounds, and the operator's commands to it.
#include <CLI/CLI.hpp>
#include <string>

#include "common/base/program.hpp"
#include "coordinator/commands.hpp"

int main(int argc, char** argv) {
  namespace coordinator = entente::coordinator;
  entente::Program program("entente-coordinator",
                           "Runs the rounds of a federation and keeps its ledger.");
  std::string configuration;
  const auto with_configuration = [&](CLI::App& command) -> CLI::App& {
    command.add_option("--config", configuration, "configuration file")->required();
    return command;
  };

  with_configuration(program.command("serve", "Serves the federation, until it is stopped.",
                                     [&] { return coordinator::serve(configuration); }));

  coordinator::SubmitOptions submit_options;
  CLI::App& submit =
      with_configuration(program.command("submit", "Signs a plan and hands it in.", [&] {
        submit_options.configuration = configuration;
        return coordinator::submit(submit_options);
      }));
  submit.add_option("PLAN", submit_options.plan, "plan (TOML)")->required();
  submit.add_flag("--json", submit_options.json, "answer as one line of JSON");

  coordinator::StatusOptions status_options;
  CLI::App& status = with_configuration(program.command("status", "Shows what is going on.", [&] {
    status_options.configuration = configuration;
    return coordinator::status(status_options);
  }));
  status.add_flag("--watch", status_options.watch, "redraw every second until Ctrl-C");
  status.add_option("--until", status_options.until, "with --watch: end when this plan has ended");
  status.add_flag("--json", status_options.json, "one line of JSON (with --watch: one a second)");

  std::string digest;
  std::string reason;
  CLI::App& cancel =
      with_configuration(program.command("cancel", "Ends a plan, waiting or running.", [&] {
        return coordinator::cancel(configuration, digest, reason);
      }));
  cancel.add_option("DIGEST", digest, "the plan's SHA-256")->required();
  cancel.add_option("--reason", reason, "for the ledger")->required();

  std::string participant;
  CLI::App& suspend =
      with_configuration(program.command("suspend", "Neither asks nor counts a participant.", [&] {
        return coordinator::set_suspended(configuration, participant, true, reason);
      }));
  suspend.add_option("NAME", participant, "the participant")->required();
  suspend.add_option("--reason", reason, "for the ledger");
  CLI::App& resume = with_configuration(program.command("resume", "Ends a suspension.", [&] {
    return coordinator::set_suspended(configuration, participant, false, reason);
  }));
  resume.add_option("NAME", participant, "the participant")->required();
  resume.add_option("--reason", reason, "for the ledger");

  with_configuration(program.command("stop",
                                     "Ends the daemon; what is open goes on at its next start.",
                                     [&] { return coordinator::stop(configuration); }));
  return program.run(argc, argv);
}
