// SPDX-License-Identifier: Apache-2.0
#include "common/net/timer.hpp"

#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <utility>

#include "common/base/assert.hpp"
#include "common/net/simulated_time.hpp"

namespace entente::net {

// One of the two: the operating system's timer, or a place in the simulation's list.
struct Timer::State {
  State(Executor where, Instant at) : executor(std::move(where)), expiry(at) {
    if (const SimulatedTime* time = SimulatedTime::current()) {
      waiting = time->waiting();
    } else {
      real.emplace(executor, at);
    }
  }
  ~State() { cancel(); }

  void start(std::function<void(bool)> done) {
    if (real) {
      real->async_wait(
          [done = std::move(done)](const boost::system::error_code& failure) { done(!failure); });
    } else {
      cancel();  // one wait at a time
      key = waiting->add(expiry, executor, std::move(done));
    }
  }
  void cancel() {
    if (real) {
      real->cancel();
    } else if (key) {
      waiting->cancel(*std::exchange(key, std::nullopt));
    }
  }
  void expires_at(Instant at) {
    expiry = at;
    if (real) {
      real->expires_at(at);
    } else {
      cancel();
    }
  }

  Executor executor;
  Instant expiry;
  std::optional<asio::steady_timer> real;
  std::shared_ptr<WaitList> waiting;
  std::optional<WaitList::Key> key;
};

Instant now() {
  const SimulatedTime* time = SimulatedTime::current();
  return time != nullptr ? time->now() : std::chrono::steady_clock::now();
}

Timer::Timer(Executor executor, Instant expiry)
    : state_(std::make_shared<State>(std::move(executor), expiry)) {}
Timer::Timer(Timer&&) noexcept = default;
Timer& Timer::operator=(Timer&& other) noexcept {
  if (state_) state_->cancel();
  state_ = std::move(other.state_);
  return *this;
}
Timer::~Timer() {
  if (state_) state_->cancel();
}

void Timer::expires_at(Instant expiry) {
  state_->expires_at(expiry);
}
void Timer::cancel() {
  state_->cancel();
}
void Timer::when_expired(std::function<void(bool)> done) {
  state_->start(std::move(done));
}
Async<void> Timer::wait() {
  return wait_on(state_);
}

Async<void> Timer::wait_on(std::shared_ptr<State> state) {
  auto initiate = [](auto handler, State* timer, std::weak_ptr<State> weak) {
    if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
      slot.assign([weak = std::move(weak)](asio::cancellation_type) {
        if (const auto waited = weak.lock()) waited->cancel();
      });
    }
    // std::function copies; the handler cannot be copied.
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    timer->start([shared](bool expired) { std::move (*shared)(expired); });
  };
  std::weak_ptr<State> weak = state;
  const bool expired = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(
      initiate, asio::use_awaitable, state.get(), std::move(weak));
  if (!expired) co_return Error{Errc::cancelled, "stopped while waiting"};
  co_return ok();
}

Async<void> wait_for(std::chrono::nanoseconds duration) {
  const Executor executor = co_await asio::this_coro::executor;
  Timer timer(executor, now() + duration);
  co_return co_await timer.wait();
}

}  // namespace entente::net
