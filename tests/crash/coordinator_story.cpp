// SPDX-License-Identifier: Apache-2.0
//
// The coordinator's state folder through a whole plan of two rounds and two participants: lock,
// ledger, plans, spool, models. Everything is the coordinator's own code but what brings it
// together: sessions, timers and threads, which would make no two runs alike.
#include "coordinator/store.hpp"

#include <algorithm>

#include "common/base/log.hpp"
#include "common/tensor/safetensors.hpp"
#include "coordinator/core.hpp"
#include "coordinator/work.hpp"
#include "protocol/transfer.hpp"
#include "tests/common/base/folder.hpp"
#include "tests/common/net/running.hpp"
#include "tests/crash/ledger_checks.hpp"
#include "tests/crash/story.hpp"

namespace entente::crash {
namespace {

namespace fs = std::filesystem;
namespace round = coordinator::round;
using namespace std::chrono_literals;

const std::set<std::string> participants = {"alice", "bob"};
const std::string own_uri = "spiffe://hospitals.example/coordinator/main";
const std::string operator_uri = "spiffe://hospitals.example/operator/olga";
constexpr std::uint64_t examples = 10;
constexpr std::uint64_t piece_bytes = 200;

constexpr std::string_view plan_toml = R"(
name = "crash"
model = "model.json"
training.learning_rate = 1
rounds = { number = 2, quorum = 2, cohort = 2 }
evaluation = { metrics = ["loss"], holdout = 0.5, quorum = 2 }
[data]
kind = "table"
label = "l"
classes = ["a", "b"]
columns = [{ name = "x", type = "numeric" }, { name = "y", type = "numeric" }]
)";
constexpr std::string_view model_json =
    R"({"class_name": "Sequential", "config": {"name": "sequential", "layers": [
  {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 2], "dtype": "float32", "name": "input"}},
  {"class_name": "Dense", "config": {"name": "dense", "units": 2, "activation": "softmax"}}]}})";

plan::Plan read_plan_once() {
  const test::Folder folder;
  write_file(folder / "model.json", as_bytes(model_json)).value();
  write_file(folder / "plan.toml", as_bytes(plan_toml)).value();
  return plan::read_plan(folder / "plan.toml").value();
}

// What participant `name` sends in a round that begins with `model`.
Bytes update_of(const std::string& name, const Digest& model,
                const tensor::ParameterLayout& layout) {
  Bytes file = tensor::safetensors_prefix(layout);
  const Digest seed = crypto::sha256(name + model.hex());
  std::vector<float> values(layout.parameter_count());
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(std::to_integer<int>(seed.bytes[i % seed.bytes.size()])) / 1024;
  }
  const ByteView bytes = std::as_bytes(std::span<const float>(values));
  file.insert(file.end(), bytes.begin(), bytes.end());
  return file;
}

// What an entry says, without its place and time: "round.committed ... round=1 model=5dc9...".
std::string line_of(const ledger::Entry& entry) {
  std::string line = entry.kind + " " + entry.actor;
  if (entry.round) line += " round=" + std::to_string(*entry.round);
  for (const auto& [what, digest] : entry.subjects) line += " " + what + "=" + digest.hex();
  return line;
}

class CoordinatorScene : public Scene {
 public:
  CoordinatorScene(fs::path folder, Notes& notes, const plan::Plan& plan)
      : folder_(std::move(folder)),
        notes_(notes),
        plan_(plan),
        network_(plan::compile(plan).value()) {}

  Result<void> open() override {
    auto lock = FolderLock::take(folder_, coordinator::store_format);
    if (!lock) return lock.error();
    lock_.emplace(std::move(*lock));
    auto store = coordinator::Store::open(folder_);
    if (!store) return store.error();
    store_.emplace(std::move(*store));
    return open_core();
  }

  Result<bool> step() override {
    if (!core_) {
      if (auto opened = open_core(); !opened) return opened.error();
    }
    const bool more = !has_ended();
    if (more) {
      if (auto done = advance(); !done) return done.error();
    }
    if (auto swept = sweep(); !swept) return swept.error();
    if (auto stored = core_->store_head(); !stored) return stored.error();
    return more;
  }

 private:
  const round::State& state() const { return core_->state(); }
  const round::PlanRecord* record() const {
    const auto found = state().plans.find(plan_.digest);
    return found == state().plans.end() ? nullptr : &found->second;
  }
  bool has_ended() const {
    return record() != nullptr && record()->standing == round::PlanStanding::finished;
  }

