// SPDX-License-Identifier: Apache-2.0
#include "common/net/pool.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "common/net/simulated_time.hpp"

namespace entente::net {

struct Pool::State {
  explicit State(std::size_t count) : threads(count) {}
  asio::thread_pool threads;
};

Pool::Pool(std::size_t threads) : state_(std::make_unique<State>(threads)) {}
Pool::~Pool() {
  state_->threads.join();
}

asio::awaitable<void> run_on(Pool& pool, std::function<void()> job) {
  const Executor home = co_await asio::this_coro::executor;
  if (SimulatedTime::current() != nullptr) {
    co_await asio::post(home, asio::use_awaitable);
    job();
    co_return;
  }
  // By hand, not by a co_spawn onto the pool: that races on its cancellation signal.
  auto initiate = [&pool, &home](auto handler, std::function<void()> work) {
    auto guarded = asio::prefer(home, asio::execution::outstanding_work.tracked);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    asio::post(pool.state_->threads, [shared, guarded, run = std::move(work)]() mutable {
      run();
      run = nullptr;  // what it holds dies before its caller goes on
      asio::post(guarded, [done = std::move(shared)] { std::move (*done)(); });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      initiate, asio::use_awaitable, std::move(job));
}

}  // namespace entente::net
