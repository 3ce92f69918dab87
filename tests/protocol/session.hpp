// SPDX-License-Identifier: Apache-2.0
//
// A coordinator's side that a test scripts, and sessions with it over memory streams in simulated
// time.
#pragma once

#include <boost/test/unit_test.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/random.hpp"
#include "common/crypto/hash.hpp"
#include "common/net/memory_stream.hpp"
#include "common/net/task_group.hpp"
#include "protocol/client.hpp"
#include "protocol/server.hpp"
#include "tests/common/base/folder.hpp"
#include "tests/common/net/running.hpp"

namespace entente::protocol {

inline const Identity charite{"hospitals.example", Role::participant, "charite"};
inline const Identity main_one{"hospitals.example", Role::coordinator, "main"};

inline Bytes noise(std::size_t size, std::uint64_t seed = 1) {
  Random random(seed);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next32());
  return bytes;
}

inline Answer answer_of(Verdict verdict, std::string reason = {}) {
  Answer answer;
  answer.verdict = verdict;
  answer.reason = std::move(reason);
  return answer;
}

// Serves the blobs that it has, takes uploads into its folder, remembers what it was asked.
class Desk : public ServerHandler {
 public:
  explicit Desk(std::filesystem::path where) : folder(std::move(where)) {}

  net::Async<std::optional<Message>> on_message(Message message) override {
    asked.emplace_back(name_of(message));
    if (thinking.count() > 0) {
      const Result<void> thought = co_await net::wait_for(thinking);
      if (!thought) co_return thought.error();
    }
    if (std::holds_alternative<AskStatus>(message)) {
      Status status;
      status.federation = "hospitals.example";
      co_return std::optional<Message>(std::move(status));
    }
    co_return std::optional<Message>(
        answer_of(Verdict::accepted, "asked " + std::to_string(asked.size())));
  }
  net::Async<std::variant<Expected, Answer>> on_offer(Message offer) override {
    using Outcome = std::variant<Expected, Answer>;
    asked.emplace_back(name_of(offer));
    if (thinking.count() > 0) {
      const Result<void> thought = co_await net::wait_for(thinking);
      if (!thought) co_return thought.error();
    }
    if (unwanted) co_return Outcome(*unwanted);
    const auto* update = std::get_if<OfferUpdate>(&offer);
    const Digest digest = update != nullptr ? update->update : std::get<OfferPlan>(offer).plan;
    const std::uint64_t size =
        update != nullptr ? update->size_bytes : std::get<OfferPlan>(offer).size_bytes;
    Expected expected(folder / digest.hex(), digest, size);
    expected.inspect = inspect;
    co_return Outcome(std::move(expected));
  }
  net::Async<Answer> on_received(Message, Result<Received> result) override {
    if (!result) {
      failures.push_back(result.error());
      co_return answer_of(
          result.error().code == Errc::corrupt ? Verdict::digest_mismatch : Verdict::busy,
          result.error().detail);
    }
    received.push_back(*result);
    co_return answer_of(Verdict::accepted, "received");
  }
  void on_progress(const Message&, std::uint64_t so_far, std::uint64_t) override {
    progress = so_far;
  }
  Result<std::filesystem::path> find(const Digest& digest) override {
    const auto found = blobs.find(digest);
    if (found == blobs.end()) return Error{Errc::not_found, "no such blob: " + digest.hex()};
    return found->second;
  }

  Digest put(const Bytes& content) {
    const Digest digest = crypto::sha256(content);
    const auto path = folder / ("blob-" + digest.hex());
    BOOST_REQUIRE(write_file(path, content, Durability::cached).has_value());
    blobs[digest] = path;
    return digest;
  }
  Bytes uploaded(const Digest& digest) const {
    return read_file(folder / digest.hex(), 1U << 30U).value();
  }

  std::filesystem::path folder;
  std::map<Digest, std::filesystem::path> blobs;
  std::optional<Answer> unwanted;
  Inspection inspect;
  std::chrono::milliseconds thinking{0};
  std::vector<std::string> asked;
  std::vector<Received> received;
  std::vector<Error> failures;
  std::uint64_t progress = 0;
};

inline Welcome welcome_of_tests() {
  return Welcome{1, "hospitals.example", "entente 0.1.0", "hospitals.example/ledger+00000000+AAAA"};
}
inline ClientSettings settings_of_tests() {
  return ClientSettings("entente 0.1.0", "hospitals.example");
}

