// SPDX-License-Identifier: Apache-2.0
//
// A number of permits given out in the order in which they were asked for: one permit is a lock for
// coroutines, several are a bound on something. Threads: one (that of `executor`).
#pragma once

#include <cstddef>
#include <deque>
#include <memory>

#include "common/net/async.hpp"
#include "common/net/timer.hpp"

namespace entente::net {

class Permits;

// Returns itself when destroyed. May outlive the Permits.
class Permit {
 public:
  Permit() = default;
  Permit(Permit&& other) noexcept = default;
  Permit& operator=(Permit&& other) noexcept;
  ~Permit() { give_back(); }
  void give_back();

 private:
  friend class Permits;
  struct State;
  explicit Permit(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

class Permits {
 public:
  Permits(Executor executor, std::size_t count);
  // Errors: cancelled - the caller is being stopped.
  Async<Permit> take() { return take_from(state_); }
  std::size_t free() const;

 private:
  static Async<Permit> take_from(std::shared_ptr<Permit::State> state);
  std::shared_ptr<Permit::State> state_;
};

}  // namespace entente::net
