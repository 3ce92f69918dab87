// SPDX-License-Identifier: Apache-2.0
#include "common/plan/plan.hpp"

#include <algorithm>

#include "common/base/file.hpp"
#include "common/base/json.hpp"
#include "common/base/text.hpp"
#include "common/base/toml.hpp"
#include "common/crypto/hash.hpp"
#include "common/plan/choice.hpp"
#include "common/plan/duration.hpp"
#include "common/plan/fit.hpp"
#include "common/plan/metrics.hpp"

namespace entente::plan {

namespace {

constexpr double holdout_least = 1e-6;

Rules read_rules(JsonReader& reader) {
  const Rules defaults;
  Rules rules;
  rules.rounds = static_cast<std::uint32_t>(reader.integer("number", 1, rounds_max));
  rules.quorum = static_cast<std::uint32_t>(reader.integer("quorum", 1, quorum_max));
  rules.cohort = static_cast<std::uint32_t>(reader.integer("cohort", 1, participants_max));
  rules.deadline =
      duration_or(reader, "deadline", defaults.deadline, std::chrono::seconds(1), wait_max);
  rules.grace = duration_or(reader, "grace", defaults.grace, std::chrono::seconds(0), wait_max);
  rules.retries =
      static_cast<std::uint32_t>(reader.integer_or("retries", defaults.retries, 0, retries_max));
  rules.target = static_cast<std::uint32_t>(reader.integer_or("target", 0, 1, participants_max));
  rules.recruiting =
      duration_or(reader, "recruiting", defaults.recruiting, std::chrono::seconds(1), wait_max);
  rules.weighting = choice_or_first(reader, "weighting", {"examples", "uniform"}) == "examples"
                        ? Weighting::examples
                        : Weighting::uniform;
  rules.examples_max = static_cast<std::uint64_t>(reader.integer_or(
      "examples_max", static_cast<std::int64_t>(defaults.examples_max), 1, examples_limit));
  rules.norm_max = reader.number_or("norm_max", defaults.norm_max, norm_least, norm_limit);
  return rules;
}

void read_evaluation(JsonReader& reader, Plan& plan) {
  const Rules defaults;
  Rules& rules = plan.rules;
  plan.holdout = reader.number("holdout", holdout_least, holdout_max);
  if (reader.find("metrics") != nullptr) {
    for (const json::value& metric : reader.array("metrics", 1, metrics_max)) {
      if (!metric.is_string() || find_metric(metric.get_string()) == nullptr) {
        reader.fail("metrics", "expected some of " + metric_names() + "; saw " + describe(metric));
        break;
      }
      const std::string name(metric.get_string());
      if (std::ranges::find(rules.metrics, name) != rules.metrics.end()) {
        reader.fail("metrics", "expected each metric once, saw " + in_quotes(name) + " twice");
        break;
      }
      rules.metrics.push_back(name);
    }
  }
  rules.evaluation_quorum =
      static_cast<std::uint32_t>(reader.integer_or("quorum", 0, 0, participants_max));
  rules.evaluation_deadline = duration_or(reader, "deadline", defaults.evaluation_deadline,
                                          std::chrono::seconds(1), wait_max);
  rules.metrics_per_participant =
      choice_or_first(reader, "publish", {"aggregate", "per-participant"}) == "per-participant";
}

// Whether it is there.
Result<void> done_with(const Result<Training>& training) {
  if (!training) return training.error();
  return ok();
}

// Everything of `plan` but its bytes and digest.
Result<Plan> read_members(const json::value& value) {
  JsonReader reader(value, "");
  Plan plan;
  reader.integer("schema", schema_version, schema_version);
  plan.name = reader.text("name", plan_name_max_bytes);
  if (plan.name.empty() || escaped(plan.name) != plan.name) {
    reader.fail("name", "expected a name without control characters, saw " + in_quotes(plan.name));
  }
  const json::value& model = reader.child("model");
  const json::value& data = reader.child("data");

  JsonReader training = reader.object("training");
  auto training_done = read_training(training);
  JsonReader rounds = reader.object("rounds");
  plan.rules = read_rules(rounds);
  Result<void> strategy_done = ok();
  if (reader.find("strategy") != nullptr) {
    JsonReader strategy = reader.object("strategy");
    plan.strategy = choice_or_first(strategy, "name", {"fedavg"});
    strategy_done = strategy.finish();
  }
  Result<void> evaluation_done = ok();
  if (reader.find("evaluation") != nullptr) {
    JsonReader evaluation = reader.object("evaluation");
    read_evaluation(evaluation, plan);
    evaluation_done = evaluation.finish();
  } else {
    plan.rules.evaluation_deadline = std::chrono::seconds(0);
  }
  for (const Result<void>& done : {reader.finish(), done_with(training_done), rounds.finish(),
                                   strategy_done, evaluation_done}) {
    if (!done) return done.error();
  }
  plan.training = std::move(*training_done);

  auto schema = data::parse_schema(data, "data");
  if (!schema) return schema.error();
  plan.data = std::move(*schema);
  if (plan.holdout > 0 && plan.rules.metrics.empty()) {
    const bool classes = plan.data.target().kind == data::Target::Kind::classes;
    plan.rules.metrics =
        classes ? std::vector<std::string>{"accuracy", "loss"} : std::vector<std::string>{"loss"};
  }
  const engine::Shape example = plan.data.input_shape();
  auto spec = model::read_model(model, "model", &example);
  if (!spec) return spec.error();
  plan.model = std::move(*spec);
  if (auto fits = check_fit(plan); !fits) return fits.error();
  return plan;
}

// Puts the entries of a vocabulary where `owner` names its file.
Result<void> embed_vocabulary(json::value& owner, const std::string& path,
                              const std::filesystem::path& folder) {
  json::value* vocabulary =
      owner.is_object() ? owner.get_object().if_contains("vocabulary") : nullptr;
  if (vocabulary == nullptr || !vocabulary->is_string()) return ok();
  const auto entries = data::read_vocabulary_file(folder / std::string(vocabulary->get_string()));
  if (!entries) return in_context(path + ".vocabulary", entries.error());
  *vocabulary = json::array(entries->begin(), entries->end());
  return ok();
}

Result<void> embed_vocabularies(json::object& plan, const std::filesystem::path& folder) {
  json::value* const data = plan.if_contains("data");
  if (data == nullptr || !data->is_object()) return ok();
  if (auto done = embed_vocabulary(*data, "data", folder); !done) return done;
  json::value* const columns = data->get_object().if_contains("columns");
  if (columns == nullptr || !columns->is_array()) return ok();
  std::size_t i = 0;
  for (json::value& column : columns->get_array()) {
    const std::string path = "data.columns[" + std::to_string(i++) + "]";
    if (auto done = embed_vocabulary(column, path, folder); !done) return done;
  }
  return ok();
}

// Puts the model's JSON and vocabularies where the TOML names their files, and the schema version.
Result<void> embed(json::value& value, const std::filesystem::path& folder) {
  if (!value.is_object()) return Error{Errc::malformed, "expected a table"};
  json::object& object = value.get_object();
  if (!object.contains("schema")) object["schema"] = schema_version;
  const json::value* file = object.if_contains("model");
  if (file == nullptr || !file->is_string()) {
    return Error{Errc::malformed, "model: expected the name of a Keras JSON file beside the plan"};
  }
  const std::filesystem::path path = folder / std::string(file->get_string());
  const auto text = read_text(path, plan_max_bytes);
  if (!text) return in_context("model", text.error());
  auto model = parse_json(*text, plan_max_bytes);
  if (!model) return in_context("model: " + path.string(), model.error());
  object["model"] = std::move(*model);
  return embed_vocabularies(object, folder);
}

}  // namespace

Result<engine::Network> compile(const Plan& plan) {
  return model::compile(plan.model, plan.training.loss);
}

Result<Plan> read_plan(const std::filesystem::path& toml) {
  auto value = read_toml(toml);
  if (!value) return value.error();
  if (auto done = embed(*value, toml.parent_path()); !done) {
    return in_context(toml.string(), done.error());
  }
  const auto canonical = canonical_json(*value);
  if (!canonical) return in_context(toml.string(), canonical.error());
  auto plan = parse_plan(*canonical);
  if (!plan) return in_context(toml.string(), plan.error());
  return plan;
}

Result<Plan> parse_plan(std::string_view canonical) {
  const auto value = parse_canonical_json(canonical, plan_max_bytes);
  if (!value) return value.error();
  auto plan = read_members(*value);
  if (!plan) return plan;
  plan->canonical = canonical;
  plan->digest = crypto::sha256(canonical);
  return plan;
}

}  // namespace entente::plan
