// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/connection.hpp"

#include <algorithm>

#include "protocol/limits.hpp"
#include "tests/simulation/shell.hpp"

namespace entente::simulation {
namespace {

constexpr milliseconds transit_most{25};
constexpr milliseconds delay_most{30'000};
constexpr milliseconds learns_soon{2'000};
constexpr double lost_but_arrives = 0.3;

milliseconds until(net::Instant at, net::Instant now) {
  return std::chrono::ceil<milliseconds>(at - now);
}

}  // namespace

milliseconds Connection::transit() {
  if (stage_.strikes(stage_.weather.delayed)) {
    stage_.count("message delayed");
    return stage_.between(milliseconds(100), delay_most);
  }
  return stage_.between(milliseconds(1), transit_most);
}

// Whether nothing passes, and nobody is told.
bool Connection::vanishes() {
  const bool half_open = stage_.half_open.contains(participant_) && stage_.random.chance(0.2);
  if (!half_open && !stage_.cut_off.contains(participant_)) return false;
  lose(milliseconds(protocol::silence_max), milliseconds(protocol::silence_max));
  return true;
}

void Connection::up(std::function<void(Shell&)> deliver) {
  if (lost_ || client_end_ || vanishes()) return;
  bool arrives = false;  // whatever becomes of the connection
  if (stage_.strikes(stage_.weather.lost)) {
    arrives = stage_.random.chance(0.5);
    lose();
    if (!arrives) return;
  }
  const net::Instant now = net::now();
  up_free_ = std::max(up_free_, now) + transit();
  stage_.after(until(up_free_, now),
               [self = shared_from_this(), arrives, deliver = std::move(deliver)] {
                 const auto server = self->server_.lock();
                 if (!server || !server->is_up() || self->server_closed_) return;
                 if (self->lost_ && !arrives && !self->stage_.random.chance(lost_but_arrives)) {
                   return;
                 }
                 deliver(*server);
               });
}

void Connection::down(std::function<void()> deliver) {
  if (lost_ || server_closed_ || vanishes()) return;
  if (stage_.strikes(stage_.weather.lost)) {
    lose();
    return;
  }
  const net::Instant now = net::now();
  down_free_ = std::max(down_free_, now) + transit();
  stage_.after(until(down_free_, now), [self = shared_from_this(), deliver = std::move(deliver)] {
    if (!self->lost_ && !self->client_end_) deliver();
  });
}

void Connection::lose() {
  const auto learns = [this] {
    return stage_.strikes(stage_.weather.silent) ? milliseconds(protocol::silence_max)
                                                 : stage_.between(milliseconds(1), learns_soon);
  };
  const milliseconds client_learns = learns();
  lose(client_learns, learns());
}

void Connection::lose(milliseconds client_learns, milliseconds server_learns) {
  if (lost_) return;
  lost_ = true;
  stage_.count("connection lost");
  stage_.after(client_learns, [self = shared_from_this()] {
    self->end_client(Error{Errc::closed, "the connection is gone"});
  });
  stage_.after(server_learns, [self = shared_from_this()] { self->end_server(); });
}

void Connection::end_client(const Error& why) {
  if (client_end_) return;
  client_end_ = why;
  for (const std::weak_ptr<Awaited>& awaited : std::exchange(awaited_, {})) {
    if (const auto waiting = awaited.lock()) waiting->fail(why);
  }
}

void Connection::end_server() {
  if (server_closed_) return;
  server_closed_ = true;
  if (const auto server = server_.lock(); server && server->is_up()) server->disconnected(id_);
}

void Connection::close_from_client(const Error& why) {
  if (client_end_) return;
  if (!lost_) {
    lost_ = true;
    stage_.after(transit(), [self = shared_from_this()] { self->end_server(); });
  }
  end_client(why);
}

void Connection::close_from_server(const Error& why) {
  if (server_closed_) return;
  server_closed_ = true;
  if (lost_) return;
  lost_ = true;
  stage_.after(transit(), [self = shared_from_this(), why] { self->end_client(why); });
}

void Connection::attend(const std::shared_ptr<Awaited>& awaited) {
  if (client_end_) {
    awaited->fail(*client_end_);
    return;
  }
  std::erase_if(awaited_, [](const std::weak_ptr<Awaited>& other) { return other.expired(); });
  awaited_.push_back(awaited);
}

void Connection::put_agenda(protocol::Agenda next) {
  if (agenda_wanted && !agenda_wanted->outcome) {
    agenda_wanted->complete(std::move(next));
  } else {
    agenda = std::move(next);
  }
}

}  // namespace entente::simulation
