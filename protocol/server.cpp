// SPDX-License-Identifier: Apache-2.0
#include "protocol/server.hpp"

#include <algorithm>
#include <utility>

#include "common/base/file.hpp"
#include "protocol/limits.hpp"

namespace entente::protocol {

using net::Async;

namespace {

constexpr std::size_t fetches_max = 4;  // asked for and not yet begun

struct OfferView {
  std::uint8_t stream = 0;
  std::uint64_t size_bytes = 0;
};

std::optional<OfferView> offer_in(const Message& message) {
  if (const auto* update = std::get_if<OfferUpdate>(&message))
    return OfferView{update->stream, update->size_bytes};
  if (const auto* plan = std::get_if<OfferPlan>(&message))
    return OfferView{plan->stream, plan->size_bytes};
  return std::nullopt;
}

}  // namespace

// An upload from its offer to its answer.
struct ServerSession::Upload {
  Upload(Message what, OfferView view, Receiver into)
      : offer(std::move(what)),
        stream(view.stream),
        size_bytes(view.size_bytes),
        receiver(std::move(into)) {}
  Message offer;
  std::uint8_t stream;
  std::uint64_t size_bytes;
  Receiver receiver;
};

void ServerSession::Outbox::post(Message message) const {
  auto box = messages;
  if (!box.try_send(std::move(message))) box.close();
}

void ServerSession::Outbox::close(std::string reason) const {
  auto box = messages;
  static_cast<void>(box.try_send(Message(Goodbye{std::move(reason)})));
  box.close();
}

ServerSession::ServerSession(std::unique_ptr<net::Stream> stream, net::BufferPool pool,
                             Timing timing, ServerHandler& handler)
    : channel_(std::move(stream), std::move(pool), timing),
      handler_(handler),
      outbox_(std::make_shared<Outbox>()),
      fetches_(fetches_max) {}

ServerSession::~ServerSession() = default;

Async<void> ServerSession::greet(Welcome welcome) {
  Result<Message> first = co_await channel_.receive_first();
  if (!first) co_return first.error();
  const auto* hello = std::get_if<Hello>(&*first);
  if (hello == nullptr) {
    Message goodbye = Goodbye{"expected a hello, saw " + std::string(name_of(*first))};
    const Result<void> told = co_await channel_.send(std::move(goodbye));
    co_return Error{Errc::malformed, "expected a hello, saw " + std::string(name_of(*first))};
  }
  if (hello->version_least > version_most || hello->version_most < version_least) {
    const std::string words =
        "this coordinator speaks protocol versions " + std::to_string(version_least) + " to " +
        std::to_string(version_most) + ", you speak " + std::to_string(hello->version_least) +
        " to " + std::to_string(hello->version_most);
    Message refusal = Refusal{Verdict::not_allowed, words};
    const Result<void> told = co_await channel_.send(std::move(refusal));
    co_return Error{Errc::rejected, words};
  }
  welcome.version = std::min(version_most, hello->version_most);
  Message message = std::move(welcome);
  const Result<void> sent = co_await channel_.send(std::move(message));
  co_return sent;
}

Async<void> ServerSession::run() {
  net::TaskGroup tasks(channel_.executor());
  tasks.spawn("heartbeat", channel_.keep_alive());
  tasks.spawn("writer", write());
  tasks.spawn("downloads", send_downloads());
  const Result<void> ended = co_await read();
  if (!ended && ended.error().code == Errc::malformed) {
    Message goodbye = Goodbye{ended.error().detail};
    const Result<void> told = co_await net::with_deadline(channel_.timing().goodbye_max,
                                                          channel_.send(std::move(goodbye)));
  }
  outbox_->close("the session is over");
  channel_.close();
  // A stopped session still waits for its tasks.
  co_await net::asio::this_coro::reset_cancellation_state(
      net::asio::enable_terminal_cancellation());
  tasks.stop();
  const Result<void> joined = co_await tasks.join();
  co_return ended;
}

Async<void> ServerSession::read() {
  while (true) {
    Result<Incoming> incoming = co_await channel_.receive();
    if (!incoming) co_return incoming.error();
    Result<void> handled = ok();
    if (auto* message = std::get_if<Message>(&*incoming)) {
      handled = co_await on_incoming(std::move(*message));
    } else if (auto* data = std::get_if<DataFrame>(&*incoming)) {
      handled = co_await on_data(std::move(*data));
    } else {
      handled = co_await on_end(std::get<StreamEnd>(*incoming));
    }
    if (!handled) co_return handled.error();
  }
}

// However a task ends, run() hears of it.
struct ServerSession::Leaving {
  Leaving(std::shared_ptr<ServerSession> of, bool ServerSession::*which)
      : session(std::move(of)), flag(which) {}
  ~Leaving() {
    (*session).*flag = true;
    session->end({Errc::closed, "a task of the session ended"});
  }
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;
  std::shared_ptr<ServerSession> session;
  bool ServerSession::*flag;
};

Async<void> ServerSession::write(std::shared_ptr<ServerSession> self) {
  const Leaving leaving(self, &ServerSession::writer_done_);
  for (;;) {
    while (self->outbox_.empty()) {
      const Result<void> woken = co_await self->outbox_news_.wait();
      const auto stop = co_await net::asio::this_coro::cancellation_state;
      if (stop.cancelled() != net::asio::cancellation_type::none) co_return woken.error();
    }
    Message message = std::move(self->outbox_.front());
    self->outbox_.pop_front();
    const bool last = std::holds_alternative<Goodbye>(message);
    const std::string_view name = name_of(message);
    const Result<void> sent = co_await self->channel_.send(std::move(message));
    if (!sent && sent.error().code == Errc::invalid_argument) {
      log_error("message not encodable", {{"message", name}, {"reason", sent.error().detail}});
      self->end(sent.error());  // the goodbye comes next
    } else if (!sent) {
      self->peer_left_ = true;
      self->end(sent.error());
      co_return ok();
    }
    if (last) co_return ok();
  }
}

Async<void> ServerSession::read(std::shared_ptr<ServerSession> self) {
  const Leaving leaving(self, &ServerSession::reader_done_);
  for (;;) {
    Result<Incoming> incoming = co_await self->channel_.receive();
    if (!incoming) {
      if (!self->channel_.is_open()) self->peer_left_ = true;
      self->end(incoming.error());
      co_return co_await self->channel_.drain();
    }
    if (self->parting_) continue;
    const Result<void> handled = self->handle(std::move(*incoming));
    if (!handled) self->end(handled.error());
  }
}

Async<void> ServerSession::beat(std::shared_ptr<ServerSession> self) {
  const Result<void> beaten = co_await self->channel_.keep_alive();
  // Whoever reads or writes hears of a broken channel, too.
  if (!beaten) co_return Error{Errc::cancelled, beaten.error().detail};
  co_return ok();
}

}  // namespace entente::protocol
