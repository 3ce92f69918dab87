// SPDX-License-Identifier: Apache-2.0
//
// A bounded queue between coroutines, on one thread or on several.
//
// An item is taken out only by a coroutine that runs: a receiver that is stopped or times out loses
// nothing. (Asio's own channels lose what was on its way to a cancelled receiver, drop the rest at
// close, and misbehave when closed with a sender waiting; hence this one.) Order is kept for each
// sender. Any thread may call anything; a waiting coroutine must run on an io_context that one
// thread runs.
#pragma once

#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "common/net/async.hpp"
#include "common/net/timer.hpp"

namespace entente::net {

// Those who wait at one end of a mailbox. All calls under the mailbox's mutex.
class Waiters {
 public:
  struct Waiter {
    explicit Waiter(Executor where) : executor(where), timer(std::move(where)) {}
    Executor executor;
    Timer timer;  // never expires; cancelled on the waiter's own thread
    bool notified = false;
  };
  void add(std::shared_ptr<Waiter> waiter) { waiting_.push_back(std::move(waiter)); }
  void wake_one();
  void wake_all();
  // The waiter goes. With `used` = false a notification that it had is passed on.
  void leave(const std::shared_ptr<Waiter>& waiter, bool used);

 private:
  std::list<std::shared_ptr<Waiter>> waiting_;
};

template <class T>
class Mailbox {
 public:
  // Precondition: capacity > 0.
  explicit Mailbox(std::size_t capacity) : state_(std::make_shared<State>(capacity)) {}

  // Errors (as false): full, or closed.
  bool try_send(T item) {
    const std::lock_guard lock(state_->mutex);
    return state_->put(item);
  }
  // Waits for room. Errors: closed; cancelled - the caller is being stopped (the item was not
  // sent).
  Async<void> send(T item) { return send_to(state_, std::move(item)); }
  // Waits for an item. Errors: closed - and everything sent before was received; cancelled.
  Async<T> receive() { return receive_from(state_); }
  std::optional<T> try_receive() {
    const std::lock_guard lock(state_->mutex);
    return state_->take();
  }
  // Nothing more is accepted; what is in it can still be received.
  void close() {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
    state_->receivers.wake_all();
    state_->senders.wake_all();
  }
  std::size_t size() const {
    const std::lock_guard lock(state_->mutex);
    return state_->items.size();
  }

 private:
  struct State {
    explicit State(std::size_t most) : capacity(most) {}
    bool put(T& item) {
      if (closed || items.size() >= capacity) return false;
      items.push_back(std::move(item));
      receivers.wake_one();
      return true;
    }
    std::optional<T> take() {
      if (items.empty()) return std::nullopt;
      std::optional<T> item(std::move(items.front()));
      items.pop_front();
      senders.wake_one();
      return item;
    }
    mutable std::mutex mutex;
    const std::size_t capacity;
    std::deque<T> items;
    bool closed = false;
    Waiters receivers;
    Waiters senders;
  };

  // One wait at an end; leaves the list however it ends.
  class Place {
   public:
    Place(std::shared_ptr<State> state, Waiters State::*end, Executor executor)
        : state_(std::move(state)),
          end_(end),
          waiter_(std::make_shared<Waiters::Waiter>(std::move(executor))) {
      ((*state_).*end_).add(waiter_);  // the caller holds the mutex
    }
    ~Place() {
      const std::lock_guard lock(state_->mutex);
      ((*state_).*end_).leave(waiter_, used_);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    Timer& timer() { return waiter_->timer; }
    void use() { used_ = true; }

   private:
    std::shared_ptr<State> state_;
    Waiters State::*end_;
    std::shared_ptr<Waiters::Waiter> waiter_;
    bool used_ = false;
  };

  static Async<void> send_to(std::shared_ptr<State> state, T item) {
    const Executor executor = co_await asio::this_coro::executor;
    for (;;) {
      std::optional<Place> place;
      {
        const std::lock_guard lock(state->mutex);
        if (state->closed) co_return Error{Errc::closed, "the mailbox is closed"};
        if (state->put(item)) co_return ok();
        place.emplace(state, &State::senders, executor);
      }
      const Result<void> woken = co_await place->timer().wait();
      const auto stop = co_await asio::this_coro::cancellation_state;
      if (stop.cancelled() != asio::cancellation_type::none) {
        co_return Error{Errc::cancelled, "stopped while sending"};
      }
      place->use();
    }
  }
  static Async<T> receive_from(std::shared_ptr<State> state) {
    const Executor executor = co_await asio::this_coro::executor;
    for (;;) {
      std::optional<Place> place;
      {
        const std::lock_guard lock(state->mutex);
        if (std::optional<T> item = state->take()) co_return std::move(*item);
        if (state->closed) co_return Error{Errc::closed, "the mailbox is closed"};
        place.emplace(state, &State::receivers, executor);
      }
      const Result<void> woken = co_await place->timer().wait();
      const auto stop = co_await asio::this_coro::cancellation_state;
      if (stop.cancelled() != asio::cancellation_type::none) {
        co_return Error{Errc::cancelled, "stopped while receiving"};
      }
      place->use();
    }
  }

  std::shared_ptr<State> state_;
};

}  // namespace entente::net
