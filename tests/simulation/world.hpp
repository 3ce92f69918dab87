// SPDX-License-Identifier: Apache-2.0
//
// One schedule, from one seed: a coordinator, three to five participants and an operator live
// through some minutes of bad weather and then through calm; after each step the promises are
// checked, and in the calm every plan must come to its end.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/stage.hpp"

namespace entente::simulation {

struct Settings {
  std::uint64_t seed = 1;
  Plant plant = Plant::none;
  bool tell = false;  // the whole trace on stderr
};

struct Outcome {
  std::optional<std::string> violation;
  std::uint64_t trace_hash = 0;
  std::uint64_t trace_lines = 0;
  double simulated_seconds = 0;
  std::vector<std::string> last_lines;                       // of the trace
  std::map<std::string, std::uint64_t, std::less<>> counts;  // what happened how often
};

// Plays the schedule. One at a time on a thread.
Outcome simulate(const Settings& settings);

// The seed that this thread plays: for whoever has to say why the process ended.
std::uint64_t present_seed();

}  // namespace entente::simulation