  Result<void> open_core() {
    storage_ = open_storage(store_->ledger_folder());
    auto opened = coordinator::Core::open(
        *storage_, federation, own_uri, ledger_key(),
        [](TimePoint last) { return std::max(last, clock_begins()) + 1ms; });
    if (!opened) return opened.error();
    core_.emplace(std::move(*opened));
    promise(notes_, {}, core_->log());
    return check_spool();
  }
  static TimePoint clock_begins() { return parse_rfc3339("2026-11-23T12:00:00.000000Z").value(); }

  // Everybody is there; figures come when they are asked for.
  round::Tick surroundings() const {
    round::Tick tick;
    tick.available = participants;
    if (std::holds_alternative<round::Evaluating>(state().phase)) {
      for (const std::string& name : participants)
        tick.evaluations[name] = {examples, {{"loss", 0.5}}};
    }
    return tick;
  }

  // Errors: of the ledger, which must then be opened again; rejected - the answer is a refusal.
  Result<void> decide(const round::Event& event) {
    const TimePoint now = state().last_time + 1ms;
    auto outcome = core_->handle(std::span(&event, 1), surroundings(), now);
    if (!outcome) {
      core_.reset();
      return outcome.error();
    }
    promise(notes_, outcome->entries, core_->log());
    for (const ledger::Entry& entry : outcome->entries) {
      if (entry.kind == "round.committed") notes_.promise(line_of(entry));
    }
    const round::Answer& answer = outcome->answers.front();
    if (!is_success(answer.verdict)) return Error{Errc::rejected, "refused: " + answer.reason};
    return ok();
  }

  // The next thing that the state asks for.
  Result<void> advance() {
    if (record() == nullptr) return submit();
    for (const std::string& name : participants) {
      if (record()->consents.contains(name)) continue;
      return decide(round::PlanAnswered{name, plan_.digest, true, "Y2VydA==", "c2ln", ""});
    }
    const round::Work work = round::due(state());
    if (std::holds_alternative<round::PrepareModel>(work)) return prepare();
    if (const auto* task = std::get_if<round::Aggregate>(&work)) return aggregate(*task);
    if (const auto* open = std::get_if<round::Collecting>(&state().phase)) return collect(*open);
    return decide(surroundings());
  }

  Result<void> submit() {
    const fs::path offered = store_->offered_plan_path("olga", plan_.digest);
    protocol::Expected expected(offered, plan_.digest, plan_.canonical.size());
    expected.durability = Durability::durable;
    const auto whole = receive(std::move(expected), to_bytes(plan_.canonical));
    if (!whole) return whole.error();
    if (!*whole) return ok();
    if (auto named = rename_file(offered, store_->plan_path(plan_.digest)); !named) return named;
    return decide(round::PlanSubmitted{operator_uri, plan_.digest, plan_.name, plan_.rules,
                                       plan_.canonical.size(), "Y2VydA==", "c2ln"});
  }

  Result<void> prepare() {
    auto plan = store_->plan(plan_.digest);
    if (!plan) return plan.error();
    auto model = coordinator::prepare_model(*store_, *plan);
    if (!model) return model.error();
    return decide(round::ModelPrepared{plan_.digest, *model});
  }

  Result<void> aggregate(const round::Aggregate& task) {
    auto model = coordinator::aggregate(*store_, network_.layout(), task);
    if (!model) {
      const Errc code = model.error().code;
      if (code == Errc::not_found || code == Errc::corrupt) return check_spool();
      return model.error();
    }
    return decide(
        round::AggregateStored{plan_.digest, task.round, round::sequences(task.updates), *model});
  }

  Result<void> collect(const round::Collecting& open) {
    const Digest model = *record()->model;
    for (const std::string& name : open.cohort) {
      if (open.accepted.contains(name)) continue;
      const Bytes update = update_of(name, model, network_.layout());
      const Digest digest = crypto::sha256(update);
      if (auto kept = store_->keep_one_part(name, digest); !kept) return kept;
      protocol::Expected expected(store_->update_path(name, digest), digest, update.size());
      auto check = std::make_shared<tensor::StreamCheck>(network_.layout());
      expected.inspect = [check](ByteView bytes) { return check->update(bytes); };
      const auto whole = receive(std::move(expected), update);
      if (!whole) return whole.error();
      if (!*whole) return ok();
      return decide(round::UpdateArrived{name, plan_.digest, open.round, digest, examples, 0.1});
    }
    return decide(surroundings());
  }

