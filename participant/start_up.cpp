// SPDX-License-Identifier: Apache-2.0
#include "participant/start_up.hpp"

#include <utility>

#include "common/base/file.hpp"
#include "common/base/program.hpp"
#include "common/base/text.hpp"

namespace entente::participant {
namespace {

Error wrong(const std::filesystem::path& file, const std::string& what) {
  return {Errc::invalid_argument, file.string() + ": " + what};
}

}  // namespace

Result<StartUp> read_start_up(const std::filesystem::path& path, TimePoint now) {
  auto configuration = read_configuration(path);
  if (!configuration) return as_usage(configuration.error());
  auto credentials = crypto::load_credentials(configuration->identity, now);
  if (!credentials) return as_usage(credentials.error());
  const Identity& self = credentials->identity;
  if (self.role != Role::participant || self.federation != configuration->federation) {
    return wrong(configuration->identity.certificate,
                 "expected a participant's certificate of federation " +
                     in_quotes(configuration->federation) + ", saw " + self.uri());
  }
  const auto text = read_text(configuration->ledger_key, ledger::verifier_key_max_bytes);
  if (!text) return as_usage(text.error());
  auto key = ledger::parse_verifier_key(*text);
  if (!key) return wrong(configuration->ledger_key, key.error().detail);
  const std::string origin = ledger::ledger_origin(configuration->federation);
  if (key->name != origin) {
    return wrong(configuration->ledger_key, "expected the verifier's key of " + in_quotes(origin) +
                                                ", saw " + in_quotes(key->name));
  }
  Trust trust{self, credentials->authorities, std::move(*key)};
  return StartUp{std::move(*configuration), std::move(*credentials), std::move(trust)};
}

Result<std::shared_ptr<const plan::Plan>> read_any_plan(const std::filesystem::path& path) {
  Result<plan::Plan> plan = Error{Errc::invalid_argument, "not read yet"};
  if (path.extension() == ".json") {
    const auto text = read_text(path, plan::plan_max_bytes);
    if (!text) return as_usage(text.error());
    plan = plan::parse_plan(*text);
    if (!plan) return wrong(path, plan.error().detail);
  } else {
    plan = plan::read_plan(path);
    if (!plan) return as_usage(plan.error());
  }
  return std::make_shared<const plan::Plan>(std::move(*plan));
}

Result<void> check_readable(const data::Source& source) {
  for (const auto& path : {source.table, source.text, source.images, source.labels}) {
    if (path.empty()) continue;
    if (auto file = File::open(path, File::Mode::read); !file) return as_usage(file.error());
  }
  return ok();
}

}  // namespace entente::participant
