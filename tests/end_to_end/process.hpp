// SPDX-License-Identifier: Apache-2.0
//
// Real processes for end-to-end tests: started, watched by their log lines, killed. No sleeps:
// whoever waits is woken by the line or by the process's end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace entente::test {

// What a short-lived command printed and how it ended.
struct CommandResult {
  int exit_code = -1;
  std::string out;
  std::string error;
};
CommandResult run_command(const std::vector<std::string>& words);

class Process {
 public:
  // Starts `words`; its stderr is kept line by line (and written to `log` for people).
  Process(const std::vector<std::string>& words, const std::filesystem::path& log);
  // Kills it when it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Waits for the first line from `from` on that contains all of `parts`; gives its number, or npos
  // when the process ended or five minutes passed without one.
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);
  std::size_t wait_for(const std::vector<std::string>& parts, std::size_t from = 0);
  std::string line(std::size_t number) const;
  std::size_t line_count() const;
  std::string all() const;

  int pid() const { return pid_; }
  void send(int signal) const;
  // Waits for its end; gives the exit code, or minus the signal.
  int wait();

 private:
  void read_lines(int descriptor, std::filesystem::path log);

  int pid_ = -1;
  int status_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  bool ended_ = false;
  std::thread reader_;
};

}  // namespace entente::test
