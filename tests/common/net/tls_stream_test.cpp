// SPDX-License-Identifier: Apache-2.0
#include "common/net/tls_stream.hpp"

#include <openssl/ssl.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <string>

#include "common/base/random.hpp"
#include "tests/common/net/tls_fixture.hpp"

using namespace std::chrono_literals;

namespace entente::net {
namespace {

using crypto::testing::Federation;
using crypto::testing::must;
using crypto::testing::year;

TlsContext client_of(const crypto::Credentials& who) {
  return must(crypto::tls_context(crypto::TlsEnd::client, who));
}
TlsContext server_of(const crypto::Credentials& who) {
  return must(crypto::tls_context(crypto::TlsEnd::server, who));
}
// A client that trusts nothing special and shows nothing, but speaks our protocol.
TlsContext bare_client() {
  TlsContext context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const std::string protocols =
      "\x09"
      "entente/1";
  SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                          static_cast<unsigned>(protocols.size()));
  return context;
}

struct World {
  Federation hospitals;
  crypto::Credentials coordinator = hospitals.credentials(Role::coordinator, "main");
  crypto::Credentials participant = hospitals.credentials(Role::participant, "charite");
  TlsContext server = server_of(coordinator);
  TlsContext client = client_of(participant);
  asio::io_context context;
};

void expect_refused(const StreamOrError& end, const std::string& words) {
  BOOST_REQUIRE(!end.has_value());
  BOOST_TEST((end.error().code == Errc::unauthenticated), end.error().detail);
  BOOST_TEST(end.error().detail.find(words) != std::string::npos,
             "'" << end.error().detail << "' does not say '" << words << "'");
}

Bytes noise(std::size_t size) {
  Random random(1);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next32());
  return bytes;
}

Async<void> write_all(Stream* stream, const Bytes* bytes) {
  const std::array<ByteView, 2> parts{ByteView(*bytes).first(16), ByteView(*bytes).subspan(16)};
  co_return co_await stream->write(parts, 1h);
}
Async<Bytes> read_exactly(Stream* stream, std::size_t size) {
  Bytes bytes(size);
  std::span<std::byte> left(bytes);
  while (!left.empty()) {
    const Result<std::size_t> read = co_await stream->read_some(left, 1h);
    if (!read) co_return read.error();
    left = left.subspan(*read);
  }
  co_return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_tls_stream)

BOOST_AUTO_TEST_CASE(both_ends_know_each_other_by_their_certificates) {
  World world;
  const Ends ends = shake_hands(world.context, world.client, world.server);
  BOOST_REQUIRE(ends.client.has_value());
  BOOST_REQUIRE(ends.server.has_value());
  BOOST_TEST(((*ends.client)->peer() == world.coordinator.identity));
  BOOST_TEST(((*ends.server)->peer() == world.participant.identity));
  const ByteView certificate = (*ends.server)->peer_certificate();
  BOOST_TEST((Bytes(certificate.begin(), certificate.end()) == world.participant.chain[0].der()));
}

BOOST_AUTO_TEST_CASE(megabytes_go_both_ways_at_once) {
  World world;
  const Ends ends = shake_hands(world.context, world.client, world.server);
  Stream* client = ends.client->get();
  Stream* server = ends.server->get();
  const Bytes bytes = noise(5'000'003);
  TaskGroup tasks(world.context.get_executor());
  std::optional<Result<Bytes>> seen;
  auto keep_result = [](Async<Bytes> operation, std::optional<Result<Bytes>>* into) -> Async<void> {
    into->emplace(co_await std::move(operation));
    co_return ok();
  };
  tasks.spawn("up", write_all(client, &bytes));
  tasks.spawn("down", write_all(server, &bytes));
  tasks.spawn("server reads", keep_result(read_exactly(server, bytes.size()), &seen));
  BOOST_TEST((run(world.context, read_exactly(client, bytes.size())).value() == bytes));
  while (tasks.size() > 0) world.context.run_one();
  BOOST_TEST((seen->value() == bytes));
}

BOOST_AUTO_TEST_CASE(a_read_ends_at_its_limit_and_the_connection_goes_on) {
  World world;
  const Ends ends = shake_hands(world.context, world.client, world.server);
  Bytes some(10);
  const auto nothing = run(world.context, ends.server->get()->read_some(some, 20ms));
  BOOST_TEST((nothing.error().code == Errc::timed_out));
  const Bytes bytes = noise(100);
  BOOST_TEST(run(world.context, write_all(ends.client->get(), &bytes)).has_value());
  BOOST_TEST((run(world.context, read_exactly(ends.server->get(), 100)).value() == bytes));
}

