// SPDX-License-Identifier: Apache-2.0
//
// A coordinator's process for benchmarks: started, watched by its log, asked for its CPU time and
// peak memory, ended. Ends with its parent.
#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace entente::bench {

// The coordinator's process: its log is read line by line as it comes.
class Coordinator {
 public:
  Coordinator(const std::filesystem::path& program, const std::filesystem::path& configuration) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    const std::string path = program.string(), file = configuration.string();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      ::dup2(ends[1], STDERR_FILENO);
      ::execl(path.c_str(), path.c_str(), "serve", "--config", file.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    reader_ = std::thread([this, end = ends[0]] { read(end); });
  }
  void stop() const { ::kill(pid_, SIGTERM); }
  ~Coordinator() {
    stop();
    ::waitpid(pid_, nullptr, 0);
    reader_.join();
  }
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  // The text behind `"key":"` of the first line with `word`; empty when the process has ended.
  std::string wait_for(const std::string& word, const std::string& key) {
    std::unique_lock lock(mutex_);
    std::size_t next = 0;
    for (;;) {
      for (; next < lines_.size(); ++next) {
        const std::string& line = lines_[next].text;
        if (line.find('"' + word + '"') == std::string::npos) continue;
        const std::size_t at = line.find('"' + key + "\":\"");
        if (at == std::string::npos) return line;
        const std::size_t begin = at + key.size() + 4;
        return line.substr(begin, line.find('"', begin) - begin);
      }
      if (ended_) return {};
      changed_.wait(lock);
    }
  }
  // When each line with `word` came.
  std::vector<std::chrono::steady_clock::time_point> times_of(const std::string& word) {
    const std::scoped_lock lock(mutex_);
    std::vector<std::chrono::steady_clock::time_point> times;
    for (const Line& line : lines_)
      if (line.text.find('"' + word + '"') != std::string::npos) times.push_back(line.came);
    return times;
  }
  std::string last_lines() {
    const std::scoped_lock lock(mutex_);
    std::string text;
    for (std::size_t i = lines_.size() - std::min<std::size_t>(lines_.size(), 5); i < lines_.size();
         ++i)
      text += lines_[i].text + "\n";
    return text;
  }
  double cpu_seconds() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
    std::string text;
    std::getline(file, text);
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  double peak_mib() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(file, line);)
      if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) / 1024;
    return 0;
  }

 private:
  struct Line {
    std::string text;
    std::chrono::steady_clock::time_point came;
  };
  void read(int end) {
    std::string rest;
    std::array<char, 16384> bytes{};
    for (;;) {
      const ssize_t got = ::read(end, bytes.data(), bytes.size());
      if (got <= 0) break;
      const std::scoped_lock lock(mutex_);
      rest.append(bytes.data(), static_cast<std::size_t>(got));
      for (std::size_t at = rest.find('\n'); at != std::string::npos; at = rest.find('\n')) {
        lines_.push_back({rest.substr(0, at), std::chrono::steady_clock::now()});
        rest.erase(0, at + 1);
      }
      changed_.notify_all();
    }
    ::close(end);
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  pid_t pid_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Line> lines_;
  bool ended_ = false;
  std::thread reader_;
};

}  // namespace entente::bench
