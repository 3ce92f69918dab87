// SPDX-License-Identifier: Apache-2.0
//
// The daemon in simulated time, between a coordinator that does what a test says and a workbench
// that only pretends. Verbs drive it; what it did can be looked at afterwards.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/net/simulated_time.hpp"
#include "common/net/task_group.hpp"
#include "participant/daemon.hpp"
#include "participant/journal.hpp"
#include "tests/participant/federation.hpp"

namespace entente::participant::test {

using namespace std::chrono_literals;

using Files = std::map<std::string, std::string>;

inline constexpr std::uint64_t model_bytes = 1000;

class FakeTransport : public Transport {
  TestFederation& federation_;  // first: others are made from it
  Files& files_;

 public:
  FakeTransport(net::SimulatedTime& time, TestFederation& federation, Files& files)
      : federation_(federation), files_(files), news_(time.executor()) {}

  // --- what the coordinator does
  std::deque<Error> connects_fail;  // the next ones, with these
  bool falls_silent = false;        // never answers a connect
  std::string verifier_key = federation_.verifier_key();
  std::map<Digest, std::string> serves;  // plans and models
  std::function<protocol::Answer(const protocol::Message&)> answers = [this](const auto& message) {
    const auto* consent = std::get_if<protocol::AnswerPlan>(&message);
    protocol::Answer answer = consent ? federation_.accept(*consent) : protocol::Answer{};
    answer.verdict = Verdict::accepted;
    return answer;
  };
  std::function<Result<protocol::Answer>(const protocol::OfferUpdate&)> takes =
      [this](const protocol::OfferUpdate& offer) -> Result<protocol::Answer> {
    return federation_.accept(offer);
  };
  void tell(protocol::Agenda agenda) {
    agenda_ = std::move(agenda);
    has_news_ = true;
    news_.cancel();
  }
  void tell(protocol::Train task) {
    protocol::Agenda agenda;
    agenda.work = std::move(task);
    tell(std::move(agenda));
  }
  void drop() {
    connected_ = false;
    news_.cancel();
  }

  // --- what it saw
  std::vector<net::Instant> connects;
  std::vector<protocol::Message> asked;
  std::vector<protocol::OfferUpdate> offered;
  std::vector<Digest> fetched;
  std::vector<std::string> goodbyes;
  template <class T>
  std::vector<T> all_asked() const {
    std::vector<T> found;
    for (const auto& message : asked) {
      if (const T* known = std::get_if<T>(&message)) found.push_back(*known);
    }
    return found;
  }

  net::Async<protocol::Welcome> connect() override {
    connects.push_back(net::now());
    if (falls_silent) {
      const Result<void> waited = co_await net::wait_for(24h);
      co_return Error{Errc::closed, "silence"};
    }
    if (!connects_fail.empty()) {
      const Error failure = connects_fail.front();
      connects_fail.pop_front();
      co_return failure;
    }
    connected_ = true;
    has_news_ = true;
    protocol::Welcome welcome;
    welcome.federation = federation_.certificates.name;
    welcome.verifier_key = verifier_key;
    co_return welcome;
  }

  net::Async<protocol::Agenda> next_agenda() override {
    while (connected_ && !has_news_) {
      const Result<void> woken = co_await news_.wait();
      const auto stop = co_await net::asio::this_coro::cancellation_state;
      if (stop.cancelled() != net::asio::cancellation_type::none) co_return woken.error();
    }
    if (!connected_) co_return lost();
    has_news_ = false;
    co_return agenda_;
  }

  net::Async<protocol::Answer> request(protocol::Message message) override {
    if (!connected_) co_return lost();
    asked.push_back(message);
    const Result<void> waited = co_await net::wait_for(1ms);
    if (!connected_) co_return lost();
    co_return answers(message);
  }

  net::Async<void> fetch(Digest digest, std::uint64_t, std::filesystem::path destination) override {
    if (!connected_) co_return lost();
    fetched.push_back(digest);
    const auto served = serves.find(digest);
    if (served == serves.end()) co_return Error{Errc::rejected, "not served"};
    files_[destination] = served->second;
    co_return ok();
  }

  net::Async<protocol::Answer> upload(protocol::OfferUpdate offer,
                                      std::filesystem::path file) override {
    if (!connected_) co_return lost();
    BOOST_TEST(files_.contains(file));
    offered.push_back(offer);
    const Result<void> waited = co_await net::wait_for(1ms);
    if (!connected_) co_return lost();
    co_return takes(offer);
  }

  net::Async<void> close(std::string goodbye) override {
    if (connected_) goodbyes.push_back(std::move(goodbye));
    drop();
    co_return ok();
  }

 private:
  static Error lost() { return {Errc::closed, "the connection is lost"}; }

  protocol::Agenda agenda_;
  bool has_news_ = false;
  bool connected_ = false;
  net::Timer news_;
};

class FakeWorkbench : public Workbench {
 public:
  explicit FakeWorkbench(Files& files) : files_(files) { suitability.model_bytes = model_bytes; }

