// SPDX-License-Identifier: Apache-2.0
//
// A story is a deterministic piece of a program's life on a state folder: it begins what is not
// there, goes on from what is, tries again what failed as the program does, and says what it was
// promised on the way. The same code is the run that faults are put into, and the restart after it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/base/result.hpp"
#include "tests/crash/notes.hpp"

namespace entente::crash {

// One process's part of a story.
class Scene {
 public:
  virtual ~Scene() = default;
  // What the program does before it serves. Errors: it would not start.
  virtual Result<void> open() = 0;
  // The next thing to do; false when nothing is left. Errors: as the program would log them; the
  // next step tries again.
  virtual Result<bool> step() = 0;
};

class Story {
 public:
  virtual ~Story() = default;
  virtual std::string name() const = 0;
  virtual std::unique_ptr<Scene> begin(const std::filesystem::path& folder, Notes& notes) const = 0;
  // Reads what an interrupted story left, before anything touches it. Errors: what is wrong.
  virtual Result<void> look_at_wreck(const std::filesystem::path& folder,
                                     const Notes& notes) const = 0;
  // The same when the program has opened it again, and done nothing else: every promise must be
  // kept here, for what is done again later would look the same. Errors: what is wrong.
  virtual Result<void> look_at_opened(const std::filesystem::path& folder,
                                      const Notes& notes) const = 0;
  // Holds what a finished story left against its promises, and notes its outcome. Errors: what is
  // wrong.
  virtual Result<void> look_at_end(const std::filesystem::path& folder, Notes& notes) const = 0;
};

std::unique_ptr<Story> ledger_story();
// The ledger's, by a writer that promises each entry before it is written: the matrix must see it.
std::unique_ptr<Story> hasty_ledger_story();
std::unique_ptr<Story> coordinator_story();
std::unique_ptr<Story> participant_story();

// How a process that plays a story ends.
inline constexpr int went_well = 0;
inline constexpr int did_not_start = 1;
inline constexpr int gave_up = 2;        // the same step failed again and again
inline constexpr int broke_promise = 3;  // only restart() says so
inline constexpr int threw = 4;

enum class Extent { whole, opening };

// The story in `folder`, from what is there to its end (or until it is open).
int play(const Story& story, const std::filesystem::path& folder, Notes& notes, Extent extent);
// After a crash: what is there must be sound, the story must go on to its end, and every promise of
// before must be kept.
int restart(const Story& story, const std::filesystem::path& folder, Notes& notes);

}  // namespace entente::crash
