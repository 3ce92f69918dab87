// SPDX-License-Identifier: Apache-2.0
//
// Who is not let in, what it is told, and what the ledger says of it afterwards: strangers counted
// by cause, members' misuse one entry each, no address anywhere. The coordinator is the real
// process.
#include "tests/end_to_end/insider.hpp"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <list>

#include "common/base/clock.hpp"
#include "common/base/random.hpp"
#include "common/crypto/hash.hpp"
#include "common/net/address.hpp"
#include "protocol/codec.hpp"
#include "protocol/frame.hpp"
#include "tests/common/crypto/federation.hpp"

using namespace entente;
using namespace entente::test;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// How often each cause was counted: of strangers, or of one member.
using Causes = std::map<std::string, std::int64_t>;

Causes refusals_of(const std::vector<ledger::Entry>& entries, const std::string& actor) {
  Causes causes;
  for (const ledger::Entry& entry : entries) {
    if (entry.kind != "connection.refused" || !entry.actor.ends_with(actor)) continue;
    BOOST_TEST(entry.outcome == "refused");
    causes[std::string(entry.details.at("cause").as_string())] +=
        entry.details.at("count").as_int64();
  }
  return causes;
}

std::int64_t total(const Causes& causes) {
  std::int64_t sum = 0;
  for (const auto& [cause, count] : causes) sum += count;
  return sum;
}

bool is_told(const Causes& causes, const std::string& words) {
  return std::ranges::any_of(
      causes, [&](const auto& cause) { return cause.first.find(words) != std::string::npos; });
}

// A coordinator that strangers come to. `stop` gives the ledger's entries when it has ended.
struct Door {
  Federation federation;
  Process& coordinator = federation.start_coordinator();
  Forge forge{federation};

  // Should: be refused, in the peer's own words.
  void refuses(const crypto::Credentials& who, const std::string& words) {
    Insider stranger(federation, who);
    const auto stream = stranger.dial(true);
    BOOST_REQUIRE_MESSAGE(!stream.has_value(), "let in, expected: " << words);
    BOOST_TEST(stream.error().detail.find(words) != std::string::npos, stream.error().detail);
    ++strangers;
  }
  void refuses_openssl(const std::string& options) {
    const std::string command =
        "openssl s_client -connect " + federation.address() + " " + options + " </dev/null";
    run_command({"/bin/sh", "-c", command});
    ++strangers;
  }
  // An unencrypted connection that says `bytes` and is closed by the coordinator.
  void refuses_bytes(const std::string& bytes) {
    asio::io_context context;
    tcp::socket socket = connect(context);
    boost::system::error_code failure;
    asio::write(socket, asio::buffer(bytes), failure);
    socket.shutdown(tcp::socket::shutdown_send, failure);
    std::string heard;
    asio::read(socket, asio::dynamic_buffer(heard, 4096), failure);
    BOOST_TEST(failure.failed());
    BOOST_TEST(heard.size() < 64u);  // an alert at most
    ++strangers;
  }
  tcp::socket connect(asio::io_context& context) const {
    const net::Address address = must(net::parse_address(federation.address()));
    tcp::socket socket(context);
    socket.connect({asio::ip::make_address(address.host), address.port});
    return socket;
  }
  void serves() { BOOST_TEST(federation.operate("status").exit_code == 0); }
  std::vector<ledger::Entry> stop() {
    BOOST_TEST(federation.operate("stop").exit_code == 0);
    BOOST_TEST(coordinator.wait() == 0, coordinator.all());
    for (const auto& item : std::filesystem::directory_iterator(federation.ledger_folder())) {
      BOOST_TEST(read_whole(item.path()).find("127.0.0.1") == std::string::npos);
    }
    return federation.verified_entries();
  }

  std::int64_t strangers = 0;
};

