// SPDX-License-Identifier: Apache-2.0
//
// What each kind of entry may say, given those before it: the rules of design.md's round, written
// down from the page and not from the core.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <utility>

#include "common/ledger/statement.hpp"
#include "tests/simulation/auditor.hpp"

namespace entente::simulation {
namespace {

namespace json = boost::json;
using Stage_ = AuditedRound::Stage;

std::uint64_t number(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return 0;
  return static_cast<std::uint64_t>(value->get_int64());
}

std::string text(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<Digest> subject(const ledger::Entry& entry, const std::string& name) {
  const auto found = entry.subjects.find(name);
  return found == entry.subjects.end() ? std::nullopt : std::optional(found->second);
}

// For the trace.
std::string outline(const ledger::Entry& entry) {
  std::string words = std::to_string(entry.sequence) + " " + to_rfc3339(entry.time).substr(11);
  const auto actor = parse_identity(entry.actor);
  if (actor) words += " " + actor->name;
  if (entry.plan) words += " plan " + entry.plan->short_hex();
  if (entry.round) words += " round " + std::to_string(*entry.round);
  for (const char* detail : {"attempt", "cohort", "contributors", "participant", "verdict"}) {
    if (const json::value* value = entry.details.if_contains(detail)) {
      words += " " + std::string(detail) + " " + json::serialize(*value);
    }
  }
  if (!entry.reason.empty()) words += " (" + entry.reason + ")";
  return words;
}

std::string place(const ledger::Entry& entry) {
  return "entry " + std::to_string(entry.sequence) + " (" + entry.kind + "): ";
}

}  // namespace

void Auditor::follow(const ledger::Entry& entry) {
  using Rule = void (Auditor::*)(const ledger::Entry&);
  static constexpr std::pair<std::string_view, Rule> rules[] = {
      {"ledger.opened", nullptr},
      {"coordinator.started", &Auditor::coordinator_started},
      {"connection.refused", nullptr},
      {"update.refused", nullptr},
      {"plan.submitted", &Auditor::plan_submitted},
      {"plan.consented", &Auditor::plan_consented},
      {"plan.declined", &Auditor::plan_declined},
      {"plan.started", &Auditor::plan_started},
      {"plan.finished", &Auditor::plan_ended},
      {"plan.failed", &Auditor::plan_ended},
      {"plan.cancelled", &Auditor::plan_ended},
      {"participant.suspended", &Auditor::suspension},
      {"participant.resumed", &Auditor::suspension},
      {"round.opened", &Auditor::round_opened},
      {"update.accepted", &Auditor::update_accepted},
      {"update.lost", &Auditor::update_lost},
      {"work.declined", &Auditor::work_declined},
      {"round.closed", &Auditor::round_closed},
      {"round.aggregated", &Auditor::round_aggregated},
      {"round.committed", &Auditor::round_committed},
      {"round.abandoned", &Auditor::round_abandoned},
  };
  const auto* rule = std::ranges::find(rules, std::string_view(entry.kind),
                                       &std::pair<std::string_view, Rule>::first);
  if (rule == std::end(rules)) return fail(place(entry) + "an unknown kind");
  if (rule->second != nullptr) (this->*rule->second)(entry);
  if (entry.sequence < checked_) return;
  stage_.count(entry.kind);
  stage_.note("ledger", entry.kind, outline(entry));
}

// --- who and what

AuditedPlan& Auditor::plan_of(const ledger::Entry& entry) {
  const auto found = entry.plan ? plans_.find(*entry.plan) : plans_.end();
  if (found != plans_.end()) return found->second;
  fail(place(entry) + "its plan was never submitted");
  return no_plan_ = {};
}

AuditedRound& Auditor::round_in(const ledger::Entry& entry, Stage_ stage) {
  if (round_ && round_->plan == entry.plan && round_->number == entry.round &&
      round_->stage == stage) {
    return *round_;
  }
  fail(place(entry) + "no such round is going on, or it is further");
  return no_round_ = {};
}

std::string Auditor::participant_of(const ledger::Entry& entry) {
  const auto identity = parse_identity(entry.actor);
  if (identity && identity->role == Role::participant) return identity->name;
  fail(place(entry) + "its actor is no participant");
  return {};
}

// That the certificate and the signature in the entry are that player's, under this very plan.
void Auditor::check_statement(const ledger::Entry& entry, const Player& player,
                              std::string_view kind) {
  if (entry.sequence < checked_) return;
  expect(text(entry.details, "certificate") == player.certificate_base64,
         place(entry) + "not the certificate of " + player.identity.name);
  const auto signature = from_base64(text(entry.details, "signature"));
  const std::string signed_text = ledger::statement(kind, entry.federation, *entry.plan);
  expect(signature && player.key.public_key().verify(as_bytes(signed_text), *signature),
         place(entry) + "the signature is false");
}

// --- plans and members

void Auditor::coordinator_started(const ledger::Entry& entry) {
  for (auto& [digest, plan] : plans_) plan.waiting_since = entry.time;
}

void Auditor::plan_submitted(const ledger::Entry& entry) {
  if (!entry.plan || plans_.contains(*entry.plan)) return fail(place(entry) + "submitted twice");
  expect(entry.actor == the_cast().op.identity.uri(), place(entry) + "not the operator's");
  check_statement(entry, the_cast().op, ledger::plan_submitted);
  const json::value* value = entry.details.if_contains("rules");
  if (value == nullptr || !value->is_object()) return fail(place(entry) + "no rules");
  const json::object& rules = value->get_object();
  AuditedPlan plan;
  plan.rounds = number(rules, "rounds");
  plan.quorum = number(rules, "quorum");
  plan.cohort = number(rules, "cohort");
  plan.retries = number(rules, "retries");
  plan.examples_max = number(rules, "examples_max");
  plan.deadline = seconds(static_cast<std::int64_t>(number(rules, "deadline_seconds")));
  plan.evaluation_deadline =
      seconds(static_cast<std::int64_t>(number(rules, "evaluation_deadline_seconds")));
  plan.target = number(rules, "target");
  plan.grace = seconds(static_cast<std::int64_t>(number(rules, "grace_seconds")));
  plan.recruiting = plan::wait_max;
  if (rules.contains("recruiting_seconds")) {
    plan.recruiting = seconds(static_cast<std::int64_t>(number(rules, "recruiting_seconds")));
  }
  plan.by_examples = text(rules, "weighting") == "examples";
  const json::value* each = rules.if_contains("metrics_per_participant");
  plan.publishes_each = each != nullptr && each->is_bool() && each->get_bool();
  plans_.emplace(*entry.plan, std::move(plan));
}

void Auditor::plan_consented(const ledger::Entry& entry) {
  AuditedPlan& plan = plan_of(entry);
  const std::string name = participant_of(entry);
  if (stage_.violation()) return;
  expect(!plan.ended, place(entry) + "the plan has ended");
  expect(plan.consents.insert(name).second, place(entry) + "consented before");
  check_statement(entry, the_cast().participant(name), ledger::plan_consented);
  expect(entry.sequence < checked_ || journals_({name, "consent", *entry.plan}),
         place(entry) + "the journal of " + name + " knows of no consent");
}

void Auditor::plan_declined(const ledger::Entry& entry) {
  plan_of(entry).consents.erase(participant_of(entry));
}

void Auditor::plan_started(const ledger::Entry& entry) {
  AuditedPlan& plan = plan_of(entry);
  expect(std::ranges::none_of(plans_, [](const auto& item) { return item.second.running; }),
         place(entry) + "another plan is running");
  expect(!plan.running && !plan.ended, place(entry) + "the plan does not wait");
  plan.running = true;
  plan.waiting_since = plan.committed_at = entry.time;
  plan.model = subject(entry, "model");
  expect(plan.model == initial_model(*entry.plan), place(entry) + "not the plan's first model");
}

void Auditor::plan_ended(const ledger::Entry& entry) {
  AuditedPlan& plan = plan_of(entry);
  const bool has_round = round_ && round_->plan == entry.plan;
  expect(!plan.ended, place(entry) + "it ended before");
  if (entry.kind == "plan.finished") {
    expect(plan.running && plan.committed == plan.rounds && !has_round,
           place(entry) + "rounds are left");
    expect(subject(entry, "model") == plan.model, place(entry) + "not the last model");
  } else if (entry.kind == "plan.failed") {
    const bool waited = entry.time >= plan.waiting_since + plan.recruiting;
    if (waited && plan.attempts <= plan.retries) stage_.count("quorum does not come");
    expect(plan.running && (plan.attempts > plan.retries || waited) && !has_round,
           place(entry) + "attempts are left, and time to open the next");
  }
  if (has_round) round_.reset();
  plan.running = false;
  plan.ended = true;
}

void Auditor::suspension(const ledger::Entry& entry) {
  const std::string name = text(entry.details, "participant");
  if (entry.kind == "participant.suspended") {
    expect(suspended_.insert(name).second, place(entry) + "suspended before");
  } else {
    expect(suspended_.erase(name) == 1, place(entry) + "not suspended");
  }
}

// --- rounds

void Auditor::round_opened(const ledger::Entry& entry) {
  AuditedPlan& plan = plan_of(entry);
  ++plan.attempts;
  expect(plan.running && !round_, place(entry) + "not the time for a round");
  expect(entry.round == plan.committed + 1, place(entry) + "rounds are not consecutive");
  expect(subject(entry, "model") == plan.model, place(entry) + "not the model committed before");
  expect(number(entry.details, "attempt") == plan.attempts, place(entry) + "attempts miscounted");
  expect(plan.attempts <= plan.retries + 1, place(entry) + "more attempts than the plan allows");
  if (stage_.calm && plan.attempts > 1) stage_.count("retry in the calm");
  AuditedRound round;
  round.plan = *entry.plan;
  round.number = *entry.round;
  round.closes_at = entry.time + plan.deadline;
  const json::value* cohort = entry.details.if_contains("cohort");
  if (cohort == nullptr || !cohort->is_array()) return fail(place(entry) + "no cohort");
  for (const json::value& member : cohort->get_array()) {
    std::string name(member.as_string());
    expect(plan.consents.contains(name), place(entry) + name + " did not consent");
    expect(!suspended_.contains(name), place(entry) + name + " is suspended");
    expect(round.cohort.insert(std::move(name)).second, place(entry) + "somebody twice");
  }
  expect(round.cohort.size() >= plan.quorum && round.cohort.size() <= plan.cohort,
         place(entry) + "a cohort of " + std::to_string(round.cohort.size()));
  round_ = std::move(round);
}

void Auditor::update_accepted(const ledger::Entry& entry) {
  AuditedRound& round = round_in(entry, Stage_::collecting);
  const AuditedPlan& plan = plan_of(entry);
  const std::string name = participant_of(entry);
  const auto update = subject(entry, "update");
  if (!update || stage_.violation()) return fail(place(entry) + "names no update");
  expect(round.cohort.contains(name), place(entry) + name + " is not in the cohort");
  expect(!suspended_.contains(name), place(entry) + name + " is suspended");
  expect(entry.time < round.closes_at, place(entry) + "after the deadline");
  AuditedUpdate accepted{*update, 1, entry.sequence};
  if (plan.by_examples) accepted.examples = number(entry.details, "examples");
  expect(plan.by_examples == entry.details.contains("examples"),
         place(entry) + "tells what the plan does not have told");
  expect(accepted.examples >= 1 && accepted.examples <= plan.examples_max,
         place(entry) + "more examples than the plan allows");
  expect(round.accepted.emplace(name, accepted).second, place(entry) + name + " counted twice");
  round.declined.erase(name);
  const std::size_t have = round.accepted.size();
  if (!round.quorum_at && have >= plan.quorum) round.quorum_at = entry.time;
  if (!round.target_at && plan.target != 0 && have >= plan.target) round.target_at = entry.time;
  expect(entry.sequence < checked_ || journals_({name, "update", *update}),
         place(entry) + "the journal of " + name + " knows of no such update");
}

void Auditor::update_lost(const ledger::Entry& entry) {
  const bool closed = round_ && round_->stage == Stage_::closed;
  AuditedRound& round = round_in(entry, closed ? Stage_::closed : Stage_::collecting);
  const auto found = round.accepted.find(participant_of(entry));
  if (found == round.accepted.end() || found->second.update != subject(entry, "update")) {
    return fail(place(entry) + "that update was not accepted");
  }
  round.accepted.erase(found);
  if (round.accepted.size() < plan_of(entry).quorum) round.quorum_at.reset();
  if (round.accepted.size() < plan_of(entry).target) round.target_at.reset();
  round.stage = Stage_::collecting;
  round.closes_at = std::max(round.closes_at, entry.time + plan_of(entry).deadline);
}

void Auditor::work_declined(const ledger::Entry& entry) {
  AuditedRound& round = round_in(entry, Stage_::collecting);
  const std::string name = participant_of(entry);
  expect(round.cohort.contains(name), place(entry) + name + " is not in the cohort");
  round.declined.insert(name);
}

void Auditor::check_contributors(const ledger::Entry& entry, const AuditedRound& round) {
  std::vector<std::uint64_t> expected;
  for (const auto& [name, accepted] : round.accepted) expected.push_back(accepted.sequence);
  std::vector<std::uint64_t> named;
  const json::value* list = entry.details.if_contains("contributors");
  if (list == nullptr || !list->is_array()) return fail(place(entry) + "names no contributors");
  for (const json::value& sequence : list->get_array()) {
    named.push_back(static_cast<std::uint64_t>(sequence.to_number<std::int64_t>()));
  }
  expect(named == expected, place(entry) + "its contributors are not those accepted");
  expect(named.size() >= plan_of(entry).quorum,
         place(entry) + std::to_string(named.size()) + " contributors, fewer than the quorum");
}

void Auditor::round_closed(const ledger::Entry& entry) {
  AuditedRound& round = round_in(entry, Stage_::collecting);
  check_contributors(entry, round);
  expect(can_still_come(round) == 0 || entry.time >= due(round),
         place(entry) + "stragglers were not waited for");
  if (round.target_at && can_still_come(round) > 0) stage_.count("round closed with its target");
  round.stage = Stage_::closed;
}

TimePoint Auditor::due(const AuditedRound& round) const {
  TimePoint due = round.closes_at;
  if (round.stage != Stage_::collecting) return due;
  const auto plan = plans_.find(round.plan);
  if (round.target_at) due = std::min(due, *round.target_at);
  if (round.quorum_at) due = std::min(due, *round.quorum_at + plan->second.grace);
  return due;
}

void Auditor::round_aggregated(const ledger::Entry& entry) {
  AuditedRound& round = round_in(entry, Stage_::closed);
  const AuditedPlan& plan = plan_of(entry);
  check_contributors(entry, round);
  if (stage_.violation()) return;
  std::map<std::string, Share> shares;
  for (const auto& [name, accepted] : round.accepted) {
    shares[name] = {accepted.update, accepted.examples};
  }
  round.candidate = subject(entry, "model");
  expect(round.candidate == aggregated_model(*plan.model, shares),
         place(entry) + "the model is not the average of its contributors");
  round.stage = Stage_::aggregated;
  round.closes_at = entry.time + plan.evaluation_deadline;
}

void Auditor::round_committed(const ledger::Entry& entry) {
  AuditedRound& round = round_in(entry, Stage_::aggregated);
  AuditedPlan& plan = plan_of(entry);
  check_contributors(entry, round);
  if (stage_.violation()) return;
  expect(subject(entry, "model") == round.candidate, place(entry) + "not the model aggregated");
  const bool lonely = number(entry.details, "evaluations") <= 1;
  expect(plan.publishes_each || !entry.details.contains("participants"),
         place(entry) + "publishes what the plan does not have published");
  expect(plan.publishes_each || !lonely || !entry.details.contains("metrics"),
         place(entry) + "one participant's figures are no aggregate");
  plan.waiting_since = plan.committed_at = entry.time;
  plan.model = round.candidate;
  plan.committed = round.number;
  plan.attempts = 0;
  round_.reset();
}

std::size_t Auditor::can_still_come(const AuditedRound& round) const {
  return static_cast<std::size_t>(std::ranges::count_if(round.cohort, [&](const auto& name) {
    return !round.accepted.contains(name) && !round.declined.contains(name) &&
           !suspended_.contains(name);
  }));
}

void Auditor::round_abandoned(const ledger::Entry& entry) {
  AuditedRound& round = round_in(entry, Stage_::collecting);
  const std::size_t have = round.accepted.size();
  const std::uint64_t quorum = plan_of(entry).quorum;
  expect(have < quorum, place(entry) + "although the quorum was there");
  expect(entry.time >= round.closes_at || have + can_still_come(round) < quorum,
         place(entry) + "before its time");
  plan_of(entry).waiting_since = entry.time;
  round_.reset();
}

}  // namespace entente::simulation