  // --- what it is told
  Suitability suitability{137, 15, 530, 0, 1000};
  std::optional<Error> data_do_not_fit;
  std::deque<Error> trainings_fail;
  std::chrono::milliseconds training_takes{10'000};
  std::set<Digest> approved;

  // --- what it did
  int trained = 0;  // to the end
  int stopped = 0;  // before it
  int evaluated = 0;
  std::set<Digest> kept_models;
  std::set<Digest> kept_updates;

  std::filesystem::path plan_file(const Digest& plan) const override {
    return "plan " + plan.hex();
  }
  std::filesystem::path model_file(const Digest& model) const override {
    return "model " + model.hex();
  }
  std::filesystem::path update_file(const Digest& update) const override {
    return "update " + update.hex();
  }
  Result<std::string> read_plan(const Digest& plan) override {
    const auto found = files_.find(plan_file(plan));
    if (found == files_.end()) return Error{Errc::not_found, "no such plan"};
    return found->second;
  }
  Result<bool> has_model(const Digest& model, std::uint64_t) override {
    return files_.contains(model_file(model));
  }
  net::Async<bool> has_update(Digest update, std::uint64_t) override {
    co_return files_.contains(update_file(update));
  }
  void keep_only(const std::set<Digest>& models, const std::set<Digest>& updates) override {
    kept_models = models;
    kept_updates = updates;
  }
  bool is_approved(const Digest& plan) override { return approved.contains(plan); }

  net::Async<Suitability> consider(std::shared_ptr<const plan::Plan>) override {
    if (data_do_not_fit) co_return *data_do_not_fit;
    co_return suitability;
  }
  net::Async<TrainedUpdate> train(WorkOrder order) override {
    BOOST_TEST(files_.contains(model_file(order.model)));
    if (!trainings_fail.empty()) {
      const Error failure = trainings_fail.front();
      trainings_fail.pop_front();
      if (failure.code == Errc::corrupt) files_.erase(model_file(order.model));
      co_return failure;
    }
    const net::Instant end = net::now() + training_takes;
    while (net::now() < end) {
      const Result<void> waited = co_await net::wait_for(100ms);
      if (!waited || order.stop.raised()) {
        ++stopped;
        co_return Error{Errc::cancelled, "stopped"};
      }
    }
    ++trained;
    TrainedUpdate made;
    made.digest = update_of(order.plan->digest, order.round, order.model);
    made.size_bytes = model_bytes;
    made.examples = suitability.training_rows;
    made.norm = 1.5;
    made.tensors = 4;
    made.loss = 0.25;
    files_[update_file(made.digest)] = "update";
    co_return made;
  }
  net::Async<EvaluatedModel> evaluate(WorkOrder) override {
    ++evaluated;
    EvaluatedModel made;
    made.examples = suitability.holdout_rows;
    made.metrics = {{"accuracy", 0.9}, {"loss", 0.3}};
    co_return made;
  }

  static Digest update_of(const Digest& plan, std::uint64_t round, const Digest& model) {
    return crypto::sha256(plan.hex() + std::to_string(round) + model.hex());
  }

 private:
  Files& files_;
};

class HouseFixture {
 public:
  HouseFixture() {
    policy.operators = {"olga"};
    policy.accept = Acceptance::signed_by_operator;
    transport.serves[plan_digest] = plan;
    transport.serves[model] = "the model";
  }
  ~HouseFixture() { stop(); }

  net::SimulatedTime time;
  TestFederation federation;
  Files files;
  MemoryStorage journal_disk;
  MemoryStorage receipts_disk;
  FakeTransport transport{time, federation, files};
  FakeWorkbench workbench{files};
  Policy policy;
  Tally tally;
  std::optional<Result<void>> outcome;
  const std::string plan = plan_text();
  const Digest plan_digest = crypto::sha256(plan);
  const Digest model = crypto::sha256("model");

  // --- verbs
  void start() { start_with(transport); }
  void start_with(Transport& other_transport) {
    outcome.reset();
    tasks.emplace(time.executor());
    const net::Instant began = time.now();
    Member member{federation.trust(), policy, federation.alice.key,
                  [this, began] {
                    return crypto::testing::noon +
                           std::chrono::duration_cast<Duration>(time.now() - began);
                  },
                  Random(7)};
    const House house{other_transport, workbench, journal_disk, receipts_disk};
    tasks->spawn("daemon", keep_outcome(participate(house, std::move(member), &tally), &outcome));
  }
  // As SIGTERM does. Gives how long it took.
  std::chrono::nanoseconds stop() {
    if (!tasks || outcome) return 0ns;
    const net::Instant began = time.now();
    tasks->stop();
    while (!outcome && time.step()) {
    }
    BOOST_REQUIRE(outcome.has_value());
    return time.now() - began;
  }
  void restart() {
    stop();
    start();
  }
  void run_for(std::chrono::milliseconds duration) { time.run_for(duration); }

  void tell_plan() {
    protocol::Agenda agenda;
    agenda.plans.push_back(federation.offer(plan));
    transport.tell(std::move(agenda));
  }
  // Consent is there and the model too: ready for tasks.
  void start_with_consent() {
    tell_plan();
    start();
    run_for(1s);
    BOOST_REQUIRE(journal().consent(plan_digest) != nullptr);
    transport.asked.clear();
    transport.fetched.clear();
  }
  protocol::Train task(std::uint64_t round = 1) {
    return federation.train(plan_digest, round, model, model_bytes);
  }
  Digest update(std::uint64_t round = 1) const {
    return FakeWorkbench::update_of(plan_digest, round, model);
  }
  // What stands on the disk.
  Journal journal() {
    auto read = Journal::open(journal_disk);
    BOOST_REQUIRE(read.has_value());
    return std::move(*read);
  }

 private:
  static net::Async<void> keep_outcome(net::Async<void> daemon,
                                       std::optional<Result<void>>* outcome) {
    outcome->emplace(co_await std::move(daemon));
    co_return **outcome;
  }
  std::optional<net::TaskGroup> tasks;
};

}  // namespace entente::participant::test
