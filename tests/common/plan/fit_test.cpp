// SPDX-License-Identifier: Apache-2.0
#include "common/plan/fit.hpp"

#include <boost/test/unit_test.hpp>

#include "common/plan/metrics.hpp"
#include "tests/common/plan/plans.hpp"

namespace entente::plan {
namespace {

struct Ends : PlanFixture {
  // The model's last layer.
  void end(const std::string& units, const std::string& activation) const {
    std::string text = model_json;
    const std::string from = R"("units": 2, "activation": "softmax")";
    text.replace(text.find(from), from.size(),
                 R"("units": )" + units + R"(, "activation": ")" + activation + R"(")");
    write("model.json", text);
  }
  std::string error(const std::string& from, const std::string& to) const {
    const auto plan = read_with(from, to);
    return plan ? "" : plan.error().detail.substr(plan.error().detail.find(": ") + 2);
  }
  std::string loss_error(const std::string& loss) const {
    return error("loss = \"categorical_crossentropy\"", "loss = " + loss);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fit, Ends)

// The model stays as it was given.
BOOST_AUTO_TEST_CASE(sizes_that_the_model_leaves_open_are_those_of_the_data) {
  std::string text = model_json;
  text.replace(text.find("[null, 3]"), 9, "[null, null]");
  write("model.json", text);
  const auto plan = read(whole_plan);
  BOOST_TEST_REQUIRE(plan.has_value(), (plan ? "" : plan.error().detail));
  BOOST_TEST((plan->model.graph.inputs[0].shape == engine::Shape{3}));
  BOOST_TEST(plan->canonical.find("[null,null]") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_losses_and_their_numbers_are_read) {
  const auto loss = [&](const std::string& text) {
    return read_with("loss = \"categorical_crossentropy\"", text)->training.loss;
  };
  BOOST_TEST((loss("") == engine::LossSpec(engine::CategoricalCrossEntropy{})));
  BOOST_TEST((loss("label_smoothing = 0.1\nclass_weights = [1, 2.5]") ==
              engine::LossSpec(engine::CategoricalCrossEntropy{0.1, {1, 2.5}})));
  end("1", "sigmoid");
  BOOST_TEST((loss("loss = \"binary_crossentropy\"\nclass_weights = [1, 9]") ==
              engine::LossSpec(engine::BinaryCrossEntropy{0, {1, 9}})));
}

BOOST_AUTO_TEST_CASE(two_classes_have_softmax_of_two_or_one_sigmoid) {
  BOOST_TEST(loss_error("\"binary_crossentropy\"") ==
             "model: the last layer ('dense') must have the activation sigmoid (its loss is the "
             "binary cross-entropy)");
  end("2", "sigmoid");
  BOOST_TEST(loss_error("\"binary_crossentropy\"") ==
             "model: expected 1 outputs for two classes, saw 2");
  end("1", "sigmoid");
  BOOST_TEST(loss_error("\"binary_crossentropy\"") == "");
  end("3", "softmax");
  BOOST_TEST(loss_error("\"categorical_crossentropy\"") ==
             "model: expected 2 outputs as the data have classes, saw 3");
  BOOST_TEST(loss_error("\"huber\"") ==
             "training.loss: expected a cross-entropy, as the data have classes");
}

BOOST_AUTO_TEST_CASE(numbers_of_another_loss_are_refused) {
  BOOST_TEST(loss_error("\"categorical_crossentropy\"\ndelta = 2")
                 .find("training.delta: belongs to the loss 'huber'") == 0U);
  BOOST_TEST(loss_error("\"categorical_crossentropy\"\nclass_weights = [1, -2]")
                 .find("training.class_weights: expected numbers from 0 to 1e6, saw -2") == 0U);
  BOOST_TEST(loss_error("\"categorical_crossentropy\"\nclass_weights = [1, 2, 3]") ==
             "model: loss: expected 2 class weights, saw 3");
  BOOST_TEST(loss_error("\"sparse_categorical_crossentropy\"")
                 .find("training.loss: expected 'categorical_crossentropy', which takes classes") ==
             0U);
  BOOST_TEST(loss_error("\"hinge\"").find("training.loss: expected 'categorical_crossentropy'") ==
             0U);
}

BOOST_AUTO_TEST_CASE(what_saves_memory_is_read) {
  const auto plan = read_with("seed = 7", "seed = 7\nmicro_batch = 4\nrecompute = true");
  BOOST_REQUIRE(plan);
  BOOST_TEST(plan->training.micro_batch == 4U);
  BOOST_TEST(plan->training.recompute);
  BOOST_TEST(error("seed = 7", "micro_batch = 0").find("training.micro_batch") == 0U);
}

BOOST_AUTO_TEST_CASE(metrics_are_those_of_the_targets) {
  const auto of = [&](const std::string& metrics) { return error("[\"loss\"]", metrics); };
  BOOST_TEST(of(R"(["accuracy", "f1", "precision", "recall", "roc_auc", "average_precision",
                    "log_loss", "perplexity"])") == "");
  BOOST_TEST(of(R"(["rmse"])") ==
             "evaluation.metrics: 'rmse' is for numbers, the data have classes");
  BOOST_TEST(of(R"(["top_2_accuracy"])") ==
             "evaluation.metrics: 'top_2_accuracy' of 2 classes is always 1");
}

// Should: ask for a row of the table for every number that the plan itself makes. Should not: ask
// for more, nor for any where the rows alone decide.
BOOST_AUTO_TEST_CASE(an_embedding_has_a_row_for_every_token_and_category) {
  const auto embedding = [&](int rows, int features) {
    write("model.json", R"({"class_name": "Sequential", "config": {"name": "s", "layers": [
      {"class_name": "InputLayer", "config": {"batch_shape": [null, )" +
                            std::to_string(features) + R"(], "name": "in"}},
      {"class_name": "Embedding", "config": {"name": "words", "input_dim": )" +
                            std::to_string(rows) + R"(, "output_dim": 3}},
      {"class_name": "Flatten", "config": {"name": "flat"}},
      {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "softmax"}}]}})");
  };
  const auto of = [&](const std::string& column) {
    const auto plan = read(
        "name = \"e\"\nmodel = \"model.json\"\ntraining.learning_rate = 1\n"
        "rounds = { number = 1, quorum = 1, cohort = 1 }\n[data]\n"
        "kind = \"table\"\nlabel = \"l\"\nclasses = [\"a\", \"b\"]\n"
        "columns = [{ name = \"c\", " +
        column + " }]\n");
    return plan ? "" : plan.error().detail.substr(plan.error().detail.find(": ") + 2);
  };
  const std::string text =
      R"(type = "text", tokens = "words", vocabulary = ["he", "she"], length = 4)";
  embedding(4, 4);
  BOOST_TEST(of(text) == "");
  embedding(3, 4);
  BOOST_TEST(of(text) ==
             "model: layer 'words': expected input_dim to be at least 4 as column 'c' of the data "
             "makes so many numbers, saw 3");
  const std::string category =
      R"(type = "categorical", encoding = "index", categories = ["x", "y", "z"])";
  embedding(3, 1);
  BOOST_TEST(of(category) == "");
  BOOST_TEST(of(category + R"(, unknown = "extra")").find("expected input_dim to be at least 4") !=
             std::string::npos);
  embedding(1, 1);
  BOOST_TEST(of(R"(type = "numeric")") == "");
}

BOOST_AUTO_TEST_CASE(metrics_are_found_by_their_names) {
  BOOST_TEST(find_metric("rmse") != nullptr);
  BOOST_TEST(find_metric("top_k_accuracy") == nullptr);
  for (const std::string_view name : {"top_1_accuracy", "top_101_accuracy", "top_05_accuracy",
                                      "top_accuracy", "top_5", "top_x_accuracy", ""}) {
    BOOST_TEST(find_metric(name) == nullptr);
  }
  BOOST_TEST(top_k_of("top_100_accuracy").value() == 100U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::plan
