// SPDX-License-Identifier: Apache-2.0
//
// The crash matrix of a story: every system call that it makes to files, times every harm that can
// come of it; after each, a restart without faults must find sound files, go on to the end, keep
// every promise and come to the same outcome. The second dimension: the restart is harmed as well.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/common/base/folder.hpp"
#include "tests/crash/story.hpp"
#include "tests/crash/trial.hpp"

namespace entente::crash {

// Which trials of all: one in `every`, scattered over calls and harms alike; those of all `first`
// from 0 to `every` - 1 together are the whole.
struct Selection {
  std::uint64_t every = 1;
  std::uint64_t first = 0;
  bool takes(std::uint64_t number) const;
};

// What a matrix came to.
struct Report {
  std::uint64_t calls = 0;                       // of the story without a fault
  std::uint64_t states = 0;                      // that the second dimension started from
  std::uint64_t trials = 0;                      // in the matrix
  std::uint64_t run = 0;                         // of them, as selected
  std::map<std::string, std::uint64_t> endings;  // of the harmed runs
  std::map<std::string, std::uint64_t> kinds;    // of calls
  std::vector<std::string> failures;             // each with what to type to see it again
};

class Matrix {
 public:
  // Plays the story once without a fault: throws when that does not end well.
  explicit Matrix(const Story& story);

  Report single(const Selection& selection);
  // The first process is killed at every `wrecks_every`-th call.
  Report twofold(std::uint64_t wrecks_every, const Selection& selection);
  // One trial alone, told on stderr. Gives what was wrong; empty when nothing was.
  std::string one(const Fault& fault);

 private:
  std::filesystem::path state() const { return base_ / "state"; }
  void begin_anew();
  std::string harm(const Fault& fault, Extent extent, std::string* ending);
  std::string restart_well();
  std::optional<std::string> wreck_by(const Call& call);
  std::vector<Call> calls_of_opening();

  const Story& story_;
  test::Folder base_;
  Notes notes_;
  std::vector<Call> calls_;
  std::vector<std::string> outcome_;
};

}  // namespace entente::crash
