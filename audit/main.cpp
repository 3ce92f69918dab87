// SPDX-License-Identifier: Apache-2.0
//
// entente-audit: verifies and shows ledgers, offline.
#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "audit/show.hpp"
#include "audit/verify.hpp"
#include "common/base/file.hpp"
#include "common/base/program.hpp"

namespace {

using namespace entente;  // NOLINT: the program's own names

struct VerifyOptions {
  std::string folder;
  std::string authorities;
  std::string key;
  bool json = false;
};

Result<void> check_folder(const std::string& folder) {
  std::error_code ignored;
  if (std::filesystem::is_directory(folder, ignored)) return ok();
  return Error{Errc::invalid_argument, folder + ": expected a ledger's folder, saw none"};
}

Result<audit::Trust> read_trust(const VerifyOptions& options) {
  audit::Trust trust;
  if (!options.key.empty()) {
    const auto text = read_text(options.key, ledger::verifier_key_max_bytes);
    if (!text) return as_usage(in_context("--key", text.error()));
    auto key = ledger::parse_verifier_key(*text);
    if (!key) return as_usage(in_context("--key " + options.key, key.error()));
    trust.key.emplace(std::move(*key));
  }
  if (!options.authorities.empty()) {
    auto authorities = crypto::Certificate::load(options.authorities);
    if (!authorities) return as_usage(in_context("--ca", authorities.error()));
    trust.authorities = std::move(*authorities);
  }
  return trust;
}

Result<ExitCode> verify(const VerifyOptions& options) {
  if (const auto there = check_folder(options.folder); !there) return there.error();
  const auto trust = read_trust(options);
  if (!trust) return trust.error();
  const auto report = audit::verify(options.folder, *trust, Clock().now());
  if (!report) {
    if (options.json) std::cout << json::serialize(audit::failure_json(report.error())) << "\n";
    // Whatever is wrong with a ledger is a finding, not a mistake in the command.
    return Error{Errc::corrupt, "not verified: " + report.error().detail};
  }
  if (options.json) {
    std::cout << json::serialize(audit::report_json(*report)) << "\n";
  } else {
    std::cout << audit::report_text(*report);
  }
  return ExitCode::done;
}

Result<ExitCode> show(const std::string& folder, bool as_written) {
  if (const auto there = check_folder(folder); !there) return there.error();
  const auto lines = as_written ? audit::Lines::as_written : audit::Lines::readable;
  const auto shown = audit::show(folder, lines, std::cout);
  if (shown) return ExitCode::done;
  // `show | head`: whoever reads has what it wanted. Nothing is left to flush, nobody to tell.
  if (shown.error().code == Errc::closed) std::_Exit(static_cast<int>(ExitCode::done));
  return Error{Errc::corrupt, shown.error().detail};
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  Program program("entente-audit", "Verifies and shows a federation's ledger, offline.");

  VerifyOptions options;
  CLI::App& verify_command = program.command(
      "verify", "Checks every entry of a ledger, and with --ca or --key who signed it.",
      [&] { return verify(options); });
  verify_command.add_option("LEDGER_DIR", options.folder, "the ledger's folder")->required();
  CLI::Option* ca = verify_command.add_option("--ca", options.authorities,
                                              "the federation's certificates (PEM): the ledger's "
                                              "key must be certified by them, and so must members");
  verify_command.add_option("--key", options.key, "the ledger's verifier key (C2SP vkey text)")
      ->excludes(ca);
  verify_command.add_flag("--json", options.json, "answer in JSON");

  std::string folder;
  bool as_written = false;
  CLI::App& show_command =
      program.command("show", "Prints the entries of a ledger, one a line; verifies nothing.",
                      [&] { return show(folder, as_written); });
  show_command.add_option("LEDGER_DIR", folder, "the ledger's folder")->required();
  show_command.add_flag("--json", as_written, "the lines as they are written");

  return program.run(argc, argv);
}
