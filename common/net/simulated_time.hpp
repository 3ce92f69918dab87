// SPDX-License-Identifier: Apache-2.0
//
// Time that a test owns: while a SimulatedTime lives, every Timer made on its thread waits for this
// clock, now() reads it, and on_pool runs its job here. One thread runs the io_context until
// nothing is left to do, then moves the clock to the earliest instant that somebody waits for and
// wakes that one. The same program and seeds give the same trace.
//
//     SimulatedTime time;
//     TaskGroup tasks(time.executor());
//     tasks.spawn("peer", peer(...));
//     time.run();
//
// Real sockets do not take part: simulate above TLS (memory_stream.hpp).
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "common/net/timer.hpp"

namespace entente::net {

// Those who wait, in the order in which they are woken: by instant, then by who began first.
class WaitList {
 public:
  using Key = std::pair<Instant, std::uint64_t>;
  using Done = std::function<void(bool expired)>;

  Key add(Instant at, Executor executor, Done done);
  // Wakes that waiter with expired = false; nothing when it was woken before.
  void cancel(const Key& key);
  // The earliest instant that is not `never`.
  std::optional<Instant> earliest() const;
  // Wakes all whose instant has come, as the operating system would: who is cancelled after that
  // has expired all the same.
  void wake_until(Instant now);
  void clear();

 private:
  struct Waiter {
    Executor executor;
    Done done;
  };
  std::map<Key, Waiter> waiters_;
  std::uint64_t next_ = 0;
};

class SimulatedTime {
 public:
  // One at a time on a thread.
  SimulatedTime();
  // Destroys whatever still waits, coroutines included.
  ~SimulatedTime();
  SimulatedTime(const SimulatedTime&) = delete;
  SimulatedTime& operator=(const SimulatedTime&) = delete;

  Executor executor() { return context_.get_executor(); }
  asio::io_context& context() { return context_; }
  Instant now() const { return now_; }

  // Until nobody waits for an instant any more.
  void run() { run_until(Timer::never); }
  // Until then; the clock says `until` afterwards (unless it is never).
  void run_until(Instant until);
  void run_for(std::chrono::nanoseconds duration) { run_until(now_ + duration); }
  // Everything that can run at this instant. Gives whether there was something.
  bool settle();
  // The next instant that somebody waits for, when there is one not later than `until`: moves the
  // clock there and wakes them. Gives whether there was one.
  bool advance(Instant until = Timer::never);
  // settle, then advance. Gives whether there was something to do.
  bool step(Instant until = Timer::never);

  // This thread's, or nullptr.
  static SimulatedTime* current();
  const std::shared_ptr<WaitList>& waiting() const { return waiting_; }

 private:
  std::shared_ptr<WaitList> waiting_ = std::make_shared<WaitList>();
  asio::io_context context_;
  Instant now_{std::chrono::hours(1)};
};

}  // namespace entente::net