  // In pieces, as frames come, from where an earlier attempt broke off; gives whether all came. The
  // first attempt of a file breaks off in its middle.
  static Result<bool> receive(protocol::Expected what, const Bytes& content) {
    const Digest digest = what.digest;
    net::SimulatedTime time;
    net::BufferPool pool(time.executor(), 2);
    auto receiver = net::run(time, protocol::Receiver::open(std::move(what), pool));
    if (!receiver) return receiver.error();
    const std::uint64_t half = content.size() / 2;
    const bool breaks_off = receiver->position() < half;
    const std::uint64_t until = breaks_off ? half : content.size();
    for (std::uint64_t at = receiver->position(); at < until;) {
      const std::uint64_t size = std::min(piece_bytes, until - at);
      if (auto taken = receiver->accept(at, ByteView(content).subspan(at, size)); !taken) {
        return taken.error();
      }
      at += size;
    }
    if (breaks_off) return false;
    auto whole = receiver->finish(content.size(), digest);
    if (!whole) return whole.error();
    return true;
  }

  // As the daemon does after it has opened the ledger: what the ledger names and the spool lost.
  Result<void> check_spool() {
    const auto* open = std::get_if<round::Collecting>(&state().phase);
    if (const auto* closed = std::get_if<round::Aggregating>(&state().phase)) {
      open = &closed->collected;
    }
    if (open == nullptr) return ok();
    const round::Contributions accepted = open->accepted;
    const std::uint64_t number = open->round;
    for (const auto& [name, acceptance] : accepted) {
      const auto path = store_->update_path(name, acceptance.update);
      auto digest = coordinator::digest_of_file(path);
      if (!digest && digest.error().code == Errc::io) digest = coordinator::digest_of_file(path);
      if (digest && *digest == acceptance.update) continue;
      static_cast<void>(remove_file(path));
      if (auto told = decide(round::UpdateLost{name, number, acceptance.update}); !told)
        return told;
    }
    return ok();
  }

  Result<void> sweep() {
    return store_->sweep(round::needed_updates(state()),
                         std::holds_alternative<round::Collecting>(state().phase),
                         round::needed_models(state()), 0);
  }

  fs::path folder_;
  Notes& notes_;
  const plan::Plan& plan_;
  engine::Network network_;
  std::optional<FolderLock> lock_;
  std::optional<coordinator::Store> store_;
  std::unique_ptr<Storage> storage_;
  std::optional<coordinator::Core> core_;
};

class CoordinatorStory : public Story {
 public:
  std::string name() const override { return "coordinator"; }
  std::unique_ptr<Scene> begin(const fs::path& folder, Notes& notes) const override {
    return std::make_unique<CoordinatorScene>(folder, notes, plan_);
  }
  Result<void> look_at_wreck(const fs::path& folder, const Notes& notes) const override {
    return check_wreck(folder / "ledger", notes);
  }

  Result<void> look_at_opened(const fs::path& folder, const Notes& notes) const override {
    const auto entries = check_whole(folder / "ledger", notes);
    if (!entries) return entries.error();
    return ok();
  }

  // Should: have committed each round once, of both participants' updates, with the models that a
  // run without faults commits.
  Result<void> look_at_end(const fs::path& folder, Notes& notes) const override {
    const auto entries = check_whole(folder / "ledger", notes);
    if (!entries) return entries.error();
    std::set<std::string> committed;
    std::multiset<std::string> told;
    for (const ledger::Entry& entry : *entries) {
      const std::string line = line_of(entry);
      if (entry.kind == "round.committed" && !committed.insert(line).second) {
        return Error{Errc::corrupt, "committed twice: " + line};
      }
      // One for each start; and an update that could not be read is asked for again, its round
      // closed again.
      if (entry.kind == "coordinator.started" || entry.kind == "update.lost") continue;
      const bool again = entry.kind == "update.accepted" || entry.kind == "round.closed";
      if (again && told.contains(line)) continue;
      told.insert(line);
    }
    for (const std::string& line : told) notes.outcome(line);
    for (const std::string& line : notes.promises()) {
      if (line.starts_with("round.committed ") && !committed.contains(line)) {
        return Error{Errc::corrupt, "promised and not kept: " + line};
      }
    }
    for (const std::string& name : names_below(folder)) notes.outcome(name);
    for (const auto& item : fs::directory_iterator(folder / "models")) {
      const auto digest = coordinator::digest_of_file(item.path());
      if (!digest) return digest.error();
      if (item.path().stem().string() != digest->hex()) {
        return Error{Errc::corrupt, item.path().string() + " is " + digest->hex()};
      }
    }
    return ok();
  }

 private:
  plan::Plan plan_ = read_plan_once();
};

}  // namespace

std::unique_ptr<Story> coordinator_story() {
  return std::make_unique<CoordinatorStory>();
}

}  // namespace entente::crash
