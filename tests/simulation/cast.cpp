// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/cast.hpp"

#include <algorithm>

#include "common/base/json.hpp"
#include "common/crypto/hash.hpp"
#include "common/crypto/issue.hpp"

namespace entente::simulation {
namespace {

crypto::PrivateKey key_of(std::uint8_t seed) {
  return crypto::PrivateKey::from_ed25519(Bytes(32, std::byte{seed})).value();
}

crypto::Validity valid() {
  const auto year = [](int number) -> TimePoint {
    return std::chrono::sys_days(std::chrono::year(number) / 1 / 1);
  };
  return {year(2000), year(2100)};
}

Player make_player(const crypto::Authority& issuer, const std::string& federation, Role role,
                   const std::string& name, std::uint8_t seed) {
  const Identity identity{federation, role, name};
  const crypto::PrivateKey key = key_of(seed);
  const auto certificate =
      crypto::issue_leaf(issuer, identity, {"localhost"}, key.public_key(), valid()).value();
  return {identity, key, certificate, to_base64(certificate.der())};
}

Cast make_cast() {
  const std::string federation = "simulated.example";
  const crypto::PrivateKey root_key = key_of(1);
  const crypto::Authority root{crypto::issue_root(federation, root_key, valid()).value(), root_key};
  const crypto::PrivateKey issuing_key = key_of(2);
  const crypto::Authority issuing{
      crypto::issue_authority(root, issuing_key.public_key(), valid()).value(), issuing_key};
  const crypto::PrivateKey ledger_key = key_of(3);
  std::vector<Player> participants;
  std::uint8_t seed = 10;
  for (const char* name : {"ada", "ben", "cyd", "dov", "eve"}) {
    participants.push_back(make_player(issuing, federation, Role::participant, name, seed++));
  }
  return {federation,
          Identity{federation, Role::coordinator, "main"}.uri(),
          ledger_key,
          {ledger::ledger_origin(federation), ledger_key.public_key()},
          {root.certificate, issuing.certificate},
          make_player(issuing, federation, Role::operator_, "olga", 4),
          std::move(participants)};
}

constexpr std::string_view model_json = R"({
  "class_name": "Sequential",
  "config": {
    "name": "small",
    "layers": [
      {"class_name": "InputLayer", "module": "keras.layers",
       "config": {"batch_shape": [null, 2], "dtype": "float32", "name": "input"}},
      {"class_name": "Dense", "module": "keras.layers",
       "config": {"name": "dense", "units": 2, "activation": "softmax", "use_bias": true,
                  "dtype": "float32"}}
    ]
  }
})";

std::string seconds_text(std::chrono::seconds duration) {
  return std::to_string(duration.count()) + "s";
}

}  // namespace

const Player& Cast::participant(std::string_view name) const {
  return *std::ranges::find(participants, name,
                            [](const Player& player) { return player.identity.name; });
}

const Cast& the_cast() {
  static const Cast cast = make_cast();
  return cast;
}

std::string write_plan(const plan::Rules& rules, std::uint64_t seed) {
  const auto column = [](const char* name) {
    return json::object{{"name", name}, {"type", "numeric"}};
  };
  json::object plan{
      {"schema", 1},
      {"name", "plan " + std::to_string(seed)},
      {"model", parse_json(model_json, model_json.size()).value()},
      {"data",
       {{"kind", "table"},
        {"label", "label"},
        {"classes", {"no", "yes"}},
        {"columns", {column("x"), column("y")}}}},
      {"training", {{"learning_rate", 0.1}, {"seed", static_cast<std::int64_t>(seed >> 12U)}}},
      {"rounds",
       {{"number", rules.rounds},
        {"quorum", rules.quorum},
        {"cohort", rules.cohort},
        {"deadline", seconds_text(rules.deadline)},
        {"grace", seconds_text(rules.grace)},
        {"retries", rules.retries},
        {"weighting", rules.weighting == plan::Weighting::examples ? "examples" : "uniform"},
        {"examples_max", rules.examples_max},
        {"norm_max", rules.norm_max}}},
  };
  json::object& rounds = plan["rounds"].as_object();
  if (rules.target != 0) rounds["target"] = rules.target;
  if (rules.recruiting != plan::wait_max) rounds["recruiting"] = seconds_text(rules.recruiting);
  if (rules.evaluation_deadline.count() > 0) {
    plan["evaluation"] = {
        {"holdout", 0.1},
        {"quorum", rules.evaluation_quorum},
        {"deadline", seconds_text(rules.evaluation_deadline)},
        {"publish", rules.metrics_per_participant ? "per-participant" : "aggregate"}};
  }
  return canonical_json(plan).value();
}

Digest initial_model(const Digest& plan) {
  return crypto::sha256("first model\n" + plan.hex());
}

Digest trained_update(const Digest& plan, std::uint64_t round, std::string_view participant,
                      const Digest& model, std::uint64_t bits) {
  return crypto::sha256("update\n" + plan.hex() + "\n" + std::to_string(round) + "\n" +
                        std::string(participant) + "\n" + model.hex() + "\n" +
                        std::to_string(bits));
}

Digest aggregated_model(const Digest& model, const std::map<std::string, Share>& shares) {
  std::string text = "model\n" + model.hex();
  for (const auto& [name, share] : shares) {
    text += "\n" + name + " " + share.update.hex() + " " + std::to_string(share.examples);
  }
  return crypto::sha256(text);
}

}  // namespace entente::simulation
