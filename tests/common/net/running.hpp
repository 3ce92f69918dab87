// SPDX-License-Identifier: Apache-2.0
//
// Runs one coroutine to its end, in simulated time or on an io_context of its own.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "common/net/simulated_time.hpp"
#include "common/net/task_group.hpp"

namespace entente::net {

template <class T>
Async<void> catching(Async<T> operation, std::optional<Result<T>>* outcome,
                     std::exception_ptr* thrown) {
  try {
    outcome->emplace(co_await std::move(operation));
  } catch (...) {
    *thrown = std::current_exception();
  }
  co_return ok();
}

// In simulated time; other coroutines go on meanwhile.
template <class T>
Result<T> run(SimulatedTime& time, Async<T> operation) {
  std::optional<Result<T>> outcome;
  std::exception_ptr thrown;
  TaskGroup tasks(time.executor());
  tasks.spawn("under test", catching(std::move(operation), &outcome, &thrown));
  do {
    time.settle();
  } while (!outcome && !thrown && time.advance());
  if (thrown) std::rethrow_exception(thrown);
  if (!outcome) BOOST_FAIL("the operation waits for ever");
  time.settle();
  return std::move(*outcome);
}

// In real time, until nothing is left to do; on any thread.
template <class T>
Result<T> run(asio::io_context& context, Async<T> operation) {
  std::optional<Result<T>> outcome;
  std::exception_ptr thrown;
  TaskGroup tasks(context.get_executor());
  tasks.spawn("under test", catching(std::move(operation), &outcome, &thrown));
  context.restart();
  while (!outcome && !thrown && context.run_one() > 0) {
  }
  if (thrown) std::rethrow_exception(thrown);
  if (!outcome) BOOST_FAIL("the operation waits for ever");
  while (tasks.size() > 0 && context.run_one() > 0) {
  }
  return std::move(*outcome);
}

}  // namespace entente::net
