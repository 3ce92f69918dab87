// SPDX-License-Identifier: Apache-2.0
#include "tests/crash/story.hpp"

namespace entente::crash {
namespace {

constexpr int failures_max = 5;  // of one step, in a row
constexpr int steps_max = 1000;

}  // namespace

int play(const Story& story, const std::filesystem::path& folder, Notes& notes, Extent extent) {
  const std::unique_ptr<Scene> scene = story.begin(folder, notes);
  if (auto opened = scene->open(); !opened) {
    notes.problem("did not start: " + opened.error().detail);
    return did_not_start;
  }
  if (extent == Extent::opening) return went_well;
  int failures = 0;
  for (int steps = 0; steps < steps_max && failures < failures_max; ++steps) {
    const Result<bool> more = scene->step();
    if (more && !*more) return went_well;
    failures = more ? 0 : failures + 1;
    if (!more) notes.problem("failed: " + more.error().detail);
  }
  notes.problem("gave up");
  return gave_up;
}

int restart(const Story& story, const std::filesystem::path& folder, Notes& notes) {
  const auto wrong = [&](const char* when, const Error& error) {
    notes.problem(std::string(when) + ": " + error.detail);
    return broke_promise;
  };
  if (auto sound = story.look_at_wreck(folder, notes); !sound) {
    return wrong("as the crash left it", sound.error());
  }
  if (const int ending = play(story, folder, notes, Extent::opening); ending != went_well) {
    return ending;
  }
  if (auto kept = story.look_at_opened(folder, notes); !kept) {
    return wrong("when it was opened again", kept.error());
  }
  if (const int ending = play(story, folder, notes, Extent::whole); ending != went_well) {
    return ending;
  }
  if (auto kept = story.look_at_end(folder, notes); !kept) {
    return wrong("at the end", kept.error());
  }
  return went_well;
}

}  // namespace entente::crash
