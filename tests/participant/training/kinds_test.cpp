// SPDX-License-Identifier: Apache-2.0
//
// Every kind of data and loss from files to an update: what a plan says is what is learnt.
#include <cmath>

#include "tests/participant/training/kind.hpp"

namespace entente::participant::training {

BOOST_AUTO_TEST_SUITE(kinds_of_plans)

BOOST_AUTO_TEST_CASE(a_regression_learns_numbers_of_a_table) {
  const Kind kind(sequential(2, dense("a", 16, "relu") + "," + dense("b", 2, "linear")),
                  adam("mean_squared_error", 20, 0.01), R"("loss", "rmse", "mae", "r2")",
                  R"(kind = "table"
                     targets = [{ name = "sum", mean = 1.0 }, { name = "gap", deviation = 2.0 }]
                     columns = [{ name = "x", type = "numeric" }, { name = "y", type = "numeric" }])",
                  table("sum,x,gap,y", [](Random& random) {
                    const double x = random.uniform(), y = random.uniform();
                    return std::to_string(x + y) + "," + std::to_string(x) + "," +
                           std::to_string(x - y) + "," + std::to_string(y);
                  }));
  const auto figures = kind.learns();
  BOOST_TEST(figures.at("r2") > 0.9);
  BOOST_TEST(std::abs(figures.at("rmse") * figures.at("rmse") - figures.at("loss")) < 1e-6);
}

// Of softmax(weight x + bias) over all rows: the mean loss and one plain step of gradient descent,
// as docs/plan.md has the loss.
struct Step {
  double loss = 0;
  std::vector<double> update;  // weights, biases
};
Step step_of(const std::vector<double>& x, const std::vector<std::uint32_t>& labels,
             const std::vector<float>& model, double rate, double smoothing,
             const std::vector<double>& weights) {
  const std::size_t classes = weights.size();
  Step step{0, std::vector<double>(2 * classes)};
  for (std::size_t row = 0; row < x.size(); ++row) {
    std::vector<double> p(classes);
    double sum = 0;
    for (std::size_t j = 0; j < classes; ++j)
      sum += p[j] = std::exp(double{model[j]} * x[row] + double{model[classes + j]});
    const double weight = weights[labels[row]] / static_cast<double>(x.size());
    for (std::size_t j = 0; j < classes; ++j) {
      p[j] /= sum;
      const double hard = j == labels[row] ? 1 : 0;
      const double wanted = (1 - smoothing) * hard + smoothing / static_cast<double>(classes);
      step.loss -= weight * wanted * std::log(p[j]);
      step.update[j] -= rate * weight * (p[j] - wanted) * x[row];
      step.update[classes + j] -= rate * weight * (p[j] - wanted);
    }
  }
  return step;
}

BOOST_AUTO_TEST_CASE(a_plans_smoothing_and_class_weights_reach_the_update_and_not_the_figures) {
  const Kind kind(sequential(1, dense("d", 3, "softmax")),
                  "learning_rate = 0.5\nbatch_size = 1000\nlabel_smoothing = 0.2\n"
                  "class_weights = [1, 3, 0.5]",
                  R"("loss")",
                  R"(kind = "table"
                   label = "l"
                   classes = ["a", "b", "c"]
                   columns = [{ name = "x", type = "numeric" }])",
                  table("x,l", [](Random& random) {
                    const auto x = random.below(64);
                    return std::to_string(static_cast<double>(x) / 64) + "," +
                           (x < 20   ? "a"
                            : x < 50 ? "b"
                                     : "c");
                  }));
  const data::Split split = split_rows(kind.setting());
  std::vector<float> features(split.training.size());
  std::vector<std::uint32_t> labels(split.training.size());
  kind.dataset.gather(split.training, {features, labels, {}});
  const std::vector<float> model = kind.initial();
  const auto expected =
      step_of({features.begin(), features.end()}, labels, model, 0.5, 0.2, {1, 3, 0.5});

  const auto outcome = train(kind.setting(), 1, model);
  BOOST_REQUIRE_MESSAGE(outcome, outcome.error().detail);
  BOOST_TEST(std::abs(outcome->loss - expected.loss) < 1e-5);
  for (std::size_t i = 0; i < model.size(); ++i)
    BOOST_TEST(std::abs(double{outcome->update.values()[i]} - expected.update[i]) < 1e-5);

  std::vector<float> of_holdout(split.holdout.size());
  std::vector<std::uint32_t> held_out(split.holdout.size());
  kind.dataset.gather(split.holdout, {of_holdout, held_out, {}});
  const auto unweighted =
      step_of({of_holdout.begin(), of_holdout.end()}, held_out, model, 0, 0, {1, 1, 1});
  BOOST_TEST(std::abs(kind.figures(model).at("loss") - unweighted.loss) < 1e-6);
}

// Classes as numbers, one-hot: what Keras' categorical cross-entropy takes.
BOOST_AUTO_TEST_CASE(a_distribution_over_columns_is_learnt_as_classes_are) {
  const Kind kind(
      sequential(1, dense("a", 8, "relu") + "," + dense("b", 3, "softmax")),
      adam("categorical_crossentropy", 30, 0.03), R"("loss")",
      R"(kind = "table"
                     targets = [{ name = "low" }, { name = "middle" }, { name = "high" }]
                     columns = [{ name = "x", type = "numeric", mean = 0.5, deviation = 0.3 }])",
      table("x,low,middle,high", [](Random& random) {
        const double x = random.uniform();
        return std::to_string(x) + (x < 0.33 ? ",1,0,0" : x < 0.67 ? ",0,1,0" : ",0,0,1");
      }));
  kind.learns();
}

BOOST_AUTO_TEST_CASE(robust_losses_learn_too) {
  for (const std::string loss : {"mean_absolute_error", "huber", "quantile"}) {
    const Kind kind(sequential(1, dense("a", 8, "relu") + "," + dense("b", 1, "linear")),
                    adam(loss, 20, 0.02), R"("loss")",
                    R"(kind = "table"
                       targets = [{ name = "t" }]
                       columns = [{ name = "x", type = "numeric" }])",
                    table("x,t", [](Random& random) {
                      const double x = random.uniform();
                      return std::to_string(x) + "," + std::to_string(3 * x + 1);
                    }));
    kind.learns();
  }
}

// Numbers in one input, a category of its own embedding in another.
BOOST_AUTO_TEST_CASE(one_output_learns_two_classes_from_numbers_and_an_embedded_category) {
  const auto keras = [](const std::string& name) {
    return R"({"class_name":"__keras_tensor__","config":{"shape":[null,1],"dtype":"float32",)"
           R"("keras_history":[")" +
           name + R"(",0,0]}})";
  };
  const auto node = [](const std::string& made, const std::string& arguments) {
    const std::string name = made.substr(made.find(R"("name":")") + 8);
    return made.substr(0, made.size() - 1) + R"(,"name":")" + name.substr(0, name.find('"')) +
           R"(","inbound_nodes":[)" +
           (arguments.empty() ? "" : R"({"args":[)" + arguments + R"(],"kwargs":{}})") + "]}";
  };
  const std::string model =
      R"({"class_name":"Functional","config":{"name":"m","layers":[)" +
      node(layer("InputLayer", R"("name":"numbers","batch_shape":[null,2])"), "") + "," +
      node(layer("InputLayer", R"("name":"ward","batch_shape":[null,1])"), "") + "," +
      node(layer("Embedding", R"("name":"e","input_dim":4,"output_dim":2)"), keras("ward")) + "," +
      node(layer("Flatten", R"("name":"f")"), keras("e")) + "," +
      node(layer("Concatenate", R"("name":"c","axis":-1)"),
           "[" + keras("numbers") + "," + keras("f") + "]") +
      "," + node(dense("h", 8, "relu"), keras("c")) + "," +
      node(dense("out", 1, "sigmoid"), keras("h")) +
      R"(],"input_layers":[["numbers",0,0],["ward",0,0]],"output_layers":[["out",0,0]]}})";
  const Kind kind(model, adam("binary_crossentropy", 30, 0.02) + "\nclass_weights = [1, 1.5]",
                  R"("loss", "accuracy", "f1", "roc_auc", "average_precision")",
                  R"(kind = "table"
                     label = "ill"
                     classes = ["no", "yes"]
                     [[data.columns]]
                     name = "age"
                     type = "numeric"
                     missing = 0.5
                     missing_indicator = true
                     [[data.columns]]
                     name = "ward"
                     type = "categorical"
                     encoding = "index"
                     unknown = "extra"
                     categories = ["north", "south", "west"])",
                  table("age,ward,ill", [](Random& random) {
                    const double age = random.uniform();
                    const auto ward = random.below(3);
                    const bool ill = ward == 0 ? age > 0.5 : ward == 1;
                    return std::to_string(age) + "," +
                           (ward == 0   ? "north"
                            : ward == 1 ? "south"
                                        : "west") +
                           "," + (ill ? "yes" : "no");
                  }));
  const auto figures = kind.learns();
  BOOST_TEST(figures.at("accuracy") > 0.9);
  BOOST_TEST(figures.at("roc_auc") > 0.95);
}

std::string periodic_text() {
  std::string text;
  for (int i = 0; i < 300; ++i) text += i % 3 == 0 ? "abcd" : "aacb";
  return text;
}
const std::string characters = R"(kind = "text"
tokens = "characters"
vocabulary = ["a", "b", "c", "d"]
length = 8
stride = 3
predict = )";

BOOST_AUTO_TEST_CASE(a_text_is_learnt_at_each_place) {
  const Kind kind(
      sequential(8, layer("Embedding", R"("name":"e","input_dim":6,"output_dim":8)") + "," +
                        layer("LSTM", R"("name":"l","units":12,"return_sequences":true)") + "," +
                        layer("LSTM", R"("name":"m","units":12,"return_sequences":true)") + "," +
                        dense("a", 8, "relu") + "," + dense("b", 6, "softmax")),
      adam("categorical_crossentropy", 12, 0.02),
      R"("loss", "accuracy", "perplexity", "top_2_accuracy")", characters + "\"each\"",
      periodic_text());
  const auto figures = kind.learns();
  BOOST_TEST(std::abs(std::log(figures.at("perplexity")) - figures.at("loss")) < 1e-9);
}

BOOST_AUTO_TEST_CASE(a_text_is_learnt_at_the_end_of_its_windows) {
  const Kind kind(
      sequential(8, layer("Embedding", R"("name":"e","input_dim":6,"output_dim":8)") + "," +
                        layer("GRU", R"("name":"g","units":12)") + "," + dense("b", 6, "softmax")),
      adam("categorical_crossentropy", 15, 0.02), R"("loss", "accuracy")", characters + "\"last\"",
      periodic_text());
  kind.learns();
}

BOOST_AUTO_TEST_CASE(words_are_tagged_and_padding_does_not_count) {
  const Kind kind(
      sequential(6,
                 layer("Embedding", R"("name":"e","input_dim":5,"output_dim":8,"mask_zero":true)") +
                     "," + layer("LSTM", R"("name":"l","units":8,"return_sequences":true)") + "," +
                     dense("b", 2, "softmax")),
      adam("categorical_crossentropy", 10, 0.02), R"("loss", "accuracy")",
      R"(kind = "table"
         label = "tags"
         label_per = "token"
         classes = ["quiet", "loud"]
         [[data.columns]]
         name = "text"
         type = "text"
         tokens = "words"
         vocabulary = ["he", "shouts", "she"]
         length = 6)",
      table("text,tags", [](Random& random) {
        std::string words, tags;
        for (std::uint64_t i = 0; i <= random.below(6); ++i) {
          const bool loud = random.below(2) == 0;
          words += loud ? "shouts " : "he ";
          tags += loud ? "loud " : "quiet ";
        }
        return words + "," + tags;
      }));
  const auto figures = kind.learns();
  BOOST_TEST(figures.at("accuracy") > 0.95);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant::training
