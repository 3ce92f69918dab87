// SPDX-License-Identifier: Apache-2.0
#include "common/base/parallel.hpp"

#include <array>
#include <atomic>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <thread>
#include <vector>

#include "tests/common/base/allocations.hpp"

BOOST_AUTO_TEST_SUITE(parallel)

using namespace entente;
namespace data = boost::unit_test::data;

constexpr std::array thread_counts = {1, 2, 3, 8};

struct AnyNumberOfThreads {
  AnyNumberOfThreads() = default;
  AnyNumberOfThreads(const AnyNumberOfThreads&) = delete;
  AnyNumberOfThreads& operator=(const AnyNumberOfThreads&) = delete;
  ~AnyNumberOfThreads() { set_thread_count(0); }
};

BOOST_DATA_TEST_CASE_F(AnyNumberOfThreads, every_task_runs_exactly_once, data::make(thread_counts),
                       threads) {
  set_thread_count(static_cast<std::size_t>(threads));
  BOOST_TEST(thread_count() == static_cast<std::size_t>(threads));
  for (const std::size_t count : {0U, 1U, 2U, 3U, 7U, 64U, 1000U}) {
    std::vector<int> runs(count, 0);
    parallel_for(count, [&](std::size_t i) { ++runs[i]; });
    BOOST_TEST(runs == std::vector<int>(count, 1), boost::test_tools::per_element());
  }
}

BOOST_DATA_TEST_CASE_F(AnyNumberOfThreads, loops_may_be_nested, data::make(thread_counts),
                       threads) {
  set_thread_count(static_cast<std::size_t>(threads));
  constexpr std::size_t rows = 20;
  constexpr std::size_t columns = 30;
  std::vector<int> runs(rows * columns, 0);
  parallel_for(rows, [&](std::size_t row) {
    parallel_for(columns, [&](std::size_t column) { ++runs[row * columns + column]; });
  });
  BOOST_TEST(runs == std::vector<int>(rows * columns, 1), boost::test_tools::per_element());
}

// Should not: begin another outer task on a thread that waits for the inner loop of one.
BOOST_DATA_TEST_CASE_F(AnyNumberOfThreads, a_waiting_thread_keeps_its_own_memory_to_itself,
                       data::make(thread_counts), threads) {
  set_thread_count(static_cast<std::size_t>(threads));
  static thread_local std::size_t workspace = 0;
  std::atomic<int> disturbed{0};
  parallel_for(200, [&](std::size_t row) {
    workspace = row;
    std::atomic<int> inner{0};
    parallel_for(50, [&](std::size_t) { ++inner; });
    if (workspace != row || inner != 50) ++disturbed;
  });
  BOOST_TEST(disturbed == 0);
}

BOOST_DATA_TEST_CASE_F(AnyNumberOfThreads, several_threads_may_loop_at_once,
                       data::make(thread_counts), threads) {
  set_thread_count(static_cast<std::size_t>(threads));
  std::atomic<int> runs{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] { parallel_for(100, [&](std::size_t) { ++runs; }); });
  }
  for (std::thread& caller : callers) caller.join();
  BOOST_TEST(runs == 400);
}

BOOST_FIXTURE_TEST_CASE(one_thread_or_one_task_runs_in_order_here_and_allocates_nothing,
                        AnyNumberOfThreads) {
  std::array<std::size_t, 100> order{};
  std::size_t next = 0;
  const auto here = std::this_thread::get_id();
  bool elsewhere = false;
  const auto task = [&](std::size_t i) {
    order[next++] = i;
    elsewhere = elsewhere || std::this_thread::get_id() != here;
  };
  set_thread_count(1);
  const std::size_t before = test::allocations_so_far();
  parallel_for(order.size(), task);
  const std::size_t after = test::allocations_so_far();
  BOOST_TEST(after == before);
  for (std::size_t i = 0; i < order.size(); ++i) BOOST_TEST(order[i] == i);

  set_thread_count(8);
  next = 0;
  const std::size_t before_one = test::allocations_so_far();
  parallel_for(1, task);
  const std::size_t after_one = test::allocations_so_far();
  BOOST_TEST(after_one == before_one);
  BOOST_TEST(!elsewhere);
}

BOOST_FIXTURE_TEST_CASE(the_number_of_threads_is_the_machines_until_set_and_has_a_limit,
                        AnyNumberOfThreads) {
  const std::size_t of_the_machine = thread_count();
  BOOST_TEST(of_the_machine >= 1U);
  set_thread_count(threads_max + 1);
  BOOST_TEST(thread_count() == threads_max);
  set_thread_count(0);
  BOOST_TEST(thread_count() == of_the_machine);
}

BOOST_AUTO_TEST_SUITE_END()
