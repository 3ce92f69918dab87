// SPDX-License-Identifier: Apache-2.0
//
// What the operator does, and somebody with a member's certificate who says anything.
#include <algorithm>
#include <utility>

#include "common/crypto/hash.hpp"
#include "common/ledger/statement.hpp"
#include "common/plan/plan.hpp"
#include "tests/simulation/play.hpp"

namespace entente::simulation {

// Tells whether the answer was a success; no answer, no call.
void World::ask(round::Event event, std::function<void(bool)> done) {
  if (!shell_ || !shell_->is_up()) return;
  shell_->ask(std::move(event), [done = std::move(done)](const protocol::Answer& answer) {
    done(is_success(answer.verdict));
  });
}

plan::Rules World::draw_rules() {
  Random& random = stage_.random;
  plan::Rules rules;
  const auto members = static_cast<std::uint32_t>(size_);
  rules.rounds = 1 + static_cast<std::uint32_t>(random.below(3));
  rules.cohort =
      random.chance(0.5) ? members : 1 + static_cast<std::uint32_t>(random.below(members));
  rules.quorum = random.chance(0.4) ? rules.cohort
                                    : 1 + static_cast<std::uint32_t>(random.below(rules.cohort));
  rules.deadline = seconds(20 + static_cast<std::int64_t>(random.below(160)));
  rules.grace = seconds(static_cast<std::int64_t>(random.below(15)));
  rules.recruiting = seconds(60 + static_cast<std::int64_t>(random.below(240)));
  if (random.chance(0.5)) {
    const std::uint64_t most = rules.cohort - rules.quorum + 1;
    rules.target = rules.quorum + static_cast<std::uint32_t>(random.below(most));
  }
  rules.retries = static_cast<std::uint32_t>(random.below(4));
  rules.weighting = random.chance(0.5) ? plan::Weighting::examples : plan::Weighting::uniform;
  rules.examples_max = 1000;
  rules.norm_max = 10;
  if (random.chance(0.7)) {
    rules.evaluation_quorum = static_cast<std::uint32_t>(random.below(rules.cohort + 1ULL));
    rules.evaluation_deadline = seconds(10 + static_cast<std::int64_t>(random.below(60)));
    rules.metrics_per_participant = random.chance(0.5);
  } else {
    rules.evaluation_deadline = seconds(0);
  }
  return rules;
}

// Signed, and known from now on; gives its place among the orders.
std::size_t World::write_order(const plan::Rules& rules) {
  const std::string bytes = write_plan(rules, stage_.random.next64());
  Order order;
  order.digest = crypto::sha256(bytes);
  order.rules = plan::parse_plan(bytes).value().rules;
  const Cast& cast = the_cast();
  const std::string text = ledger::statement(ledger::plan_submitted, cast.federation, order.digest);
  order.signature = to_base64(cast.op.key.sign(as_bytes(text)).value());
  stage_.plan_bytes[order.digest] = bytes;
  const std::size_t index = orders_.size();
  orders_.push_back(std::move(order));
  return index;
}

void World::plan_ahead() {
  const std::size_t index = write_order(draw_rules());
  stage_.after(stage_.between(seconds(1), seconds(60)), [this, index] { submit(index); });
  if (stage_.strikes(stage_.weather.cancels)) {
    stage_.after(stage_.between(seconds(5), seconds(400)), [this, index] { cancel(index); });
  }
}

// Tries until it is recorded.
void World::submit(std::size_t index) {
  const Order& order = orders_[index];
  if (order.recorded) return;
  round::PlanSubmitted event;
  event.actor = the_cast().op.identity.uri();
  event.plan = order.digest;
  event.name = "plan";
  event.rules = order.rules;
  event.size_bytes = stage_.plan_bytes.at(order.digest).size();
  event.certificate = the_cast().op.certificate_base64;
  event.signature = order.signature;
  premises_.plans.insert(order.digest);
  ask(std::move(event), [this, index](bool recorded) {
    stage_.note("operator", recorded ? "submitted a plan" : "is not heard");
    orders_[index].recorded |= recorded;
  });
  stage_.after(operator_tries_again, [this, index] { submit(index); });
}

void World::cancel(std::size_t index) {
  stage_.note("operator", "cancels a plan");
  ask(round::PlanCancelled{the_cast().op.identity.uri(), orders_[index].digest, "no longer needed"},
      [](bool) {});
}

void World::suspend_somebody() {
  const std::string name = members_[stage_.random.below(size_)].home->name();
  stage_.note("operator", "suspends", name);
  ask(round::SuspensionSet{the_cast().op.identity.uri(), name, true, "to be looked into"},
      [](bool) {});
  stage_.after(stage_.about(seconds(60)), [this, name] { resume(name); });
}

void World::resume(const std::string& name) {
  ask(round::SuspensionSet{the_cast().op.identity.uri(), name, false, ""}, [](bool) {});
}

// In the name of one whose key it has.
void World::answer_plan(const Player& player, const Digest& plan, bool consents) {
  round::PlanAnswered answer;
  answer.from = player.identity.name;
  answer.plan = plan;
  answer.consents = consents;
  if (consents) {
    const std::string text = ledger::statement(ledger::plan_consented, the_cast().federation, plan);
    answer.certificate = player.certificate_base64;
    answer.signature = to_base64(player.key.sign(as_bytes(text)).value());
  }
  ask(std::move(answer), [](bool) {});
}

// Says anything at all in the name of a member, whose certificate it has.
void World::act_as_rogue() {
  if (!shell_ || !shell_->is_up() || orders_.empty()) return;
  Random& random = stage_.random;
  auto who = compromised_.begin();
  std::advance(who, static_cast<std::ptrdiff_t>(random.below(compromised_.size())));
  if (stage_.calm && members_[*who].home->fate == Fate::mute) return;
  const Player& player = members_[*who].home->player;
  const std::string from = player.identity.name;
  const auto& going_on = auditor_.round();
  const bool to_the_point = going_on && random.chance(0.8);
  const Digest plan = to_the_point ? going_on->plan : orders_[random.below(orders_.size())].digest;
  const std::uint64_t number = to_the_point ? going_on->number : random.below(4);
  const Digest update = crypto::sha256("rogue " + std::to_string(random.next64()));
  const std::uint64_t examples = random.chance(0.8) ? 1 + random.below(1000) : random.below(2000);
  stage_.note("rogue", "acts as", from);
  switch (random.below(7)) {
    case 6:
      if (stage_.calm && !steady_have_consented(plan)) return;
      return answer_plan(player, plan, random.chance(0.5));
    case 0:
      return ask(round::UpdateOffered{from, plan, number, update, examples}, [](bool) {});
    case 1:
      return ask(round::UpdateFlawed{from, plan, number, update, Verdict::not_finite, "NaN"},
                 [](bool) {});
    case 2:
      return ask(round::WorkDeclined{from, plan, number, "no"}, [](bool) {});
    case 3: {
      const Digest model = to_the_point && going_on->candidate ? *going_on->candidate : update;
      shell_->ask(
          EvaluationReported{from,
                             {plan, number, model, examples, {{"accuracy", 0.1}, {"loss", 9}}}},
          {});
      return;
    }
    default:
      premises_.spool[{from, update}] = SpoolFile{model_bytes, model_bytes, false};
      const double norm = random.chance(0.1) ? 1e12 : 1;
      return ask(round::UpdateArrived{from, plan, number, update, examples, norm}, [](bool) {});
  }
}

}  // namespace entente::simulation
