// SPDX-License-Identifier: Apache-2.0
#include "common/plan/plan.hpp"

#include <boost/test/unit_test.hpp>

#include "common/base/file.hpp"
#include "common/crypto/hash.hpp"
#include "tests/common/plan/plans.hpp"

namespace entente::plan {
namespace {

BOOST_FIXTURE_TEST_SUITE(plan, PlanFixture)

BOOST_AUTO_TEST_CASE(every_field_is_read) {
  const auto plan = read(whole_plan);
  BOOST_REQUIRE_MESSAGE(plan, plan.error().detail);
  using std::chrono::seconds;
  BOOST_TEST(plan->name == "ward study");
  BOOST_TEST(plan->data.feature_count() == 3U);
  BOOST_TEST(plan->data.classes == (std::vector<std::string>{"well", "ill"}));
  BOOST_TEST(plan->training.learning_rate == 0.05);
  BOOST_TEST(plan->training.momentum == 0.9);
  BOOST_TEST(plan->training.local_epochs == 2U);
  BOOST_TEST(plan->training.batch_size == 16U);
  BOOST_TEST(plan->training.seed == 7U);
  BOOST_TEST((plan->rules == Rules{5,
                                   2,
                                   3,
                                   seconds(120),
                                   seconds(10),
                                   1,
                                   Weighting::uniform,
                                   1000,
                                   50.0,
                                   1,
                                   seconds(30),
                                   {"loss"},
                                   true}));
  BOOST_TEST(plan->holdout == 0.25);
  BOOST_TEST(plan->strategy == "fedavg");
}

BOOST_AUTO_TEST_CASE(what_is_not_written_has_these_values_for_ever) {
  const auto plan = read(small_plan);
  BOOST_REQUIRE_MESSAGE(plan, plan.error().detail);
  using std::chrono::seconds;
  BOOST_TEST(plan->training.optimizer == "sgd");
  BOOST_TEST(plan->training.momentum == 0.0);
  BOOST_TEST((optimizer_of(plan->training, 1) == engine::OptimizerSpec(engine::Sgd{1, 0, false})));
  BOOST_TEST((plan->training.optimizer_state == OptimizerState::reset));
  BOOST_TEST(plan->training.local_epochs == 1U);
  BOOST_TEST(plan->training.batch_size == 32U);
  BOOST_TEST(std::holds_alternative<engine::CategoricalCrossEntropy>(plan->training.loss));
  BOOST_TEST(plan->training.seed == 0U);
  BOOST_TEST((plan->rules == Rules{1,
                                   1,
                                   1,
                                   seconds(600),
                                   seconds(30),
                                   3,
                                   Weighting::examples,
                                   1'000'000'000,
                                   1e9,
                                   0,
                                   seconds(0),
                                   {},
                                   false}));

  const auto evaluated = read(small_plan + "[evaluation]\nholdout = 0.5\n");
  BOOST_REQUIRE_MESSAGE(evaluated, evaluated.error().detail);
  BOOST_TEST(evaluated->rules.metrics == (std::vector<std::string>{"accuracy", "loss"}));
  BOOST_TEST((evaluated->rules.evaluation_deadline == seconds(300)));
  BOOST_TEST(!evaluated->rules.metrics_per_participant);
}

BOOST_AUTO_TEST_CASE(the_canonical_form_holds_what_was_written_and_nothing_else) {
  const auto plan = read(small_plan);
  BOOST_REQUIRE_MESSAGE(plan, plan.error().detail);
  BOOST_TEST(
      plan->canonical ==
      R"({"data":{"classes":["a","b"],"columns":[{"name":"x","type":"numeric"},{"name":"y","type":"numeric"},)"
      R"({"name":"z","type":"numeric"}],"kind":"table","label":"l"},"model":{"class_name":"Sequential",)"
      R"("config":{"layers":[{"class_name":"InputLayer","config":{"batch_input_shape":[null,3],"dtype":"float32",)"
      R"("name":"input"}},{"class_name":"Dense","config":{"activation":"softmax","name":"dense","units":2}}],)"
      R"("name":"sequential"}},"name":"small","rounds":{"cohort":1,"number":1,"quorum":1},"schema":1,)"
      R"("training":{"learning_rate":1}})");
  BOOST_TEST((plan->digest == crypto::sha256(plan->canonical)));
}

BOOST_AUTO_TEST_CASE(a_plan_reads_back_from_its_canonical_form_with_the_same_digest) {
  const auto written = read(whole_plan);
  BOOST_REQUIRE(written);
  const auto plan = parse_plan(written->canonical);
  BOOST_REQUIRE(plan);
  BOOST_TEST((plan->digest == written->digest));
  BOOST_TEST((plan->rules == written->rules));
  BOOST_TEST((plan->data == written->data));
}

BOOST_AUTO_TEST_CASE(layout_and_comments_of_the_toml_do_not_change_the_digest) {
  const auto one = read(small_plan);
  const auto other = read("# a comment\nschema = 1\n" + small_plan + "\n\n# another\n");
  BOOST_REQUIRE(other);
  BOOST_TEST((one->digest == other->digest));
  const auto changed = read_with("seed = 7", "seed = 8");
  BOOST_TEST((read(whole_plan)->digest != changed->digest));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_canonical_are_refused) {
  const std::string canonical = read(small_plan)->canonical;
  BOOST_TEST((parse_plan(" " + canonical).error().code == Errc::malformed));
  BOOST_TEST(parse_plan(canonical + "\n").has_error());
  BOOST_TEST(parse_plan("").has_error());
  BOOST_TEST(parse_plan("[]").has_error());
  BOOST_TEST(parse_plan(std::string(plan_max_bytes + 1, ' ')).has_error());
  for (std::size_t size = 0; size < canonical.size(); ++size) {
    BOOST_REQUIRE(parse_plan(std::string_view(canonical).substr(0, size)).has_error());
  }
}

BOOST_AUTO_TEST_CASE(an_unknown_field_is_an_error_with_the_nearest_known) {
  BOOST_TEST(refuses("learning_rate", "learning_rat",
                     "training.learning_rat: unknown; did you mean 'learning_rate'?"));
  BOOST_TEST(refuses("momentum", "momentun", "'momentum'"));
  BOOST_TEST(refuses("retries", "retry", "rounds.retry"));
  BOOST_TEST(refuses("holdout", "hold_out", "'holdout'"));
  BOOST_TEST(refuses("[strategy]\nname", "[strategy]\nnam", "strategy.nam"));
  BOOST_TEST(refuses("[evaluation]", "[evaluations]", "'evaluation'"));
}

BOOST_AUTO_TEST_CASE(a_target_and_a_wait_for_the_quorum_may_be_written) {
  const auto plan = read_with("retries = 1", "retries = 1\ntarget = 2\nrecruiting = \"1h\"");
  BOOST_REQUIRE(plan.has_value());
  BOOST_TEST(plan->rules.target == 2U);
  BOOST_TEST((plan->rules.recruiting == std::chrono::seconds(3600)));
  BOOST_TEST(read(whole_plan)->rules.target == 0U);
  BOOST_TEST((read(whole_plan)->rules.recruiting == wait_max));
  BOOST_TEST(refuses("retries = 1", "retries = 1\ntarget = 4",
                     "rounds.target: expected rounds.quorum = 2 to rounds.cohort = 3, saw 4"));
  BOOST_TEST(refuses("retries = 1", "retries = 1\ntarget = 1", "rounds.target"));
}

BOOST_AUTO_TEST_CASE(a_missing_field_a_wrong_type_and_a_number_out_of_range_are_named) {
  BOOST_TEST(refuses("learning_rate = 0.05\n", "", "training.learning_rate: missing"));
  BOOST_TEST(refuses("number = 5", "", "rounds.number: missing"));
  BOOST_TEST(refuses("name = \"ward study\"", "", "name: missing"));
  BOOST_TEST(
      refuses("model = \"model.json\"", "", "model: expected the name of a Keras JSON file"));
  BOOST_TEST(refuses("\"ward study\"", "5", "name: expected a text, saw 5"));
  BOOST_TEST(refuses("\"ward study\"", "\"\"", "name: expected a name"));
  BOOST_TEST(refuses("\"ward study\"", "\"a\\nb\"", "name: expected a name"));
  BOOST_TEST(refuses("learning_rate = 0.05", "learning_rate = \"fast\"",
                     "training.learning_rate: expected a number"));
  BOOST_TEST(refuses("learning_rate = 0.05", "learning_rate = -0.05", "training.learning_rate"));
  BOOST_TEST(refuses("momentum = 0.9", "momentum = 1", "training.momentum"));
  BOOST_TEST(refuses("batch_size = 16", "batch_size = 0",
                     "training.batch_size: expected an integer from 1 to 65536, saw 0"));
  BOOST_TEST(refuses("batch_size = 16", "batch_size = 1.5", "training.batch_size"));
  BOOST_TEST(refuses("local_epochs = 2", "local_epochs = -2", "training.local_epochs"));
  BOOST_TEST(refuses("seed = 7", "seed = -7", "training.seed"));
  BOOST_TEST(
      refuses("\"sgd\"", "\"adamm\"",
              "training.optimizer: expected 'sgd' or 'adam' or 'adamw' or 'adagrad' or 'rmsprop', "
              "saw 'adamm'"));
  BOOST_TEST(refuses("\"uniform\"", "\"size\"",
                     "rounds.weighting: expected 'examples' or 'uniform', saw 'size'"));
  BOOST_TEST(refuses("\"fedavg\"", "\"median\"", "strategy.name: expected 'fedavg', saw 'median'"));
  BOOST_TEST(refuses("\"2m\"", "120", "rounds.deadline: expected a text, saw 120"));
  BOOST_TEST(refuses("\"2m\"", "\"2min\"", "rounds.deadline: expected a duration"));
  BOOST_TEST(refuses("\"2m\"", "\"0s\"", "rounds.deadline: expected 1s to"));
  BOOST_TEST(
      refuses("[\"loss\"]", "[\"f2\"]", "evaluation.metrics: expected some of accuracy, loss"));
  BOOST_TEST(refuses("[\"loss\"]", "[\"loss\", \"loss\"]",
                     "evaluation.metrics: expected each metric once"));
  BOOST_TEST(refuses("[\"loss\"]", "[]", "evaluation.metrics"));
  BOOST_TEST(refuses("holdout = 0.25", "holdout = 1", "evaluation.holdout"));
  BOOST_TEST(refuses("\"per-participant\"", "\"all\"", "evaluation.publish"));
  BOOST_TEST(refuses("name = \"ward study\"", "name = \"x\"\nschema = 2", "schema"));
  BOOST_TEST(refuses("deviation = 12.5", "deviation = 0", "data.columns[0].deviation"));
}

// The defaults here are a promise: they never change within schema 1.
BOOST_AUTO_TEST_CASE(each_optimiser_has_these_defaults_for_ever) {
  const auto spec = [&](const std::string& optimizer) {
    std::string text = small_plan;
    const std::string from = "training.learning_rate = 1\n";
    text.replace(text.find(from), from.size(),
                 "training = { learning_rate = 0.25, optimizer = \"" + optimizer + "\" }\n");
    const auto written = read(text);
    BOOST_REQUIRE_MESSAGE(written, written.error().detail);
    return optimizer_of(written->training, 1);
  };
  using engine::OptimizerSpec;
  BOOST_TEST((spec("sgd") == OptimizerSpec(engine::Sgd{0.25, 0, false})));
  BOOST_TEST((spec("adam") == OptimizerSpec(engine::Adam{0.25, 0.9, 0.999, 1e-7})));
  OptimizerSpec adamw = engine::Adam{0.25, 0.9, 0.999, 1e-7};
  adamw.decay = {engine::WeightDecay::Kind::decoupled, 0.004};
  BOOST_TEST((spec("adamw") == adamw));
  BOOST_TEST((spec("adagrad") == OptimizerSpec(engine::Adagrad{0.25, 0.1, 1e-7})));
  BOOST_TEST((spec("rmsprop") == OptimizerSpec(engine::RmsProp{0.25, 0.9, 0, 1e-7, false})));
}

BOOST_AUTO_TEST_CASE(every_field_of_the_optimisers_is_read) {
  const std::string from = "optimizer = \"sgd\"\nlearning_rate = 0.05\nmomentum = 0.9\n";
  const auto spec = [&](const std::string& to, std::uint64_t round = 1) {
    const auto plan = read_with(from, "learning_rate = 0.5\n" + to);
    BOOST_REQUIRE_MESSAGE(plan, plan.error().detail);
    return optimizer_of(plan->training, round);
  };
  using engine::Clipping;
  using engine::WeightDecay;
  BOOST_TEST((spec("momentum = 0.5\nnesterov = true\n").rule ==
              engine::UpdateRule(engine::Sgd{0.5, 0.5, true})));
  const auto adam = spec(
      "optimizer = \"adam\"\nbeta_1 = 0.8\nbeta_2 = 0.9\nepsilon = 0.001\nweight_decay = 0.01\n"
      "weight_decay_kind = \"l2\"\nclip_global_norm = 1\noptimizer_state = \"keep\"\n");
  BOOST_TEST((adam.rule == engine::UpdateRule(engine::Adam{0.5, 0.8, 0.9, 0.001})));
  BOOST_TEST((adam.decay == WeightDecay{WeightDecay::Kind::l2, 0.01}));
  BOOST_TEST((adam.clipping == Clipping{Clipping::Kind::global_norm, 1}));
  const auto adamw = spec("optimizer = \"adamw\"\nweight_decay = 0\nclip_norm = 2\n");
  BOOST_TEST(adamw.decay.rate == 0.0);
  BOOST_TEST((adamw.clipping == Clipping{Clipping::Kind::norm, 2}));
  BOOST_TEST((spec("optimizer = \"adagrad\"\ninitial_accumulator = 0\nepsilon = 1\n").rule ==
              engine::UpdateRule(engine::Adagrad{0.5, 0, 1})));
  const auto rmsprop = spec(
      "optimizer = \"rmsprop\"\nrho = 0.5\nmomentum = 0.25\ncentered = true\nclip_value = 3\n");
  BOOST_TEST((rmsprop.rule == engine::UpdateRule(engine::RmsProp{0.5, 0.5, 0.25, 1e-7, true})));
  BOOST_TEST((rmsprop.clipping == Clipping{Clipping::Kind::value, 3}));

  const auto steps =
      spec("schedule = { kind = \"step\", every = 10, factor = 0.5, warm_up = 3 }\n");
  BOOST_TEST((steps.schedule == engine::Schedule{engine::StepDecay{10, 0.5}, 3}));
  const auto cosine = spec("schedule = { kind = \"cosine\", length = 100, last = 0.1 }\n");
  BOOST_TEST((cosine.schedule == engine::Schedule{engine::CosineDecay{100, 0.1}, 0}));
  // By round: the same factor for all steps of a round.
  const std::string by_round = "schedule = { kind = \"step\", by = \"round\", every = 2 }\n";
  BOOST_TEST((spec(by_round, 2).schedule == engine::Schedule{engine::ConstantRate{1}, 0}));
  BOOST_TEST((spec(by_round, 3).schedule == engine::Schedule{engine::ConstantRate{0.1}, 0}));
}

BOOST_AUTO_TEST_CASE(fields_of_another_optimiser_or_schedule_are_refused) {
  BOOST_TEST(refuses("\"sgd\"", "\"adam\"",
                     "training.momentum: belongs to the optimizer 'sgd' or 'rmsprop'; this plan's "
                     "is 'adam'"));
  BOOST_TEST(refuses("seed = 7", "beta_1 = 0.9", "training.beta_1: belongs to the optimizer"));
  BOOST_TEST(refuses("seed = 7", "beta_3 = 0.9", "training.beta_3: unknown; did you mean"));
  BOOST_TEST(refuses("seed = 7", "clip_norm = 1\nclip_value = 1",
                     "training.clip_norm: expected one kind of clipping; there is 'clip_value'"));
  BOOST_TEST(refuses("seed = 7", "clip_norm = 0", "training.clip_norm: expected a number"));
  BOOST_TEST(refuses("seed = 7", "weight_decay = -1", "training.weight_decay"));
  BOOST_TEST(refuses("optimizer = \"sgd\"\nlearning_rate = 0.05\nmomentum = 0.9",
                     "optimizer = \"adamw\"\nlearning_rate = 1\nweight_decay_kind = \"l2\"",
                     "training.weight_decay_kind: expected 'decoupled'"));
  BOOST_TEST(refuses("seed = 7", "optimizer_state = \"forget\"",
                     "training.optimizer_state: expected 'reset' or 'keep', saw 'forget'"));
  BOOST_TEST(refuses("seed = 7", "schedule = 1", "training.schedule: expected an object"));
  BOOST_TEST(
      refuses("seed = 7", "schedule = { kind = \"step\" }", "training.schedule.every: missing"));
  BOOST_TEST(refuses("seed = 7", "schedule = { kind = \"cosine\", length = 5, every = 1 }",
                     "training.schedule.every: belongs to the schedule 'step'"));
  BOOST_TEST(refuses("seed = 7", "schedule = { kind = \"cosine\", lenght = 5 }",
                     "training.schedule.lenght: unknown; did you mean 'length'?"));
  BOOST_TEST(refuses("seed = 7", "schedule = { kind = \"sine\" }", "training.schedule.kind"));
}

BOOST_AUTO_TEST_CASE(fields_that_do_not_fit_together_are_named_with_both_numbers) {
  BOOST_TEST(refuses("quorum = 2", "quorum = 4",
                     "rounds.quorum: expected at most rounds.cohort = 3, saw 4"));
  BOOST_TEST(refuses("quorum = 1", "quorum = 4",
                     "evaluation.quorum: expected at most rounds.cohort = 3, saw 4"));
  BOOST_TEST(refuses("\"well\", \"ill\"", "\"well\", \"ill\", \"dead\"",
                     "model: expected 3 outputs as the data have classes, saw 2"));
  BOOST_TEST(refuses("[\"north\", \"south\"]", "[\"north\"]",
                     "model: expected an input of (2) as the data have, saw (3)"));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_there_or_cannot_be_read_is_named) {
  const auto none = read_plan(folder / "none.toml");
  BOOST_TEST((none.error().code == Errc::not_found));
  const auto no_model = read_with("\"model.json\"", "\"models.json\"");
  BOOST_REQUIRE(no_model.has_error());
  BOOST_TEST((no_model.error().code == Errc::not_found));
  BOOST_TEST(no_model.error().detail.find("models.json") != std::string::npos);
  write("model.json", "{\"class_name\": ");
  BOOST_TEST(refuses("seed", "seed", "model.json"));
  write("model.json", "{\"class_name\": \"Functional\", \"config\": {}}");
  BOOST_TEST(refuses("seed", "seed", "model"));
  BOOST_TEST(refuses("name = ", "name = = ", "plan.toml:2"));
}

// Three tokens in, one of three numbers out.
const std::string text_data = R"(
[data]
kind = "text"
tokens = "characters"
length = 3
predict = "last"
)";
const std::string small_head = R"(
name = "small"
model = "model.json"
training.learning_rate = 1
rounds = { number = 1, quorum = 1, cohort = 1 }
)";

