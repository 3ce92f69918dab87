// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "common/base/clock.hpp"
#include "participant/commands.hpp"
#include "participant/configuration.hpp"
#include "participant/state_folder.hpp"

namespace entente::participant {

Result<ExitCode> approve(const std::filesystem::path& path, const std::string& digest) {
  const auto configuration = read_configuration(path);
  if (!configuration) return as_usage(configuration.error());
  const auto plan = parse_digest(digest);
  if (!plan) return as_usage(in_context("DIGEST", plan.error()));
  const StateFolder folder(configuration->state_folder);
  if (auto approved = folder.approve(*plan, Clock().now()); !approved) return approved.error();
  std::cout << "approved " << plan->hex() << "\n";
  return ExitCode::done;
}

}  // namespace entente::participant