BOOST_AUTO_TEST_CASE(a_write_that_nobody_reads_ends_at_its_limit) {
  World world;
  const Ends ends = shake_hands(world.context, world.client, world.server);
  const Bytes bytes = noise(64U << 20U);
  const std::array<ByteView, 1> parts{ByteView(bytes)};
  const auto stuck = run(world.context, ends.client->get()->write(parts, 200ms));
  BOOST_REQUIRE(!stuck.has_value());
  BOOST_TEST((stuck.error().code == Errc::timed_out));
}

BOOST_AUTO_TEST_CASE(a_client_without_a_certificate_is_refused_in_words) {
  World world;
  const auto plain = [&] {
    TlsContext context = bare_client();
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    return context;
  }();
  const Ends ends = shake_hands(world.context, plain, world.server);
  expect_refused(ends.server, "no certificate");
}

BOOST_AUTO_TEST_CASE(a_certificate_of_another_authority_is_refused_at_both_ends) {
  World world;
  const Federation strangers("hospitals.example");
  const auto stranger = strangers.credentials(Role::participant, "charite");
  // The stranger would trust us: only the server objects.
  crypto::Credentials trusting = stranger;
  trusting.authorities = world.hospitals.authorities();
  const Ends ends = shake_hands(world.context, client_of(trusting), world.server);
  expect_refused(ends.server, "certificate");
  expect_refused(ends.client, "unknown CA");
  // The stranger's own view of us.
  const Ends other = shake_hands(world.context, client_of(stranger), world.server);
  expect_refused(other.client, "certificate");
  expect_refused(other.server, "unknown CA");
}

BOOST_AUTO_TEST_CASE(an_expired_certificate_is_refused_in_words) {
  World world;
  const auto expired = world.hospitals.credentials(Role::participant, "charite",
                                                   crypto::Validity{year(2000), year(2001)});
  const Ends ends = shake_hands(world.context, client_of(expired), world.server);
  expect_refused(ends.server, "expired");
  expect_refused(ends.client, "expired");
}

BOOST_AUTO_TEST_CASE(two_uris_are_refused) {
  World world;
  auto text = world.hospitals.text("charite");
  text.uris.push_back("spiffe://hospitals.example/operator/charite");
  const Ends ends =
      shake_hands(world.context, client_of(world.hospitals.credentials(text)), world.server);
  BOOST_REQUIRE(!ends.server.has_value());
  BOOST_TEST((ends.server.error().code == Errc::unauthenticated), ends.server.error().detail);
}

BOOST_AUTO_TEST_CASE(a_role_that_is_not_expected_is_refused_at_both_ends) {
  World world;
  const Ends up = shake_hands(world.context, world.client, world.server, the_coordinator(),
                              PeerRule("hospitals.example", {Role::operator_}));
  expect_refused(up.server,
                 "expected the role operator, saw spiffe://hospitals.example/participant/charite");
  // A participant that listens is no coordinator.
  const Ends down = shake_hands(world.context, world.client, server_of(world.participant));
  expect_refused(down.client, "expected the role coordinator");
}

BOOST_AUTO_TEST_CASE(another_federation_under_the_same_root_is_refused) {
  World world;
  const Ends ends = shake_hands(world.context, world.client, world.server, the_coordinator(),
                                PeerRule("clinics.example", {Role::participant}));
  expect_refused(ends.server, "expected a member of clinics.example");
}

BOOST_AUTO_TEST_CASE(tls_1_2_is_refused) {
  World world;
  SSL_CTX_set_min_proto_version(world.client.get(), TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(world.client.get(), TLS1_2_VERSION);
  const Ends ends = shake_hands(world.context, world.client, world.server);
  expect_refused(ends.server, "TLS 1.3");
  expect_refused(ends.client, "TLS");
}

BOOST_AUTO_TEST_CASE(another_application_protocol_or_none_is_refused) {
  World world;
  for (const std::string protocols : {"\x02h2", ""}) {
    const auto client = client_of(world.participant);
    SSL_CTX_set_alpn_protos(client.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                            static_cast<unsigned>(protocols.size()));
    const Ends ends = shake_hands(world.context, client, world.server);
    BOOST_REQUIRE(!ends.server.has_value());
    BOOST_TEST((ends.server.error().code == Errc::unauthenticated), ends.server.error().detail);
    BOOST_TEST(!ends.client.has_value());
  }
}

BOOST_AUTO_TEST_CASE(random_bytes_instead_of_a_handshake_are_refused) {
  World world;
  Listener listener =
      std::move(Listener::open(world.context.get_executor(), Address{"127.0.0.1", 0}).value());
  Random random(5);
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{5}, std::size_t{100}, std::size_t{20'000}}) {
    std::optional<StreamOrError> accepted;
    TaskGroup tasks(world.context.get_executor());
    tasks.spawn("server", accept_one(&listener, world.server, any_member(), &accepted));
    asio::ip::tcp::socket socket(world.context);
    socket.connect({asio::ip::make_address("127.0.0.1"), listener.address().port});
    Bytes bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next32());
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(bytes), ignored);
    socket.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    world.context.restart();
    while (!accepted) world.context.run_one();
    BOOST_TEST(!accepted->has_value());
  }
  // And the server serves on.
  BOOST_TEST(shake_hands(world.context, world.client, world.server).server.has_value());
}