BOOST_AUTO_TEST_CASE(a_vocabulary_file_becomes_a_part_of_the_plan) {
  std::string three = model_json;
  three.replace(three.find("\"units\": 2"), 10, "\"units\": 4");
  write("model.json", three);
  write("letters.txt", "\\n\n\xc3\xa4\n");
  const auto in_file = read(small_head + text_data + "vocabulary = \"letters.txt\"\n");
  BOOST_REQUIRE_MESSAGE(in_file, in_file.error().detail);
  const auto in_place = read(small_head + text_data + "vocabulary = [\"\\n\", \"\xc3\xa4\"]\n");
  BOOST_REQUIRE_MESSAGE(in_place, in_place.error().detail);
  BOOST_TEST(in_file->canonical == in_place->canonical);
  BOOST_TEST(std::get<data::Text>(in_file->data.kind).vocabulary.entries ==
             (std::vector<std::string>{"\n", "\xc3\xa4"}));
}

BOOST_AUTO_TEST_CASE(a_columns_vocabulary_may_be_a_file_too) {
  write("words.txt", "yes\nno\n");
  const auto plan = read(small_head + R"(
[data]
kind = "table"
label = "l"
classes = ["a", "b"]
columns = [{ name = "x", type = "text", tokens = "words", vocabulary = "words.txt", length = 3 }]
)");
  BOOST_REQUIRE_MESSAGE(plan, plan.error().detail);
  const auto& column = std::get<data::Table>(plan->data.kind).columns.front();
  BOOST_TEST(std::get<data::Sequence>(column.type).vocabulary.entries ==
             (std::vector<std::string>{"yes", "no"}));
}

