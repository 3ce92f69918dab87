// SPDX-License-Identifier: Apache-2.0
//
// Work that would keep an I/O thread too long: on_pool runs a job on other threads while its caller
// waits.
//
//     auto job = [model] { return train(*model); };             // named: a temporary here is
//     miscompiled Result<Update> update = co_await on_pool(pool, std::move(job));
//
// Destroy (or join) the Pool before the io_context that its callers run on. In a simulation the job
// runs on the caller's thread.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "common/net/async.hpp"

namespace entente::net {

class Pool {
 public:
  explicit Pool(std::size_t threads);
  // Waits for the jobs that have begun.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

 private:
  struct State;
  friend asio::awaitable<void> run_on(Pool& pool, std::function<void()> job);
  std::unique_ptr<State> state_;
};

// Runs `job` on the pool; returns on the caller's thread. A cancellation does not stop the job: it
// is waited for.
asio::awaitable<void> run_on(Pool& pool, std::function<void()> job);

// `job()` gives a Result<T>; it runs on one of the pool's threads. What it throws is thrown here.
template <class Job>
auto on_pool(Pool& pool, Job job) -> asio::awaitable<decltype(job())> {
  struct Shared {
    explicit Shared(Job given) : job(std::move(given)) {}
    Job job;
    std::optional<decltype(std::declval<Job&>()())> outcome;
    std::exception_ptr thrown;
  };
  auto shared = std::make_shared<Shared>(std::move(job));
  std::function<void()> run = [shared] {
    try {
      shared->outcome.emplace(shared->job());
    } catch (...) {
      shared->thrown = std::current_exception();
    }
  };
  co_await run_on(pool, std::move(run));
  if (shared->thrown) std::rethrow_exception(shared->thrown);
  co_return std::move(*shared->outcome);
}

}  // namespace entente::net
