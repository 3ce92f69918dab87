// SPDX-License-Identifier: Apache-2.0
#include "audit/show.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <ostream>

#include "common/base/identity.hpp"
#include "common/base/text.hpp"
#include "common/ledger/verify.hpp"

namespace entente::audit {
namespace {

// "participant/charite"; any other text as it is.
std::string short_actor(const std::string& actor) {
  const auto identity = parse_identity(actor);
  if (!identity) return escaped(actor);
  return fmt::format("{}/{}", to_string(identity->role), identity->name);
}

// Right after the write that failed.
Result<void> output_failed() {
  const int reason = errno;
  return Error{reason == EPIPE ? Errc::closed : Errc::io,
               std::string("writing the entries: ") + std::strerror(reason)};
}

}  // namespace

std::string entry_text(const ledger::Entry& entry) {
  std::string text =
      fmt::format("{}  {:>6}  {:<21}", to_rfc3339(entry.time), entry.sequence, entry.kind);
  if (entry.round) text += fmt::format("  round {}", *entry.round);
  text += "  " + short_actor(entry.actor);
  if (entry.plan) text += "  plan " + entry.plan->short_hex();
  for (const auto& [name, digest] : entry.subjects)
    text += fmt::format("  {} {}", name, digest.short_hex());
  text += "  " + entry.outcome;
  if (!entry.reason.empty()) text += ": " + escaped(entry.reason);
  return text;
}

Result<void> show(const std::filesystem::path& folder, Lines lines, std::ostream& out) {
  const auto storage = open_storage(folder);
  const auto print = [&](const ledger::Entry& entry, std::string_view line) -> Result<void> {
    if (lines == Lines::as_written) {
      out << line << '\n';
    } else {
      out << entry_text(entry) << '\n';
    }
    return out ? ok() : output_failed();
  };
  const auto shown = ledger::verify_ledger(*storage, std::nullopt, print);
  if (!shown) return shown.error();
  return out.flush() ? ok() : output_failed();
}

}  // namespace entente::audit
