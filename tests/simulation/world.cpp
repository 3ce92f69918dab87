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
constexpr seconds settles_within{300};  // of the calm: reconnections, old deadlines
constexpr seconds stops_within{10};
constexpr milliseconds last_start{5'000};

thread_local std::uint64_t seed_played = 0;

// A fault is there as long as this lives.
class Planted {
 public:
  explicit Planted(Plant plant) {
    ledger::planted_fault = ledger::Fault::none;
    round::planted_fault = round::Fault::none;
    if (plant == Plant::answer_before_sync) {
      ledger::planted_fault = ledger::Fault::answer_before_sync;
    } else if (plant == Plant::torn_tail_accepted) {
      ledger::planted_fault = ledger::Fault::torn_tail_accepted;
    } else if (plant == Plant::participant_counted_twice) {
      round::planted_fault = round::Fault::participant_counted_twice;
    } else if (plant == Plant::commit_on_too_few) {
      round::planted_fault = round::Fault::commit_on_too_few;
    } else if (plant == Plant::deadline_never_fires) {
      round::planted_fault = round::Fault::deadline_never_fires;
    }
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
    : stage_(settings.seed, settings.tell),
      plant_(settings.plant),
      size_(3 + stage_.random.below(participants_most - 2)),
      premises_(stage_.new_random()),
      auditor_(stage_, [this](const JournalQuestion& question) {
        for (std::size_t i = 0; i < members_.size(); ++i) {
          const Home& home = *members_[i].home;
          if (home.name() != question.participant) continue;
          return rogue_ == i || home.journal_says(question.kind, question.subject);
        }
        return false;
      }) {
  stage_.weather = draw_weather(stage_.random);
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
  if (stage_.weather.rogue.count() > 0) rogue_ = stage_.random.below(size_);
}

Outcome World::run() {
  stage_.after(stage_.between(milliseconds(1), last_start), [this] { start_coordinator(); });
  for (Member& member : members_) {
    stage_.after(stage_.between(milliseconds(1), last_start), [this, &member] {
      if (!member.run) start_member(member);
    });
  }
  const std::uint64_t orders = 1 + stage_.random.below(2);
  for (std::uint64_t i = 0; i < orders; ++i) write_order();
  brew();
  const milliseconds bad_weather = stage_.between(seconds(60), seconds(600));
  step_until(stage_.time.now() + bad_weather);
  if (!stage_.violation()) calm_down();
  if (!stage_.violation()) finish();
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

// A round may not stay open past its deadline while nothing keeps the coordinator from closing it.
void World::check_deadlines() {
  const auto& round = auditor_.round();
  if (!round || round->stage == AuditedRound::Stage::closed) return;
  const auto healthy_since = shell_->healthy_since();
  if (!healthy_since || net::now() - *healthy_since < overdue_after) return;
  if (shell_->now() > round->closes_at + overdue_after) {
    stage_.violate("round " + std::to_string(round->number) + " is still open " +
                   std::to_string(overdue_after.count()) + " seconds after its deadline");
  }
}

// --- the calm

void World::calm_down() {
  stage_.calm = true;
  stage_.note("weather", "calm");
  premises_.ledger.calm_down();
  stage_.cut_off.clear();
  for (Member& member : members_) {
    member.home->journal.calm_down();
    member.home->receipts.calm_down();
  }
  const net::Instant begin = stage_.time.now();
  const net::Instant settled = begin + settles_within + patience();
  std::optional<std::uint64_t> abandoned;
  const net::Instant end = settled + patience();
  while (!stage_.violation() && !all_ended() && stage_.time.now() < end) {
    // The ledger may show a suspension only when a coordinator that crashed is back.
    for (const std::string& name : std::set(auditor_.suspended())) resume(name);
    step_until(stage_.time.now() + seconds(1));
    const auto found = stage_.counts().find("round.abandoned");
    const std::uint64_t present = found == stage_.counts().end() ? 0 : found->second;
    if (!abandoned && stage_.time.now() > begin + settles_within) abandoned = present;
    if (abandoned && present > *abandoned) stage_.violate("a round was abandoned in the calm");
  }
  if (!stage_.violation() && !all_ended()) stage_.violate("a plan does not come to its end");
}

// Whether enough participants' data fit the plan.
bool World::can_run(const Order& order) const {
  std::uint32_t able = 0;
  for (const Member& member : members_) {
    Random luck(load_little_endian<std::uint64_t>(order.digest.bytes.data()), member.home->index);
    if (!luck.chance(stage_.weather.unfit)) ++able;
  }
  return able >= order.rules.quorum;
}

bool World::all_ended() const {
  return std::ranges::all_of(orders_, [this](const Order& order) {
    const auto plan = auditor_.plans().find(order.digest);
    if (plan == auditor_.plans().end()) return false;
    return plan->second.ended || !can_run(order);
  });
}

// How long all plans may take, retries included.
seconds World::patience() const {
  seconds longest{0};
  for (const Order& order : orders_) {
    const plan::Rules& rules = order.rules;
    longest += (rules.rounds + rules.retries + 1) *
               (rules.deadline + rules.evaluation_deadline + 2 * rules.grace + seconds(90));
  }
  return longest;
}

// Everybody stops when asked, and the ledger stands.
void World::finish() {
  closing_ = true;
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
  if (shell_ && shell_->is_up() && shell_->core()) {
    auditor_.reopened(*shell_->core(), premises_.ledger, true);
    auditor_.check_receipts();
  }
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
