// SPDX-License-Identifier: Apache-2.0
//
// A federation of real processes in a folder of its own: authority, coordinator, participants with
// the breast cancer parts, operator. Every program is the built one, every connection is mutual TLS
// over loopback.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/ledger/entry.hpp"
#include "tests/end_to_end/process.hpp"

namespace entente::test {

struct FederationOptions {
  std::uint32_t rounds = 3;
  std::uint32_t quorum = 3;
  std::uint32_t cohort = 3;
  std::string deadline = "10m";
  std::string grace = "1s";
  double norm_max = 100.0;
  // "160m": the coordinator's state folder is a file system of its own of that size, in memory;
  // empty: a plain folder. Ask can_mount() first.
  std::string state_size;
};

class Federation {
 public:
  explicit Federation(FederationOptions options = {});
  // Ends all processes; the folder is removed unless a check failed.
  ~Federation();
  Federation(const Federation&) = delete;
  Federation& operator=(const Federation&) = delete;

  static const std::vector<std::string>& names();  // the participants
  static constexpr const char* domain = "test.example";
  const std::filesystem::path& folder() const { return folder_; }
  // The coordinator's, as this process sees it. With `state_size` only while it runs.
  std::filesystem::path state_folder() const;
  std::filesystem::path ledger_folder() const { return state_folder() / "ledger"; }
  const std::string& address() const { return address_; }

  // Whether this machine lets a test mount a file system for a process of its own.
  static bool can_mount();

  // Makes a member's kit in folder()/<name>.
  void issue(const std::string& role, const std::string& name) const;
  // What a participant that is started from now on has in its section [data] (`section`: lines of
  // TOML), and where it dials instead of address().
  void set_data(const std::string& name, const std::string& section) { data_[name] = section; }
  void set_detour(const std::string& name, const std::string& address) { detours_[name] = address; }

  // Starts the daemon; returns when it listens. The port stays the same over restarts.
  Process& start_coordinator();
  Process& start_participant(const std::string& name, int threads = 1);
  Process& coordinator() { return *coordinator_; }
  Process& participant(const std::string& name) { return *participants_.at(name); }

  // An operator's command; `words` follow the program's name.
  CommandResult operate(const std::string& command,
                        const std::vector<std::string>& words = {}) const;
  // Submits the plan; gives its digest.
  std::string submit();
  std::filesystem::path plan() const { return folder_ / "plan" / "plan.toml"; }

  // Kills the coordinator and starts it again.
  void restart_coordinator_by_kill();

  // Waits for plan.finished in the coordinator's log; gives the final model's digest from the
  // ledger.
  std::string finished_model();
  // All entries of the ledger as they are on disk, verified with the authority's certificate by
  // entente-audit.
  std::vector<ledger::Entry> verified_entries();

  static std::string program(const std::string& name);

 private:
  void write_configurations(const std::string& name, int threads) const;

  FederationOptions options_;
  std::filesystem::path folder_;
  std::string address_;
  std::string port_ = "0";
  std::map<std::string, std::string> data_;
  std::map<std::string, std::string> detours_;
  std::unique_ptr<Process> coordinator_;
  std::map<std::string, std::unique_ptr<Process>> participants_;
};

// Replaces each line `key = ...` of a TOML text.
std::string with_value(std::string text, const std::string& key, const std::string& value);
std::string read_whole(const std::filesystem::path& path);
void write_whole(const std::filesystem::path& path, const std::string& text);

}  // namespace entente::test
