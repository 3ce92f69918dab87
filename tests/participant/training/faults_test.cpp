// SPDX-License-Identifier: Apache-2.0
#include "participant/training/faults.hpp"

#include "tests/participant/training/kind.hpp"

namespace entente::participant::training {
namespace {

// Forty rows of one number and two targets; the 31st has these targets instead.
std::string rows_with(const std::string& targets) {
  std::string text = "x,a,b\n";
  for (int row = 1; row <= 40; ++row) text += "0.5," + (row == 31 ? targets : "1,0") + "\n";
  return text;
}

Kind of_targets(const std::string& loss, const std::string& end, const std::string& targets,
                const std::string& scale = "") {
  return Kind(sequential(1, dense("d", 2, end)), adam(loss, 1, 0.01), "\"loss\"",
              R"(kind = "table"
                 targets = [{ name = "a")" +
                  scale + R"( }, { name = "b" }]
                 columns = [{ name = "x", type = "numeric" }])",
              rows_with(targets));
}

std::string fault_in(const Kind& kind) {
  const auto checked = check_targets(kind.setting(), data::Cells::told);
  if (checked) return "";
  BOOST_TEST((checked.error().code == Errc::malformed));
  return checked.error().detail;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(faults_of_rows)

BOOST_AUTO_TEST_CASE(a_target_that_the_loss_does_not_take_is_named_by_row_and_column) {
  const auto binary = [](const std::string& targets, const std::string& scale = "") {
    return fault_in(of_targets("binary_crossentropy", "sigmoid", targets, scale));
  };
  BOOST_TEST(binary("1,0") == "");
  BOOST_TEST(binary("0,1.5") ==
             "row 31: column 'b': expected 0 to 1, as the plan's loss takes, saw 1.500000");
  BOOST_TEST(binary("-1,0") ==
             "row 31: column 'a': expected 0 to 1, as the plan's loss takes, saw -1.000000");
  BOOST_TEST(binary("0,0", ", deviation = 0.5") ==
             "row 1: column 'a': expected 0 to 1 after scaling, as the plan's loss takes, saw "
             "2.000000");
  const auto distribution = [](const std::string& targets) {
    return fault_in(of_targets("categorical_crossentropy", "softmax", targets));
  };
  BOOST_TEST(distribution("0.25,0.75") == "");
  BOOST_TEST(distribution("1,1") ==
             "row 31: the targets together: expected a sum of 1, as the plan's loss takes, saw "
             "2.000000");
  BOOST_TEST(distribution("2,-1") ==
             "row 31: column 'b': expected at least 0, as the plan's loss takes, saw -1.000000");
  BOOST_TEST(fault_in(of_targets("mean_squared_error", "linear", "-7,1e9")) == "");
}

BOOST_AUTO_TEST_CASE(what_stands_there_may_be_withheld) {
  const Kind kind = of_targets("binary_crossentropy", "sigmoid", "0,1.5");
  BOOST_TEST(check_targets(kind.setting(), data::Cells::withheld).error().detail ==
             "row 31: column 'b': expected 0 to 1, as the plan's loss takes");
}

// Should: name the row as the data have it, not as a shuffled batch does. Should not: say what
// stands there, or that training did not stay finite.
BOOST_AUTO_TEST_CASE(training_names_the_row_of_the_data_that_it_cannot_take) {
  const Kind kind = of_targets("binary_crossentropy", "sigmoid", "0,1.5");
  plan::Plan all = kind.plan;
  all.holdout = 0;
  const Setting setting{all, *kind.network, kind.dataset, "alice"};
  const auto outcome = train(setting, 1, kind.initial());
  BOOST_REQUIRE(!outcome.has_value());
  BOOST_TEST((outcome.error().code == Errc::malformed));
  BOOST_TEST(outcome.error().detail ==
             "row 31: column 'b': expected 0 to 1, as the plan's loss takes");
}

// What a plan cannot see: a numeric column under an Embedding.
BOOST_AUTO_TEST_CASE(training_and_evaluation_name_the_row_of_a_number_that_is_no_token) {
  const Kind kind(
      sequential(1, layer("Embedding", R"("name":"e","input_dim":1,"output_dim":2)") + "," +
                        layer("Flatten", R"("name":"f")") + "," + dense("d", 2, "linear")),
      adam("mean_squared_error", 1, 0.01), "\"loss\"",
      R"(kind = "table"
                     targets = [{ name = "a" }, { name = "b" }]
                     columns = [{ name = "x", type = "numeric", mean = 0.5 }])",
      rows_with("1,0\n7.5,1,0"));
  BOOST_TEST(fault_in(kind) == "");
  plan::Plan all = kind.plan;
  all.holdout = 0;
  const Setting setting{all, *kind.network, kind.dataset, "alice"};
  const std::string words =
      "row 32: column 'x': expected a whole number from 0 to 0, as the model's Embedding takes";
  const auto trained = train(setting, 1, kind.initial());
  BOOST_REQUIRE(!trained.has_value());
  BOOST_TEST((trained.error().code == Errc::malformed));
  BOOST_TEST(trained.error().detail == words);
  const auto evaluated = evaluate(setting, std::vector<std::uint32_t>{3, 31, 4}, kind.initial());
  BOOST_REQUIRE(!evaluated.has_value());
  BOOST_TEST(evaluated.error().detail == words);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant::training
