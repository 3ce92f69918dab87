// SPDX-License-Identifier: Apache-2.0
//
// The commands of entente-coordinator, behind main.cpp's options: the daemon, and the operator's,
// which speak to it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "common/base/program.hpp"
#include "common/base/result.hpp"

namespace entente::coordinator {

// The daemon. Returns when it was stopped.
Result<ExitCode> serve(const std::filesystem::path& configuration);

struct SubmitOptions {
  std::filesystem::path configuration;
  std::filesystem::path plan;
  bool json = false;
};
Result<ExitCode> submit(const SubmitOptions& options);

struct StatusOptions {
  std::filesystem::path configuration;
  bool watch = false;
  std::string until;  // a plan's digest: watch ends with that plan
  bool json = false;
};
Result<ExitCode> status(const StatusOptions& options);

Result<ExitCode> cancel(const std::filesystem::path& configuration, const std::string& digest,
                        const std::string& reason);
Result<ExitCode> set_suspended(const std::filesystem::path& configuration,
                               const std::string& participant, bool suspended,
                               const std::string& reason);
Result<ExitCode> stop(const std::filesystem::path& configuration);

}  // namespace entente::coordinator
