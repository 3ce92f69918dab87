// SPDX-License-Identifier: Apache-2.0
//
// The calm of a liveness schedule: the faults stop for the coordinator and for the steady ones;
// whatever the others do, connections come back and rounds commit within bounds that are sums of
// the program's named deadlines and of the plan's.
#include <algorithm>
#include <utility>

#include "participant/daemon.hpp"
#include "protocol/limits.hpp"
#include "tests/simulation/play.hpp"

namespace entente::simulation {
namespace {

// After so long whoever runs is connected again: a connection that is gone is noticed, the wait
// before the next attempt is over, the attempt has ended.
constexpr milliseconds returns_within =
    protocol::silence_max + participant::backoff_most + participant::connect_max;

// What this simulator may add to each wait: its messages, disks and background work in the calm.
constexpr seconds slack{30};
// Of the faults themselves, when they have stopped: machines that were off are on again.
constexpr seconds machines_return_within{300};
constexpr seconds deadline_least{40};  // an honest participant in the calm needs less
constexpr seconds mute_returns_every{5};
constexpr seconds hostile_most{6};
constexpr double lost_disk = 0.7;

}  // namespace

void World::draw_fates() {
  constexpr Fate fates[] = {Fate::dead,      Fate::mute,    Fate::idle,
                            Fate::half_open, Fate::hostile, Fate::broken_disk};
  const std::uint64_t lost = stage_.random.below(size_);
  for (std::uint64_t i = 0; i < lost; ++i) {
    const std::size_t who = stage_.random.below(size_);
    Fate& fate = members_[who].home->fate;
    fate = fates[stage_.random.below(std::size(fates))];
    if (fate == Fate::mute || fate == Fate::hostile) {
      compromised_.insert(who);
    } else {
      compromised_.erase(who);
    }
  }
  if (compromised_.empty()) stage_.weather.rogue = seconds(0);
}

bool World::all_of_fate(Fate fate, const std::function<bool(const Member&)>& holds) const {
  return std::ranges::all_of(
      members_, [&](const Member& member) { return member.home->fate != fate || holds(member); });
}

// The lost ones, who may say anything, come after them: nothing is begun without the steady.
bool World::steady_have_consented(const Digest& digest) const {
  const auto plan = auditor_.plans().find(digest);
  return plan != auditor_.plans().end() && all_of_fate(Fate::steady, [&](const Member& member) {
           return plan->second.consents.contains(member.home->name());
         });
}

std::size_t World::lost_ones() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      members_, [](const Member& member) { return member.home->fate != Fate::steady; }));
}

void World::calm_down() {
  stop_the_faults();
  await_the_steady();
  expect_connections();
  if (stage_.violation()) return;
  order_in_the_calm();
  net::Instant end = stage_.time.now() + slack;
  for (const Order& order : orders_) end += end_within(order.rules);
  while (!stage_.violation() && !all_settled() && stage_.time.now() < end) {
    // The ledger may show a suspension only when a coordinator that crashed is back.
    for (const std::string& name : std::set(auditor_.suspended())) resume(name);
    step_until(stage_.time.now() + seconds(1));
    if (!stage_.violation()) check_commits();
  }
  if (!stage_.violation() && !all_settled()) stage_.violate("a plan does not come to its end");
}

void World::stop_the_faults() {
  stage_.calm = true;
  stage_.note("weather", "calm");
  premises_.ledger.calm_down();
  stage_.cut_off.clear();
  for (Member& member : members_) {
    member.home->journal.calm_down();
    member.home->receipts.calm_down();
    meet_fate(member);
  }
  if (all_of_fate(Fate::hostile, [](const Member&) { return false; })) return;
  stay_hostile();
}

void World::meet_fate(Member& member) {
  Home& home = *member.home;
  if (home.fate == Fate::steady) return;
  stage_.note(home.name(), to_string(home.fate));
  stage_.count("fate: " + std::string(to_string(home.fate)));
  if (home.fate == Fate::half_open) {
    stage_.half_open.insert(home.name());
  } else if (home.fate == Fate::broken_disk) {
    home.journal.set_trouble({lost_disk, lost_disk, 0});
  } else if (home.fate == Fate::dead || home.fate == Fate::mute) {
    if (member.run) member_is_gone(member, false);
    if (home.fate == Fate::mute) stay_mute(member);
  }
}

void World::stay_mute(Member& member) {
  const std::string& name = member.home->name();
  if (shell_ && shell_->is_up() && !shell_->has_session(name)) {
    member.mute = std::make_shared<Connection>(stage_, ++network_.connections, name, shell_);
    shell_->connected(member.mute);
  }
  for (const Order& order : orders_) {
    if (!steady_have_consented(order.digest)) continue;
    const AuditedPlan& plan = auditor_.plans().at(order.digest);
    if (plan.ended || plan.consents.contains(name)) continue;
    answer_plan(member.home->player, order.digest, true);
  }
  stage_.after(mute_returns_every, [this, &member] { stay_mute(member); });
}