Bytes frame_of(const protocol::Message& message) {
  const Bytes body = must(protocol::encode(message));
  protocol::FrameHeader header;
  header.size_bytes = static_cast<std::uint32_t>(body.size());
  const auto head = protocol::encode_frame_header(header);
  Bytes frame(head.begin(), head.end());
  frame.insert(frame.end(), body.begin(), body.end());
  return frame;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(refusals)

BOOST_AUTO_TEST_CASE(
    certificates_that_are_not_a_members_are_refused_told_why_and_counted_by_cause) {
  Door door;
  const TimePoint now = Clock().now();

  // Of another authority, though of the same name.
  const crypto::testing::Federation others(Federation::domain);
  crypto::Credentials foreign = others.credentials(Role::participant, "alice");
  foreign.authorities = kit_of(door.federation, "alice").authorities;
  door.refuses(foreign, "our certificate is from an unknown CA");
  door.refuses(foreign, "our certificate is from an unknown CA");

  crypto::CertificateText text = door.forge.text(Role::participant, "alice");
  text.validity = {now - 48h, now - 24h};
  door.refuses(door.forge.certified(text), "our certificate has expired");
  text.validity = {now + 24h, now + 48h};
  door.refuses(door.forge.certified(text), "our certificate is bad");

  text = door.forge.text(Role::participant, "alice");
  text.uris.push_back(Identity{Federation::domain, Role::operator_, "alice"}.uri());
  door.refuses(door.forge.certified(text), "our certificate is bad");
  text.uris.clear();
  text.dns_names = {"localhost"};
  door.refuses(door.forge.certified(text), "our certificate is bad");
  text.uris = {"spiffe://test.example/participant/Alice"};
  door.refuses(door.forge.certified(text), "our certificate is bad");

  // Of another federation under the same authority.
  text.uris = {"spiffe://clinics.example/participant/alice"};
  door.refuses(door.forge.certified(text), "closed the connection");
  door.serves();

  const Causes causes = refusals_of(door.stop(), "/coordinator/main");
  BOOST_TEST(total(causes) == door.strangers);
  for (const char* words :
       {"certificate has expired", "certificate is not yet valid",
        "not one of a member of a federation", "expected a member of test.example"}) {
    BOOST_TEST(is_told(causes, words), words);
  }
  // The same cause twice is one entry that counts two; two and no and misspelt names are one cause.
  BOOST_TEST(std::ranges::count(causes, 2, &Causes::value_type::second) == 1);
  BOOST_TEST(std::ranges::count(causes, 3, &Causes::value_type::second) == 1);
}

BOOST_AUTO_TEST_CASE(members_of_a_role_that_does_not_call_are_told_so_and_recorded_by_name) {
  Door door;
  const std::map<Role, std::string> roles{
      {Role::auditor, "auditor"}, {Role::member, "member"}, {Role::coordinator, "coordinator"}};
  for (const auto& [role, name] : roles) {
    Insider anna(door.federation, door.forge.member(role, "anna"));
    const Result<void> connected = anna.connect();
    BOOST_REQUIRE(!connected.has_value());
    BOOST_TEST(connected.error().detail.find("not called by the role " + name) != std::string::npos,
               connected.error().detail);
  }
  door.serves();
  const auto entries = door.stop();
  for (const auto& [role, name] : roles) {
    const Causes causes = refusals_of(entries, "/" + name + "/anna");
    BOOST_TEST(total(causes) == 1);
    BOOST_TEST(is_told(causes, name));
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_our_tls_is_refused_and_counted) {
  Door door;
  const std::string kit = (door.federation.folder() / "alice").string();
  const std::string alice = "-cert '" + kit + "/cert.pem' -key '" + kit + "/key.pem'";
  door.refuses_openssl("-alpn entente/1");
  door.refuses_openssl("-tls1_2 -alpn entente/1 " + alice);
  door.refuses_openssl("-alpn h2 " + alice);
  door.refuses_openssl(alice);

  door.refuses_bytes("GET / HTTP/1.1\r\nHost: coordinator\r\n\r\n");
  Random random(2);
  std::string noise(20'000, '\0');
  for (char& c : noise) c = static_cast<char>(random.next32());
  for (const std::size_t size : {1, 5, 100, 20'000}) door.refuses_bytes(noise.substr(0, size));
  door.refuses_bytes("");
  door.serves();

  const Causes causes = refusals_of(door.stop(), "/coordinator/main");
  BOOST_TEST(total(causes) == door.strangers);
  for (const char* words : {"the peer showed no certificate", "the peer does not speak TLS 1.3",
                            "the peer does not speak entente/1", "the peer speaks HTTP"}) {
    BOOST_TEST(is_told(causes, words), words);
  }
}

// Should: serve others meanwhile; end within the grace period when asked to stop.
BOOST_AUTO_TEST_CASE(connections_that_say_nothing_keep_nobody_waiting) {
  Door door;
  asio::io_context context;
  std::list<tcp::socket> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(door.connect(context));
  // Half a handshake is no better than none.
  asio::write(silent.front(), asio::buffer("\x16\x03\x01\x02", 4));
  Insider alice(door.federation, kit_of(door.federation, "alice"));
  BOOST_TEST(alice.connect().has_value());
  auto mute = alice.dial();
  BOOST_TEST(mute.has_value());
  door.serves();
  alice.disconnect();
  BOOST_TEST(total(refusals_of(door.stop(), "/coordinator/main")) == 0);
}

BOOST_AUTO_TEST_CASE(members_who_talk_nonsense_are_told_so_and_recorded_one_by_one) {
  Door door;
  Insider alice(door.federation, kit_of(door.federation, "alice"));
  const auto hears = [&](const Bytes& said) {
    return std::string(as_text(alice.say(must(alice.dial()), said)));
  };
  Random random(3);
  Bytes noise(64);
  for (std::byte& byte : noise) byte = static_cast<std::byte>(random.next32());

  // Instead of a hello.
  BOOST_TEST(hears(noise).find("expected") != std::string::npos);
  BOOST_TEST(hears(frame_of(protocol::AskStatus{})).find("expected a Hello first, saw AskStatus") !=
             std::string::npos);
  // A version that is not spoken here.
  BOOST_TEST(hears(frame_of(protocol::Hello{7, 9, "entente 9.0"}))
                 .find("expected protocol version 1 to 1, saw 7 to 9") != std::string::npos);
  // After a good one.
  Bytes late = frame_of(protocol::Hello{1, 1, "entente"});
  late.insert(late.end(), noise.begin(), noise.end());
  BOOST_TEST(hears(late).find("expected") != std::string::npos);
  // What only the coordinator says; what only the operator may ask.
  Bytes usurper = frame_of(protocol::Hello{1, 1, "entente"});
  const Bytes refusal = frame_of(protocol::Refusal{Verdict::busy, "no"});
  usurper.insert(usurper.end(), refusal.begin(), refusal.end());
  BOOST_TEST(hears(usurper).find("Refusal") != std::string::npos);
  BOOST_REQUIRE(alice.connect().has_value());
  for (const protocol::Message& message :
       {protocol::Message(protocol::StopCoordinator{}),
        protocol::Message(protocol::CancelPlan{crypto::sha256("a plan"), "spite"}),
        protocol::Message(protocol::SetSuspended{"bob", true, "spite"})}) {
    BOOST_TEST((must(alice.ask(message)).verdict == Verdict::not_allowed));
  }
  alice.disconnect();
  door.serves();

  const auto entries = door.stop();
  const Causes causes = refusals_of(entries, "/participant/alice");
  BOOST_TEST(std::ranges::count(entries, "connection.refused", &ledger::Entry::kind) == 8);
  BOOST_TEST(total(causes) == 8);
  for (const char* words :
       {"expected protocol version 1 to 1, saw 7 to 9", "expected a Hello first, saw AskStatus",
        "Refusal", "not allowed: StopCoordinator", "not allowed: CancelPlan",
        "not allowed: SetSuspended"}) {
    BOOST_TEST(is_told(causes, words), words);
  }
}

BOOST_AUTO_TEST_CASE(a_certificate_has_two_sessions_and_no_third) {
  Door door;
  const crypto::Credentials otto = door.forge.member(Role::operator_, "otto");
  std::list<Insider> sessions;
  for (int i = 0; i < 3; ++i) {
    sessions.emplace_back(door.federation, otto);
    BOOST_TEST(sessions.back().connect().has_value() == (i < 2));
  }
  sessions.clear();
  BOOST_TEST(is_told(refusals_of(door.stop(), "/operator/otto"), "too many sessions"));
}

// Should: answer all; record ten of them.
BOOST_AUTO_TEST_CASE(a_member_cannot_fill_the_ledger_with_refusals) {
  Door door;
  Insider alice(door.federation, kit_of(door.federation, "alice"));
  BOOST_REQUIRE(alice.connect().has_value());
  for (int i = 0; i < 50; ++i) {
    BOOST_TEST((must(alice.ask(protocol::StopCoordinator{})).verdict == Verdict::not_allowed));
  }
  alice.disconnect();
  std::map<std::string, std::int64_t> minutes;
  for (const ledger::Entry& entry : door.stop()) {
    if (entry.kind == "connection.refused") ++minutes[to_rfc3339(entry.time).substr(0, 16)];
  }
  BOOST_TEST(!minutes.empty());
  for (const auto& [minute, count] : minutes) BOOST_TEST(count <= 10);
}

BOOST_AUTO_TEST_SUITE_END()
