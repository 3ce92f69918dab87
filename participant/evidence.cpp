// SPDX-License-Identifier: Apache-2.0
#include "participant/evidence.hpp"

#include <algorithm>
#include <optional>

#include "common/base/json.hpp"
#include "common/base/text.hpp"
#include "common/ledger/receipt.hpp"
#include "common/ledger/statement.hpp"

namespace entente::participant {
namespace {

Error not_proved(const std::string& what) {
  return {Errc::unauthenticated, what};
}

// The entry that `receipt` proves, of this federation, of this kind, about this plan and round.
Result<ledger::Entry> proved_entry(const Trust& trust, const ledger::Receipt& receipt,
                                   std::string_view kind, const Digest& plan,
                                   std::optional<std::uint64_t> round) {
  auto entry = ledger::check_receipt(receipt, trust.ledger_key);
  if (!entry) return entry;
  const std::string expected = "expected an entry " + in_quotes(kind);
  if (entry->federation != trust.self.federation) {
    return not_proved(expected + " of federation " + in_quotes(trust.self.federation) + ", saw " +
                      in_quotes(entry->federation));
  }
  if (entry->kind != kind) return not_proved(expected + ", saw " + in_quotes(entry->kind));
  if (entry->plan != plan) {
    return not_proved(expected + " of plan " + plan.hex() + ", saw " +
                      (entry->plan ? entry->plan->hex() : "none"));
  }
  if (entry->round != round) {
    return not_proved(expected + " of round " + (round ? std::to_string(*round) : "none") +
                      ", saw " + (entry->round ? std::to_string(*entry->round) : "none"));
  }
  return entry;
}

Result<void> check_subject(const ledger::Entry& entry, const std::string& name,
                           const Digest& expected) {
  const auto found = entry.subjects.find(name);
  if (found != entry.subjects.end() && found->second == expected) return ok();
  return not_proved("expected an entry '" + entry.kind + "' that names " + name + " " +
                    expected.hex() + ", saw " +
                    (found == entry.subjects.end() ? "none" : found->second.hex()));
}

Result<void> check_actor(const ledger::Entry& entry, Role role) {
  const auto actor = parse_identity(entry.actor);
  if (actor && actor->role == role && actor->federation == entry.federation) return ok();
  return not_proved("expected an entry of the " + std::string(to_string(role)) + ", saw " +
                    in_quotes(entry.actor));
}

Result<void> check_own(const Trust& trust, const ledger::Entry& entry) {
  if (entry.actor == trust.self.uri()) return ok();
  return not_proved("expected an entry of " + trust.self.uri() + ", saw " + in_quotes(entry.actor));
}

bool is_in_cohort(const ledger::Entry& entry, std::string_view name) {
  const auto* cohort = entry.details.if_contains("cohort");
  if (cohort == nullptr || !cohort->is_array()) return false;
  return std::ranges::any_of(cohort->get_array(), [&](const boost::json::value& member) {
    return member.is_string() && member.get_string() == name;
  });
}

}  // namespace

Result<void> check_welcome(const Trust& trust, const protocol::Welcome& welcome) {
  if (welcome.federation != trust.self.federation) {
    return not_proved("the coordinator serves federation " + in_quotes(welcome.federation) +
                      ", expected " + in_quotes(trust.self.federation));
  }
  const auto key = ledger::parse_verifier_key(welcome.verifier_key);
  if (key && key->text() == trust.ledger_key.text()) return ok();
  return not_proved(
      "the coordinator's ledger is signed with another key than the start-up kit's: " +
      std::string("expected ") + trust.ledger_key.text() + ", saw " +
      in_quotes(welcome.verifier_key, 200));
}

Result<std::string> check_operator_signature(const Trust& trust,
                                             const protocol::PlanToConsider& plan, TimePoint now) {
  const auto certificate = crypto::Certificate::from_der(plan.operator_certificate);
  if (!certificate) return in_context("the operator's certificate", certificate.error());
  if (auto chained = crypto::verify_chain(*certificate, trust.authorities, now); !chained) {
    return in_context("the operator's certificate", chained.error());
  }
  auto identity = certificate->identity();
  if (!identity) return in_context("the operator's certificate", identity.error());
  if (identity->role != Role::operator_ || identity->federation != trust.self.federation) {
    return not_proved("the plan is signed by " + identity->uri() + ", expected an operator of " +
                      in_quotes(trust.self.federation));
  }
  const std::string text =
      ledger::statement(ledger::plan_submitted, trust.self.federation, plan.plan);
  if (!certificate->public_key().verify(as_bytes(text), plan.signature)) {
    return not_proved("the operator's signature under the plan is false");
  }
  return std::move(identity->name);
}

Result<void> check_opening(const Trust& trust, const protocol::Train& task) {
  const auto entry = proved_entry(trust, task.opening, "round.opened", task.plan, task.round);
  if (!entry) return entry.error();
  if (auto actor = check_actor(*entry, Role::coordinator); !actor) return actor;
  if (auto model = check_subject(*entry, "model", task.model); !model) return model;
  if (!is_in_cohort(*entry, trust.self.name)) {
    return not_proved("the round was opened without " + in_quotes(trust.self.name) +
                      " in its cohort");
  }
  return ok();
}

Result<void> check_aggregation(const Trust& trust, const protocol::Evaluate& task) {
  const auto entry =
      proved_entry(trust, task.aggregation, "round.aggregated", task.plan, task.round);
  if (!entry) return entry.error();
  if (auto actor = check_actor(*entry, Role::coordinator); !actor) return actor;
  return check_subject(*entry, "model", task.model);
}

Result<void> check_consent_receipt(const Trust& trust, const Digest& plan,
                                   const protocol::Answer& answer) {
  if (!answer.receipt) return not_proved("no receipt for the consent");
  const auto entry = proved_entry(trust, *answer.receipt, "plan.consented", plan, std::nullopt);
  if (!entry) return entry.error();
  return check_own(trust, *entry);
}

Result<void> check_update_receipt(const Trust& trust, const protocol::OfferUpdate& offer,
                                  const protocol::Answer& answer) {
  if (!answer.receipt) return not_proved("no receipt for the update");
  const auto entry =
      proved_entry(trust, *answer.receipt, "update.accepted", offer.plan, offer.round);
  if (!entry) return entry.error();
  if (auto own = check_own(trust, *entry); !own) return own;
  const auto* examples = entry->details.if_contains("examples");
  if (examples != nullptr && *examples != static_cast<std::int64_t>(offer.examples)) {
    return not_proved("expected an entry of " + std::to_string(offer.examples) + " examples, saw " +
                      describe(*examples));
  }
  return check_subject(*entry, "update", offer.update);
}

}  // namespace entente::participant
