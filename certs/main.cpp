// SPDX-License-Identifier: Apache-2.0
//
// entente-certs: founds a federation's certificate authority, makes members' certificates, shows
// what is in one.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>

#include "certs/authority.hpp"
#include "certs/inspect.hpp"
#include "common/base/clock.hpp"
#include "common/base/json.hpp"
#include "common/base/program.hpp"

namespace {

using namespace entente;  // NOLINT: the program's own names

std::string day(TimePoint time) {
  return to_rfc3339(time).substr(0, 10);
}

json::array files_json(const std::vector<certs::NewFile>& files) {
  json::array list;
  for (const auto& file : files) {
    list.push_back(
        {{"path", file.path.string()}, {"what", file.what}, {"secret", file.is_secret()}});
  }
  return list;
}

std::string files_text(const std::vector<certs::NewFile>& files) {
  std::size_t width = 0;
  for (const auto& file : files) width = std::max(width, file.path.string().size());
  std::string text;
  for (const auto& file : files) {
    text += fmt::format("  {:<{}}  {:<6}  {}\n", file.path.string(), width,
                        file.is_secret() ? "SECRET" : "", file.what);
  }
  return text;
}

json::object certificate_json(const crypto::Certificate& certificate) {
  return {{"sha256", certificate.fingerprint().hex()},
          {"not_after", to_rfc3339(certificate.not_after())}};
}

struct InitOptions {
  std::string federation;
  std::string folder;
  bool json = false;
};

Result<ExitCode> init(const InitOptions& options) {
  const auto founded = certs::found_federation(options.federation, options.folder, Clock().now());
  if (!founded) return founded.error();
  if (options.json) {
    const json::object answer = {
        {"federation", founded->federation},       {"folder", options.folder},
        {"root", certificate_json(founded->root)}, {"issuing", certificate_json(founded->issuing)},
        {"ledger_key", founded->verifier_key},     {"files", files_json(founded->files)}};
    std::cout << json::serialize(answer) << "\n";
    return ExitCode::done;
  }
  std::cout << fmt::format(
      "Federation {} is founded in {}.\n\n{}\n"
      "root     until {}, SHA-256 {}\n"
      "issuing  until {}\n"
      "ledger   {}\n\n"
      "Tell members the root's SHA-256 by another way than the files.\n"
      "Next: entente-certs issue --ca {} --role coordinator --name main --out FOLDER\n",
      founded->federation, options.folder, files_text(founded->files),
      day(founded->root.not_after()), founded->root.fingerprint().hex(),
      day(founded->issuing.not_after()), founded->verifier_key, options.folder);
  return ExitCode::done;
}

struct IssueOptions {
  certs::MemberOrder order;
  std::string authority;
  std::string role;
  std::string folder;
  bool json = false;
};

Result<ExitCode> issue(IssueOptions options) {
  const auto role = parse_role(options.role);
  if (!role) return as_usage(in_context("--role", role.error()));
  options.order.role = *role;
  options.order.authority = options.authority;
  options.order.folder = options.folder;
  const auto issued = certs::issue_member(options.order, Clock().now());
  if (!issued) return issued.error();
  const auto& certificate = issued->certificate;
  if (options.json) {
    json::array dns;
    for (const auto& name : certificate.dns_names()) dns.emplace_back(name);
    const json::object answer = {{"identity", issued->identity.uri()},
                                 {"dns", std::move(dns)},
                                 {"not_after", to_rfc3339(certificate.not_after())},
                                 {"serial", certificate.serial_hex()},
                                 {"sha256", certificate.fingerprint().hex()},
                                 {"files", files_json(issued->files)}};
    std::cout << json::serialize(answer) << "\n";
    return ExitCode::done;
  }
  std::cout << fmt::format("{}, until {}\n\n{}", issued->identity.uri(),
                           day(certificate.not_after()), files_text(issued->files));
  return ExitCode::done;
}

Result<ExitCode> inspect(const std::string& file, bool as_json) {
  const auto inspection = certs::inspect(file, Clock().now());
  if (!inspection) return inspection.error();
  if (as_json) {
    std::cout << json::serialize(*inspection) << "\n";
  } else {
    std::cout << certs::inspection_text(*inspection);
  }
  return ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) {
  Program program("entente-certs",
                  "Founds a federation's certificate authority, makes members' certificates, shows "
                  "what is in one.");
  constexpr const char* json_help = "answer in JSON";

  InitOptions init_options;
  CLI::App& init_command = program.command(
      "init", "Makes the root, the issuing authority and the ledger's key of a new federation.",
      [&] { return init(init_options); });
  init_command
      .add_option("--federation", init_options.federation, "its name, such as hospitals.example")
      ->required();
  init_command.add_option("--out", init_options.folder, "folder for the authority")->required();
  init_command.add_flag("--json", init_options.json, json_help);

  IssueOptions issue_options;
  CLI::App& issue_command =
      program.command("issue", "Makes a key and a certificate for one member, in a folder for it.",
                      [&] { return issue(issue_options); });
  issue_command
      .add_option("--ca", issue_options.authority, "the authority's folder, as init made it")
      ->required();
  issue_command
      .add_option("--role", issue_options.role,
                  "coordinator, participant, operator, auditor or member")
      ->required();
  issue_command.add_option("--name", issue_options.order.name, "[a-z0-9-], at most 63")->required();
  issue_command
      .add_option("--dns", issue_options.order.dns_names,
                  "a host name more (a coordinator's default: localhost)")
      ->allow_extra_args(false);
  issue_command
      .add_option("--days", issue_options.order.days,
                  fmt::format("days until it ends, 1 to {}", certs::member_days_max))
      ->capture_default_str();
  issue_command.add_option("--out", issue_options.folder, "folder for the member's files")
      ->required();
  issue_command.add_flag("--json", issue_options.json, json_help);

  std::string file;
  bool as_json = false;
  CLI::App& inspect_command = program.command("inspect", "Shows the certificates of a PEM file.",
                                              [&] { return inspect(file, as_json); });
  inspect_command.add_option("FILE", file, "a PEM file")->required();
  inspect_command.add_flag("--json", as_json, json_help);

  return program.run(argc, argv);
}
