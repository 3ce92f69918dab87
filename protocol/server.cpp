// SPDX-License-Identifier: Apache-2.0
#include "protocol/server.hpp"

#include <algorithm>
#include <utility>

#include "common/base/log.hpp"
#include "protocol/server_state.hpp"

namespace entente::protocol {
namespace {

using net::Async;
using net::with_deadline;

Error no_common_version(const Hello& hello) {
  return {Errc::rejected, "expected protocol version " + std::to_string(version_least) + " to " +
                              std::to_string(version_most) + ", saw " +
                              std::to_string(hello.version_least) + " to " +
                              std::to_string(hello.version_most) + ": update the older program"};
}

// However a task ends, run() hears of it.
template <class State>
struct Leaving {
  Leaving(std::shared_ptr<State> of, bool State::*which) : state(std::move(of)), flag(which) {}
  ~Leaving() {
    (*state).*flag = true;
    state->end({Errc::closed, "a task of the session ended"});
  }
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;
  std::shared_ptr<State> state;
  bool State::*flag;
};

}  // namespace

struct ServerSession::Outbox::Target {
  std::weak_ptr<ServerSession::State> state;

  void post(std::function<void(ServerSession::State&)> job) const {
    auto alive = state.lock();
    if (!alive) return;
    const net::Executor executor = alive->channel.executor();
    net::post(executor, [alive = std::move(alive), job = std::move(job)] { job(*alive); });
  }
};

void ServerSession::Outbox::post(Message message) const {
  target_->post([message = std::move(message)](State& state) { state.post(message); });
}

void ServerSession::Outbox::close(std::string reason) const {
  target_->post([reason = std::move(reason)](State& state) { state.end({Errc::closed, reason}); });
}

ServerSession::ServerSession(std::unique_ptr<net::Stream> stream, net::BufferPool pool,
                             Timing timing, ServerHandler& handler)
    : state_(std::make_shared<State>(std::move(stream), std::move(pool), timing, handler)) {
  auto outbox = std::make_shared<Outbox>();
  outbox->target_ = std::make_shared<Outbox::Target>();
  outbox->target_->state = state_;
  outbox_ = std::move(outbox);
}
ServerSession::~ServerSession() = default;
ServerSession::ServerSession(ServerSession&&) noexcept = default;

const Identity& ServerSession::peer() const {
  return state_->channel.peer();
}
ByteView ServerSession::peer_certificate() const {
  return state_->channel.peer_certificate();
}
Async<void> ServerSession::greet(Welcome welcome) {
  return state_->greet(std::move(welcome));
}
Async<void> ServerSession::refuse(Refusal refusal) {
  return state_->refuse(std::move(refusal));
}
Async<void> ServerSession::run() {
  return state_->run();
}

ServerSession::State::State(std::unique_ptr<net::Stream> stream, net::BufferPool pool,
                            Timing timing, ServerHandler& of)
    : channel(std::move(stream), std::move(pool), timing),
      handler(of),
      tasks(channel.executor()),
      outbox_news(channel.executor()),
      news(channel.executor()) {}

Async<void> ServerSession::State::greet(Welcome welcome) {
  const std::shared_ptr<State> self = shared_from_this();
  Result<Message> first = co_await channel.receive_first();
  Error problem;
  if (!first) {
    problem = first.error();
  } else if (const Hello* hello = std::get_if<Hello>(&*first); hello == nullptr) {
    problem = {Errc::malformed, "expected a Hello first, saw " + std::string(name_of(*first))};
  } else {
    welcome.version = std::min(hello->version_most, version_most);
    if (welcome.version >= std::max(hello->version_least, version_least)) {
      Message reply = std::move(welcome);
      co_return co_await channel.send(std::move(reply));
    }
    problem = no_common_version(*hello);
  }
  Message words = Goodbye{problem.detail};
  if (problem.code == Errc::rejected) words = Refusal{Verdict::not_allowed, problem.detail};
  if (channel.is_open() && problem.code != Errc::cancelled) {
    const Result<void> told = co_await refuse(std::move(words));
  }
  channel.close();
  co_return problem;
}

Async<void> ServerSession::State::refuse(Message refusal) {
  const std::shared_ptr<State> self = shared_from_this();
  Result<void> told =
      co_await with_deadline(channel.timing().goodbye_max, channel.send(std::move(refusal)));
  if (told) {
    channel.finish();
    const Result<void> drained =
        co_await with_deadline(channel.timing().goodbye_max, channel.drain());
  }
  channel.close();
  co_return told;
}

Async<void> ServerSession::State::run() {
  const std::shared_ptr<State> self = shared_from_this();
  tasks.spawn("session writer", write(self));
  tasks.spawn("session reader", read(self));
  tasks.spawn("session heartbeat", beat(self));
  while (!ending) {
    const Result<void> woken = co_await news.wait();
    const auto stop = co_await net::asio::this_coro::cancellation_state;
    if (stop.cancelled() != net::asio::cancellation_type::none) {
      end({Errc::cancelled, "the coordinator is stopping"});
    }
  }
  // From here on nothing may interrupt: the tasks refer to the handler.
  co_await net::asio::this_coro::reset_cancellation_state(net::asio::disable_cancellation());
  const Result<void> parted = co_await part();
  co_return *ending;
}

void ServerSession::State::end(Error why) {
  if (!ending) ending = std::move(why);
  parting = true;
  news.cancel();
}

// Says goodbye if there is still somebody to say it to, waits for the peer's end, ends the tasks.
Async<void> ServerSession::State::part() {
  if (download) *download->stopped = true;
  if (!peer_left) {
    outbox.push_back(Goodbye{ending->detail});
    outbox_news.cancel();
    const Result<void> written =
        co_await with_deadline(channel.timing().goodbye_max, until(&State::writer_done));
    if (written) {
      channel.finish();
      const Result<void> heard =
          co_await with_deadline(channel.timing().goodbye_max, until(&State::reader_done));
    }
  }
  channel.close();
  tasks.stop();
  co_return co_await tasks.join();
}

Async<void> ServerSession::State::until(const bool State::*flag) {
  while (!(this->*flag)) {
    const Result<void> woken = co_await news.wait();
    const auto stop = co_await net::asio::this_coro::cancellation_state;
    if (stop.cancelled() != net::asio::cancellation_type::none) co_return woken.error();
  }
  co_return ok();
}

// From outside: of several agendas that wait, the last one counts.
void ServerSession::State::post(Message message) {
  if (std::holds_alternative<Agenda>(message)) {
    std::erase_if(outbox,
                  [](const Message& waits) { return std::holds_alternative<Agenda>(waits); });
  }
  enqueue(std::move(message));
}

void ServerSession::State::enqueue(Message message) {
  if (parting) return;
  if (outbox.size() >= outbox_max) {
    outbox.clear();
    end({Errc::timed_out, "the peer does not take its messages"});
    return;
  }
  outbox.push_back(std::move(message));
  outbox_news.cancel();
}

Async<void> ServerSession::State::write(std::shared_ptr<State> self) {
  const Leaving<State> leaving(self, &State::writer_done);
  for (;;) {
    while (self->outbox.empty()) {
      const Result<void> woken = co_await self->outbox_news.wait();
      const auto stop = co_await net::asio::this_coro::cancellation_state;
      if (stop.cancelled() != net::asio::cancellation_type::none) co_return woken.error();
    }
    Message message = std::move(self->outbox.front());
    self->outbox.pop_front();
    const bool last = std::holds_alternative<Goodbye>(message);
    const std::string_view name = name_of(message);
    const Result<void> sent = co_await self->channel.send(std::move(message));
    if (!sent && sent.error().code == Errc::invalid_argument) {
      log_error("message not encodable", {{"message", name}, {"reason", sent.error().detail}});
      self->end(sent.error());  // the goodbye comes next
    } else if (!sent) {
      self->peer_left = true;
      self->end(sent.error());
      co_return ok();
    }
    if (last) co_return ok();
  }
}

Async<void> ServerSession::State::read(std::shared_ptr<State> self) {
  const Leaving<State> leaving(self, &State::reader_done);
  for (;;) {
    Result<Incoming> incoming = co_await self->channel.receive();
    if (!incoming) {
      if (!self->channel.is_open()) self->peer_left = true;
      self->end(incoming.error());
      co_return co_await self->channel.drain();
    }
    if (self->parting) continue;
    const Result<void> handled = self->handle(std::move(*incoming));
    if (!handled) self->end(handled.error());
  }
}

Async<void> ServerSession::State::beat(std::shared_ptr<State> self) {
  const Result<void> beaten = co_await self->channel.keep_alive();
  // Whoever reads or writes hears of a broken channel, too.
  if (!beaten) co_return Error{Errc::cancelled, beaten.error().detail};
  co_return ok();
}

}  // namespace entente::protocol
