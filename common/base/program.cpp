// SPDX-License-Identifier: Apache-2.0
#include "common/base/program.hpp"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <optional>
#include <vector>

#include "common/base/version.hpp"

namespace entente {

struct Program::State {
  CLI::App app;
  std::string name;
  std::vector<std::pair<CLI::App*, CommandBody>> commands;

  State(std::string name_, const std::string& purpose)
      : app(purpose, name_), name(std::move(name_)) {}

  // One line, whatever the text holds.
  int complain(std::string detail, ExitCode code) const {
    for (char& c : detail) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    }
    std::cerr << name << ": " << detail << std::endl;
    return static_cast<int>(code);
  }

  const CLI::App* chosen() const {
    const auto named = app.get_subcommands();
    return named.empty() ? &app : named.front();
  }

  std::string help_hint() const {
    const CLI::App* command = chosen();
    return "; see " + name + (command == &app ? "" : " " + command->get_name()) + " --help";
  }

  // An exit code when the arguments end the program: wrong, or asking for help or the version.
  std::optional<int> parse(int argc, const char* const* argv) {
    try {
      app.parse(argc, argv);
      return std::nullopt;
    } catch (const CLI::Success& asked) {
      app.exit(asked, std::cout, std::cerr);
      return finish(ExitCode::done);
    } catch (const CLI::ParseError& wrong) {
      return complain(wrong.what() + help_hint(), ExitCode::usage);
    }
  }

  int run_command() {
    for (const auto& [command, body] : commands) {
      if (!command->parsed()) continue;
      const Result<ExitCode> code = body();
      if (code) return finish(*code);
      const bool usage = code.error().code == Errc::invalid_argument;
      return complain(code.error().detail, usage ? ExitCode::usage : ExitCode::failed);
    }
    return complain("no command given" + help_hint(), ExitCode::usage);
  }

  // An answer that could not be written is not an answer.
  int finish(ExitCode code) const {
    errno = 0;
    std::cout.flush();
    if (std::cout.good() && std::fflush(stdout) == 0) return static_cast<int>(code);
    return complain(std::string("writing to standard output: ") + std::strerror(errno),
                    ExitCode::failed);
  }
};

Program::Program(std::string name, std::string purpose)
    : state_(std::make_unique<State>(std::move(name), purpose)) {
  state_->app.set_version_flag("--version", state_->name + " " + std::string(software_version),
                               "print the version");
  state_->app.get_help_ptr()->description("print this help");
  state_->app.require_subcommand(0, 1);
}

Program::~Program() = default;

CLI::App& Program::command(const std::string& name, const std::string& purpose, CommandBody body) {
  CLI::App* command = state_->app.add_subcommand(name, purpose);
  command->get_help_ptr()->description("print this help");
  command->set_version_flag("--version", state_->name + " " + std::string(software_version),
                            "print the version");
  state_->commands.emplace_back(command, std::move(body));
  return *command;
}

int Program::run(int argc, const char* const* argv) {
  try {
    if (const auto code = state_->parse(argc, argv)) return *code;
    return state_->run_command();
  } catch (const std::exception& failure) {
    return state_->complain(failure.what(), ExitCode::failed);
  }
}

}  // namespace entente
