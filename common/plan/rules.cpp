// SPDX-License-Identifier: Apache-2.0
#include "common/plan/rules.hpp"

#include <algorithm>

#include "common/base/identity.hpp"
#include "common/base/text.hpp"

namespace entente::plan {
namespace {

constexpr std::size_t number_max_bytes = 25;  // as canonical JSON writes a double

std::vector<std::string> read_metrics(JsonReader& reader) {
  std::vector<std::string> metrics;
  for (const json::value& metric : reader.array("metrics", 0, metrics_max)) {
    const bool usable =
        metric.is_string() && !metric.get_string().empty() &&
        metric.get_string().size() <= metric_name_max_bytes &&
        std::ranges::find(metrics, std::string_view(metric.get_string())) == metrics.end();
    if (!usable) {
      reader.fail("metrics", "expected names, each once, saw " + describe(metric));
      break;
    }
    metrics.emplace_back(metric.get_string());
  }
  return metrics;
}

}  // namespace

json::object rules_to_json(const Rules& rules) {
  json::object object{
      {"cohort", rules.cohort},
      {"deadline_seconds", rules.deadline.count()},
      {"evaluation_deadline_seconds", rules.evaluation_deadline.count()},
      {"evaluation_quorum", rules.evaluation_quorum},
      {"examples_max", rules.examples_max},
      {"grace_seconds", rules.grace.count()},
      {"metrics", json::array(rules.metrics.begin(), rules.metrics.end())},
      {"metrics_per_participant", rules.metrics_per_participant},
      {"norm_max", rules.norm_max},
      {"quorum", rules.quorum},
      {"retries", rules.retries},
      {"rounds", rules.rounds},
      {"weighting", rules.weighting == Weighting::examples ? "examples" : "uniform"},
  };
  if (rules.target != 0) object["target"] = rules.target;
  if (rules.recruiting != wait_max) object["recruiting_seconds"] = rules.recruiting.count();
  return object;
}

Result<Rules> rules_from_json(const json::value& value, std::string path) {
  JsonReader reader(value, path);
  const auto natural = [&reader](std::string_view key, std::int64_t least, std::int64_t most) {
    return static_cast<std::uint32_t>(reader.integer(key, least, most));
  };
  const auto seconds = [&reader](std::string_view key, std::int64_t least) {
    return std::chrono::seconds(reader.integer(key, least, wait_max.count()));
  };
  Rules rules;
  rules.rounds = natural("rounds", 1, rounds_max);
  rules.quorum = natural("quorum", 1, quorum_max);
  rules.cohort = natural("cohort", 1, participants_max);
  rules.deadline = seconds("deadline_seconds", 1);
  rules.grace = seconds("grace_seconds", 0);
  rules.retries = natural("retries", 0, retries_max);
  rules.target = static_cast<std::uint32_t>(reader.integer_or("target", 0, 1, participants_max));
  rules.recruiting = std::chrono::seconds(
      reader.integer_or("recruiting_seconds", wait_max.count(), 1, wait_max.count()));
  const std::string weighting = reader.text("weighting");
  if (weighting == "uniform") {
    rules.weighting = Weighting::uniform;
  } else if (weighting != "examples") {
    reader.fail("weighting", "expected \"examples\" or \"uniform\", saw " + in_quotes(weighting));
  }
  rules.examples_max =
      static_cast<std::uint64_t>(reader.integer("examples_max", 1, examples_limit));
  rules.norm_max = reader.number("norm_max", norm_least, norm_limit);
  rules.evaluation_quorum = natural("evaluation_quorum", 0, participants_max);
  rules.evaluation_deadline = seconds("evaluation_deadline_seconds", 0);
  rules.metrics = read_metrics(reader);
  rules.metrics_per_participant = reader.boolean("metrics_per_participant");
  if (auto done = reader.finish(); !done) return done.error();
  if (auto fits = check_rules(rules, path); !fits) return fits.error();
  return rules;
}

std::uint32_t publishable_cohort(const Rules& rules) {
  if (!rules.metrics_per_participant) return participants_max;
  std::size_t each = name_max_bytes + std::string_view(R"("":{},)").size();
  for (const std::string& metric : rules.metrics) {
    each += metric.size() + std::string_view(R"("":,)").size() + number_max_bytes;
  }
  return static_cast<std::uint32_t>(
      std::min<std::size_t>(participants_max, names_max_bytes / each));
}

Result<void> check_rules(const Rules& rules, std::string_view path) {
  const auto above_cohort = [&](std::string_view what, std::uint32_t count) {
    return Error{Errc::malformed, std::string(path) + ": expected " + std::string(what) +
                                      " <= cohort, saw " + std::to_string(count) + " > " +
                                      std::to_string(rules.cohort)};
  };
  if (rules.quorum > rules.cohort) return above_cohort("quorum", rules.quorum);
  if (rules.target > rules.cohort) return above_cohort("target", rules.target);
  if (rules.target != 0 && rules.target < rules.quorum) {
    return Error{Errc::malformed, std::string(path) + ": expected quorum <= target, saw " +
                                      std::to_string(rules.quorum) + " > " +
                                      std::to_string(rules.target)};
  }
  if (rules.evaluation_quorum > rules.cohort) {
    return above_cohort("evaluation quorum", rules.evaluation_quorum);
  }
  if (rules.cohort > publishable_cohort(rules)) {
    return Error{Errc::malformed, std::string(path) + ": expected a cohort of at most " +
                                      std::to_string(publishable_cohort(rules)) +
                                      " when each participant's metrics are published, saw " +
                                      std::to_string(rules.cohort)};
  }
  return ok();
}

}  // namespace entente::plan
