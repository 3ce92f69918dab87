// SPDX-License-Identifier: Apache-2.0
//
// One schedule, from one seed: a coordinator, three to five participants and an operator live
// through some minutes of bad weather. After each step the promises are checked that hold whatever
// happens. In safety mode the weather ends with the schedule; in liveness mode the faults then stop
// for the coordinator and some participants, and all that can be done must be done in time.
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
  Mode mode = Mode::safety;
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
