// SPDX-License-Identifier: Apache-2.0
#include "common/net/timer.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>
#include <vector>

#include "common/net/pool.hpp"
#include "tests/common/net/running.hpp"

using namespace std::chrono_literals;

namespace entente::net {
namespace {

Async<void> note(std::chrono::milliseconds delay, int what, std::vector<int>* into) {
  const Result<void> waited = co_await wait_for(delay);
  if (!waited) co_return waited.error();
  into->push_back(what);
  co_return ok();
}

// The ids of the threads that a job and its caller run on.
struct Threads {
  std::thread::id before, job, after;
};
Async<void> visit_pool(Pool* pool, Threads* seen) {
  seen->before = std::this_thread::get_id();
  auto job = [seen]() -> Result<int> {
    seen->job = std::this_thread::get_id();
    return 42;
  };
  const Result<int> value = co_await on_pool(*pool, std::move(job));
  seen->after = std::this_thread::get_id();
  BOOST_TEST(value.value() == 42);
  co_return ok();
}

Async<void> throw_on_pool(Pool* pool) {
  auto job = []() -> Result<int> { throw std::runtime_error("out of luck"); };
  const Result<int> value = co_await on_pool(*pool, std::move(job));
  co_return ok();
}

Async<void> carry_on_pool(Pool* pool, std::shared_ptr<int> cargo) {
  auto job = [cargo]() -> Result<std::vector<int>> { return std::vector<int>{*cargo, 2, 3}; };
  const Result<std::vector<int>> value = co_await on_pool(*pool, std::move(job));
  BOOST_TEST(value->size() == 3U);
  BOOST_TEST(value->front() == 7);
  co_return ok();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_timer)

BOOST_AUTO_TEST_CASE(simulated_waits_end_in_the_order_of_their_instants_whoever_began_first) {
  SimulatedTime time;
  TaskGroup tasks(time.executor());
  std::vector<int> order;
  tasks.spawn("third", note(30ms, 3, &order));
  tasks.spawn("first", note(10ms, 1, &order));
  tasks.spawn("second", note(20ms, 2, &order));
  const Instant began = time.now();
  time.run();
  BOOST_TEST(order == (std::vector<int>{1, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST((time.now() - began == 30ms));
}

BOOST_AUTO_TEST_CASE(simulated_time_stands_still_while_there_is_work_and_when_told_to_stop) {
  SimulatedTime time;
  TaskGroup tasks(time.executor());
  std::vector<int> order;
  tasks.spawn("early", note(10ms, 1, &order));
  tasks.spawn("late", note(1h, 2, &order));
  const Instant began = time.now();
  time.run_for(1s);
  BOOST_TEST(order.size() == 1U);
  BOOST_TEST((time.now() - began == 1s));
  BOOST_TEST((now() == time.now()));
}

BOOST_AUTO_TEST_CASE(a_wait_that_is_cancelled_says_so_and_the_timer_can_be_used_again) {
  SimulatedTime time;
  Timer timer(time.executor());
  auto waiter = [](Timer* of) -> Async<int> {
    const Result<void> first = co_await of->wait();
    BOOST_TEST((first.error().code == Errc::cancelled));
    of->expires_after(5ms);
    const Result<void> second = co_await of->wait();
    BOOST_TEST(second.has_value());
    co_return 1;
  };
  auto canceller = [](Timer* of) -> Async<void> {
    const Result<void> waited = co_await wait_for(1ms);
    of->cancel();
    co_return waited;
  };
  TaskGroup tasks(time.executor());
  tasks.spawn("canceller", canceller(&timer));
  BOOST_TEST(run(time, waiter(&timer)).value() == 1);
}

BOOST_AUTO_TEST_CASE(waits_left_over_are_destroyed_with_the_simulation) {
  std::vector<int> order;
  {
    SimulatedTime time;
    TaskGroup tasks(time.executor());
    tasks.spawn("never", note(std::chrono::hours(24 * 365), 1, &order));
    time.run_for(1s);
  }
  BOOST_TEST(order.empty());
}

BOOST_AUTO_TEST_CASE(real_time_passes_when_nothing_is_simulated) {
  asio::io_context context;
  const Instant began = now();
  BOOST_TEST(run(context, wait_for(2ms)).has_value());
  BOOST_TEST((now() - began >= 2ms));
}

BOOST_AUTO_TEST_CASE(a_job_runs_on_the_pool_and_its_caller_goes_on_at_home) {
  asio::io_context context;
  Pool pool(2);
  Threads seen;
  BOOST_TEST(run(context, visit_pool(&pool, &seen)).has_value());
  BOOST_TEST((seen.before == seen.after));
  BOOST_TEST((seen.before != seen.job));
}

BOOST_AUTO_TEST_CASE(what_a_job_throws_is_thrown_at_home) {
  asio::io_context context;
  Pool pool(1);
  BOOST_CHECK_THROW(run(context, throw_on_pool(&pool)).value(), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(what_a_job_holds_is_destroyed_once) {
  asio::io_context context;
  Pool pool(2);
  auto cargo = std::make_shared<int>(7);
  for (int i = 0; i < 200; ++i) {
    BOOST_TEST(run(context, carry_on_pool(&pool, cargo)).has_value());
  }
  BOOST_TEST(cargo.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(in_a_simulation_a_job_runs_on_the_only_thread) {
  SimulatedTime time;
  Pool pool(1);
  Threads seen;
  BOOST_TEST(run(time, visit_pool(&pool, &seen)).has_value());
  BOOST_TEST((seen.before == seen.job));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::net
