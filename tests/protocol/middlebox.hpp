// SPDX-License-Identifier: Apache-2.0
//
// A middlebox (an address translator, a firewall) between two memory streams: it forgets a
// connection over which nothing passed for a while, and then drops what comes, without a word to
// either end.
#pragma once

#include <array>
#include <memory>
#include <utility>

#include "common/net/memory_stream.hpp"
#include "common/net/task_group.hpp"
#include "common/net/timer.hpp"

namespace entente::test {

class Middlebox {
 public:
  // `client` is whom the client's end is; its peer() is `server`, and the other way round.
  Middlebox(net::Executor executor, const Identity& client, const Identity& server,
            std::chrono::milliseconds forgets_after)
      : tasks_(executor), state_(std::make_shared<State>()) {
    auto [outer, near] = net::memory_streams(executor, client, server);
    auto [far, inner] = net::memory_streams(executor, client, server);
    client_end = std::move(outer);
    server_end = std::move(inner);
    state_->near = std::move(near);
    state_->far = std::move(far);
    state_->forgets_after = forgets_after;
    state_->last_passed = net::now();
    tasks_.spawn("up", carry(state_, state_->near.get(), state_->far.get()));
    tasks_.spawn("down", carry(state_, state_->far.get(), state_->near.get()));
  }
  ~Middlebox() { tasks_.stop(); }
  Middlebox(const Middlebox&) = delete;
  Middlebox& operator=(const Middlebox&) = delete;

  std::unique_ptr<net::Stream> client_end;  // to be taken
  std::unique_ptr<net::Stream> server_end;

  // It is restarted, say: nothing passes from now on, and nobody is told.
  void forget() { state_->forgotten = true; }
  bool has_forgotten() const { return state_->forgotten; }
  net::Instant last_passed() const { return state_->last_passed; }

 private:
  struct State {
    std::unique_ptr<net::Stream> near;
    std::unique_ptr<net::Stream> far;
    std::chrono::milliseconds forgets_after{0};
    net::Instant last_passed;
    bool forgotten = false;
  };

  static net::Async<void> carry(std::shared_ptr<State> state, net::Stream* from, net::Stream* to) {
    std::array<std::byte, 4096> bytes{};
    for (;;) {
      const Result<std::size_t> got = co_await from->read_some(bytes, std::chrono::hours(1));
      if (net::now() - state->last_passed > state->forgets_after) state->forgotten = true;
      if (!got && !state->forgotten) to->close();
      if (!got) co_return got.error();
      if (state->forgotten) continue;
      state->last_passed = net::now();
      const std::array<ByteView, 1> parts{ByteView(bytes.data(), *got)};
      const Result<void> written = co_await to->write(parts, std::chrono::hours(1));
      if (!written) co_return written.error();
    }
  }

  net::TaskGroup tasks_;
  std::shared_ptr<State> state_;
};

}  // namespace entente::test