BOOST_AUTO_TEST_CASE(a_bad_vocabulary_is_named_with_its_file) {
  const auto refused = [&](const std::string& line, std::string_view part) {
    const auto plan = read(small_head + text_data + line + "\n");
    BOOST_REQUIRE(plan.has_error());
    BOOST_TEST_MESSAGE(plan.error().detail);
    return plan.error().detail.find(part) != std::string::npos;
  };
  BOOST_TEST(refused("vocabulary = \"none.txt\"", "none.txt"));
  write("letters.txt", "a\n\nb\n");
  BOOST_TEST(refused("vocabulary = \"letters.txt\"", "letters.txt:2: expected an entry"));
  write("letters.txt", "a\nbc\n");
  BOOST_TEST(refused("vocabulary = \"letters.txt\"", "data.vocabulary: expected entries"));
}

// No received text ever becomes a path.
BOOST_AUTO_TEST_CASE(a_canonical_plan_names_no_vocabulary_file) {
  const auto plan = read(small_head + R"(
[data]
kind = "table"
label = "l"
classes = ["a", "b"]
columns = [{ name = "x", type = "text", tokens = "words", vocabulary = ["x"], length = 3 }]
)");
  BOOST_REQUIRE_MESSAGE(plan, plan.error().detail);
  std::string canonical = plan->canonical;
  const std::string list = R"("vocabulary":["x"])";
  canonical.replace(canonical.find(list), list.size(), R"("vocabulary":"/etc/hostname")");
  const auto named = parse_plan(canonical);
  BOOST_REQUIRE(named.has_error());
  BOOST_TEST(named.error().detail.find("data.columns[0].vocabulary") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::plan
