// SPDX-License-Identifier: Apache-2.0
#include "coordinator/admission.hpp"

#include "common/crypto/certificate.hpp"
#include "common/ledger/statement.hpp"
#include "common/model/model.hpp"
#include "common/plan/plan.hpp"

namespace entente::coordinator {
namespace {

constexpr std::size_t layouts_kept = 16;

// Whether `signature` over the statement about `plan` was made with the key of the member's
// certificate.
Result<void> check_signature(const Member& by, std::string_view kind, const Digest& plan,
                             ByteView signature) {
  auto certificate = crypto::Certificate::from_der(by.certificate);
  if (!certificate) return certificate.error();
  const std::string text = ledger::statement(kind, by.identity.federation, plan);
  if (!certificate->public_key().verify(as_bytes(text), signature)) {
    return Error{Errc::unauthenticated, "the signature over plan " + plan.short_hex() +
                                            " was not made with the key of the certificate"};
  }
  return ok();
}

}  // namespace

Result<round::PlanSubmitted> admit_plan(const Member& by, const protocol::OfferPlan& offer,
                                        std::string_view canonical) {
  auto plan = plan::parse_plan(canonical);
  if (!plan) return plan.error();
  if (plan->digest != offer.plan) {
    return Error{Errc::malformed, "expected the plan " + offer.plan.short_hex() + ", saw " +
                                      plan->digest.short_hex()};
  }
  if (auto compiled = plan::compile(*plan); !compiled) return compiled.error();
  if (auto checked = check_signature(by, "plan submitted", offer.plan, offer.signature); !checked) {
    return checked.error();
  }
  return round::PlanSubmitted{by.identity.uri(),
                              offer.plan,
                              plan->name,
                              plan->rules,
                              canonical.size(),
                              to_base64(by.certificate),
                              to_base64(offer.signature)};
}

Result<round::PlanAnswered> admit_consent(const Member& by, const protocol::AnswerPlan& answer) {
  round::PlanAnswered event;
  event.from = by.identity.name;
  event.plan = answer.plan;
  event.consents = answer.consents;
  event.reason = answer.reason;
  if (!answer.consents) return event;
  if (auto checked = check_signature(by, "plan consented", answer.plan, answer.signature);
      !checked) {
    return checked.error();
  }
  event.certificate = to_base64(by.certificate);
  event.signature = to_base64(answer.signature);
  return event;
}

Result<std::shared_ptr<const tensor::ParameterLayout>> Layouts::of_plan(const Digest& plan) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(plan); found != known_.end()) return found->second;
  }
  auto stored = store_.plan(plan);
  if (!stored) return stored.error();
  auto network = plan::compile(*stored);
  if (!network) return network.error();
  auto layout = std::make_shared<const tensor::ParameterLayout>(network->layout());
  const std::lock_guard lock(mutex_);
  if (known_.size() >= layouts_kept) known_.clear();
  known_[plan] = layout;
  return layout;
}

}  // namespace entente::coordinator
