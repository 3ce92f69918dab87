// SPDX-License-Identifier: Apache-2.0
//
// Coroutines that somebody accounts for: each has a name, how each ended is logged, all can be
// stopped, and `join` returns when the last has ended. `main` returns only after join.
//
// A task that returns Errc::cancelled (or is aborted while being stopped) ended as asked. One that
// throws is logged as an error and ends alone. Threads: the group and its tasks live on the thread
// of `executor`.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "common/net/async.hpp"

namespace entente::net {

// How long a task may take to say goodbye before it is aborted.
inline constexpr std::chrono::milliseconds stop_grace_default{3000};

class TaskGroup {
 public:
  explicit TaskGroup(Executor executor, std::chrono::milliseconds stop_grace = stop_grace_default);
  TaskGroup(TaskGroup&&) noexcept = default;
  TaskGroup& operator=(TaskGroup&&) noexcept = default;
  ~TaskGroup();

  // Starts `task`; its first steps may run before this returns. After stop() nothing is started any
  // more.
  void spawn(std::string name, Async<void> task);
  // Asks every task to end (cancellation type `total`: timers, mailboxes and plain socket reads
  // hear it); whoever is still there after stop_grace is aborted (`terminal`). Returns at once; may
  // be called again.
  void stop();
  bool stopping() const;
  std::size_t size() const;
  // Until the group is empty. One caller at a time. Errors: cancelled - the caller is being
  // stopped.
  Async<void> join();

 private:
  struct State;
  static Async<void> join_on(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace entente::net
