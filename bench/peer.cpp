// SPDX-License-Identifier: Apache-2.0
#include "bench/peer.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <utility>

namespace entente::bench {
namespace {

// Between fork and exec.
[[noreturn]] void become(const std::string& command, const std::vector<std::string>& environment,
                         int input, int output) {
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  for (const std::string& setting : environment) {
    const std::size_t at = setting.find('=');
    ::setenv(setting.substr(0, at).c_str(), setting.substr(at + 1).c_str(), 1);
  }
  ::execl(command.c_str(), command.c_str(), static_cast<char*>(nullptr));
  ::_exit(127);
}

}  // namespace

std::optional<Peer> Peer::start(const std::string& command,
                                const std::vector<std::string>& environment) {
  std::array<int, 2> asked{}, answered{};
  if (::pipe2(asked.data(), O_CLOEXEC) != 0 || ::pipe2(answered.data(), O_CLOEXEC) != 0)
    return std::nullopt;
  std::signal(SIGPIPE, SIG_IGN);
  Peer peer;
  peer.process_ = ::fork();
  if (peer.process_ == 0) become(command, environment, asked[0], answered[1]);
  ::close(asked[0]);
  ::close(answered[1]);
  peer.to_ = ::fdopen(asked[1], "w");
  peer.from_ = ::fdopen(answered[0], "r");
  if (peer.ask("") != "ready") return std::nullopt;
  return peer;
}

Peer::Peer(Peer&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      to_(std::exchange(other.to_, nullptr)),
      from_(std::exchange(other.from_, nullptr)) {}

Peer::~Peer() {
  if (to_ != nullptr) std::fclose(to_);
  if (from_ != nullptr) std::fclose(from_);
  if (process_ > 0) ::waitpid(process_, nullptr, 0);
}

std::string Peer::ask(const std::string& line) {
  if (!line.empty()) {
    std::fputs((line + "\n").c_str(), to_);
    std::fflush(to_);
  }
  std::array<char, 256> text{};
  if (std::fgets(text.data(), static_cast<int>(text.size()), from_) == nullptr) return "";
  std::string answer(text.data());
  while (!answer.empty() && answer.back() == '\n') answer.pop_back();
  return answer;
}

}  // namespace entente::bench
