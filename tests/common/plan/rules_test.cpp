// SPDX-License-Identifier: Apache-2.0
#include "common/plan/rules.hpp"

#include <boost/test/unit_test.hpp>

namespace entente::plan {
namespace {

Rules unusual() {
  using std::chrono::seconds;
  return Rules{7,   2,    3, seconds(90), seconds(0), 0,   Weighting::uniform,
               500, 12.5, 1, seconds(20), {"loss"},   true};
}

json::value with(std::string_view key, json::value value) {
  json::object object = rules_to_json(unusual());
  object[key] = std::move(value);
  return object;
}

bool refused(const json::value& value, std::string_view part) {
  const auto rules = rules_from_json(value, "entry 7: rules");
  return rules.has_error() && rules.error().code == Errc::malformed &&
         rules.error().detail.starts_with("entry 7: rules") &&
         rules.error().detail.find(part) != std::string::npos;
}

BOOST_AUTO_TEST_SUITE(rules)

BOOST_AUTO_TEST_CASE(rules_read_back_as_written) {
  for (const Rules& rules : {Rules{}, unusual()}) {
    BOOST_TEST((rules_from_json(rules_to_json(rules), "rules").value() == rules));
  }
}

BOOST_AUTO_TEST_CASE(the_written_form_is_exactly_this) {
  BOOST_TEST(
      canonical_json(rules_to_json(unusual())).value() ==
      R"({"cohort":3,"deadline_seconds":90,"evaluation_deadline_seconds":20,"evaluation_quorum":1,)"
      R"("examples_max":500,"grace_seconds":0,"metrics":["loss"],"metrics_per_participant":true,"norm_max":12.5,"quorum":2,)"
      R"("retries":0,"rounds":7,"weighting":"uniform"})");
}

// Written only where they are used, so that an older auditor still reads a ledger without them.
BOOST_AUTO_TEST_CASE(target_and_recruiting_are_written_where_they_are_not_the_defaults) {
  Rules rules = unusual();
  BOOST_TEST(!rules_to_json(rules).contains("target"));
  BOOST_TEST(!rules_to_json(rules).contains("recruiting_seconds"));
  rules.target = 3;
  rules.recruiting = std::chrono::seconds(60);
  BOOST_TEST((rules_from_json(rules_to_json(rules), "rules").value() == rules));
  BOOST_TEST(refused(with("target", 0), "target"));
  BOOST_TEST(refused(with("recruiting_seconds", 0), "recruiting_seconds"));
  BOOST_TEST(refused(with("recruiting_seconds", wait_max.count() + 1), "recruiting_seconds"));
}

BOOST_AUTO_TEST_CASE(a_target_lies_between_the_quorum_and_the_cohort) {
  BOOST_TEST(refused(with("target", 1), "expected quorum <= target, saw 2 > 1"));
  BOOST_TEST(refused(with("target", 4), "expected target <= cohort, saw 4 > 3"));
  BOOST_TEST(!refused(with("target", 2), ""));
  BOOST_TEST(!refused(with("target", 3), ""));
}

BOOST_AUTO_TEST_CASE(each_member_must_be_there_and_no_other) {
  const json::object whole = rules_to_json(unusual());
  for (const auto& member : whole) {
    json::object less = whole;
    less.erase(member.key());
    BOOST_TEST(refused(less, member.key()));
  }
  BOOST_TEST(refused(with("deadline_secnds", 1), "deadline_seconds"));
  BOOST_TEST(refused(json::value(7), "object"));
}

BOOST_AUTO_TEST_CASE(each_number_has_a_range) {
  BOOST_TEST(refused(with("rounds", 0), "rounds"));
  BOOST_TEST(refused(with("rounds", rounds_max + 1), "rounds"));
  BOOST_TEST(!refused(with("rounds", rounds_max), "rounds"));
  BOOST_TEST(refused(with("quorum", 0), "quorum"));
  BOOST_TEST(refused(with("quorum", quorum_max + 1), "quorum"));
  BOOST_TEST(refused(with("cohort", participants_max + 1), "cohort"));
  BOOST_TEST(refused(with("deadline_seconds", 0), "deadline_seconds"));
  BOOST_TEST(refused(with("deadline_seconds", wait_max.count() + 1), "deadline_seconds"));
  BOOST_TEST(refused(with("grace_seconds", -1), "grace_seconds"));
  BOOST_TEST(refused(with("retries", retries_max + 1), "retries"));
  BOOST_TEST(refused(with("weighting", "by size"), "weighting"));
  BOOST_TEST(refused(with("examples_max", 0), "examples_max"));
  BOOST_TEST(refused(with("norm_max", 0), "norm_max"));
  BOOST_TEST(refused(with("norm_max", "1"), "norm_max"));
  BOOST_TEST(refused(with("metrics_per_participant", 1), "metrics_per_participant"));
  BOOST_TEST(!refused(with("evaluation_deadline_seconds", 0), "evaluation_deadline_seconds"));
}

BOOST_AUTO_TEST_CASE(metrics_are_names_each_once) {
  BOOST_TEST(refused(with("metrics", json::array{"loss", "loss"}), "metrics"));
  BOOST_TEST(refused(with("metrics", json::array{""}), "metrics"));
  BOOST_TEST(refused(with("metrics", json::array{std::string(metric_name_max_bytes + 1, 'a')}),
                     "metrics"));
  BOOST_TEST(refused(with("metrics", json::array{7}), "metrics"));
  BOOST_TEST(!refused(with("metrics", json::array{"accuracy", "loss"}), ""));
  BOOST_TEST(!refused(with("metrics", json::array()), ""));
}

BOOST_AUTO_TEST_CASE(a_cohort_whose_published_metrics_would_not_fit_an_entry_is_refused) {
  const std::uint32_t most = publishable_cohort(unusual());
  BOOST_TEST(most > 200U);
  BOOST_TEST(!refused(with("cohort", most), ""));
  BOOST_TEST(refused(with("cohort", most + 1), "expected a cohort of at most"));
  json::object summary = rules_to_json(unusual());
  summary["cohort"] = participants_max;
  summary["metrics_per_participant"] = false;
  BOOST_TEST(!refused(summary, ""));
}

BOOST_AUTO_TEST_CASE(a_quorum_above_the_cohort_is_refused) {
  BOOST_TEST(refused(with("quorum", 4), "expected quorum <= cohort, saw 4 > 3"));
  BOOST_TEST(!refused(with("quorum", 3), ""));
  BOOST_TEST(
      refused(with("evaluation_quorum", 4), "expected evaluation quorum <= cohort, saw 4 > 3"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::plan
