// SPDX-License-Identifier: Apache-2.0
//
// Sessions in which nothing happens, through middleboxes that forget idle connections: ten minutes
// of it in simulated time, and a few seconds over real sockets.
#include "protocol/channel.hpp"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/common/net/tls_fixture.hpp"
#include "tests/protocol/middlebox.hpp"
#include "tests/protocol/session.hpp"

using namespace std::chrono_literals;

namespace entente::protocol {
namespace {

using crypto::testing::Federation;
using crypto::testing::must;
using test::Middlebox;

// A session through a middlebox that forgets after a minute.
struct Behind {
  explicit Behind(Timing timing = {})
      : box(stage.time.executor(), charite, main_one, 60s),
        session(stage.through(std::move(box.client_end), std::move(box.server_end), timing)) {}
  Stage stage;
  Middlebox box;
  Stage::Session session;

  // When the client's half hears that the session is over.
  net::Instant end_of_client() {
    const auto agenda = net::run(stage.time, session.client->next_agenda());
    BOOST_TEST((agenda.error().code == Errc::timed_out), agenda.error().detail);
    return stage.time.now();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(protocol_idle)

BOOST_AUTO_TEST_CASE(ten_idle_minutes_pass_through_a_middlebox_that_forgets_after_one) {
  Behind behind;
  behind.stage.time.run_for(10min);
  BOOST_TEST(!behind.box.has_forgotten());
  BOOST_TEST(!behind.session.ended->has_value());
  BOOST_TEST(
      net::run(behind.stage.time, behind.session.client->request(DeclineWork{})).has_value());
  behind.session.server->outbox()->post(agenda_of(7));
  BOOST_TEST(round_of(net::run(behind.stage.time, behind.session.client->next_agenda()).value()) ==
             7U);
}

// The middlebox of these tests does what it is said to do.
BOOST_AUTO_TEST_CASE(without_heartbeats_such_a_middlebox_would_have_forgotten_the_session) {
  Timing mute;
  mute.heartbeat_every = mute.silence_max = 24h;
  Behind behind(mute);
  behind.stage.time.run_for(10min);
  BOOST_TEST(
      !net::run(behind.stage.time, behind.session.client->request(DeclineWork{})).has_value());
  BOOST_TEST(behind.box.has_forgotten());
}

BOOST_AUTO_TEST_CASE(both_ends_notice_within_silence_max_that_a_middlebox_has_forgotten_them) {
  for (const auto after : {0s, 1s, 7s, 600s}) {
    Behind behind;
    behind.stage.time.run_for(after);
    behind.box.forget();
    const net::Instant forgotten = behind.stage.time.now();
    const net::Instant client_knew = behind.end_of_client();
    const Error end = behind.stage.end_of(behind.session);
    BOOST_TEST((end.code == Errc::timed_out), end.detail);
    BOOST_TEST((client_knew - forgotten <= silence_max));
    // Its goodbye, which nobody takes, may take as long again as a goodbye may.
    BOOST_TEST((behind.stage.time.now() - forgotten <= silence_max + 2 * goodbye_max));
  }
}

// --- for real

namespace {

using net::asio::ip::tcp;

// The same between real sockets.
class Doorkeeper : public std::enable_shared_from_this<Doorkeeper> {
 public:
  Doorkeeper(net::asio::io_context& io, const net::Address& server,
             std::chrono::milliseconds forgets_after)
      : acceptor_(io, tcp::endpoint(net::asio::ip::make_address("127.0.0.1"), 0)),
        near_(io),
        far_(io),
        server_(net::asio::ip::make_address(server.host), server.port),
        patience_(io),
        forgets_after_(forgets_after) {}

  net::Address address() const {
    return net::Address{"127.0.0.1", acceptor_.local_endpoint().port()};
  }
  void begin() {
    acceptor_.async_accept(near_, [self = shared_from_this()](boost::system::error_code failure) {
      if (failure) return;
      self->far_.connect(self->server_);
      self->touch();
      carry(self, self->near_, self->far_, self->up_);
      carry(self, self->far_, self->near_, self->down_);
    });
  }
  void forget() { forgotten_ = true; }
  bool has_forgotten() const { return forgotten_; }
  void close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    near_.close(ignored);
    far_.close(ignored);
    patience_.cancel();
  }

 private:
  using Block = std::array<std::byte, 16384>;

  void touch() {
    patience_.expires_after(forgets_after_);
    patience_.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
      if (!cancelled) self->forget();
    });
  }
  static void carry(const std::shared_ptr<Doorkeeper>& self, tcp::socket& from, tcp::socket& to,
                    Block& block) {
    from.async_read_some(
        net::asio::buffer(block),
        [self, &from, &to, &block](boost::system::error_code failure, std::size_t size) {
          if (failure) return;
          if (self->forgotten_) return carry(self, from, to, block);
          self->touch();
          boost::system::error_code ignored;
          net::asio::write(to, net::asio::buffer(block, size), ignored);
          carry(self, from, to, block);
        });
  }

