// SPDX-License-Identifier: Apache-2.0
//
// One connection between a participant and the coordinator, as bad as networks are: messages arrive
// late, get lost together with the connection, or arrive though their sender takes them for lost;
// one end may believe in it for a minute after the other is gone. In each direction what arrives,
// arrives in order, as over TCP. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/net/async.hpp"
#include "common/net/timer.hpp"
#include "protocol/messages.hpp"
#include "tests/simulation/stage.hpp"

namespace entente::simulation {

class Shell;

// Something that a participant waits for and that fails with the connection.
class Awaited {
 public:
  virtual ~Awaited() = default;
  virtual void fail(const Error& why) = 0;
};

template <class T>
class Slot : public Awaited {
 public:
  explicit Slot(net::Executor executor) : news(std::move(executor)) {}
  // The first outcome stands.
  void complete(Result<T> result) {
    if (outcome) return;
    outcome.emplace(std::move(result));
    news.cancel();
  }
  void fail(const Error& why) override { complete(Result<T>(why)); }

  std::optional<Result<T>> outcome;
  net::Timer news;
};

template <class T>
net::Async<T> outcome_of(std::shared_ptr<Slot<T>> slot) {
  while (!slot->outcome) {
    const Result<void> woken = co_await slot->news.wait();
    const auto stop = co_await net::asio::this_coro::cancellation_state;
    if (stop.cancelled() != net::asio::cancellation_type::none) {
      co_return Error{Errc::cancelled, "stopped while waiting"};
    }
  }
  co_return std::move(*slot->outcome);
}

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Stage& stage, std::uint64_t id, std::string participant, std::weak_ptr<Shell> server)
      : stage_(stage), id_(id), participant_(std::move(participant)), server_(std::move(server)) {}

  std::uint64_t id() const { return id_; }
  const std::string& participant() const { return participant_; }
  // Whether the participant still believes in it.
  bool client_open() const { return !client_end_; }
  // Whether nothing passes any more, known or not.
  bool lost() const { return lost_; }

  // Carries something to the other end.
  void up(std::function<void(Shell&)> deliver);
  void down(std::function<void()> deliver);

  // Nothing passes from now on; each end learns of it in its own time.
  void lose();
  void lose(milliseconds client_learns, milliseconds server_learns);
  // An end closes it, and the other learns soon.
  void close_from_client(const Error& why);
  void close_from_server(const Error& why);

  // The participant's side: what it waits for, and the agenda that came last.
  void attend(const std::shared_ptr<Awaited>& awaited);
  void put_agenda(protocol::Agenda agenda);
  std::optional<protocol::Agenda> agenda;
  std::shared_ptr<Slot<protocol::Agenda>> agenda_wanted;

 private:
  milliseconds transit();
  bool vanishes();
  void end_client(const Error& why);
  void end_server();

  Stage& stage_;
  std::uint64_t id_;
  std::string participant_;
  std::weak_ptr<Shell> server_;
  bool lost_ = false;
  std::optional<Error> client_end_;
  bool server_closed_ = false;
  net::Instant up_free_{};
  net::Instant down_free_{};
  std::vector<std::weak_ptr<Awaited>> awaited_;
};

}  // namespace entente::simulation
