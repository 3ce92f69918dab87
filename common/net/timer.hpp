// SPDX-License-Identifier: Apache-2.0
//
// Time as coroutines wait for it. Every wait of the programs goes through here, so that a
// simulation can own time (simulated_time.hpp): the monotonic clock otherwise.
//
// Timer::wait with Timer::never is also how one coroutine waits for another: who has news cancels
// the timer. Threads: a timer belongs to the thread of its executor.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "common/net/async.hpp"

namespace entente::net {

using Instant = std::chrono::steady_clock::time_point;

// The monotonic clock, or the simulation's when this thread is in one.
Instant now();

class Timer {
 public:
  static constexpr Instant never = Instant::max();

  explicit Timer(Executor executor, Instant expiry = never);
  Timer(Timer&&) noexcept;
  Timer& operator=(Timer&&) noexcept;
  // Cancels the outstanding wait.
  ~Timer();

  // Cancels the outstanding wait.
  void expires_at(Instant expiry);
  void expires_after(std::chrono::nanoseconds from_now) { expires_at(now() + from_now); }
  void cancel();

  // Until the expiry. At most one wait at a time.
  // Errors: cancelled - by cancel(), expires_at() or a stop of the caller (ask
  // this_coro::cancellation_state which).
  Async<void> wait();
  // The same as a call: `done(true)` on the timer's executor at the expiry, `done(false)` when
  // cancelled.
  void when_expired(std::function<void(bool expired)> done);

 private:
  struct State;
  static Async<void> wait_on(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// Errors: cancelled - the caller is being stopped.
Async<void> wait_for(std::chrono::nanoseconds duration);

}  // namespace entente::net
