// SPDX-License-Identifier: Apache-2.0
//
// Whole sessions over TLS on loopback, the coordinator on a thread of its own.
#include "protocol/client.hpp"
#include "protocol/server.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "tests/common/net/tls_fixture.hpp"
#include "tests/protocol/session.hpp"

using namespace std::chrono_literals;

namespace entente::protocol {
namespace {

using crypto::testing::Federation;
using crypto::testing::must;

// Accepts sessions on its own thread until destroyed.
class Coordinator {
 public:
  Coordinator(const crypto::Credentials& credentials, std::filesystem::path folder)
      : desk(std::move(folder)),
        context_(must(crypto::tls_context(crypto::TlsEnd::server, credentials))),
        listener_(std::move(
            net::Listener::open(io_.get_executor(), net::Address{"127.0.0.1", 0}).value())),
        pool_(io_.get_executor(), 8),
        tasks_(io_.get_executor()),
        address_(listener_.address()) {
    tasks_.spawn("accept", accept());
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Coordinator() {
    net::post(io_.get_executor(), [this] { tasks_.stop(); });
    guard_.reset();
    thread_.join();
  }
  const net::Address& address() const { return address_; }

  Desk desk;  // looked at only between sessions

 private:
  net::Async<void> accept() {
    for (;;) {
      const net::Executor executor = io_.get_executor();
      Result<net::Connection> connection = co_await listener_.accept(executor);
      if (!connection) co_return connection.error();
      tasks_.spawn("session", hold(std::move(*connection)));
    }
  }
  net::Async<void> hold(net::Connection connection) {
    net::PeerRule rule = net::any_member();
    Result<std::unique_ptr<net::Stream>> stream =
        co_await net::accept_tls(std::move(connection), context_, std::move(rule), 10s);
    if (!stream) co_return stream.error();
    ServerSession session(std::move(*stream), pool_, Timing{}, desk);
    Welcome welcome = welcome_of_tests();
    const Result<void> greeted = co_await session.greet(std::move(welcome));
    if (!greeted) co_return greeted.error();
    co_return co_await session.run();
  }

  net::asio::io_context io_{1};
  net::asio::executor_work_guard<net::asio::io_context::executor_type> guard_ =
      net::asio::make_work_guard(io_);
  net::TlsContext context_;
  net::Listener listener_;
  net::BufferPool pool_;
  net::TaskGroup tasks_;
  net::Address address_;
  std::thread thread_;
};

struct World {
  Federation hospitals;
  test::Folder folder;
  std::unique_ptr<Coordinator> coordinator = std::make_unique<Coordinator>(
      hospitals.credentials(Role::coordinator, "main"), folder.path());
  net::TlsContext participant = must(crypto::tls_context(
      crypto::TlsEnd::client, hospitals.credentials(Role::participant, "charite")));
  net::asio::io_context io;
  net::BufferPool pool{io.get_executor(), 4};

  Result<std::unique_ptr<Client>> connect(const net::TlsContext& tls) {
    auto stream = net::run(io, net::dial(coordinator->address(), tls, net::the_coordinator(), 10s));
    if (!stream) return stream.error();
    return net::run(io, Client::connect(std::move(*stream), pool, settings_of_tests()));
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(protocol_loopback)

BOOST_AUTO_TEST_CASE(a_session_over_tls_fetches_uploads_asks_and_ends) {
  World world;
  const Bytes content = noise(5'000'000);
  const Bytes update = noise(5'000'000, 2);
  const Digest digest = world.coordinator->desk.put(content);
  auto client = std::move(world.connect(world.participant).value());
  BOOST_TEST(net::run(world.io, client->fetch(digest, world.folder / "model", content.size()))
                 .has_value());
  BOOST_TEST((read_file(world.folder / "model", content.size()).value() == content));
  OfferUpdate offer;
  offer.update = crypto::sha256(update);
  offer.size_bytes = update.size();
  BOOST_REQUIRE(write_file(world.folder / "update", update, Durability::cached).has_value());
  const auto answer = net::run(world.io, client->upload(offer, world.folder / "update"));
  BOOST_TEST((answer.value().verdict == Verdict::accepted));
  BOOST_TEST(net::run(world.io, client->ask_status()).has_value());
  BOOST_TEST(net::run(world.io, client->close("done")).has_value());
  BOOST_TEST((world.coordinator->desk.uploaded(offer.update) == update));
}

BOOST_AUTO_TEST_CASE(a_refused_certificate_is_told_in_words_and_the_next_session_is_served) {
  World world;
  const Federation strangers("hospitals.example");
  crypto::Credentials stranger = strangers.credentials(Role::participant, "charite");
  stranger.authorities = world.hospitals.authorities();
  const auto refused = world.connect(must(crypto::tls_context(crypto::TlsEnd::client, stranger)));
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST((refused.error().code == Errc::unauthenticated), refused.error().detail);
  BOOST_TEST(refused.error().detail.find("unknown CA") != std::string::npos,
             refused.error().detail);
  BOOST_TEST(world.connect(world.participant).has_value());
}

BOOST_AUTO_TEST_CASE(a_coordinator_that_stops_says_goodbye_over_tls) {
  World world;
  auto client = std::move(world.connect(world.participant).value());
  // The session is under way, at that end too.
  BOOST_TEST(net::run(world.io, client->ask_status()).has_value());
  auto wait = [](Client* of, std::optional<Result<Agenda>>* into) -> net::Async<void> {
    into->emplace(co_await of->next_agenda());
    co_return ok();
  };
  std::optional<Result<Agenda>> agenda;
  net::TaskGroup tasks(world.io.get_executor());
  tasks.spawn("wait", wait(client.get(), &agenda));
  std::thread stopping([&world] { world.coordinator.reset(); });
  world.io.restart();
  while (!agenda) world.io.run_one();
  stopping.join();
  BOOST_TEST((agenda->error().code == Errc::closed));
  BOOST_TEST(agenda->error().detail.find("stopping") != std::string::npos, agenda->error().detail);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::protocol
