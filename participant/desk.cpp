// SPDX-License-Identifier: Apache-2.0
#include "participant/desk.hpp"

#include <utility>

namespace entente::participant {

void Desk::start_session() {
  agenda_ = {};
  version_ = 0;
  ended_.reset();
}

void Desk::put(protocol::Agenda agenda) {
  agenda_ = std::move(agenda);
  ++version_;
  if (current_ && !is_wanted(*current_)) current_->stop.raise();
  news_.cancel();
}

void Desk::end_session(Error why) {
  ended_ = std::move(why);
  news_.cancel();
}

net::Async<void> Desk::wait(std::uint64_t seen, net::Instant until) {
  while (version_ == seen && !ended_ && net::now() < until) {
    news_.expires_at(until);
    const Result<void> woken = co_await news_.wait();
    const auto stop = co_await net::asio::this_coro::cancellation_state;
    if (stop.cancelled() != net::asio::cancellation_type::none) co_return woken.error();
  }
  co_return ok();
}

void Desk::start_work(bool training, const WorkName& work, StopFlag stop) {
  current_ = Current{training, work, std::move(stop)};
  if (!is_wanted(*current_)) current_->stop.raise();
}

void Desk::stop_work() {
  if (current_) current_->stop.raise();
}

bool Desk::is_wanted(const Current& current) const {
  if (const auto* train = std::get_if<protocol::Train>(&agenda_.work)) {
    return current.training && current.work == WorkName{train->plan, train->round, train->model};
  }
  if (const auto* evaluate = std::get_if<protocol::Evaluate>(&agenda_.work)) {
    return !current.training &&
           current.work == WorkName{evaluate->plan, evaluate->round, evaluate->model};
  }
  return false;
}

}  // namespace entente::participant
