// SPDX-License-Identifier: Apache-2.0
#include "tests/end_to_end/tap.hpp"

#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <vector>

#include "common/crypto/tls.hpp"
#include "common/net/task_group.hpp"
#include "common/net/tls_stream.hpp"
#include "tests/end_to_end/insider.hpp"

namespace entente::test {
namespace {

constexpr std::chrono::seconds handshake_max{30};

// Both ends of one session; lives as long as one of its two directions.
struct Ends {
  std::unique_ptr<net::Stream> participant;
  std::unique_ptr<net::Stream> coordinator;
  void close() const {
    participant->close();
    coordinator->close();
  }
};

net::Async<void> copy(std::shared_ptr<Ends> ends, bool upwards, std::string* record) {
  net::Stream* from = upwards ? ends->participant.get() : ends->coordinator.get();
  net::Stream* into = upwards ? ends->coordinator.get() : ends->participant.get();
  Bytes block(std::size_t{64} << 10U);
  for (;;) {
    const Result<std::size_t> size = co_await from->read_some(block, std::chrono::hours(1));
    if (!size) break;
    const ByteView bytes = ByteView(block).first(*size);
    record->append(as_text(bytes));
    const std::array<ByteView, 1> parts{bytes};
    const Result<void> written = co_await into->write(parts, std::chrono::hours(1));
    if (!written) break;
  }
  into->finish_writing();
  co_return ok();
}

}  // namespace

struct Tap::State {
  State(const Federation& federation, const std::string& participant)
      : listener(must(net::Listener::open(context.get_executor(), net::Address{"127.0.0.1", 0}))),
        coordinator(must(net::parse_address(federation.address()))),
        as_coordinator(
            must(crypto::tls_context(crypto::TlsEnd::server, kit_of(federation, "main")))),
        as_participant(
            must(crypto::tls_context(crypto::TlsEnd::client, kit_of(federation, participant)))),
        tasks(context.get_executor()) {}

  static net::Async<void> accept(std::shared_ptr<State> self) {
    const net::Executor executor = self->context.get_executor();
    for (;;) {
      auto accepting = self->listener.accept(executor);
      Result<net::Connection> connection = co_await std::move(accepting);
      if (!connection) co_return connection.error();
      auto shared = std::make_shared<net::Connection>(std::move(*connection));
      self->tasks.spawn("session", connect(self, std::move(shared)));
    }
  }

  static net::Async<void> connect(std::shared_ptr<State> self,
                                  std::shared_ptr<net::Connection> connection) {
    net::PeerRule down(Federation::domain, std::vector<Role>{Role::participant});
    net::PeerRule up(Federation::domain, std::vector<Role>{Role::coordinator});
    auto accepting = net::accept_tls(std::move(*connection), self->as_coordinator, std::move(down),
                                     handshake_max);
    Result<std::unique_ptr<net::Stream>> participant = co_await std::move(accepting);
    if (!participant) co_return participant.error();
    auto dialling =
        net::dial(self->coordinator, self->as_participant, std::move(up), handshake_max);
    Result<std::unique_ptr<net::Stream>> coordinator = co_await std::move(dialling);
    if (!coordinator) co_return coordinator.error();
    auto ends = std::make_shared<Ends>();
    ends->participant = std::move(*participant);
    ends->coordinator = std::move(*coordinator);
    self->sessions.push_back(ends);
    self->tasks.spawn("up", copy(ends, true, &self->recording.said));
    self->tasks.spawn("down", copy(ends, false, &self->recording.heard));
    co_return ok();
  }

  boost::asio::io_context context{1};
  net::Listener listener;
  net::Address coordinator;
  net::TlsContext as_coordinator;
  net::TlsContext as_participant;
  net::TaskGroup tasks;
  std::vector<std::weak_ptr<Ends>> sessions;
  Recording recording;
  std::thread thread;
};

Tap::Tap(const Federation& federation, const std::string& participant)
    : state_(std::make_shared<State>(federation, participant)),
      address_(state_->listener.address().text()) {
  state_->tasks.spawn("accept", State::accept(state_));
  state_->thread = std::thread([state = state_.get()] { state->context.run(); });
}

Tap::Recording Tap::stop() {
  if (state_->thread.joinable()) {
    boost::asio::post(state_->context, [state = state_.get()] {
      state->listener.close();
      for (const auto& session : state->sessions) {
        if (const auto ends = session.lock()) ends->close();
      }
      state->tasks.stop();
    });
    state_->thread.join();
  }
  return state_->recording;
}

Tap::~Tap() {
  stop();
}

}  // namespace entente::test
