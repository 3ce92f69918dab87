// SPDX-License-Identifier: Apache-2.0
//
// Plans: what the daemon consents to.
#include "participant/daemon.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/participant/house.hpp"

namespace entente::participant {
namespace {

using test::HouseFixture;
using namespace std::chrono_literals;

bool says(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(participant_consent, HouseFixture)

BOOST_AUTO_TEST_CASE(
    a_signed_plan_within_the_policy_is_consented_to_with_the_institutions_signature) {
  start_with_consent();
  BOOST_TEST(tally.plans_consented == 1u);
  const Consent* consent = journal().consent(plan_digest);
  BOOST_REQUIRE(consent != nullptr);
  const std::string text =
      ledger::statement(ledger::plan_consented, federation.certificates.name, plan_digest);
  BOOST_TEST(federation.alice.chain.front().public_key().verify(
      as_bytes(text), journal().consent(plan_digest)->signature));
  BOOST_TEST(receipts_disk.files.contains("consent-" + plan_digest.hex() + ".tlog-proof"));
}

BOOST_AUTO_TEST_CASE(the_journal_is_durable_before_the_consent_is_told) {
  bool durable = false;
  transport.answers = [&](const protocol::Message& message) {
    durable = says(journal_disk.files[std::string(journal_file)].durable, "\"consent\"");
    return federation.accept(std::get<protocol::AnswerPlan>(message));
  };
  start_with_consent();
  BOOST_TEST(durable);
}

BOOST_AUTO_TEST_CASE(
    a_plan_of_a_stranger_or_with_a_false_signature_is_declined_before_it_is_fetched) {
  protocol::Agenda agenda;
  agenda.plans.push_back(
      federation.offer(plan, federation.certificates.credentials(Role::operator_, "eve")));
  agenda.plans.push_back(federation.offer(test::plan_text(2)));
  agenda.plans[1].signature = agenda.plans[0].signature;
  transport.tell(std::move(agenda));
  start();
  run_for(1s);
  const auto answers = transport.all_asked<protocol::AnswerPlan>();
  BOOST_REQUIRE(answers.size() == 2u);
  BOOST_TEST(!answers[0].consents);
  BOOST_TEST(says(answers[0].reason, "'eve'"));
  BOOST_TEST(!answers[1].consents);
  BOOST_TEST(says(answers[1].reason, "signature"));
  BOOST_TEST(transport.fetched.empty());
}

// The refusal stands in the coordinator's ledger: nothing of the rows may be in it.
BOOST_AUTO_TEST_CASE(a_plan_that_the_data_do_not_fit_is_declined_without_a_word_about_the_data) {
  workbench.data_do_not_fit = Error{Errc::malformed, "part.csv:17: column 'age': saw 'Miller'"};
  tell_plan();
  start();
  run_for(1s);
  const auto answers = transport.all_asked<protocol::AnswerPlan>();
  BOOST_REQUIRE(answers.size() == 1u);
  BOOST_TEST(!answers[0].consents);
  BOOST_TEST(answers[0].reason == "the data here do not fit the plan");
  BOOST_TEST(answers[0].signature.empty());
  BOOST_TEST(!says(journal_disk.content(std::string(journal_file)), "Miller"));
}

// A disk that is not mounted yet.
BOOST_AUTO_TEST_CASE(a_plan_whose_data_cannot_be_read_yet_is_neither_declined_nor_forgotten) {
  for (const Errc code : {Errc::not_found, Errc::io}) {
    workbench.data_do_not_fit = Error{code, "part.csv: not there"};
    if (code == Errc::not_found) {
      tell_plan();
      start();
    }
    run_for(1min);
    BOOST_TEST(transport.asked.empty());
    BOOST_TEST(tally.plans_declined == 0u);
    BOOST_TEST(!says(journal_disk.content(std::string(journal_file)), "decline"));
  }
  workbench.data_do_not_fit.reset();
  run_for(10s);
  BOOST_TEST(tally.plans_consented == 1u);
}

BOOST_AUTO_TEST_CASE(a_plan_for_which_there_is_no_memory_is_declined_with_that_reason) {
  workbench.data_do_not_fit = Error{Errc::rejected, "not enough memory"};
  tell_plan();
  start();
  run_for(1s);
  const auto answers = transport.all_asked<protocol::AnswerPlan>();
  BOOST_REQUIRE(answers.size() == 1u);
  BOOST_TEST(answers[0].reason == "not enough memory");
}

BOOST_AUTO_TEST_CASE(a_plan_past_a_ceiling_or_that_does_not_parse_is_declined) {
  policy.ceilings.rounds_max = 9;
  const std::string nonsense = "{\"schema\":1}";
  transport.serves[crypto::sha256(nonsense)] = nonsense;
  protocol::Agenda agenda;
  agenda.plans.push_back(federation.offer(plan));
  agenda.plans.push_back(federation.offer(nonsense));
  transport.tell(std::move(agenda));
  start();
  run_for(1s);
  const auto answers = transport.all_asked<protocol::AnswerPlan>();
  BOOST_REQUIRE(answers.size() == 2u);
  BOOST_TEST(says(answers[0].reason, "rounds_max = 9"));
  BOOST_TEST(says(answers[1].reason, "cannot be read"));
  BOOST_TEST(tally.plans_declined == 2u);
}

BOOST_AUTO_TEST_CASE(a_plan_waits_for_approval_and_is_consented_to_within_seconds_of_it) {
  policy.accept = Acceptance::approved;
  tell_plan();
  start();
  run_for(1h);
  BOOST_TEST(transport.asked.empty());
  BOOST_TEST(transport.fetched.size() == 1u);
  workbench.approved.insert(plan_digest);
  run_for(3s);
  BOOST_REQUIRE(transport.all_asked<protocol::AnswerPlan>().size() == 1u);
  BOOST_TEST(transport.all_asked<protocol::AnswerPlan>()[0].consents);
}

BOOST_AUTO_TEST_CASE(a_consent_that_was_not_answered_is_told_again_with_the_same_signature) {
  tell_plan();
  transport.answers = [&](const auto&) {
    transport.drop();
    return protocol::Answer{};
  };
  start();
  run_for(100ms);
  transport.answers = [&](const protocol::Message& message) {
    return federation.accept(std::get<protocol::AnswerPlan>(message));
  };
  restart();
  run_for(1s);
  const auto answers = transport.all_asked<protocol::AnswerPlan>();
  BOOST_REQUIRE(answers.size() >= 2u);
  BOOST_TEST((answers.front().signature == answers.back().signature));
  BOOST_TEST(tally.plans_consented == 1u);
}

// Suspended by the operator while the plan was on his agenda, and resumed in the same session.
BOOST_AUTO_TEST_CASE(a_consent_refused_to_a_suspended_participant_is_given_again) {
  int refusals = 1;
  const auto accepting = transport.answers;
  transport.answers = [&](const protocol::Message& message) {
    protocol::Answer answer = accepting(message);
    if (refusals-- > 0) answer.verdict = Verdict::suspended;
    return answer;
  };
  start();
  tell_plan();
  run_for(1min);
  BOOST_TEST(transport.all_asked<protocol::AnswerPlan>().size() == 2u);
  BOOST_TEST(tally.plans_consented == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant
