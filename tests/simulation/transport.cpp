// SPDX-License-Identifier: Apache-2.0
//
// The simulated transport: what the daemon asks for, carried over a Connection.
#include <algorithm>
#include <utility>

#include "protocol/limits.hpp"
#include "tests/simulation/house.hpp"

namespace entente::simulation {
namespace {

constexpr std::uint64_t chunks = 4;
constexpr milliseconds chunk_takes_most{500};
constexpr milliseconds dial_takes_most{60};
constexpr milliseconds dial_gives_up{protocol::handshake_max};
constexpr milliseconds repeated_within{90'000};

Error closed() {
  return {Errc::closed, "not connected"};
}

}  // namespace

template <class T>
std::shared_ptr<Slot<T>> SimulatedTransport::new_slot(const Opened& connection) {
  auto slot = std::make_shared<Slot<T>>(stage_.time.executor());
  connection->attend(slot);
  return slot;
}

net::Async<protocol::Welcome> SimulatedTransport::connect() {
  connection_.reset();
  const milliseconds takes = stage_.between(milliseconds(1), dial_takes_most);
  const bool silent = stage_.cut_off.contains(home_.name()) || network_.power_is_off;
  const Result<void> dialled = co_await net::wait_for(silent ? dial_gives_up : takes);
  if (!dialled) co_return dialled.error();
  if (silent) co_return Error{Errc::timed_out, "nobody answers"};
  const std::shared_ptr<Shell> shell = network_.coordinator();
  if (gone_ || !shell) co_return Error{Errc::closed, "connection refused"};
  connection_ = std::make_shared<Connection>(stage_, ++network_.connections, home_.name(), shell);
  const Opened connection = connection_;
  const auto welcomed = new_slot<protocol::Welcome>(connection);
  connection->up([connection, welcomed](Shell& server) {
    connection->down([welcomed] {
      protocol::Welcome welcome;
      welcome.federation = the_cast().federation;
      welcome.software = "simulated";
      welcome.verifier_key = the_cast().verifier_key.text();
      welcomed->complete(std::move(welcome));
    });
    server.connected(connection);
  });
  co_return co_await outcome_of(welcomed);
}

net::Async<protocol::Agenda> SimulatedTransport::next_agenda() {
  if (!is_open()) co_return closed();
  const Opened connection = connection_;
  if (connection->agenda) {
    protocol::Agenda agenda = std::move(*connection->agenda);
    connection->agenda.reset();
    co_return agenda;
  }
  const auto wanted = new_slot<protocol::Agenda>(connection);
  connection->agenda_wanted = wanted;
  co_return co_await outcome_of(wanted);
}

// Nothing leaves the house before the journal says so.
void SimulatedTransport::check_journal(const protocol::Message& message) {
  const auto expect = [this](const std::string& kind, const Digest& subject) {
    if (home_.journal_says(kind, subject)) return;
    stage_.violate(home_.name() + " sends what its journal does not hold: " + kind + " " +
                   subject.short_hex());
  };
  if (const auto* answer = std::get_if<protocol::AnswerPlan>(&message)) {
    expect(answer->consents ? "consent" : "decline", answer->plan);
  } else if (const auto* report = std::get_if<protocol::ReportEvaluation>(&message)) {
    expect("evaluation", report->model);
  } else if (const auto* offer = std::get_if<protocol::OfferUpdate>(&message)) {
    expect("update", offer->update);
  } else if (const auto* decline = std::get_if<protocol::DeclineWork>(&message)) {
    expect("decline", decline->plan);
  }
}

void SimulatedTransport::perhaps_repeat(std::function<void(Shell&)> again) {
  if (!stage_.strikes(stage_.weather.repeated)) return;
  stage_.count("request repeated");
  stage_.after(stage_.between(milliseconds(1), repeated_within),
               [&network = network_, again = std::move(again)] {
                 if (const auto server = network.coordinator()) again(*server);
               });
}

net::Async<protocol::Answer> SimulatedTransport::request(protocol::Message message) {
  if (!is_open()) co_return closed();
  check_journal(message);
  const Opened connection = connection_;
  const auto answered = new_slot<protocol::Answer>(connection);
  const std::string from = home_.name();
  stage_.note(from, "asks", protocol::name_of(message));
  connection->up([connection, answered, from, message](Shell& server) {
    server.request(from, message, [connection, answered](const protocol::Answer& answer) {
      connection->down([answered, answer] { answered->complete(answer); });
    });
  });
  perhaps_repeat([from, message](Shell& server) { server.request(from, message, {}); });
  const Result<protocol::Answer> answer = co_await outcome_of(answered);
  if (answer && !gone_) stage_.note(from, "is answered", to_string(answer->verdict));
  co_return answer;
}

// One piece of a transfer; the connection may break in the middle of it.
net::Async<void> SimulatedTransport::carry_chunk(Opened connection, std::uint64_t bytes) {
  const Result<void> carried =
      co_await net::wait_for(stage_.between(milliseconds(1), chunk_takes_most));
  if (!carried) co_return carried;
  if (bytes > 0 && stage_.strikes(stage_.weather.cut)) {
    stage_.count("transfer cut");
    connection->lose();
  }
  if (gone_) co_return closed();
  if (!connection->lost() && connection->client_open()) co_return ok();
  const auto end = new_slot<bool>(connection);
  const Result<bool> ended = co_await outcome_of(end);
  co_return ended ? closed() : ended.error();
}

net::Async<void> SimulatedTransport::fetch(Digest digest, std::uint64_t size_bytes,
                                           std::filesystem::path destination) {
  if (!is_open()) co_return closed();
  const Opened connection = connection_;
  const auto served = new_slot<bool>(connection);
  connection->up([connection, served, digest](Shell& server) {
    const bool serves = server.has_blob(digest);
    connection->down([served, serves] { served->complete(serves); });
  });
  const Result<bool> serves = co_await outcome_of(served);
  if (!serves) co_return serves.error();
  if (!*serves) co_return Error{Errc::rejected, "there is no such blob"};
  std::uint64_t have = home_.parts[digest];
  if (have > 0) stage_.count("download resumed");
  while (have < size_bytes) {
    const std::uint64_t next = std::min(size_bytes, have + size_bytes / chunks + 1);
    const Result<void> carried = co_await carry_chunk(connection, next - have);
    if (!carried) co_return carried;
    have = next;
    home_.parts[digest] = have;
  }
  home_.files[destination.string()] = {digest, size_bytes};
  home_.parts.erase(digest);
  co_return ok();
}

net::Async<SimulatedTransport::OfferOutcome> SimulatedTransport::offer(
    Opened connection, protocol::OfferUpdate offer) {
  const auto decided = new_slot<OfferOutcome>(connection);
  const std::string from = home_.name();
  connection->up([connection, decided, from, offer](Shell& server) {
    server.offer(
        from, offer,
        [connection, decided](std::optional<std::uint64_t> offset, const protocol::Answer& answer) {
          connection->down(
              [decided, outcome = OfferOutcome{offset, answer}] { decided->complete(outcome); });
        });
  });
  co_return co_await outcome_of(decided);
}

void SimulatedTransport::send_chunk(const Opened& connection, const protocol::OfferUpdate& offer,
                                    std::uint64_t begin, std::uint64_t end,
                                    const std::shared_ptr<Slot<protocol::Answer>>& answered) {
  const std::string from = home_.name();
  connection->up([connection, answered, from, offer, begin, end](Shell& server) {
    server.take_data(from, offer, begin, end,
                     [connection, answered](const protocol::Answer& answer) {
                       connection->down([answered, answer] { answered->complete(answer); });
                     });
  });
  if (end < offer.size_bytes) return;
  perhaps_repeat([from, offer](Shell& server) {
    server.take_data(from, offer, offer.size_bytes, offer.size_bytes, {});
  });
}

net::Async<protocol::Answer> SimulatedTransport::upload(protocol::OfferUpdate offered,
                                                        std::filesystem::path file) {
  if (!is_open()) co_return closed();
  protocol::Message message = offered;
  check_journal(message);
  if (!home_.files.contains(file.string())) {
    co_return Error{Errc::io, file.string() + ": no such file"};
  }
  const Opened connection = connection_;
  stage_.note(home_.name(), "offers", "round " + std::to_string(offered.round));
  const std::string from = home_.name();
  perhaps_repeat([from, offered](Shell& server) { server.offer(from, offered, {}); });
  const Result<OfferOutcome> outcome = co_await offer(connection, offered);
  if (!outcome) co_return outcome.error();
  if (!outcome->offset) co_return outcome->answer;
  const auto answered = new_slot<protocol::Answer>(connection);
  std::uint64_t sent = *outcome->offset;
  if (sent == offered.size_bytes) send_chunk(connection, offered, sent, sent, answered);
  while (sent < offered.size_bytes) {
    const std::uint64_t next = std::min(offered.size_bytes, sent + model_bytes / chunks + 1);
    const Result<void> carried = co_await carry_chunk(connection, next - sent);
    if (!carried) co_return carried.error();
    send_chunk(connection, offered, sent, next, answered);
    sent = next;
  }
  const Result<protocol::Answer> answer = co_await outcome_of(answered);
  if (answer && !gone_) stage_.note(from, "uploaded", to_string(answer->verdict));
  co_return answer;
}

net::Async<void> SimulatedTransport::close(std::string goodbye) {
  if (connection_) connection_->close_from_client({Errc::closed, "closed: " + goodbye});
  co_return ok();
}

void SimulatedTransport::crash(bool power_failed) {
  if (!connection_ || !connection_->client_open()) return;
  if (power_failed) {
    connection_->lose(milliseconds(0), milliseconds(protocol::silence_max));
  }
  connection_->close_from_client({Errc::closed, "the process is gone"});
}

}  // namespace entente::simulation
