// SPDX-License-Identifier: Apache-2.0
#include "common/net/task_group.hpp"

#include <boost/test/unit_test.hpp>
#include <stdexcept>
#include <vector>

#include "common/net/mailbox.hpp"
#include "common/net/permits.hpp"
#include "tests/common/net/running.hpp"

using namespace std::chrono_literals;

namespace entente::net {
namespace {

Async<void> forever() {
  for (;;) {
    const Result<void> waited = co_await wait_for(1h);
    if (!waited) co_return waited.error();
  }
}

// Needs a while to say goodbye.
Async<void> polite(std::chrono::milliseconds goodbye, bool* finished) {
  const Result<void> waited = co_await wait_for(1h);
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  const Result<void> said = co_await wait_for(goodbye);
  *finished = said.has_value();
  co_return waited;
}

Async<void> thrower() {
  co_await yield();
  throw std::runtime_error("bad luck");
}

// Spawns into its own group while being stopped.
Async<void> late_spawner(TaskGroup* group) {
  const Result<void> waited = co_await wait_for(1h);
  group->spawn("too late", forever());
  co_return waited;
}

Async<void> hold(Permits* permits, std::chrono::milliseconds how_long, int who,
                 std::vector<int>* order) {
  Result<Permit> permit = co_await permits->take();
  if (!permit) co_return permit.error();
  order->push_back(who);
  co_return co_await wait_for(how_long);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_task_group)

BOOST_AUTO_TEST_CASE(stop_ends_all_and_join_returns_when_the_last_has_ended) {
  SimulatedTime time;
  TaskGroup tasks(time.executor());
  for (int i = 0; i < 10; ++i) tasks.spawn("task " + std::to_string(i), forever());
  time.run_for(1s);
  BOOST_TEST(tasks.size() == 10U);
  tasks.stop();
  BOOST_TEST(run(time, tasks.join()).has_value());
  BOOST_TEST(tasks.size() == 0U);
}

BOOST_AUTO_TEST_CASE(a_task_may_say_goodbye_within_the_grace_and_is_aborted_after_it) {
  for (const auto goodbye : {2s, 4s}) {
    SimulatedTime time;
    TaskGroup tasks(time.executor(), 3s);
    bool finished = false;
    tasks.spawn("polite", polite(goodbye, &finished));
    time.run_for(1s);
    const Instant stopped = time.now();
    tasks.stop();
    BOOST_TEST(run(time, tasks.join()).has_value());
    BOOST_TEST(finished == (goodbye < 3s));
    BOOST_TEST((time.now() - stopped == std::min<std::chrono::seconds>(goodbye, 3s)));
  }
}

BOOST_AUTO_TEST_CASE(a_task_that_throws_ends_alone) {
  SimulatedTime time;
  TaskGroup tasks(time.executor());
  tasks.spawn("thrower", thrower());
  tasks.spawn("other", forever());
  time.run_for(1s);
  BOOST_TEST(tasks.size() == 1U);
  tasks.stop();
  time.run_for(1s);
  BOOST_TEST(tasks.size() == 0U);
}

BOOST_AUTO_TEST_CASE(nothing_is_started_any_more_after_stop) {
  SimulatedTime time;
  TaskGroup tasks(time.executor());
  tasks.spawn("spawner", late_spawner(&tasks));
  time.run_for(1s);
  tasks.stop();
  time.run_for(1s);
  BOOST_TEST(tasks.size() == 0U);
  BOOST_TEST(tasks.stopping());
}

BOOST_AUTO_TEST_CASE(an_empty_group_is_joined_at_once) {
  SimulatedTime time;
  TaskGroup tasks(time.executor());
  BOOST_TEST(run(time, tasks.join()).has_value());
  tasks.stop();
  BOOST_TEST(run(time, tasks.join()).has_value());
}

BOOST_AUTO_TEST_CASE(permits_are_given_in_the_order_in_which_they_were_asked_for) {
  SimulatedTime time;
  Permits permits(time.executor(), 1);
  TaskGroup tasks(time.executor());
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) tasks.spawn("holder", hold(&permits, 10ms, i, &order));
  time.run();
  BOOST_TEST(order == (std::vector<int>{0, 1, 2, 3, 4}), boost::test_tools::per_element());
  BOOST_TEST(permits.free() == 1U);
}

BOOST_AUTO_TEST_CASE(a_permit_that_comes_to_one_who_has_just_been_stopped_goes_to_the_next) {
  SimulatedTime time;
  Permits permits(time.executor(), 1);
  TaskGroup holder(time.executor());
  TaskGroup stopped(time.executor());
  TaskGroup next(time.executor());
  std::vector<int> order;
  holder.spawn("holder", hold(&permits, 1h, 0, &order));
  time.run_for(0s);
  stopped.spawn("stopped", hold(&permits, 1s, 1, &order));
  time.run_for(0s);
  next.spawn("next", hold(&permits, 1s, 2, &order));
  time.run_for(0s);
  holder.stop();   // gives its permit back to the second, which
  stopped.stop();  // is stopped in the same turn
  time.run_for(10s);
  BOOST_TEST(order.back() == 2);
  BOOST_TEST(next.size() == 0U);
  BOOST_TEST(permits.free() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::net
