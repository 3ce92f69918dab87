// SPDX-License-Identifier: Apache-2.0
#include "protocol/client.hpp"
#include "protocol/server.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "protocol/codec.hpp"
#include "tests/protocol/session.hpp"

using namespace std::chrono_literals;

namespace entente::protocol {
namespace {

// What the server says to a client made by hand.
struct Raw {
  explicit Raw(Stage& of)
      : stage(of),
        session(of.open()),
        channel(std::move(session.client_stream), of.client_pool, {}) {}
  Result<void> say(Message message) {
    return net::run(stage.time, channel.send(std::move(message)));
  }
  Result<Incoming> hear() { return net::run(stage.time, channel.receive()); }
  Message hear_message() { return std::get<Message>(hear().value()); }
  void greet() {
    BOOST_TEST(say(Hello{1, 1, "by hand"}).has_value());
    BOOST_TEST(std::holds_alternative<Welcome>(hear_message()));
  }
  // The session ends over nonsense, and says so.
  void expect_thrown_out(const std::string& words) {
    const Message last = hear_message();
    BOOST_REQUIRE_MESSAGE(std::holds_alternative<Goodbye>(last), "saw " << name_of(last));
    BOOST_TEST(std::get<Goodbye>(last).reason.find(words) != std::string::npos,
               std::get<Goodbye>(last).reason);
    channel.close();
    const Error end = stage.end_of(session);
    BOOST_TEST((end.code == Errc::malformed), end.detail);
  }
  Stage& stage;
  Stage::Session session;
  Channel channel;
};

net::Async<void> keep_request(Client* client, Message message,
                              std::optional<Result<Answer>>* into) {
  into->emplace(co_await client->request(std::move(message)));
  co_return ok();
}

net::Async<void> listen_on(Channel* channel) {
  for (;;) {
    const Result<Incoming> heard = co_await channel->receive();
    if (!heard) co_return heard.error();
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(protocol_session)

BOOST_AUTO_TEST_CASE(a_session_begins_with_hello_and_ends_with_goodbye) {
  Stage stage;
  auto session = stage.session();
  BOOST_TEST(session.client->welcome().federation == "hospitals.example");
  BOOST_TEST((session.server->peer() == charite));
  BOOST_TEST(net::run(stage.time, session.client->close("done")).has_value());
  const Error end = stage.end_of(session);
  BOOST_TEST((end.code == Errc::closed));
  BOOST_TEST(end.detail.find("done") != std::string::npos);
  stage.time.run();
  BOOST_TEST(stage.tasks.size() == 0U);
}

BOOST_AUTO_TEST_CASE(every_request_gets_its_answer) {
  Stage stage;
  auto session = stage.session();
  for (int i = 1; i <= 3; ++i) {
    const auto answer = net::run(stage.time, session.client->request(DeclineWork{}));
    BOOST_TEST(answer.value().reason == "asked " + std::to_string(i));
  }
  BOOST_TEST(net::run(stage.time, session.client->ask_status()).value().federation ==
             "hospitals.example");
}

BOOST_AUTO_TEST_CASE(requests_made_together_take_turns) {
  Stage stage;
  stage.desk.thinking = 10ms;
  auto session = stage.session();
  std::optional<Result<Answer>> one, two;
  stage.tasks.spawn("one", keep_request(session.client.get(), DeclineWork{}, &one));
  stage.tasks.spawn("two", keep_request(session.client.get(), CancelPlan{}, &two));
  stage.time.run_for(1s);
  BOOST_TEST(one->value().reason == "asked 1");
  BOOST_TEST(two->value().reason == "asked 2");
}

BOOST_AUTO_TEST_CASE(versions_without_overlap_are_refused_in_words) {
  for (const auto& [least, most] : {std::pair{version_most + 1, version_most + 5}}) {
    Stage stage;
    Raw raw(stage);
    BOOST_TEST(raw.say(Hello{least, most, "from the future"}).has_value());
    const Message reply = raw.hear_message();
    BOOST_REQUIRE(std::holds_alternative<Refusal>(reply));
    BOOST_TEST(std::get<Refusal>(reply).reason.find("version 1 to 1, saw 2 to 6") !=
               std::string::npos);
    raw.channel.close();
    BOOST_TEST((stage.end_of(raw.session).code == Errc::rejected));
  }
}

BOOST_AUTO_TEST_CASE(of_several_versions_the_latest_common_one_is_spoken) {
  Stage stage;
  Raw raw(stage);
  BOOST_TEST(raw.say(Hello{1, 1000, "by hand"}).has_value());
  BOOST_TEST(std::get<Welcome>(raw.hear_message()).version == version_most);
}

BOOST_AUTO_TEST_CASE(a_client_refuses_another_federation_and_another_ledger) {
  for (const bool federation : {true, false}) {
    Stage stage;
    auto session = stage.open();
    ClientSettings settings = settings_of_tests();
    (federation ? settings.federation : settings.verifier_key) = "other";
    const auto client = net::run(
        stage.time,
        Client::connect(std::move(session.client_stream), stage.client_pool, std::move(settings)));
    BOOST_TEST((client.error().code == Errc::rejected));
    BOOST_TEST(client.error().detail.find("other") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_say_hello_is_told_so) {
  Stage stage;
  Raw raw(stage);
  BOOST_TEST(raw.say(AskStatus{}).has_value());
  raw.expect_thrown_out("expected a Hello first, saw AskStatus");
}

BOOST_AUTO_TEST_CASE(a_peer_that_says_nothing_is_given_up) {
  Stage stage;
  auto session = stage.open();
  const auto began = stage.time.now();
  BOOST_TEST((stage.end_of(session).code == Errc::timed_out));
  BOOST_TEST((stage.time.now() - began <= first_frame_max + 2 * goodbye_max));
}

// Should: be cut at the same moment as one who says nothing.
BOOST_AUTO_TEST_CASE(a_hello_that_comes_byte_by_byte_is_given_up_as_well) {
  const Bytes hello = encode(Hello{1, 1, "by hand"}).value();
  FrameHeader header;
  header.size_bytes = static_cast<std::uint32_t>(hello.size());
  const auto head = encode_frame_header(header);
  Bytes said(head.begin(), head.end());
  said.insert(said.end(), hello.begin(), hello.end());
  auto dribble = [](net::Stream* to, Bytes bytes) -> net::Async<void> {
    for (const std::byte byte : bytes) {
      const std::array<ByteView, 1> part{ByteView(&byte, 1)};
      const Result<void> written = co_await to->write(part, 1h);
      if (!written) co_return written.error();
      const Result<void> waited = co_await net::wait_for(600ms);
      if (!waited) co_return waited.error();
    }
    co_return ok();
  };
  Stage stage;
  auto session = stage.open();
  stage.tasks.spawn("dribble", dribble(session.client_stream.get(), said));
  const auto began = stage.time.now();
  BOOST_TEST((stage.end_of(session).code == Errc::timed_out));
  BOOST_TEST((stage.time.now() - began <= first_frame_max + 2 * goodbye_max));
}

BOOST_AUTO_TEST_CASE(bulk_data_before_the_hello_is_refused) {
  Stage stage;
  Raw raw(stage);
  const Bytes bytes = noise(100);
  BOOST_TEST(net::run(stage.time, raw.channel.send_data(1, 0, bytes)).has_value());
  raw.expect_thrown_out("expected a message first, saw bulk data");
}

BOOST_AUTO_TEST_CASE(nonsense_is_answered_by_a_goodbye_that_names_it) {
  const Digest any = crypto::sha256(std::string_view("any"));
  struct Case {
    Message message;
    std::string words;
  };
  const std::vector<Case> cases = {
      {Hello{1, 1, "again"}, "expected a request, saw Hello"},
      {Welcome{1, "hospitals.example", "", ""}, "expected a request, saw Welcome"},
      {Agenda{}, "expected a request, saw Agenda"},
      {Answer{}, "expected a request, saw Answer"},
      {Serving{1, 1}, "expected a request, saw Serving"},
      {Proceed{1, 1}, "expected a request, saw Proceed"},
  };
  for (const Case& one : cases) {
    Stage stage;
    Raw raw(stage);
    raw.greet();
    BOOST_TEST(raw.say(one.message).has_value());
    raw.expect_thrown_out(one.words);
  }
  {
    Stage stage;
    Raw raw(stage);
    raw.greet();
    const Bytes bytes = noise(10);
    BOOST_TEST(net::run(stage.time, raw.channel.send_data(9, 0, bytes)).has_value());
    raw.expect_thrown_out("expected no data of stream 9");
  }
  {
    Stage stage;
    Raw raw(stage);
    raw.greet();
    BOOST_TEST(net::run(stage.time, raw.channel.send_end(9, 0, any)).has_value());
    raw.expect_thrown_out("expected no end of stream 9");
  }
}

BOOST_AUTO_TEST_CASE(a_second_request_upload_or_download_beside_the_first_is_nonsense) {
  {
    Stage stage;
    stage.desk.thinking = 1s;
    Raw raw(stage);
    raw.greet();
    BOOST_TEST(raw.say(AskStatus{}).has_value());
    BOOST_TEST(raw.say(AskStatus{}).has_value());
    raw.expect_thrown_out("one request at a time");
  }
  {
    Stage stage;
    stage.desk.thinking = 1s;
    Raw raw(stage);
    raw.greet();
    OfferUpdate offer = stage.offer(noise(10));
    offer.stream = 1;
    BOOST_TEST(raw.say(offer).has_value());
    offer.stream = 2;
    BOOST_TEST(raw.say(offer).has_value());
    raw.expect_thrown_out("one upload at a time");
  }
  {
    Stage stage;
    const Digest blob = stage.desk.put(noise(3'000'000));
    Raw raw(stage);
    raw.greet();
    BOOST_TEST(raw.say(Fetch{1, blob, 0}).has_value());
    BOOST_TEST(raw.say(Fetch{2, blob, 0}).has_value());
    Result<Incoming> heard = raw.hear();
    while (heard && (!std::holds_alternative<Message>(*heard) ||
                     !std::holds_alternative<Goodbye>(std::get<Message>(*heard)))) {
      heard = raw.hear();
    }
    BOOST_REQUIRE_MESSAGE(heard.has_value(), heard.error().detail);
    BOOST_TEST(std::get<Goodbye>(std::get<Message>(*heard)).reason.find("one download at a time") !=
               std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(random_bytes_before_and_after_the_hello_end_the_session_and_nothing_else) {
  Random random(20261123);
  for (int turn = 0; turn < 200; ++turn) {
    Stage stage;
    auto session = stage.open();
    net::Stream* stream = session.client_stream.get();
    auto talk = [](net::Stream* to, Bytes bytes, bool greet) -> net::Async<void> {
      Bytes hello = encode(Hello{1, 1, "by hand"}).value();
      FrameHeader header;
      header.size_bytes = static_cast<std::uint32_t>(hello.size());
      const auto head = encode_frame_header(header);
      std::vector<ByteView> parts;
      if (greet) parts = {ByteView(head), ByteView(hello)};
      parts.emplace_back(bytes);
      const Result<void> written = co_await to->write(parts, 1h);
      to->finish_writing();
      std::array<std::byte, 1000> into;
      for (;;) {
        const Result<std::size_t> read = co_await to->read_some(into, 1h);
        if (!read) co_return ok();
      }
    };
    Bytes bytes = noise(1 + random.below(2000), random.next64());
    if (random.chance(0.5)) {
      // Half of them look like frames.
      bytes[2 % bytes.size()] = bytes[3 % bytes.size()] = std::byte{0};
      if (bytes.size() > 4) bytes[4] = static_cast<std::byte>(1 + random.below(3));
      if (bytes.size() > 7) bytes[6] = bytes[7] = std::byte{0};
    }
    stage.tasks.spawn("talker", talk(stream, std::move(bytes), random.chance(0.5)));
    const Error end = stage.end_of(session);
    BOOST_TEST((end.code == Errc::malformed || end.code == Errc::closed), end.detail);
    stage.time.run();
    BOOST_TEST(stage.tasks.size() == 0U);
    BOOST_TEST(stage.server_pool.free() == 4U);
  }
}

BOOST_AUTO_TEST_CASE(random_bytes_from_the_coordinator_do_the_client_no_harm) {
  Random random(4711);
  for (int turn = 0; turn < 100; ++turn) {
    net::SimulatedTime time;
    net::BufferPool pool(time.executor(), 2);
    net::TaskGroup tasks(time.executor());
    auto streams = net::memory_streams(time.executor(), charite, main_one);
    auto talk = [](net::Stream* to, Bytes bytes, bool greet) -> net::Async<void> {
      Bytes welcome = encode(welcome_of_tests()).value();
      FrameHeader header;
      header.size_bytes = static_cast<std::uint32_t>(welcome.size());
      const auto head = encode_frame_header(header);
      std::vector<ByteView> parts;
      if (greet) parts = {ByteView(head), ByteView(welcome)};
      parts.emplace_back(bytes);
      const Result<void> written = co_await to->write(parts, 1h);
      to->finish_writing();
      co_return ok();
    };
    const bool greet = random.chance(0.5);
    tasks.spawn("talker",
                talk(streams.second.get(), noise(1 + random.below(2000), random.next64()), greet));
    auto client =
        net::run(time, Client::connect(std::move(streams.first), pool, settings_of_tests()));
    BOOST_TEST(client.has_value() == greet);
    if (client) BOOST_TEST(!net::run(time, (*client)->request(DeclineWork{})).has_value());
  }
}

BOOST_AUTO_TEST_CASE(of_several_agendas_the_latest_counts) {
  Stage stage;
  auto session = stage.session();
  for (std::uint64_t round = 1; round <= 5; ++round)
    session.server->outbox()->post(agenda_of(round));
  stage.time.run_for(1s);
  BOOST_TEST(session.client->has_news());
  BOOST_TEST(round_of(net::run(stage.time, session.client->next_agenda()).value()) == 5U);
  BOOST_TEST(!session.client->has_news());
  session.server->outbox()->post(agenda_of(6));
  BOOST_TEST(round_of(net::run(stage.time, session.client->next_agenda()).value()) == 6U);
}

BOOST_AUTO_TEST_CASE(heartbeats_keep_a_session_in_which_nothing_happens) {
  Stage stage;
  auto session = stage.session();
  stage.time.run_for(1h);
  BOOST_TEST(!session.ended->has_value());
  BOOST_TEST(net::run(stage.time, session.client->request(DeclineWork{})).has_value());
}

BOOST_AUTO_TEST_CASE(a_peer_that_falls_silent_is_noticed_at_both_ends) {
  Stage stage;
  net::MemoryLink link;
  link.cut_after_bytes = 1000;
  link.silent = true;
  auto session = stage.session(link, link);
  const auto began = stage.time.now();
  const Error end = stage.end_of(session);
  BOOST_TEST((end.code == Errc::timed_out), end.detail);
  BOOST_TEST((stage.time.now() - began < 30min));
  const auto answer = net::run(stage.time, session.client->request(DeclineWork{}));
  BOOST_TEST(!answer.has_value());
}

BOOST_AUTO_TEST_CASE(a_peer_that_stops_reading_is_cut_after_write_max) {
  Stage stage;
  const Digest digest = stage.desk.put(noise(5'000'000));
  Raw raw(stage);
  raw.greet();
  BOOST_TEST(raw.say(Fetch{1, digest, 0}).has_value());
  const auto began = stage.time.now();
  const Error end = stage.end_of(raw.session);  // the other end reads nothing any more
  BOOST_TEST((end.code == Errc::timed_out), end.detail);
  BOOST_TEST((stage.time.now() - began <= write_max + 2 * goodbye_max + 1s));
  stage.time.run();
  BOOST_TEST(stage.server_pool.free() == 4U);
}

BOOST_AUTO_TEST_CASE(
    an_announced_upload_that_does_not_come_ends_the_session_of_a_peer_that_is_alive) {
  Stage stage;
  Raw raw(stage);
  raw.greet();
  OfferUpdate offer = stage.offer(noise(1000));
  offer.stream = 1;
  BOOST_TEST(raw.say(offer).has_value());
  BOOST_TEST(std::holds_alternative<Proceed>(raw.hear_message()));
  net::TaskGroup peer(stage.time.executor());
  peer.spawn("heartbeats", raw.channel.keep_alive());
  peer.spawn("reader", listen_on(&raw.channel));
  const auto began = stage.time.now();
  const Error end = stage.end_of(raw.session);
  BOOST_TEST((end.code == Errc::timed_out), end.detail);
  BOOST_TEST(end.detail.find("upload") != std::string::npos, end.detail);
  BOOST_TEST((stage.time.now() - began <= answer_max + buffer_max + 2 * goodbye_max));
  raw.channel.close();
  stage.time.settle();
}

BOOST_AUTO_TEST_CASE(a_slow_reader_slows_itself_alone) {
  Stage stage;
  const Bytes content = noise(5'000'000);
  const Digest digest = stage.desk.put(content);
  // Three peers ask for much and read nothing; one buffer is left.
  std::vector<std::unique_ptr<Raw>> stuck;
  for (int i = 0; i < 3; ++i) {
    stuck.push_back(std::make_unique<Raw>(stage));
    stuck.back()->greet();
    BOOST_TEST(stuck.back()->say(Fetch{1, digest, 0}).has_value());
  }
  stage.time.run_for(1s);
  BOOST_TEST(stage.server_pool.free() == 1U);
  auto session = stage.session();
  const auto began = stage.time.now();
  BOOST_TEST(net::run(stage.time, session.client->fetch(digest, stage.folder / "f", content.size()))
                 .has_value());
  BOOST_TEST(net::run(stage.time, session.client->request(DeclineWork{})).has_value());
  BOOST_TEST((stage.time.now() - began < 1s));
}

BOOST_AUTO_TEST_CASE(a_peer_that_leaves_its_messages_unread_loses_its_session) {
  Stage stage;
  net::MemoryLink narrow;
  narrow.window_bytes = 500;
  auto session = stage.open({}, narrow);
  Channel channel(std::move(session.client_stream), stage.client_pool, {});
  BOOST_TEST(net::run(stage.time, channel.send(Hello{1, 1, "by hand"})).has_value());
  stage.time.run_for(1s);
  for (std::size_t i = 0; i < outbox_max + 20; ++i)
    session.server->outbox()->post(answer_of(Verdict::accepted, std::string(100, 'x')));
  BOOST_TEST((stage.end_of(session).code == Errc::timed_out));
}

// Should: hold no more than a few answers for it.
BOOST_AUTO_TEST_CASE(a_peer_that_fetches_on_and_on_without_reading_is_thrown_out) {
  const Bytes small = noise(600);
  for (const bool known : {false, true}) {
    Stage stage;
    const Digest digest = known ? stage.desk.put(small) : crypto::sha256(small);
    net::MemoryLink narrow;
    narrow.window_bytes = 500;
    auto session = stage.open({}, narrow);
    Channel channel(std::move(session.client_stream), stage.client_pool, {});
    BOOST_TEST(net::run(stage.time, channel.send(Hello{1, 1, "by hand"})).has_value());
    const auto began = stage.time.now();
    for (int i = 0; i < 1000 && !*session.ended; ++i) {
      static_cast<void>(net::run(stage.time, channel.send(Fetch{1, digest, 0})));
      stage.time.run_for(1ms);
    }
    const Error end = stage.end_of(session);
    BOOST_TEST((end.code == Errc::malformed), end.detail);
    BOOST_TEST(end.detail.find("one download at a time") != std::string::npos, end.detail);
    BOOST_TEST((stage.time.now() - began < write_max));
  }
}

BOOST_AUTO_TEST_CASE(closing_from_outside_sends_what_waits_and_says_why) {
  Stage stage;
  auto session = stage.session();
  session.server->outbox()->post(agenda_of(9));
  session.server->outbox()->close("certificate revoked");
  BOOST_TEST((stage.end_of(session).code == Errc::closed));
  stage.time.run();
  const auto answer = net::run(stage.time, session.client->request(DeclineWork{}));
  BOOST_TEST((answer.error().code == Errc::closed));
  BOOST_TEST(answer.error().detail.find("certificate revoked") != std::string::npos);
  // After the end a post is dropped; the outbox may outlive the session.
  const auto outbox = session.server->outbox();
  session.server.reset();
  outbox->post(agenda_of(10));
  stage.time.run();
}

BOOST_AUTO_TEST_CASE(stopping_the_coordinator_says_goodbye_to_all_in_whatever_state) {
  Stage stage;
  stage.desk.thinking = 1h;
  const Bytes update = noise(3'000'000);
  const Digest digest = stage.desk.put(update);
  std::vector<Stage::Session> sessions;
  for (int i = 0; i < 3; ++i) sessions.push_back(stage.session(slow(), slow()));
  net::TaskGroup clients(stage.time.executor());
  std::optional<Result<Answer>> asked, offered;
  std::optional<Result<Received>> fetched;
  clients.spawn("asks", keep_request(sessions[0].client.get(), DeclineWork{}, &asked));
  clients.spawn("offers", keep_upload(sessions[1].client.get(), stage.offer(update),
                                      stage.write("u", update), {}, &offered));
  clients.spawn("fetches",
                keep_fetch(sessions[2].client.get(), digest, stage.folder / "f", {}, &fetched));
  stage.time.run_for(500ms);
  stage.tasks.stop();
  BOOST_TEST(net::run(stage.time, stage.tasks.join()).has_value());
  BOOST_TEST(net::run(stage.time, clients.join()).has_value());
  BOOST_TEST((asked->error().code == Errc::closed));
  BOOST_TEST((offered->error().code == Errc::closed));
  BOOST_TEST((fetched->error().code == Errc::closed));
  for (const auto& session : sessions)
    BOOST_TEST(((*session.ended)->error().code == Errc::cancelled));
  BOOST_TEST(stage.server_pool.free() == 4U);
}

BOOST_AUTO_TEST_CASE(a_client_that_is_stopped_in_a_call_can_still_say_goodbye) {
  Stage stage;
  stage.desk.thinking = 1h;
  auto session = stage.session();
  net::TaskGroup clients(stage.time.executor());
  std::optional<Result<Answer>> asked;
  clients.spawn("asks", keep_request(session.client.get(), DeclineWork{}, &asked));
  stage.time.run_for(1s);
  clients.stop();
  BOOST_TEST(net::run(stage.time, clients.join()).has_value());
  BOOST_TEST((asked->error().code == Errc::cancelled));
  BOOST_TEST(net::run(stage.time, session.client->close("stopping")).has_value());
  BOOST_TEST(stage.end_of(session).detail.find("stopping") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_client_destroyed_in_the_middle_ends_its_session) {
  Stage stage;
  auto session = stage.session();
  session.client.reset();
  BOOST_TEST((stage.end_of(session).code == Errc::closed));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::protocol
