// SPDX-License-Identifier: Apache-2.0
//
// Runs shell commands in a folder, with the built programs on the path.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "common/base/file.hpp"
#include "tests/folders.hpp"

namespace entente::audit::test {

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

class Shell {
 public:
  explicit Shell(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // `command` is run by bash and holds no single quote.
  Outcome run(const std::string& command) const {
    const std::string line = "cd '" + folder_.string() + "' && PATH='" +
                             programs_folder().string() + "':$PATH bash -c '" + command +
                             "' >out 2>err </dev/null";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text("out"), text("err")};
  }

 private:
  std::string text(const std::string& name) const {
    return read_text(folder_ / name, 1U << 24U).value();
  }

  std::filesystem::path folder_;
};

}  // namespace entente::audit::test
