// SPDX-License-Identifier: Apache-2.0
#include "common/net/permits.hpp"

#include <algorithm>
#include <utility>

namespace entente::net {

struct Permit::State {
  // One who waits. Given a permit, he is out of the line; gone without using it, he hands it on.
  struct Waiter {
    explicit Waiter(std::shared_ptr<State> of) : state(std::move(of)), timer(state->executor) {
      state->line.push_back(this);
    }
    ~Waiter() {
      if (granted) {
        state->give();
      } else {
        std::erase(state->line, this);
      }
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    std::shared_ptr<State> state;
    Timer timer;
    bool granted = false;
  };

  State(Executor where, std::size_t count) : executor(std::move(where)), free(count) {}
  void give() {
    if (line.empty()) {
      ++free;
      return;
    }
    Waiter* first = line.front();
    line.pop_front();
    first->granted = true;
    first->timer.cancel();
  }

  Executor executor;
  std::size_t free;
  std::deque<Waiter*> line;
};

Permit& Permit::operator=(Permit&& other) noexcept {
  give_back();
  state_ = std::move(other.state_);
  return *this;
}

void Permit::give_back() {
  if (const auto state = std::exchange(state_, nullptr)) state->give();
}

Permits::Permits(Executor executor, std::size_t count)
    : state_(std::make_shared<Permit::State>(std::move(executor), count)) {}

std::size_t Permits::free() const {
  return state_->free;
}

Async<Permit> Permits::take_from(std::shared_ptr<Permit::State> state) {
  if (state->free > 0) {  // then nobody is in the line
    --state->free;
    co_return Permit(state);
  }
  Permit::State::Waiter waiter(state);
  const Result<void> woken = co_await waiter.timer.wait();
  if (!waiter.granted) co_return Error{Errc::cancelled, "stopped while waiting for a permit"};
  waiter.granted = false;
  co_return Permit(state);
}

}  // namespace entente::net