  tcp::acceptor acceptor_;
  tcp::socket near_;
  tcp::socket far_;
  tcp::endpoint server_;
  net::asio::steady_timer patience_;
  std::chrono::milliseconds forgets_after_;
  bool forgotten_ = false;
  Block up_{};
  Block down_{};
};

net::Async<void> serve_one(net::Listener* listener, net::TlsContext context, net::BufferPool pool,
                           Timing timing, Desk* desk, std::optional<Result<void>>* ended) {
  const net::Executor executor = co_await net::asio::this_coro::executor;
  Result<net::Connection> connection = co_await listener->accept(executor);
  if (!connection) co_return connection.error();
  net::PeerRule rule = net::any_member();
  Result<std::unique_ptr<net::Stream>> stream =
      co_await net::accept_tls(std::move(*connection), std::move(context), std::move(rule), 10s);
  if (!stream) co_return stream.error();
  auto session = std::make_shared<ServerSession>(std::move(*stream), pool, timing, *desk);
  const Result<void> served = co_await serve_session(session, ended);
  co_return served;
}

}  // namespace

// Heartbeats ten times in what it forgets after; it takes a machine that stands still for two
// seconds to make this fail.
BOOST_AUTO_TEST_CASE(a_real_session_lives_behind_a_middlebox_and_ends_when_that_forgets_it) {
  net::asio::io_context io;
  const Federation hospitals;
  const test::Folder folder;
  Desk desk(folder.path());
  const net::BufferPool pool(io.get_executor(), 8);
  Timing timing;
  timing.heartbeat_every = 200ms;
  timing.silence_max = 4s;
  timing.goodbye_max = 200ms;
  net::Listener listener =
      std::move(net::Listener::open(io.get_executor(), net::Address{"127.0.0.1", 0}).value());
  std::optional<Result<void>> ended;
  net::TaskGroup tasks(io.get_executor());
  tasks.spawn("coordinator",
              serve_one(&listener,
                        must(crypto::tls_context(crypto::TlsEnd::server,
                                                 hospitals.credentials(Role::coordinator, "main"))),
                        pool, timing, &desk, &ended));
  const auto box = std::make_shared<Doorkeeper>(io, listener.address(), 2s);
  box->begin();

  const auto tls = must(crypto::tls_context(crypto::TlsEnd::client,
                                            hospitals.credentials(Role::participant, "charite")));
  auto stream = net::run(io, net::dial(box->address(), tls, net::the_coordinator(), 10s));
  BOOST_REQUIRE_MESSAGE(stream.has_value(), stream.error().detail);
  ClientSettings settings("entente 0.1.0", "hospitals.example", {}, timing);
  auto client = net::run(io, Client::connect(std::move(*stream), pool, std::move(settings)));
  BOOST_REQUIRE_MESSAGE(client.has_value(), client.error().detail);

  BOOST_TEST(net::run(io, net::wait_for(3s)).has_value());  // more than it takes to be forgotten
  BOOST_TEST(!box->has_forgotten());
  BOOST_TEST(net::run(io, (*client)->request(DeclineWork{})).has_value());

  box->forget();
  const auto agenda = net::run(io, (*client)->next_agenda());
  BOOST_TEST((agenda.error().code == Errc::timed_out), agenda.error().detail);
  io.restart();
  while (!ended && io.run_one() > 0) {
  }
  BOOST_REQUIRE(ended.has_value());
  BOOST_TEST((ended->error().code == Errc::timed_out), ended->error().detail);
  box->close();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::protocol
