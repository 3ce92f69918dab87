// SPDX-License-Identifier: Apache-2.0
#include "participant/policy.hpp"

#include <boost/test/unit_test.hpp>

#include "common/base/toml.hpp"
#include "common/crypto/hash.hpp"

namespace entente::participant {
namespace {

Result<Policy> read(const std::string& toml) {
  const auto value = parse_toml(toml, "test").value();
  return parse_policy(value, "policy");
}

plan::Plan plan_of(std::uint32_t epochs, std::uint32_t rounds) {
  plan::Plan plan;
  plan.digest = crypto::sha256("plan");
  plan.training.local_epochs = epochs;
  plan.rules.rounds = rounds;
  return plan;
}

Suitability small() {
  Suitability here;
  here.training_rows = 100;
  here.model_bytes = 1000;
  here.memory_bytes = 10'000;
  return here;
}

// The reason of a refusal; empty when there is none.
std::string reason(const Result<void>& checked) {
  if (checked) return {};
  BOOST_TEST((checked.error().code == Errc::rejected));
  return checked.error().detail;
}

bool says(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(participant_policy)

BOOST_AUTO_TEST_CASE(a_policy_without_operators_is_no_policy) {
  BOOST_TEST(says(read("accept = \"signed\"").error().detail, "policy.operators"));
  BOOST_TEST(says(read("operators = []").error().detail, "policy.operators"));
  BOOST_TEST(says(read("operators = [\"Olga\"]").error().detail, "[a-z0-9-]"));
}

BOOST_AUTO_TEST_CASE(plans_need_a_persons_approval_unless_the_policy_says_otherwise) {
  const Digest plan = crypto::sha256("plan");
  BOOST_TEST(needs_approval(read("operators = [\"olga\"]").value(), plan));
  BOOST_TEST(needs_approval(read("operators = [\"olga\"]\naccept = \"approved\"").value(), plan));
  BOOST_TEST(!needs_approval(read("operators = [\"olga\"]\naccept = \"signed\"").value(), plan));
  const std::string listed = "operators = [\"olga\"]\napproved = [\"" + plan.hex() + "\"]";
  BOOST_TEST(!needs_approval(read(listed).value(), plan));
  BOOST_TEST(needs_approval(read(listed).value(), crypto::sha256("another")));
}

BOOST_AUTO_TEST_CASE(what_is_written_wrong_is_named_with_its_field) {
  BOOST_TEST(says(read("operators = [\"olga\"]\naccept = \"all\"").error().detail,
                  "policy.accept: expected 'approved' or 'signed', saw 'all'"));
  BOOST_TEST(
      says(read("operators = [\"olga\"]\napproved = [\"abc\"]").error().detail, "policy.approved"));
  BOOST_TEST(says(read("operators = [\"olga\"]\nrows_min = -1").error().detail, "policy.rows_min"));
  BOOST_TEST(says(read("operators = [\"olga\"]\nepoch_max = 3").error().detail,
                  "did you mean 'epochs_max'"));
  BOOST_TEST(says(read("operators = [\"olga\"]\ntime_max = 3").error().detail, "time_max"));
}

BOOST_AUTO_TEST_CASE(ceilings_are_read_and_have_defaults) {
  const Ceilings read_ones =
      read(
          "operators = [\"olga\"]\nmodel_max_bytes = 1\nepochs_max = 2\nrounds_max = 3\n"
          "rows_min = 4\nmemory_max_bytes = 5\ntime_max = \"10m\"")
          .value()
          .ceilings;
  BOOST_TEST(read_ones.model_max_bytes == 1u);
  BOOST_TEST(read_ones.epochs_max == 2u);
  BOOST_TEST(read_ones.rounds_max == 3u);
  BOOST_TEST(read_ones.rows_min == 4u);
  BOOST_TEST(read_ones.memory_max_bytes == 5u);
  BOOST_TEST((read_ones.time_max == std::chrono::minutes(10)));
  BOOST_TEST((read("operators = [\"olga\"]").value().ceilings == Ceilings{}));
}

BOOST_AUTO_TEST_CASE(only_an_accepted_operators_plans_are_looked_at) {
  const Policy policy = read("operators = [\"olga\", \"otto\"]").value();
  BOOST_TEST(reason(check_operator(policy, "otto")).empty());
  BOOST_TEST(says(reason(check_operator(policy, "eve")), "operator 'eve'"));
}

BOOST_AUTO_TEST_CASE(a_plan_at_its_ceilings_is_allowed_and_one_past_them_refused_in_words) {
  const Policy policy = read("operators = [\"olga\"]\nepochs_max = 5\nrounds_max = 10").value();
  BOOST_TEST(reason(check_plan(policy, plan_of(5, 10))).empty());
  BOOST_TEST(says(reason(check_plan(policy, plan_of(6, 10))), "local epochs are 6"));
  BOOST_TEST(says(reason(check_plan(policy, plan_of(5, 11))), "rounds are 11"));
}

BOOST_AUTO_TEST_CASE(what_a_plan_would_take_here_is_held_against_the_ceilings) {
  const Policy policy = read(
                            "operators = [\"olga\"]\nmodel_max_bytes = 1000\nrows_min = 100\n"
                            "memory_max_bytes = 10000")
                            .value();
  const plan::Plan plan = plan_of(1, 1);
  BOOST_TEST(reason(check_suitability(policy, plan, small())).empty());
  Suitability here = small();
  here.model_bytes = 1001;
  BOOST_TEST(says(reason(check_suitability(policy, plan, here)), "model_max_bytes = 1000"));
  here = small();
  here.memory_bytes = 10'001;
  BOOST_TEST(says(reason(check_suitability(policy, plan, here)), "memory_max_bytes"));
}

// A refusal stands in the ledger: the number of rows is the institution's own affair.
BOOST_AUTO_TEST_CASE(a_refusal_for_too_few_rows_does_not_say_how_many_there_are) {
  const Policy policy = read("operators = [\"olga\"]\nrows_min = 101").value();
  const std::string told = reason(check_suitability(policy, plan_of(1, 1), small()));
  BOOST_TEST(says(told, "rows_min"));
  BOOST_TEST(!says(told, "100"));
}

BOOST_AUTO_TEST_CASE(metrics_without_a_row_to_hold_out_for_them_are_refused) {
  const Policy policy = read("operators = [\"olga\"]").value();
  plan::Plan plan = plan_of(1, 1);
  Suitability here = small();
  here.holdout_rows = 0;
  BOOST_TEST(reason(check_suitability(policy, plan, here)).empty());
  plan.rules.metrics = {"loss"};
  BOOST_TEST(says(reason(check_suitability(policy, plan, here)), "evaluation.holdout"));
  here.holdout_rows = 1;
  BOOST_TEST(reason(check_suitability(policy, plan, here)).empty());
}

BOOST_AUTO_TEST_CASE(more_rows_than_the_plan_lets_one_institution_weigh_are_refused) {
  plan::Plan plan = plan_of(1, 1);
  plan.rules.examples_max = 99;
  const Policy policy = read("operators = [\"olga\"]").value();
  BOOST_TEST(says(reason(check_suitability(policy, plan, small())), "examples_max"));
  plan.rules.weighting = plan::Weighting::uniform;
  BOOST_TEST(reason(check_suitability(policy, plan, small())).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant
