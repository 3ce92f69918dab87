// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/world.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/ledger/planted.hpp"
#include "coordinator/round/planted.hpp"
#include "tests/simulation/play.hpp"

namespace entente::simulation {
namespace {

constexpr seconds overdue_after{30};
constexpr seconds stops_within{10};
constexpr milliseconds last_start{5'000};
constexpr seconds bad_weather_most{300};
constexpr seconds endless_weather_most{600};

thread_local std::uint64_t seed_played = 0;

round::Fault in_round(Plant plant) {
  constexpr std::pair<Plant, round::Fault> faults[] = {
      {Plant::participant_counted_twice, round::Fault::participant_counted_twice},
      {Plant::commit_on_too_few, round::Fault::commit_on_too_few},
      {Plant::deadline_never_fires, round::Fault::deadline_never_fires},
      {Plant::deadline_never_armed, round::Fault::deadline_never_armed},
      {Plant::straggler_awaited, round::Fault::straggler_awaited},
      {Plant::evaluation_never_ends, round::Fault::evaluation_never_ends},
      {Plant::recruiting_never_ends, round::Fault::recruiting_never_ends},
      {Plant::same_cohort_again, round::Fault::same_cohort_again},
  };
  for (const auto& [planted, fault] : faults) {
    if (planted == plant) return fault;
  }
  return round::Fault::none;
}

// A fault is there as long as this lives.
class Planted {
 public:
  explicit Planted(Plant plant) {
    ledger::planted_fault = ledger::Fault::none;
    if (plant == Plant::answer_before_sync) {
      ledger::planted_fault = ledger::Fault::answer_before_sync;
    } else if (plant == Plant::torn_tail_accepted) {
      ledger::planted_fault = ledger::Fault::torn_tail_accepted;
    }
    round::planted_fault = in_round(plant);
  }
  ~Planted() {
    ledger::planted_fault = ledger::Fault::none;
    round::planted_fault = round::Fault::none;
  }
  Planted(const Planted&) = delete;
  Planted& operator=(const Planted&) = delete;
};

}  // namespace

World::World(const Settings& settings)
    : stage_(settings.seed, settings.mode, settings.tell),
      plant_(settings.plant),
      size_(3 + stage_.random.below(participants_most - 2)),
      premises_(stage_.new_random()),
      auditor_(stage_, [this](const JournalQuestion& question) {
        for (std::size_t i = 0; i < members_.size(); ++i) {
          const Home& home = *members_[i].home;
          if (home.name() != question.participant) continue;
          return compromised_.contains(i) || home.journal_says(question.kind, question.subject);
        }
        return false;
      }) {
  stage_.weather = draw_weather(stage_.random, settings.mode);
  premises_.ledger.set_trouble(stage_.weather.disk);
  premises_.ledger.set_lying(plant_ == Plant::lying_disk);
  network_.coordinator = [this]() -> std::shared_ptr<Shell> {
    return shell_ && shell_->is_up() ? shell_ : nullptr;
  };
  for (std::size_t i = 0; i < size_; ++i) {
    const Random journal_luck = stage_.new_random();
    const Random receipts_luck = stage_.new_random();
    Member member;
    member.home =
        std::make_unique<Home>(the_cast().participants[i], i, journal_luck, receipts_luck);
    member.home->must_approve = stage_.random.chance(0.2);
    member.home->journal.set_trouble(stage_.weather.disk);
    member.home->receipts.set_trouble(stage_.weather.disk);
    members_.push_back(std::move(member));
  }
  if (settings.mode == Mode::liveness) {
    draw_fates();
    return;
  }
  if (stage_.weather.rogue.count() == 0) return;
  for (std::uint64_t i = 0; i < stage_.weather.rogues; ++i) {
    compromised_.insert(stage_.random.below(size_));
  }
  if (compromised_.size() == size_) stage_.count("all members are compromised");
}

Outcome World::run() {
  stage_.after(stage_.between(milliseconds(1), last_start), [this] { start_coordinator(); });
  for (Member& member : members_) {
    stage_.after(stage_.between(milliseconds(1), last_start), [this, &member] {
      if (!member.run) start_member(member);
    });
  }
  const std::uint64_t orders = 1 + stage_.random.below(2);
  for (std::uint64_t i = 0; i < orders; ++i) plan_ahead();
  brew();
  const bool calms_down = stage_.mode == Mode::liveness;
  const milliseconds bad_weather =
      stage_.between(seconds(60), calms_down ? bad_weather_most : endless_weather_most);
  step_until(stage_.time.now() + bad_weather);
  if (!stage_.violation() && calms_down) calm_down();
  if (!stage_.violation()) finish();
  if (!stage_.violation()) open_for_the_last_time();
  Outcome outcome;
  outcome.violation = stage_.violation();
  outcome.trace_hash = stage_.trace_hash();
  outcome.trace_lines = stage_.trace_lines();
  outcome.simulated_seconds = stage_.seconds_so_far();
  outcome.last_lines.assign(stage_.last_lines().begin(), stage_.last_lines().end());
  outcome.counts = stage_.counts();
  return outcome;
}

void World::step_until(net::Instant end) {
  // Time does not pass without an event.
  stage_.after(std::chrono::ceil<milliseconds>(end - stage_.time.now()), [] {});
  while (!stage_.violation() && stage_.time.step(end)) look_around();
}

// After each step.
void World::look_around() {
  if (premises_.ledger.dead()) {
    stage_.count("coordinator died while writing");
    coordinator_is_gone(stage_.random.chance(stage_.weather.power));
  }
  for (Member& member : members_) look_at(member);
  if (shell_ && shell_->is_up() && shell_->core()) {
    auditor_.look(*shell_->core(), premises_.ledger);
    check_deadlines();
  }
}

void World::look_at(Member& member) {
  Home& home = *member.home;
  if (home.journal.dead() || home.receipts.dead()) {
    stage_.count("participant died while writing");
    member_is_gone(member, stage_.random.chance(stage_.weather.power));
  }
  std::erase_if(member.ghosts, [](const auto& ghost) { return ghost->over(); });
  if (!member.run) return;
  if (member.run->tally().alarms > 0) {
    stage_.violate(home.name() + " raises an alarm: " + member.run->tally().problem);
  }
  if (!member.run->over()) return;
  const auto& ended = member.run->ended();
  if (!ended || ended->code != Errc::io) {
    stage_.violate("the daemon of " + home.name() +
                   " ended: " + (ended ? ended->detail : "it threw"));
    return;
  }
  member.run.reset();  // its service starts it again
  stage_.after(service_restarts, [this, &member] { start_member(member); });
}

// Nothing waits longer than its deadline, while nothing keeps the coordinator from going on: a
// round for the rest of its cohort, a plan for a quorum to open the next round with.
void World::check_deadlines() {
  const auto healthy_since = shell_->healthy_since();
  if (!healthy_since || net::now() - *healthy_since < overdue_after) return;
  const TimePoint latest = shell_->now() - overdue_after;
  const std::string late = std::to_string(overdue_after.count()) + " seconds after its deadline";
  if (const auto& round = auditor_.round()) {
    if (round->stage == AuditedRound::Stage::closed || auditor_.due(*round) >= latest) return;
    stage_.violate("round " + std::to_string(round->number) + " is still open " + late);
    return;
  }
  for (const auto& [digest, plan] : auditor_.plans()) {
    if (!plan.running || plan.waiting_since + plan.recruiting >= latest) continue;
    stage_.violate("plan " + digest.short_hex() + " still waits for a quorum " + late);
  }
}

// Everybody stops when asked.
void World::finish() {
  closing_ = true;
  stage_.calm = true;
  for (Member& member : members_) {
    if (member.run) member.run->stop();
  }
  const net::Instant end = stage_.time.now() + stops_within;
  while (!stage_.violation() && stage_.time.step(end)) {
  }
  for (const Member& member : members_) {
    const auto is_over = [](const auto& run) { return !run || run->over(); };
    const bool over = is_over(member.run) && std::ranges::all_of(member.ghosts, is_over);
    if (!over) stage_.violate("the daemon of " + member.home->name() + " does not stop");
  }
}

// Whatever is left on the disk after one more power failure is a ledger, and keeps every word.
void World::open_for_the_last_time() {
  if (shell_) shell_->crash(true);
  premises_.ledger.calm_down();
  premises_.ledger.restart(true);
  start_coordinator();
  if (stage_.violation()) return;
  if (!shell_->is_up() || !shell_->core()) return stage_.violate("the ledger does not open");
  auditor_.check_receipts();
}

Outcome simulate(const Settings& settings) {
  seed_played = settings.seed;
  const Planted planted(settings.plant);
  World world(settings);
  return world.run();
}

std::uint64_t present_seed() {
  return seed_played;
}

}  // namespace entente::simulation
