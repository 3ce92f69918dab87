// SPDX-License-Identifier: Apache-2.0
#include "tests/end_to_end/process.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace entente::test {
namespace {

constexpr std::chrono::minutes patience{5};

std::vector<char*> arguments(const std::vector<std::string>& words) {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

// Starts `words` with stdout and stderr going to the given descriptors.
int start(const std::vector<std::string>& words, int out, int error) {
  std::vector<char*> list = arguments(words);
  const int pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid == 0) {
    if (out >= 0) ::dup2(out, STDOUT_FILENO);
    ::dup2(error, STDERR_FILENO);
    ::execv(list[0], list.data());
    ::_exit(127);
  }
  return pid;
}

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
  return ends;
}

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> block{};
  ssize_t size = 0;
  while ((size = ::read(descriptor, block.data(), block.size())) > 0) {
    text.append(block.data(), static_cast<std::size_t>(size));
  }
  ::close(descriptor);
  return text;
}

int ending(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& words) {
  const auto out = make_pipe();
  const auto error = make_pipe();
  const int pid = start(words, out[1], error[1]);
  ::close(out[1]);
  ::close(error[1]);
  CommandResult result;
  std::thread errors([&] { result.error = read_all(error[0]); });
  result.out = read_all(out[0]);
  errors.join();
  int status = 0;
  ::waitpid(pid, &status, 0);
  result.exit_code = ending(status);
  return result;
}

Process::Process(const std::vector<std::string>& words, const std::filesystem::path& log) {
  const auto error = make_pipe();
  pid_ = start(words, -1, error[1]);
  ::close(error[1]);
  reader_ = std::thread([this, descriptor = error[0], log] { read_lines(descriptor, log); });
}

Process::~Process() {
  send(SIGKILL);
  wait();
}

void Process::read_lines(int descriptor, std::filesystem::path log) {
  std::ofstream file(log, std::ios::app);
  std::FILE* stream = ::fdopen(descriptor, "r");
  char* text = nullptr;
  std::size_t room = 0;
  ssize_t size = 0;
  while ((size = ::getline(&text, &room, stream)) >= 0) {
    std::string line(text, static_cast<std::size_t>(size));
    file << line << std::flush;
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }
  std::free(text);
  std::fclose(stream);
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

std::size_t Process::wait_for(const std::vector<std::string>& parts, std::size_t from) {
  std::unique_lock lock(mutex_);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::size_t next = from;
  while (true) {
    for (; next < lines_.size(); ++next) {
      bool all_parts = true;
      for (const std::string& part : parts)
        all_parts &= lines_[next].find(part) != std::string::npos;
      if (all_parts) return next;
    }
    if (ended_ || changed_.wait_until(lock, deadline) == std::cv_status::timeout) return npos;
  }
}

std::string Process::line(std::size_t number) const {
  const std::lock_guard lock(mutex_);
  return number < lines_.size() ? lines_[number] : "";
}

std::size_t Process::line_count() const {
  const std::lock_guard lock(mutex_);
  return lines_.size();
}

std::string Process::all() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const std::string& one : lines_) text += one;
  return text;
}

void Process::send(int signal) const {
  if (pid_ > 0) ::kill(pid_, signal);
}

int Process::wait() {
  if (pid_ > 0) {
    ::waitpid(pid_, &status_, 0);
    pid_ = -1;
  }
  if (reader_.joinable()) reader_.join();
  return ending(status_);
}

}  // namespace entente::test
