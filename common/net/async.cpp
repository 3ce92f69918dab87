// SPDX-License-Identifier: Apache-2.0
#include "common/net/async.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <memory>
#include <utility>

#include "common/net/timer.hpp"

namespace entente::net {
namespace {

// The operation, its timer and who waits for them. Kept alive by the operation's and the timer's
// handlers.
//
// Not a parallel_group: that passes on only the first cancellation, so that an operation which does
// not heed `total` (TLS) would lose its deadline and never hear `terminal` after it.
template <class Handler>
struct Contest : std::enable_shared_from_this<Contest<Handler>> {
  Contest(Executor executor_of_caller, std::chrono::milliseconds limit, Handler waiting)
      : executor(std::move(executor_of_caller)),
        timer(executor, now() + limit),
        handler(std::move(waiting)) {}

  void begin(asio::awaitable<void> operation) {
    auto self = this->shared_from_this();
    if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
      slot.assign([weak = std::weak_ptr(self)](asio::cancellation_type type) {
        if (const auto contest = weak.lock()) contest->signal.emit(type);
      });
    }
    timer.when_expired([self](bool expired) {
      if (!expired || self->ended) return;
      self->timed_out = true;
      self->signal.emit(asio::cancellation_type::all);
    });
    asio::co_spawn(executor, std::move(operation),
                   asio::bind_cancellation_slot(signal.slot(), [self](std::exception_ptr thrown) {
                     self->end(std::move(thrown));
                   }));
  }

  void end(std::exception_ptr thrown) {
    ended = true;
    timer.cancel();
    Race seen{std::move(thrown), timed_out};
    std::move(handler)(std::move(seen));
  }

  Executor executor;
  Timer timer;
  Handler handler;
  asio::cancellation_signal signal;
  bool timed_out = false;
  bool ended = false;
};

}  // namespace

bool is_abort(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& error) {
    return error.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

asio::awaitable<Race> race(std::chrono::milliseconds limit, asio::awaitable<void> operation) {
  const Executor executor = co_await asio::this_coro::executor;
  auto initiate = [&executor, limit](auto handler, asio::awaitable<void> raced) {
    using ContestOf = Contest<decltype(handler)>;
    std::make_shared<ContestOf>(executor, limit, std::move(handler))->begin(std::move(raced));
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Race)>(
      initiate, asio::use_awaitable, std::move(operation));
}

void post(const Executor& executor, std::function<void()> job) {
  asio::post(executor, std::move(job));
}

Async<void> yield() {
  const Executor executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
  co_return ok();
}

}  // namespace entente::net