void World::stay_hostile() {
  stage_.after(stage_.between(milliseconds(500), hostile_most), [this] {
    act_as_rogue();
    stay_hostile();
  });
}

// Machines that the weather had switched off are switched on again in their own time.
void World::await_the_steady() {
  const net::Instant end = stage_.time.now() + machines_return_within;
  const auto all_run = [this] {
    const bool coordinator_runs = shell_ && shell_->is_up() && shell_->core();
    return coordinator_runs &&
           all_of_fate(Fate::steady, [](const Member& member) { return member.run != nullptr; });
  };
  while (!stage_.violation() && !all_run() && stage_.time.now() < end) {
    step_until(stage_.time.now() + seconds(1));
  }
  if (!stage_.violation() && !all_run()) stage_.violate("somebody does not start again");
}

void World::expect_connections() {
  const net::Instant end = stage_.time.now() + returns_within;
  // The coordinator may believe so long in a connection that is gone.
  if (!stage_.violation()) step_until(stage_.time.now() + protocol::silence_max);
  std::set<std::string> seen;
  const auto all_seen = [&] {
    return all_of_fate(Fate::steady,
                       [&](const Member& member) { return seen.contains(member.home->name()); });
  };
  while (!stage_.violation() && !all_seen() && stage_.time.now() < end) {
    step_until(stage_.time.now() + seconds(1));
    for (const Member& member : members_) {
      if (shell_->has_session(member.home->name())) seen.insert(member.home->name());
    }
  }
  if (!stage_.violation() && !all_seen()) {
    stage_.violate("somebody is not connected again " +
                   std::to_string(returns_within.count() / 1000) +
                   " seconds after the faults stopped");
  }
}

// A plan that the steady ones alone can carry through, with no more retries than it can need.
void World::order_in_the_calm() {
  plan::Rules rules = draw_rules();
  const auto steady = static_cast<std::uint32_t>(size_ - lost_ones());
  rules.quorum = std::min(rules.quorum, steady);
  rules.evaluation_quorum = std::min(rules.evaluation_quorum, rules.cohort);
  rules.deadline = std::max(rules.deadline, deadline_least);
  rules.retries = attempts_most(rules) - 1;
  last_order_ = write_order(rules);
  stage_.fits_everybody.insert(orders_[*last_order_].digest);
  submit(*last_order_);
}

// Of one round, when every steady participant that is asked sends. An attempt fails only when fewer
// than the quorum of its cohort are steady; then more than cohort - quorum lost ones let it down,
// and are asked last from then on.
std::uint32_t World::attempts_most(const plan::Rules& rules) const {
  const auto lost = static_cast<std::uint32_t>(lost_ones());
  const std::uint32_t each = rules.cohort - rules.quorum + 1;
  return 1 + (lost + each - 1) / each;
}

// From the end of the round before, or the plan's start. Each attempt waits for its cohort to
// gather (grace), then for its updates (deadline).
seconds World::commit_within(const plan::Rules& rules, std::uint32_t attempts) {
  return attempts * (rules.grace + rules.deadline) + rules.evaluation_deadline + slack;
}

// A plan that runs, whoever takes part: each attempt opens within `recruiting`, or is the last.
seconds World::end_within(const plan::Rules& rules) {
  const std::uint32_t attempts = rules.retries + 1;
  const seconds round =
      attempts * (rules.recruiting + 2 * rules.deadline) + rules.evaluation_deadline + slack;
  return (rules.rounds + 1) * round;
}

void World::check_commits() {
  const Order& order = orders_[*last_order_];
  const auto found = auditor_.plans().find(order.digest);
  if (found == auditor_.plans().end()) return;
  const AuditedPlan& plan = found->second;
  if (plan.ended && plan.committed < plan.rounds) {
    return stage_.violate("the steady ones were enough, and the plan failed after " +
                          std::to_string(plan.attempts) + " attempts of round " +
                          std::to_string(plan.committed + 1));
  }
  if (!plan.running) return;
  const seconds within = commit_within(order.rules, attempts_most(order.rules));
  if (shell_->now() <= plan.committed_at + within) return;
  stage_.violate("round " + std::to_string(plan.committed + 1) + " is not committed within " +
                 std::to_string(within.count()) +
                 " seconds: " + std::to_string(attempts_most(order.rules)) +
                 " attempts of grace and deadline, and the evaluation's deadline");
}

// Ended; or waiting without any hope of a quorum of consents, which holds nobody up.
bool World::is_settled(const Order& order) const {
  const auto plan = auditor_.plans().find(order.digest);
  if (plan == auditor_.plans().end()) return false;
  const bool hopeless = plan->second.consents.size() < plan->second.quorum;
  return plan->second.ended || (!plan->second.running && hopeless);
}

bool World::all_settled() const {
  return std::ranges::all_of(orders_, [this](const Order& order) { return is_settled(order); }) &&
         auditor_.plans().at(orders_[*last_order_].digest).ended;
}

}  // namespace entente::simulation
