// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/entry.hpp"

#include <algorithm>

#include "common/base/identity.hpp"
#include "common/base/json.hpp"
#include "common/base/text.hpp"

namespace entente::ledger {
namespace {

constexpr std::int64_t integer_max = std::int64_t{1} << 53U;  // what JSON readers agree on
constexpr std::size_t subject_name_max_bytes = 64;

// "round.opened", "model", "data-card".
bool is_word(std::string_view text, std::size_t size_max) {
  return !text.empty() && text.size() <= size_max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

// The members' rules that hold for writer and reader alike. Gives what is wrong; empty when nothing
// is.
std::string broken_rule(const Entry& entry) {
  if (!is_word(entry.kind, kind_max_bytes)) {
    return "kind: expected [a-z0-9._-], at most 64, saw " + in_quotes(entry.kind);
  }
  if (!is_federation_name(entry.federation)) {
    return "federation: expected [a-z0-9._-], at most 255, saw " + in_quotes(entry.federation);
  }
  if (entry.actor.empty()) return "actor: expected a SPIFFE id, saw an empty text";
  if (entry.outcome != "ok" && entry.outcome != "refused" && entry.outcome != "failed") {
    return "outcome: expected ok, refused or failed, saw " + in_quotes(entry.outcome);
  }
  for (const auto& [name, digest] : entry.subjects) {
    if (!is_word(name, subject_name_max_bytes)) {
      return "subjects: expected names of [a-z0-9._-], at most 64, saw " + in_quotes(name);
    }
  }
  return {};
}

Result<std::string> render(const Entry& entry) {
  json::object object;
  object["actor"] = entry.actor;
  if (!entry.details.empty()) object["details"] = entry.details;
  object["federation"] = entry.federation;
  object["kind"] = entry.kind;
  object["outcome"] = entry.outcome;
  if (entry.plan) object["plan"] = entry.plan->hex();
  if (!entry.reason.empty()) object["reason"] = entry.reason;
  if (entry.round) object["round"] = *entry.round;
  object["sequence"] = entry.sequence;
  object["software"] = entry.software;
  if (!entry.subjects.empty()) {
    json::object& subjects = object["subjects"].emplace_object();
    for (const auto& [name, digest] : entry.subjects) subjects[name] = digest.hex();
  }
  object["time"] = to_rfc3339(entry.time);
  object["v"] = entry_version;
  return canonical_json(object);
}

std::optional<Digest> read_digest(JsonReader& reader, std::string_view key) {
  const auto digest = parse_digest(reader.text(key, 2 * Digest::size_bytes));
  if (digest) return *digest;
  reader.fail(key, digest.error().detail);
  return std::nullopt;
}

std::map<std::string, Digest> read_subjects(JsonReader& reader) {
  std::map<std::string, Digest> subjects;
  const json::value* value = reader.find("subjects");
  if (value == nullptr) return subjects;
  if (!value->is_object()) {
    reader.fail("subjects", "expected an object of digests");
    return subjects;
  }
  JsonReader inner(*value, reader.path_of("subjects"));
  for (const auto& [name, digest] : value->get_object()) {
    if (const auto read = read_digest(inner, name)) subjects.emplace(name, *read);
  }
  if (const auto done = inner.finish(); !done) reader.fail("subjects", done.error().detail);
  return subjects;
}

TimePoint read_time(JsonReader& reader) {
  const auto time = parse_rfc3339(reader.text("time", 64));
  if (time) return *time;
  reader.fail("time", time.error().detail);
  return {};
}

Result<Entry> read_entry(const json::value& value) {
  JsonReader reader(value, "entry");
  reader.integer("v", entry_version, entry_version);
  Entry entry;
  entry.sequence = static_cast<std::uint64_t>(reader.integer("sequence", 0, integer_max));
  entry.time = read_time(reader);
  entry.kind = reader.text("kind");
  entry.federation = reader.text("federation");
  entry.actor = reader.text("actor");
  entry.outcome = reader.text("outcome");
  entry.software = reader.text("software");
  entry.reason = reader.text_or("reason", "", line_max_bytes);
  entry.subjects = read_subjects(reader);
  if (reader.has("plan")) entry.plan = read_digest(reader, "plan");
  if (reader.has("round")) {
    entry.round = static_cast<std::uint64_t>(reader.integer("round", 0, integer_max));
  }
  if (const json::value* details = reader.find("details")) {
    if (details->is_object()) {
      entry.details = details->get_object();
    } else {
      reader.fail("details", "expected an object");
    }
  }
  if (const auto done = reader.finish(); !done) return done.error();
  return entry;
}

}  // namespace

Result<std::string> encode_entry(const Entry& entry) {
  auto line = render(entry);
  if (!line) return Error{Errc::invalid_argument, "writing an entry: " + line.error().detail};
  // Reading it back is the check: what is refused later would make the whole ledger unreadable.
  if (const auto read = decode_entry(*line); !read) {
    return Error{Errc::invalid_argument, "writing an entry: " + read.error().detail};
  }
  return line;
}

Result<Entry> decode_entry(std::string_view line) {
  if (line.size() > line_max_bytes) {
    return Error{Errc::malformed, "an entry of " + std::to_string(line.size()) +
                                      " bytes, at most " + std::to_string(line_max_bytes)};
  }
  const auto value = parse_json(line, line_max_bytes);
  if (!value) return value.error();
  auto entry = read_entry(*value);
  if (!entry) return entry.error();
  if (std::string rule = broken_rule(*entry); !rule.empty()) {
    return Error{Errc::malformed, "entry." + std::move(rule)};
  }
  const auto again = render(*entry);
  if (!again) return Error{Errc::malformed, again.error().detail};
  if (*again != line) return Error{Errc::malformed, "an entry that is not in canonical form"};
  return entry;
}

}  // namespace entente::ledger
