// SPDX-License-Identifier: Apache-2.0
#include "common/net/simulated_time.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "common/base/assert.hpp"

namespace entente::net {
namespace {

thread_local SimulatedTime* current_time = nullptr;

}  // namespace

WaitList::Key WaitList::add(Instant at, Executor executor, Done done) {
  const Key key{at, next_++};
  waiters_.emplace(key, Waiter{std::move(executor), std::move(done)});
  return key;
}

void WaitList::cancel(const Key& key) {
  auto found = waiters_.extract(key);
  if (found.empty()) return;
  asio::post(found.mapped().executor, [done = std::move(found.mapped().done)] { done(false); });
}

std::optional<Instant> WaitList::earliest() const {
  if (waiters_.empty() || waiters_.begin()->first.first == Timer::never) return std::nullopt;
  return waiters_.begin()->first.first;
}

void WaitList::wake_until(Instant now) {
  while (!waiters_.empty() && waiters_.begin()->first.first <= now) {
    auto first = waiters_.extract(waiters_.begin());
    asio::post(first.mapped().executor, [done = std::move(first.mapped().done)] { done(true); });
  }
}

void WaitList::clear() {
  while (!waiters_.empty()) {
    auto last = waiters_.extract(waiters_.begin());  // its destruction may cancel others
  }
}

SimulatedTime::SimulatedTime() {
  ENTENTE_ASSERT(current_time == nullptr, "one simulation at a time on a thread");
  current_time = this;
}

SimulatedTime::~SimulatedTime() {
  waiting_->clear();
  current_time = nullptr;
}

SimulatedTime* SimulatedTime::current() {
  return current_time;
}

bool SimulatedTime::settle() {
  context_.restart();
  bool worked = false;
  while (context_.poll() > 0) worked = true;
  return worked;
}

bool SimulatedTime::advance(Instant until) {
  const std::optional<Instant> next = waiting_->earliest();
  if (!next || *next > until) return false;
  if (*next > now_) now_ = *next;
  waiting_->wake_until(now_);
  return true;
}

bool SimulatedTime::step(Instant until) {
  const bool worked = settle();
  return advance(until) || worked;
}

void SimulatedTime::run_until(Instant until) {
  while (step(until)) {
  }
  if (until != Timer::never && until > now_) now_ = until;
}

}  // namespace entente::net