inline net::Async<void> serve_session(std::shared_ptr<ServerSession> session,
                                      std::optional<Result<void>>* ended) {
  Welcome welcome = welcome_of_tests();
  Result<void> outcome = co_await session->greet(std::move(welcome));
  if (outcome) outcome = co_await session->run();
  ended->emplace(outcome);
  co_return ok();
}

// One coordinator's desk, and sessions with it one after another or side by side.
struct Stage {
  net::SimulatedTime time;
  net::BufferPool client_pool{time.executor(), 4};
  net::BufferPool server_pool{time.executor(), 4};
  test::Folder folder;
  Desk desk{folder.path()};
  net::TaskGroup tasks{time.executor()};

  struct Session {
    std::unique_ptr<net::Stream> client_stream;  // until connected
    std::shared_ptr<ServerSession> server;
    std::unique_ptr<std::optional<Result<void>>> ended =
        std::make_unique<std::optional<Result<void>>>();
    std::unique_ptr<Client> client;
  };

  // The server's half runs; the other end is the test's.
  Session open(net::MemoryLink up = {}, net::MemoryLink down = {}, Timing timing = {}) {
    auto [client, server] = net::memory_streams(time.executor(), charite, main_one, up, down);
    return open(std::move(client), std::move(server), timing);
  }
  Session open(std::unique_ptr<net::Stream> client, std::unique_ptr<net::Stream> server,
               Timing timing) {
    Session session;
    session.client_stream = std::move(client);
    session.server = std::make_shared<ServerSession>(std::move(server), server_pool, timing, desk);
    tasks.spawn("server session", serve_session(session.server, session.ended.get()));
    return session;
  }
  Result<std::unique_ptr<Client>> connect(Session& session, Timing timing = {}) {
    ClientSettings settings = settings_of_tests();
    settings.timing = timing;
    return net::run(
        time, Client::connect(std::move(session.client_stream), client_pool, std::move(settings)));
  }
  Session session(net::MemoryLink up = {}, net::MemoryLink down = {}, Timing timing = {}) {
    Session session = open(up, down, timing);
    auto client = connect(session);
    BOOST_REQUIRE_MESSAGE(client.has_value(), client.error().detail);
    session.client = std::move(*client);
    return session;
  }
  // Over streams that are connected somehow; both halves wait as `timing` says.
  Session through(std::unique_ptr<net::Stream> client_end, std::unique_ptr<net::Stream> server_end,
                  Timing timing = {}) {
    Session session = open(std::move(client_end), std::move(server_end), timing);
    auto client = connect(session, timing);
    BOOST_REQUIRE_MESSAGE(client.has_value(), client.error().detail);
    session.client = std::move(*client);
    return session;
  }
  // Until the server's half is over.
  Error end_of(Session& session) {
    do {
      time.settle();
    } while (!*session.ended && time.advance());
    BOOST_REQUIRE(session.ended->has_value());
    return (*session.ended)->error();
  }
  OfferUpdate offer(const Bytes& update) const {
    OfferUpdate offer;
    offer.update = crypto::sha256(update);
    offer.size_bytes = update.size();
    return offer;
  }
  std::filesystem::path write(const std::string& name, const Bytes& content) const {
    BOOST_REQUIRE(write_file(folder / name, content, Durability::cached).has_value());
    return folder / name;
  }
};

// An agenda with work, told apart by its round.
inline Agenda agenda_of(std::uint64_t round) {
  Train train;
  train.round = round;
  train.model_size_bytes = 1;
  train.opening.line = "{}";
  train.opening.checkpoint = "c";
  Agenda agenda;
  agenda.work = train;
  return agenda;
}
inline std::uint64_t round_of(const Agenda& agenda) {
  return std::get<Train>(agenda.work).round;
}

inline net::Async<void> keep_upload(Client* client, Message offer, std::filesystem::path path,
                                    StillWanted wanted, std::optional<Result<Answer>>* into) {
  into->emplace(co_await client->upload(std::move(offer), std::move(path), std::move(wanted)));
  co_return ok();
}
inline net::Async<void> keep_fetch(Client* client, Digest digest, std::filesystem::path path,
                                   StillWanted wanted, std::optional<Result<Received>>* into) {
  into->emplace(co_await client->fetch(digest, std::move(path), 1U << 30U, std::move(wanted)));
  co_return ok();
}
inline net::MemoryLink slow() {
  net::MemoryLink link;
  link.delay_min = link.delay_max = std::chrono::milliseconds(100);
  link.window_bytes = 300'000;
  return link;
}

}  // namespace entente::protocol
