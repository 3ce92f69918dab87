// SPDX-License-Identifier: Apache-2.0
//
// What the commands of entente-participant do, once their options are read. For main.cpp.
//
// Errors: invalid_argument - wrong configuration, plan or data: nothing was begun, nothing sent
// (the program exits with 2); others - tried and failed (1).
#pragma once

#include <filesystem>

#include "common/base/program.hpp"
#include "common/base/result.hpp"

namespace entente::participant {

struct CheckOptions {
  std::filesystem::path configuration;
  std::filesystem::path plan;  // the operator's TOML, or a canonical plan (.json)
  bool json = false;
};
// Reads the data against the plan and trains one local epoch from a fresh model; prints what would
// be sent. Sends nothing, writes nothing.
Result<ExitCode> check(const CheckOptions& options);

struct EvaluateOptions {
  std::filesystem::path plan;
  std::filesystem::path model;   // safetensors
  std::filesystem::path data;    // a CSV file, or IDX images
  std::filesystem::path labels;  // of images; empty: beside them
  bool json = false;
};
// Prints the plan's metrics of the model on all rows of the data.
Result<ExitCode> evaluate(const EvaluateOptions& options);

// Writes down that a person here approves the plan. The daemon, running or not, takes note of it.
Result<ExitCode> approve(const std::filesystem::path& configuration, const std::string& digest);

// The daemon: until SIGTERM or SIGINT.
Result<ExitCode> serve(const std::filesystem::path& configuration);

}  // namespace entente::participant
