// SPDX-License-Identifier: Apache-2.0
#include "tests/end_to_end/federation.hpp"

#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/test/results_collector.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "common/base/storage.hpp"
#include "common/ledger/verify.hpp"
#include "tests/folders.hpp"

namespace entente::test {
namespace {

namespace fs = std::filesystem;

const fs::path examples = tests_folder().parent_path() / "examples" / "breast-cancer";

std::string text_of(const CommandResult& result) {
  return "exit " + std::to_string(result.exit_code) + "\n" + result.out + result.error;
}

// The words that start a program with a file system of its own at `folder`.
std::vector<std::string> with_mount(const fs::path& folder, const std::string& size) {
  const std::string mount = "mount -t tmpfs -o size=" + size + " none '" + folder.string() + "'";
  return {"/usr/bin/unshare",
          ::geteuid() == 0 ? "-m" : "-rm",
          "/bin/sh",
          "-c",
          mount + " && exec \"$@\"",
          "sh"};
}

}  // namespace

std::string read_whole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_whole(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string with_value(std::string text, const std::string& key, const std::string& value) {
  return std::regex_replace(text, std::regex("(^|\n)" + key + " = [^\n]*"),
                            "$1" + key + " = " + value);
}

const std::vector<std::string>& Federation::names() {
  static const std::vector<std::string> list{"alice", "bob", "carol"};
  return list;
}

std::string Federation::program(const std::string& name) {
  return (programs_folder() / name).string();
}

Federation::Federation(FederationOptions options) : options_(std::move(options)) {
  std::string pattern = (fs::temp_directory_path() / "entente-test-XXXXXX").string();
  folder_ = ::mkdtemp(pattern.data());
  const CommandResult founded = run_command({program("entente-certs"), "init", "--federation",
                                             domain, "--out", (folder_ / "authority").string()});
  BOOST_REQUIRE_MESSAGE(founded.exit_code == 0, text_of(founded));
  issue("coordinator", "main");
  issue("operator", "olga");
  for (const std::string& name : names()) issue("participant", name);

  std::string plan = read_whole(examples / "plan.toml");
  plan = with_value(plan, "number", std::to_string(options_.rounds));
  plan = with_value(plan, "cohort", std::to_string(options_.cohort));
  plan = with_value(plan, "grace", "\"" + options_.grace + "\"");
  plan = with_value(plan, "norm_max", std::to_string(options_.norm_max));
  // The quorum and deadline of the rounds, not those of the evaluation: the first of each.
  plan = std::regex_replace(plan, std::regex("\nquorum = [^\n]*"),
                            "\nquorum = " + std::to_string(options_.quorum),
                            std::regex_constants::format_first_only);
  plan = std::regex_replace(plan, std::regex("\ndeadline = [^\n]*"),
                            "\ndeadline = \"" + options_.deadline + "\"",
                            std::regex_constants::format_first_only);
  write_whole(folder_ / "plan" / "plan.toml", plan);
  fs::copy_file(examples / "model.json", folder_ / "plan" / "model.json");
}

Federation::~Federation() {
  participants_.clear();
  coordinator_.reset();
  const auto id = boost::unit_test::framework::current_test_case().p_id;
  if (boost::unit_test::results_collector.results(id).passed()) {
    fs::remove_all(folder_);
  } else {
    BOOST_TEST_MESSAGE("kept for a look: " << folder_);
  }
}

void Federation::issue(const std::string& role, const std::string& name) const {
  const CommandResult issued =
      run_command({program("entente-certs"), "issue", "--ca", (folder_ / "authority").string(),
                   "--role", role, "--name", name, "--out", (folder_ / name).string()});
  BOOST_REQUIRE_MESSAGE(issued.exit_code == 0, text_of(issued));
}

fs::path Federation::state_folder() const {
  const fs::path state = folder_ / "main" / "state";
  if (options_.state_size.empty()) return state;
  // Only that process sees what is mounted there.
  return fs::path("/proc") / std::to_string(coordinator_->pid()) / "root" / state.relative_path();
}

bool Federation::can_mount() {
  std::vector<std::string> words = with_mount(fs::temp_directory_path(), "1m");
  words.push_back("/bin/true");
  return fs::exists(words.front()) && run_command(words).exit_code == 0;
}

void Federation::write_configurations(const std::string& name, int threads) const {
  const std::string number =
      std::to_string(1 + std::distance(names().begin(), std::ranges::find(names(), name)));
  const auto own = data_.find(name);
  const std::string data =
      own != data_.end()
          ? own->second
          : "table = \"" + (examples / ("participant-" + number + ".csv")).string() + "\"\n";
  const auto detour = detours_.find(name);
  const std::string& coordinator = detour != detours_.end() ? detour->second : address_;
  write_whole(
      folder_ / name / "participant.toml",
      "[federation]\nname = \"" + std::string(domain) + "\"\ncoordinator = \"" + coordinator +
          "\"\n[identity]\nledger_key = \"ledger-key\"\n[state]\nfolder = \"state\"\n" +
          "[data]\n" + data + "[policy]\noperators = [\"olga\"]\naccept = \"signed\"\n" +
          "[compute]\nthreads = " + std::to_string(threads) + "\n[log]\nformat = \"json\"\n");
}

Process& Federation::start_coordinator() {
  const fs::path file = folder_ / "main" / "coordinator.toml";
  write_whole(file,
              "[federation]\nname = \"" + std::string(domain) +
                  "\"\n[ledger]\nkey = \"../authority/ledger/ledger.key\"\ncertificate = "
                  "\"../authority/ledger/key.crt\"\n[listen]\naddress = \"127.0.0.1\"\nport = " +
                  port_ + "\n[state]\nfolder = \"state\"\n[log]\nformat = \"json\"\n");
  std::vector<std::string> words;
  if (!options_.state_size.empty()) {
    fs::create_directories(folder_ / "main" / "state");
    words = with_mount(folder_ / "main" / "state", options_.state_size);
  }
  words.insert(words.end(), {program("entente-coordinator"), "serve", "--config", file.string()});
  coordinator_.reset();
  coordinator_ = std::make_unique<Process>(words, folder_ / "main" / "log.jsonl");
  const std::size_t line = coordinator_->wait_for({"\"listening\""});
  BOOST_REQUIRE_MESSAGE(line != Process::npos, coordinator_->all());
  address_ = boost::json::parse(coordinator_->line(line)).at("address").as_string().c_str();
  port_ = address_.substr(address_.rfind(':') + 1);
  write_whole(folder_ / "olga" / "operator.toml", "[federation]\nname = \"" + std::string(domain) +
                                                      "\"\ncoordinator = \"" + address_ + "\"\n");
  return *coordinator_;
}

Process& Federation::start_participant(const std::string& name, int threads) {
  write_configurations(name, threads);
  participants_[name].reset();
  participants_[name] = std::make_unique<Process>(
      std::vector<std::string>{program("entente-participant"), "serve", "--config",
                               (folder_ / name / "participant.toml").string()},
      folder_ / name / "log.jsonl");
  return *participants_[name];
}

CommandResult Federation::operate(const std::string& command,
                                  const std::vector<std::string>& words) const {
  std::vector<std::string> all{program("entente-coordinator"), command, "--config",
                               (folder_ / "olga" / "operator.toml").string()};
  all.insert(all.end(), words.begin(), words.end());
  return run_command(all);
}

std::string Federation::submit() {
  const CommandResult submitted = operate("submit", {plan().string(), "--json"});
  BOOST_REQUIRE_MESSAGE(submitted.exit_code == 0, text_of(submitted));
  return boost::json::parse(submitted.out).at("plan").as_string().c_str();
}

void Federation::restart_coordinator_by_kill() {
  coordinator_->send(SIGKILL);
  coordinator_->wait();
  start_coordinator();
}

std::string Federation::finished_model() {
  const std::size_t line = coordinator_->wait_for({"\"plan.finished\""});
  BOOST_REQUIRE_MESSAGE(line != Process::npos, coordinator_->all());
  for (const ledger::Entry& entry : verified_entries()) {
    if (entry.kind == "plan.finished") return entry.subjects.at("model").hex();
  }
  BOOST_FAIL("the ledger has no plan.finished");
  return {};
}

std::vector<ledger::Entry> Federation::verified_entries() {
  const CommandResult verdict =
      run_command({program("entente-audit"), "verify", ledger_folder().string(), "--ca",
                   (folder_ / "authority" / "ca.pem").string()});
  BOOST_REQUIRE_MESSAGE(verdict.exit_code == 0, text_of(verdict));
  BOOST_TEST(verdict.out.find("verified") != std::string::npos);
  std::vector<ledger::Entry> entries;
  const auto storage = open_storage(ledger_folder());
  auto verified = ledger::verify_ledger(
      *storage, std::nullopt, [&](const ledger::Entry& entry, std::string_view) -> Result<void> {
        entries.push_back(entry);
        return ok();
      });
  BOOST_REQUIRE(verified.has_value());
  return entries;
}

}  // namespace entente::test
