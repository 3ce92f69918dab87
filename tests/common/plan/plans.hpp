// SPDX-License-Identifier: Apache-2.0
//
// Plans to read and to change.
#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>

#include "common/base/file.hpp"
#include "common/plan/plan.hpp"
#include "tests/common/base/folder.hpp"

namespace entente::plan {

inline const std::string whole_plan = R"(
name = "ward study"
model = "model.json"

[data]
kind = "table"
label = "outcome"
classes = ["well", "ill"]
[[data.columns]]
name = "age"
type = "numeric"
mean = 40
deviation = 12.5
[[data.columns]]
name = "ward"
type = "categorical"
categories = ["north", "south"]
unknown = "zero"

[training]
optimizer = "sgd"
learning_rate = 0.05
momentum = 0.9
local_epochs = 2
batch_size = 16
loss = "categorical_crossentropy"
seed = 7

[rounds]
number = 5
quorum = 2
cohort = 3
deadline = "2m"
grace = "10s"
retries = 1
weighting = "uniform"
examples_max = 1000
norm_max = 50

[strategy]
name = "fedavg"

[evaluation]
metrics = ["loss"]
holdout = 0.25
quorum = 1
deadline = "30s"
publish = "per-participant"
)";

inline const std::string small_plan = R"(
name = "small"
model = "model.json"
training.learning_rate = 1
rounds = { number = 1, quorum = 1, cohort = 1 }
[data]
kind = "table"
label = "l"
classes = ["a", "b"]
columns = [{ name = "x", type = "numeric" }, { name = "y", type = "numeric" }, { name = "z", type = "numeric" }]
)";

// Three inputs, two classes.
inline const std::string model_json =
    R"({"class_name": "Sequential", "config": {"name": "sequential", "layers": [
  {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 3], "dtype": "float32", "name": "input"}},
  {"class_name": "Dense", "config": {"name": "dense", "units": 2, "activation": "softmax"}}]}})";

struct PlanFixture {
  PlanFixture() { write("model.json", model_json); }

  void write(const std::string& name, std::string_view text) const {
    BOOST_REQUIRE(write_file(folder / name, as_bytes(text), Durability::cached));
  }
  Result<Plan> read(std::string_view toml) const {
    write("plan.toml", toml);
    return read_plan(folder / "plan.toml");
  }
  // The whole plan with `from` replaced by `to`.
  Result<Plan> read_with(const std::string& from, const std::string& to) const {
    std::string text = whole_plan;
    const auto at = text.find(from);
    BOOST_REQUIRE(at != std::string::npos);
    return read(text.replace(at, from.size(), to));
  }
  bool refuses(const std::string& from, const std::string& to, std::string_view part) const {
    const auto plan = read_with(from, to);
    if (!plan.has_error()) return false;
    BOOST_TEST_MESSAGE(plan.error().detail);
    return plan.error().detail.find(part) != std::string::npos &&
           plan.error().detail.find("plan.toml") != std::string::npos &&
           plan.error().detail.find('\n') == std::string::npos;
  }

  test::Folder folder;
};

}  // namespace entente::plan
