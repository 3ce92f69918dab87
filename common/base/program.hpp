// SPDX-License-Identifier: Apache-2.0
//
// What all programs have in common: commands, --help, --version, exit codes, one line on stderr for
// an error.
//
//     int main(int argc, char** argv) {
//       Program program("entente-certs", "Makes and shows the federation's certificates.");
//       std::string out;                                   // lives as long as `program`
//       CLI::App& init = program.command("init", "Founds a federation.", [&] { return init_in(out);
//       }); init.add_option("--out", out, "folder to make")->required(); return program.run(argc,
//       argv);
//     }
//
// Whoever adds options includes <CLI/CLI.hpp> (in a .cpp: it is a heavy header) and links
// CLI11::CLI11. Results go to stdout; stderr carries nothing but the one error line and the log.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace CLI {
class App;
}

namespace entente {

enum class ExitCode : int {
  done = 0,
  failed = 1,  // understood and tried
  usage = 2,   // wrong command line, configuration or plan: nothing was begun
};

// What a command does once its options are read. An Error becomes the line `<program>: <detail>` on
// stderr and ExitCode::usage when its code is invalid_argument, ExitCode::failed otherwise.
// ExitCode::failed as a value says that the body has printed its own answer (a verdict of "not
// verified", as text or JSON).
using CommandBody = std::function<Result<ExitCode>()>;

// `error` as one of usage: for what a command reads before it begins (configuration, plan).
inline Error as_usage(Error error) {
  return {Errc::invalid_argument, std::move(error.detail)};
}

class Program {
 public:
  // `name`: as typed. `purpose`: one sentence.
  Program(std::string name, std::string purpose);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // A command; add its options to what is returned (owned by this object). Its --help exists
  // already.
  CLI::App& command(const std::string& name, const std::string& purpose, CommandBody body);
  // Parses the arguments, runs the one command that they name and gives main's exit code. Call
  // once. The program's only catch is here: an exception becomes one line on stderr and
  // ExitCode::failed.
  int run(int argc, const char* const* argv);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente
