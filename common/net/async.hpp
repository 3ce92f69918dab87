// SPDX-License-Identifier: Apache-2.0
//
// Coroutines as this project writes them: an operation that waits is an Async<T>, failures arrive
// as values.
//
// The rules (docs/protocol.md has none of this; the compiler's traps are why): parameters by value;
// no capturing lambda is a coroutine; every temporary that is not trivial gets a name before
// `co_await`; every wait has a deadline except the accept loop and the mailbox. Threads: everything
// here stays on the thread of the coroutine that calls it.
//
// After a stop (TaskGroup), the operation that was waiting returns Errc::cancelled and the next
// `co_await` of the coroutine throws boost's operation_aborted; leave that on, TaskGroup and
// with_deadline turn it into a value.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <string>

#include "common/base/result.hpp"

namespace entente::net {

namespace asio = boost::asio;

template <class T>
using Async = asio::awaitable<Result<T>>;

// Where a coroutine runs: the executor of one io_context that one thread runs.
using Executor = asio::any_io_executor;

// The project's completion token: failures arrive as values.
inline constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

// Lets a `total` signal through to `operation` (spawned children otherwise heed `terminal` alone)
// and keeps its outcome. `outcome` must outlive the operation.
template <class T>
asio::awaitable<void> keep(Async<T> operation, std::optional<Result<T>>* outcome) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  outcome->emplace(co_await std::move(operation));
}

// Whether `thrown` is what Asio throws in a coroutine that was cancelled.
bool is_abort(const std::exception_ptr& thrown);

// What `race` saw.
struct Race {
  std::exception_ptr thrown;  // by the operation
  bool timed_out = false;     // the limit passed before the operation ended
};
// Runs `operation` on the caller's executor, cancels it (all types) when `limit` passes, passes
// every cancellation of the caller on to it, and returns when it has ended. For with_deadline.
asio::awaitable<Race> race(std::chrono::milliseconds limit, asio::awaitable<void> operation);

// Runs `operation`; gives up after `limit`.
// The operation is awaited to its end in every case; an outcome that arrived in the timer's own
// tick is not lost. A stream whose read or write was cut short has lost its place: close it, don't
// go on. Errors: those of `operation`; timed_out when the limit passes first; cancelled when the
// caller is being stopped.
template <class T>
Async<T> with_deadline(std::chrono::milliseconds limit, Async<T> operation) {
  std::optional<Result<T>> outcome;
  asio::awaitable<void> kept = keep(std::move(operation), &outcome);
  const Race seen = co_await race(limit, std::move(kept));
  if (seen.thrown && !is_abort(seen.thrown)) std::rethrow_exception(seen.thrown);
  if (outcome && (*outcome || !seen.timed_out))
    co_return std::move(*outcome);  // success beats the clock
  const auto stop = co_await asio::this_coro::cancellation_state;
  if (stop.cancelled() != asio::cancellation_type::none) {
    co_return Error{Errc::cancelled, "stopped while waiting"};
  }
  if (!seen.timed_out) co_return Error{Errc::cancelled, "operation stopped itself"};
  co_return Error{Errc::timed_out, "no answer within " + std::to_string(limit.count()) + " ms"};
}

// Runs `job` on the executor's thread, at its next turn. Any thread may ask.
void post(const Executor& executor, std::function<void()> job);

// Gives the other coroutines of this thread a turn.
Async<void> yield();

}  // namespace entente::net