BOOST_AUTO_TEST_CASE(who_says_nothing_is_given_up_at_the_limit) {
  World world;
  Listener listener =
      std::move(Listener::open(world.context.get_executor(), Address{"127.0.0.1", 0}).value());
  auto accept_briefly = [](Listener* from, TlsContext tls) -> Async<std::unique_ptr<Stream>> {
    const Executor executor = co_await asio::this_coro::executor;
    Result<Connection> connection = co_await from->accept(executor);
    PeerRule rule = any_member();
    co_return co_await accept_tls(std::move(*connection), std::move(tls), std::move(rule), 20ms);
  };
  asio::ip::tcp::socket socket(world.context);
  socket.connect({asio::ip::make_address("127.0.0.1"), listener.address().port});
  const StreamOrError accepted = run(world.context, accept_briefly(&listener, world.server));
  BOOST_TEST((accepted.error().code == Errc::timed_out));
}

BOOST_AUTO_TEST_CASE(a_port_where_nobody_listens_is_said_to_be_closed) {
  World world;
  Address address;
  {
    Listener listener =
        std::move(Listener::open(world.context.get_executor(), Address{"127.0.0.1", 0}).value());
    address = listener.address();
  }
  const auto dialled = run(world.context, dial(address, world.client, the_coordinator(), 10s));
  BOOST_TEST((dialled.error().code == Errc::closed));
  BOOST_TEST(dialled.error().detail.find(address.text()) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_port_that_is_taken_is_an_error_that_names_it) {
  World world;
  Listener listener =
      std::move(Listener::open(world.context.get_executor(), Address{"127.0.0.1", 0}).value());
  const auto second = Listener::open(world.context.get_executor(), listener.address());
  BOOST_TEST((second.error().code == Errc::io));
  BOOST_TEST(second.error().detail.find(listener.address().text()) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(accepting_ends_with_the_listener_and_with_its_task) {
  for (const bool stop : {true, false}) {
    World world;
    Listener listener =
        std::move(Listener::open(world.context.get_executor(), Address{"127.0.0.1", 0}).value());
    std::optional<StreamOrError> accepted;
    TaskGroup tasks(world.context.get_executor());
    tasks.spawn("server", accept_one(&listener, world.server, any_member(), &accepted));
    world.context.run_for(5ms);
    if (stop) {
      tasks.stop();
    } else {
      listener.close();
    }
    world.context.restart();
    while (tasks.size() > 0) world.context.run_one();
    BOOST_TEST(!accepted.has_value());
  }
}

BOOST_AUTO_TEST_CASE(closing_wakes_who_reads_and_the_peer_reads_the_end) {
  World world;
  const Ends ends = shake_hands(world.context, world.client, world.server);
  TaskGroup tasks(world.context.get_executor());
  std::optional<Result<Bytes>> own;
  auto keep_result = [](Async<Bytes> operation, std::optional<Result<Bytes>>* into) -> Async<void> {
    into->emplace(co_await std::move(operation));
    co_return ok();
  };
  tasks.spawn("own reader", keep_result(read_exactly(ends.client->get(), 1), &own));
  auto close_soon = [](Stream* stream) -> Async<void> {
    const Result<void> turn = co_await yield();
    stream->close();
    co_return turn;
  };
  tasks.spawn("closer", close_soon(ends.client->get()));
  const auto other = run(world.context, read_exactly(ends.server->get(), 1));
  BOOST_TEST((other.error().code == Errc::closed));
  while (tasks.size() > 0) world.context.run_one();
  BOOST_TEST((own->error().code == Errc::closed));
}

BOOST_AUTO_TEST_CASE(a_stream_may_be_destroyed_while_somebody_reads) {
  World world;
  Ends ends = shake_hands(world.context, world.client, world.server);
  TaskGroup tasks(world.context.get_executor());
  std::optional<Result<Bytes>> seen;
  auto keep_result = [](Async<Bytes> operation, std::optional<Result<Bytes>>* into) -> Async<void> {
    into->emplace(co_await std::move(operation));
    co_return ok();
  };
  tasks.spawn("reader", keep_result(read_exactly(ends.client->get(), 1), &seen));
  world.context.restart();
  world.context.poll();
  ends.client->reset();
  while (tasks.size() > 0) world.context.run_one();
  BOOST_TEST((seen->error().code == Errc::closed));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::net
