// SPDX-License-Identifier: Apache-2.0
#include "participant/policy.hpp"

#include "common/base/identity.hpp"
#include "common/base/text.hpp"
#include "common/plan/duration.hpp"

namespace entente::participant {
namespace {

constexpr std::size_t operators_max = 64;
constexpr std::size_t approved_max = 1024;
constexpr std::chrono::seconds time_limit{30 * 86'400};

Error refused(std::string_view what, std::uint64_t seen, std::string_view ceiling,
              std::uint64_t limit) {
  return {Errc::rejected, std::string(what) + " " + std::to_string(seen) +
                              "; this institution's policy allows " + std::string(ceiling) + " = " +
                              std::to_string(limit)};
}

Ceilings read_ceilings(JsonReader& reader) {
  const Ceilings defaults;
  const auto ceiling = [&](std::string_view key, auto fallback, std::int64_t most) {
    return static_cast<decltype(fallback)>(
        reader.integer_or(key, static_cast<std::int64_t>(fallback), 1, most));
  };
  Ceilings ceilings;
  ceilings.model_max_bytes = ceiling("model_max_bytes", defaults.model_max_bytes, json_integer_max);
  ceilings.epochs_max = ceiling("epochs_max", defaults.epochs_max, 1000);
  ceilings.rounds_max = ceiling("rounds_max", defaults.rounds_max, plan::rounds_max);
  ceilings.rows_min = ceiling("rows_min", defaults.rows_min, json_integer_max);
  ceilings.memory_max_bytes =
      ceiling("memory_max_bytes", defaults.memory_max_bytes, json_integer_max);
  ceilings.time_max =
      plan::duration_or(reader, "time_max", defaults.time_max, std::chrono::seconds(1), time_limit);
  return ceilings;
}

std::set<std::string> read_operators(JsonReader& reader) {
  std::set<std::string> names;
  for (const json::value& item : reader.array("operators", 1, operators_max)) {
    const json::string* name = item.if_string();
    if (name == nullptr || !is_name(*name)) {
      reader.fail("operators", "expected names [a-z0-9-]{1,63}, saw " + describe(item));
      break;
    }
    names.emplace(*name);
  }
  return names;
}

std::set<Digest> read_approved(JsonReader& reader) {
  std::set<Digest> digests;
  if (!reader.has("approved")) {
    reader.find("approved");
    return digests;
  }
  for (const json::value& item : reader.array("approved", 0, approved_max)) {
    const json::string* text = item.if_string();
    const auto digest = text != nullptr ? parse_digest(*text)
                                        : Result<Digest>(Error{Errc::malformed, "not a text"});
    if (!digest) {
      reader.fail("approved", "expected digests of 64 hexadecimal digits, saw " + describe(item));
      break;
    }
    digests.insert(*digest);
  }
  return digests;
}

}  // namespace

Result<Policy> parse_policy(const json::value& value, std::string path) {
  JsonReader reader(value, std::move(path));
  Policy policy;
  policy.operators = read_operators(reader);
  const std::string accept = reader.text_or("accept", "approved");
  if (accept == "signed") {
    policy.accept = Acceptance::signed_by_operator;
  } else if (accept != "approved") {
    reader.fail("accept", "expected 'approved' or 'signed', saw " + in_quotes(accept));
  }
  policy.approved = read_approved(reader);
  policy.ceilings = read_ceilings(reader);
  if (auto done = reader.finish(); !done) return done.error();
  return policy;
}

Result<void> check_plan(const Policy& policy, const plan::Plan& plan) {
  const Ceilings& ceilings = policy.ceilings;
  if (plan.training.local_epochs > ceilings.epochs_max) {
    return refused("the plan's local epochs are", plan.training.local_epochs, "epochs_max",
                   ceilings.epochs_max);
  }
  if (plan.rules.rounds > ceilings.rounds_max) {
    return refused("the plan's rounds are", plan.rules.rounds, "rounds_max", ceilings.rounds_max);
  }
  return ok();
}

Result<void> check_operator(const Policy& policy, std::string_view operator_name) {
  if (policy.operators.contains(std::string(operator_name))) return ok();
  return Error{Errc::rejected, "operator " + in_quotes(operator_name) +
                                   " is not among those that this institution accepts plans from"};
}

Result<void> check_suitability(const Policy& policy, const plan::Plan& plan,
                               const Suitability& suitability) {
  const Ceilings& ceilings = policy.ceilings;
  if (suitability.model_bytes > ceilings.model_max_bytes) {
    return refused("the plan's model has bytes:", suitability.model_bytes, "model_max_bytes",
                   ceilings.model_max_bytes);
  }
  if (suitability.training_rows < ceilings.rows_min) {
    return Error{Errc::rejected,
                 "fewer training rows than this institution's policy asks for (rows_min)"};
  }
  if (!plan.rules.metrics.empty() && suitability.holdout_rows == 0) {
    return Error{Errc::rejected,
                 "too few rows here to hold any out for the plan's metrics (evaluation.holdout)"};
  }
  if (plan.rules.weighting == plan::Weighting::examples &&
      suitability.training_rows > plan.rules.examples_max) {
    return Error{Errc::rejected, "more training rows than the plan's examples_max, " +
                                     std::to_string(plan.rules.examples_max) +
                                     ", lets one institution weigh"};
  }
  if (suitability.memory_bytes > ceilings.memory_max_bytes) {
    return Error{
        Errc::rejected,
        "training or evaluating would take more memory than this institution's policy allows "
        "(memory_max_bytes)"};
  }
  return ok();
}

bool needs_approval(const Policy& policy, const Digest& plan) {
  return policy.accept == Acceptance::approved && !policy.approved.contains(plan);
}

}  // namespace entente::participant
