// SPDX-License-Identifier: Apache-2.0
#include "participant/evidence.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/participant/federation.hpp"

namespace entente::participant {
namespace {

using crypto::testing::must;
using crypto::testing::noon;
using test::TestFederation;

const Digest plan = crypto::sha256("plan");
const Digest model = crypto::sha256("model");

struct Evidence {
  TestFederation federation;
  Trust trust = federation.trust();

  // The task of an opening that says something else.
  protocol::Train spoiled(const std::function<void(ledger::Entry&)>& spoil) {
    protocol::Train task = federation.train(plan, 3, model, 100);
    ledger::Entry entry = federation.opening(plan, 3, model);
    spoil(entry);
    task.opening = federation.record(entry);
    return task;
  }
};

template <class T>
std::string reason(const Result<T>& checked) {
  return checked ? std::string() : checked.error().detail;
}
template <class T>
void refused(const Result<T>& checked, std::string_view words) {
  BOOST_REQUIRE(!checked.has_value());
  BOOST_TEST(checked.error().detail.find(words) != std::string::npos, checked.error().detail);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(participant_evidence, Evidence)

BOOST_AUTO_TEST_CASE(a_coordinator_of_another_federation_or_ledger_is_refused) {
  protocol::Welcome welcome{1, trust.self.federation, "test", federation.verifier_key()};
  BOOST_TEST(reason(check_welcome(trust, welcome)) == "");
  welcome.verifier_key =
      ledger::VerifierKey{trust.ledger_key.name,
                          must(crypto::PrivateKey::generate(crypto::KeyKind::ed25519)).public_key()}
          .text();
  refused(check_welcome(trust, welcome), "another key");
  welcome.verifier_key = "nonsense";
  refused(check_welcome(trust, welcome), "another key");
  welcome = {1, "other.example", "test", federation.verifier_key()};
  refused(check_welcome(trust, welcome), "other.example");
}

BOOST_AUTO_TEST_CASE(a_plan_must_be_signed_by_an_operator_of_the_federation) {
  const std::string text = "the plan";
  BOOST_TEST(check_operator_signature(trust, federation.offer(text), noon).value() == "olga");

  protocol::PlanToConsider offered = federation.offer(text);
  offered.plan = crypto::sha256("another plan");
  refused(check_operator_signature(trust, offered, noon), "signature");

  const auto bob = federation.certificates.credentials(Role::participant, "bob");
  refused(check_operator_signature(trust, federation.offer(text, bob), noon), "operator");

  const crypto::testing::Federation elsewhere;
  const auto eve = elsewhere.credentials(Role::operator_, "olga");
  refused(check_operator_signature(trust, federation.offer(text, eve), noon), "certificate");

  refused(check_operator_signature(trust, federation.offer(text), crypto::testing::year(2101)),
          "certificate");
  offered.operator_certificate = to_bytes("nonsense");
  refused(check_operator_signature(trust, offered, noon), "certificate");
}

BOOST_AUTO_TEST_CASE(an_opening_that_says_what_the_task_says_is_believed) {
  BOOST_TEST(reason(check_opening(trust, federation.train(plan, 3, model, 100))) == "");
}

BOOST_AUTO_TEST_CASE(nobody_is_given_a_model_of_his_own) {
  refused(check_opening(trust, spoiled([](auto& entry) {
                          entry.subjects["model"] = crypto::sha256("another");
                        })),
          "names model");
  refused(check_opening(trust, spoiled([](auto& entry) { entry.subjects.clear(); })),
          "names model");
}

BOOST_AUTO_TEST_CASE(an_opening_of_something_else_is_refused) {
  refused(check_opening(trust, spoiled([](auto& entry) { entry.kind = "round.aggregated"; })),
          "'round.opened'");
  refused(check_opening(trust, spoiled([](auto& entry) { entry.plan = crypto::sha256("other"); })),
          "of plan");
  refused(check_opening(trust, spoiled([](auto& entry) { entry.round = 4; })), "of round 3");
  refused(check_opening(trust,
                        spoiled([](auto& entry) { entry.details["cohort"] = json::array{"bob"}; })),
          "cohort");
  refused(check_opening(trust, spoiled([](auto& entry) { entry.details.clear(); })), "cohort");
  refused(check_opening(trust, spoiled([&](auto& entry) { entry.actor = trust.self.uri(); })),
          "coordinator");
}

BOOST_AUTO_TEST_CASE(a_receipt_that_proves_nothing_is_refused) {
  const protocol::Train good = federation.train(plan, 3, model, 100);
  const protocol::Train later = federation.train(plan, 4, model, 100);

  protocol::Train task = good;
  task.opening.index += 1;
  refused(check_opening(trust, task), "");
  task = later;
  task.opening.line = good.opening.line;
  refused(check_opening(trust, task), "");
  task = later;
  BOOST_REQUIRE(!task.opening.proof.empty());
  task.opening.proof[0].bytes[0] ^= std::byte{1};
  refused(check_opening(trust, task), "");
  task = good;
  task.opening.checkpoint.back() = 'x';
  refused(check_opening(trust, task), "");

  const TestFederation another;
  Trust other = trust;
  other.ledger_key.key = must(crypto::PrivateKey::generate(crypto::KeyKind::ed25519)).public_key();
  refused(check_opening(other, good), "");
}

BOOST_AUTO_TEST_CASE(a_candidate_must_be_the_one_that_the_ledger_names) {
  protocol::Evaluate task = federation.evaluate(plan, 3, model, 100);
  BOOST_TEST(reason(check_aggregation(trust, task)) == "");
  task.model = crypto::sha256("another");
  refused(check_aggregation(trust, task), "names model");
  task.model = model;
  task.round = 2;
  refused(check_aggregation(trust, task), "of round 2");
}

BOOST_AUTO_TEST_CASE(a_consents_receipt_must_be_of_this_consent_by_this_participant) {
  protocol::AnswerPlan consent;
  consent.plan = plan;
  consent.consents = true;
  const protocol::Answer answer = federation.accept(consent);
  BOOST_TEST(reason(check_consent_receipt(trust, plan, answer)) == "");
  refused(check_consent_receipt(trust, crypto::sha256("other"), answer), "of plan");
  refused(check_consent_receipt(trust, plan, protocol::Answer{}), "no receipt");
  ledger::Entry of_bob = federation.entry("plan.consented", plan);
  of_bob.actor = "spiffe://hospitals.example/participant/bob";
  refused(check_consent_receipt(trust, plan, federation.accepted(of_bob)), "/alice");
}

BOOST_AUTO_TEST_CASE(an_updates_receipt_must_name_the_update_and_its_weight) {
  protocol::OfferUpdate offer;
  offer.plan = plan;
  offer.round = 3;
  offer.update = crypto::sha256("update");
  offer.examples = 137;
  const protocol::Answer answer = federation.accept(offer);
  BOOST_TEST(reason(check_update_receipt(trust, offer, answer)) == "");
  protocol::OfferUpdate other = offer;
  other.update = crypto::sha256("another");
  refused(check_update_receipt(trust, other, answer), "names update");
  other = offer;
  other.examples = 138;
  refused(check_update_receipt(trust, other, answer), "138 examples");
  other = offer;
  other.round = 4;
  refused(check_update_receipt(trust, other, answer), "of round 4");
  refused(check_update_receipt(trust, offer, protocol::Answer{}), "no receipt");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant
