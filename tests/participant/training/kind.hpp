// SPDX-License-Identifier: Apache-2.0
//
// A plan of any kind with its model and rows, from their texts.
#pragma once

#include <boost/test/unit_test.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/file.hpp"
#include "common/base/parallel.hpp"
#include "common/base/random.hpp"
#include "common/engine/initial.hpp"
#include "participant/training/training.hpp"
#include "tests/common/base/folder.hpp"

namespace entente::participant::training {

inline std::string layer(const std::string& kind, const std::string& config) {
  return R"({"class_name":")" + kind + R"(","config":{)" + config + "}}";
}
inline std::string dense(const std::string& name, int units, const std::string& activation) {
  return layer("Dense", R"("name":")" + name + R"(","units":)" + std::to_string(units) +
                            R"(,"activation":")" + activation + "\"");
}
inline std::string sequential(int inputs, const std::string& layers) {
  return R"({"class_name":"Sequential","config":{"name":"m","layers":[)" +
         layer("InputLayer", R"("name":"in","batch_shape":[null,)" + std::to_string(inputs) + "]") +
         "," + layers + "]}}";
}

// A plan with its model and rows, in a folder of its own.
struct Kind {
  test::Folder folder;
  plan::Plan plan;
  std::optional<engine::Network> network;
  data::Dataset dataset;

  Kind(const std::string& model, const std::string& training, const std::string& metrics,
       const std::string& data, const std::string& rows) {
    write("model.json", model);
    write("plan.toml", "name = \"kind\"\nmodel = \"model.json\"\n[training]\n" + training +
                           "\n[rounds]\nnumber = 1\nquorum = 1\ncohort = 1\n[evaluation]\n"
                           "holdout = 0.25\nmetrics = [" +
                           metrics + "]\n[data]\n" + data);
    auto read = plan::read_plan(folder / "plan.toml");
    BOOST_REQUIRE_MESSAGE(read, read.error().detail);
    plan = std::move(*read);
    network = plan::compile(plan).value();
    write("rows", rows);
    auto loaded = data::load(plan.data, data::source_of(plan.data, folder / "rows").value());
    BOOST_REQUIRE_MESSAGE(loaded, loaded.error().detail);
    dataset = std::move(*loaded);
  }
  ~Kind() { set_thread_count(0); }

  void write(const std::string& name, const std::string& text) const {
    BOOST_REQUIRE(write_file(folder / name, as_bytes(text), Durability::cached));
  }
  Setting setting() const { return {plan, *network, dataset, "alice"}; }
  std::vector<float> initial() const {
    std::vector<float> values(network->parameter_count());
    engine::initial_values(*network, 1, 0, values);
    return values;
  }
  // The model after a round from a fresh one.
  std::vector<float> trained(std::size_t threads) const {
    set_thread_count(threads);
    std::vector<float> model = initial();
    const auto outcome = train(setting(), 1, model);
    BOOST_REQUIRE_MESSAGE(outcome, outcome.error().detail);
    for (std::size_t i = 0; i < model.size(); ++i) model[i] += outcome->update.values()[i];
    return model;
  }
  std::map<std::string, double> figures(const std::vector<float>& model) const {
    return evaluate(setting(), split_rows(setting()).holdout, model).value().metrics;
  }
  // Trained on any number of threads, the same bits, which are better than before.
  std::map<std::string, double> learns() const {
    const auto before = figures(initial());
    const auto model = trained(1);
    BOOST_TEST((trained(3) == model));
    const auto after = figures(model);
    BOOST_TEST(after.at("loss") < 0.6 * before.at("loss"),
               before.at("loss") << " before, " << after.at("loss") << " after");
    BOOST_TEST(after.size() == plan.rules.metrics.size());
    return after;
  }
};

// Lines of `row`, which is given a generator.
inline std::string table(const std::string& header,
                         const std::function<std::string(Random&)>& row) {
  Random random(5);
  std::string text = header + "\n";
  for (int i = 0; i < 400; ++i) text += row(random) + "\n";
  return text;
}
inline std::string adam(const std::string& loss, int epochs, double rate) {
  return "optimizer = \"adam\"\nlearning_rate = " + std::to_string(rate) +
         "\nbatch_size = 16\nlocal_epochs = " + std::to_string(epochs) + "\nloss = \"" + loss +
         "\"";
}

}  // namespace entente::participant::training
