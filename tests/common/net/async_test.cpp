// SPDX-License-Identifier: Apache-2.0
#include "common/net/async.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/test/unit_test.hpp>
#include <stdexcept>

#include "common/net/mailbox.hpp"
#include "common/net/simulated_time.hpp"
#include "common/net/timer.hpp"
#include "tests/common/net/running.hpp"

using namespace std::chrono_literals;

namespace entente::net {
namespace {

Async<int> answer_after(std::chrono::milliseconds delay, int answer) {
  const Result<void> waited = co_await wait_for(delay);
  if (!waited) co_return waited.error();
  co_return answer;
}

// Deaf to `total`, as a TLS read is.
Async<int> deaf(std::chrono::milliseconds delay) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  co_return co_await answer_after(delay, 7);
}

Async<int> thrower() {
  co_await yield();
  throw std::runtime_error("bad luck");
}

Async<int> refuser() {
  co_await yield();
  co_return Error{Errc::rejected, "no"};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_async)

BOOST_AUTO_TEST_CASE(an_operation_that_is_quick_enough_gives_its_value) {
  SimulatedTime time;
  const Result<int> answer = run(time, with_deadline(50ms, answer_after(49ms, 42)));
  BOOST_TEST(answer.value() == 42);
}

BOOST_AUTO_TEST_CASE(an_operation_that_is_too_slow_is_cancelled_and_awaited) {
  SimulatedTime time;
  const Instant began = time.now();
  const Result<int> answer = run(time, with_deadline(50ms, answer_after(3600s, 42)));
  BOOST_TEST((answer.error().code == Errc::timed_out));
  BOOST_TEST((time.now() - began == 50ms));
}

BOOST_AUTO_TEST_CASE(an_outcome_in_the_very_tick_of_the_limit_is_not_lost) {
  SimulatedTime time;
  BOOST_TEST(run(time, with_deadline(50ms, answer_after(50ms, 42))).value() == 42);
}

BOOST_AUTO_TEST_CASE(an_item_in_the_very_tick_of_the_limit_is_received_or_still_there) {
  SimulatedTime time;
  Mailbox<int> mailbox(1);
  TaskGroup tasks(time.executor());
  auto sender = [](Mailbox<int>* to) -> Async<void> {
    const Result<void> waited = co_await wait_for(50ms);
    BOOST_TEST(to->try_send(42));
    co_return waited;
  };
  tasks.spawn("sender", sender(&mailbox));
  const Result<int> received = run(time, with_deadline(50ms, mailbox.receive()));
  BOOST_TEST((received ? *received : mailbox.try_receive().value()) == 42);
}

BOOST_AUTO_TEST_CASE(an_error_of_the_operation_passes_through) {
  SimulatedTime time;
  BOOST_TEST((run(time, with_deadline(50ms, refuser())).error().code == Errc::rejected));
}

BOOST_AUTO_TEST_CASE(what_the_operation_throws_is_thrown) {
  SimulatedTime time;
  BOOST_CHECK_THROW(run(time, with_deadline(50ms, thrower())).value(), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(a_stop_of_the_caller_is_told_from_a_timeout) {
  SimulatedTime time;
  TaskGroup tasks(time.executor());
  std::optional<Result<int>> seen;
  auto caller = [](std::optional<Result<int>>* into) -> Async<void> {
    into->emplace(co_await with_deadline(10s, answer_after(3600s, 1)));
    co_return ok();
  };
  tasks.spawn("caller", caller(&seen));
  time.run_for(1s);
  tasks.stop();
  time.run_for(0s);
  BOOST_REQUIRE(seen.has_value());
  BOOST_TEST((seen->error().code == Errc::cancelled));
  BOOST_TEST(tasks.size() == 0U);
}

BOOST_AUTO_TEST_CASE(an_operation_deaf_to_total_keeps_its_deadline_and_hears_terminal) {
  for (const auto grace : {3s, 60s}) {
    SimulatedTime time;
    TaskGroup tasks(time.executor(), grace);
    std::optional<Result<int>> seen;
    auto caller = [](std::optional<Result<int>>* into) -> Async<void> {
      into->emplace(co_await with_deadline(30s, deaf(3600s)));
      co_return ok();
    };
    tasks.spawn("caller", caller(&seen));
    time.run_for(1s);
    const Instant stopped = time.now();
    tasks.stop();
    time.run_for(1s);
    BOOST_TEST(!seen.has_value());
    while (tasks.size() > 0 && time.step()) {
    }
    BOOST_TEST((time.now() - stopped == std::min<std::chrono::seconds>(grace, 29s)));
    BOOST_TEST(tasks.size() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(deadlines_nest_and_the_earlier_one_counts) {
  SimulatedTime time;
  const Instant began = time.now();
  BOOST_TEST(
      (run(time, with_deadline(10s, with_deadline(1s, answer_after(3600s, 1)))).error().code ==
       Errc::timed_out));
  BOOST_TEST((time.now() - began == 1s));
  BOOST_TEST(
      (run(time, with_deadline(1s, with_deadline(10s, answer_after(3600s, 1)))).error().code ==
       Errc::timed_out));
  BOOST_TEST((time.now() - began == 2s));
}

BOOST_AUTO_TEST_CASE(a_thousand_deadlines_one_after_another_do_not_grow_the_stack) {
  SimulatedTime time;
  auto loop = []() -> Async<int> {
    int sum = 0;
    for (int i = 0; i < 1000; ++i) {
      const Result<int> one = co_await with_deadline(1s, answer_after(0ms, 1));
      sum += one.value();
    }
    co_return sum;
  };
  BOOST_TEST(run(time, loop()).value() == 1000);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::net
