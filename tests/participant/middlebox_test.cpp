// SPDX-License-Identifier: Apache-2.0
//
// The whole daemon behind a middlebox, in simulated time: the real session of both sides, over a
// stream that is forgotten without a word.
#include "participant/daemon.hpp"

#include <boost/test/unit_test.hpp>

#include "protocol/client.hpp"
#include "protocol/limits.hpp"
#include "protocol/server.hpp"
#include "tests/participant/house.hpp"
#include "tests/protocol/middlebox.hpp"

namespace entente::participant {
namespace {

using entente::test::Middlebox;
using protocol::Answer;
using protocol::Message;
using test::HouseFixture;
using namespace std::chrono_literals;

// Wants nothing, and has nothing.
class EmptyDesk : public protocol::ServerHandler {
 public:
  net::Async<std::optional<Message>> on_message(Message) override {
    co_return std::optional<Message>(Answer{});
  }
  net::Async<std::variant<protocol::Expected, Answer>> on_offer(Message) override {
    co_return std::variant<protocol::Expected, Answer>(Answer{});
  }
  net::Async<Answer> on_received(Message, Result<protocol::Received>) override {
    co_return Answer{};
  }
  void on_progress(const Message&, std::uint64_t, std::uint64_t) override {}
  Result<std::filesystem::path> find(const Digest&) override {
    return Error{Errc::not_found, "nothing"};
  }
};

net::Async<void> serve(std::shared_ptr<protocol::ServerSession> session, protocol::Welcome welcome,
                       std::uint64_t* served) {
  const Result<void> greeted = co_await session->greet(std::move(welcome));
  if (!greeted) co_return greeted.error();
  ++*served;
  const Result<void> ended = co_await session->run();
  --*served;
  co_return ended;
}

// Each connection goes through a middlebox of its own.
class ThroughMiddleboxes : public Transport {
 public:
  ThroughMiddleboxes(net::SimulatedTime& time, protocol::Welcome welcome, Identity member)
      : executor_(time.executor()),
        welcome_(std::move(welcome)),
        member_(std::move(member)),
        pool_(executor_, 8),
        tasks_(executor_) {}
  ~ThroughMiddleboxes() override { tasks_.stop(); }

  std::vector<std::unique_ptr<Middlebox>> boxes;  // one a connection
  std::uint64_t served = 0;                       // sessions that the coordinator believes in

  net::Async<protocol::Welcome> connect() override {
    const Identity coordinator{member_.federation, Role::coordinator, "main"};
    boxes.push_back(std::make_unique<Middlebox>(executor_, member_, coordinator, 60s));
    Middlebox& box = *boxes.back();
    auto session = std::make_shared<protocol::ServerSession>(std::move(box.server_end), pool_,
                                                             protocol::Timing{}, desk_);
    tasks_.spawn("session", serve(std::move(session), welcome_, &served));
    protocol::ClientSettings settings("entente 0.1.0", member_.federation);
    auto greeting =
        protocol::Client::connect(std::move(box.client_end), pool_, std::move(settings));
    Result<std::unique_ptr<protocol::Client>> client = co_await std::move(greeting);
    if (!client) co_return client.error();
    client_ = std::move(*client);
    co_return client_->welcome();
  }
  net::Async<protocol::Agenda> next_agenda() override {
    const std::shared_ptr<protocol::Client> client = client_;
    co_return co_await client->next_agenda();
  }
  net::Async<Answer> request(Message message) override {
    const std::shared_ptr<protocol::Client> client = client_;
    co_return co_await client->request(std::move(message));
  }
  net::Async<void> fetch(Digest, std::uint64_t, std::filesystem::path) override {
    co_return Error{Errc::rejected, "nothing is served here"};
  }
  net::Async<Answer> upload(protocol::OfferUpdate, std::filesystem::path) override {
    co_return Error{Errc::rejected, "nothing is taken here"};
  }
  net::Async<void> close(std::string goodbye) override {
    const std::shared_ptr<protocol::Client> client = std::exchange(client_, nullptr);
    if (!client) co_return ok();
    co_return co_await client->close(std::move(goodbye));
  }

 private:
  net::Executor executor_;
  protocol::Welcome welcome_;
  Identity member_;
  net::BufferPool pool_;
  EmptyDesk desk_;
  std::shared_ptr<protocol::Client> client_;
  net::TaskGroup tasks_;
};

struct Fixture : HouseFixture {
  protocol::Welcome welcome() const {
    protocol::Welcome welcome;
    welcome.version = 1;
    welcome.federation = federation.certificates.name;
    welcome.software = "entente 0.1.0";
    welcome.verifier_key = federation.verifier_key();
    return welcome;
  }
  ThroughMiddleboxes through{time, welcome(), federation.alice.identity};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(participant_middlebox, Fixture)

BOOST_AUTO_TEST_CASE(a_participant_that_a_middlebox_forgot_is_connected_again_within_the_limits) {
  start_with(through);
  run_for(10min);
  BOOST_TEST(tally.connected);
  BOOST_TEST(through.boxes.size() == 1U);
  BOOST_TEST(!through.boxes[0]->has_forgotten());

  through.boxes[0]->forget();
  run_for(protocol::silence_max + protocol::goodbye_max);
  run_for(backoff_least + 1s);
  BOOST_TEST(tally.connected);
  BOOST_TEST(tally.sessions == 2U);
  BOOST_TEST(through.boxes.size() == 2U);
  run_for(2 * protocol::goodbye_max);
  BOOST_TEST(through.served == 1U);  // the coordinator has noticed, too
  run_for(10min);
  BOOST_TEST(tally.sessions == 2U);
  stop();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant
