// SPDX-License-Identifier: Apache-2.0
//
// Another program that measures the same, asked line by line through its standard input and output.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace entente::bench {

class Peer {
 public:
  // Runs `command` with `environment` (NAME=value) beside this process's own; none when it does not
  // say "ready".
  static std::optional<Peer> start(const std::string& command,
                                   const std::vector<std::string>& environment);
  Peer(Peer&& other) noexcept;
  Peer& operator=(Peer&&) = delete;
  ~Peer();

  // The line that answers; empty when the program has ended.
  std::string ask(const std::string& line);

 private:
  Peer() = default;
  pid_t process_ = -1;
  std::FILE* to_ = nullptr;
  std::FILE* from_ = nullptr;
};

}  // namespace entente::bench
