// SPDX-License-Identifier: Apache-2.0
#include "audit/verify.hpp"

#include <fmt/format.h>

#include <utility>

#include "audit/members.hpp"
#include "coordinator/round/entries.hpp"
#include "coordinator/round/transition.hpp"

namespace entente::audit {
namespace {

namespace round = coordinator::round;

constexpr std::string_view certificate_name = "key.crt";

// The certificate over the ledger's key, and the key itself.
struct CertifiedKey {
  crypto::Certificate certificate;
  ledger::VerifierKey key;
};

// `key` and `key.crt` belong together; whether the certificate is to be trusted is checked later,
// when the time of the entries is known.
Result<CertifiedKey> read_certified_key(const std::filesystem::path& folder, Storage& storage) {
  auto key = ledger::read_verifier_key(storage);
  if (!key) return key.error();
  const auto certificates = crypto::Certificate::load(folder / certificate_name);
  if (!certificates)
    return in_context("reading the certificate of the ledger's key", certificates.error());
  const crypto::Certificate& certificate = certificates->front();
  const auto federation = certificate.ledger_federation();
  if (!federation) return in_context(certificate_name, federation.error());
  if (ledger::ledger_origin(*federation) != key->name) {
    return Error{Errc::unauthenticated, "key.crt is for the ledger of " + *federation +
                                            ", the file 'key' names " + key->name};
  }
  if (certificate.public_key().der() != key->key.der()) {
    return Error{Errc::unauthenticated, "key.crt is over another key than the file 'key'"};
  }
  return CertifiedKey{certificate, std::move(*key)};
}

// A ledger outlives its key's certificate, which may have been renewed: it must have been good when
// the ledger began or when it was last written.
Result<void> check_certificate(const crypto::Certificate& certificate,
                               const std::vector<crypto::Certificate>& authorities,
                               const Report& report, TimePoint now) {
  const auto at_first = verify_chain(certificate, authorities, report.first.value_or(now));
  if (at_first || verify_chain(certificate, authorities, report.last.value_or(now))) return ok();
  return in_context(certificate_name, at_first.error());
}

// What is done with each entry, in order.
class Examination {
 public:
  Examination(const Trust& trust, const std::optional<ledger::VerifierKey>& key, Report& report)
      : trust_(trust), key_(key), report_(report) {}

  Result<void> see(const ledger::Entry& entry) {
    if (!report_.first) report_.first = entry.time;
    report_.last = entry.time;
    if (auto named = check_key_named(entry); !named) return named;
    if (!trust_.authorities.empty() && carries_signature(entry)) {
      if (auto proved = check_member_signature(entry, trust_.authorities); !proved) return proved;
      ++report_.signatures;
    }
    auto next = round::apply(std::move(report_.state), entry);
    if (!next) return next.error();
    report_.state = std::move(*next);
    return ok();
  }

 private:
  // The ledger's first entry says whose it is.
  Result<void> check_key_named(const ledger::Entry& entry) const {
    if (!key_ || entry.kind != round::kind::ledger_opened) return ok();
    const json::value* named = entry.details.if_contains("verifier_key");
    if (named != nullptr && named->is_string() && named->get_string() == key_->text()) return ok();
    return Error{Errc::unauthenticated,
                 "the ledger was opened with another key than " + key_->text()};
  }

  const Trust& trust_;
  const std::optional<ledger::VerifierKey>& key_;
  Report& report_;
};

json::array plans_json(const round::State& state) {
  json::array plans;
  for (const auto& [digest, plan] : state.plans) {
    json::object object{{"digest", digest.hex()},
                        {"name", plan.name},
                        {"standing", to_string(plan.standing)},
                        {"rounds_committed", plan.rounds.size()}};
    if (plan.model) object["model"] = plan.model->hex();
    plans.push_back(std::move(object));
  }
  return plans;
}

std::string_view verdict_of(const Report& report) {
  return report.verified ? "verified" : "consistent, not authenticated";
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace

Result<Report> verify(const std::filesystem::path& folder, const Trust& trust, TimePoint now) {
  const auto storage = open_storage(folder);
  Report report;
  std::optional<ledger::VerifierKey> key = trust.key;
  std::optional<CertifiedKey> certified;
  if (!trust.authorities.empty()) {
    auto read = read_certified_key(folder, *storage);
    if (!read) return read.error();
    certified.emplace(std::move(*read));
    key = certified->key;
  }
  Examination examination(trust, key, report);
  const auto found = ledger::verify_ledger(
      *storage, key,
      [&](const ledger::Entry& entry, std::string_view) { return examination.see(entry); });
  if (!found) return found.error();
  if (certified) {
    const auto good = check_certificate(certified->certificate, trust.authorities, report, now);
    if (!good) return good.error();
  }
  report.ledger = *found;
  report.verified = key.has_value();
  if (key) report.key = key->text();
  return report;
}

std::string report_text(const Report& report) {
  const ledger::Verification& found = report.ledger;
  std::string text = fmt::format("{}: {}, head {}\n", verdict_of(report),
                                 counted(found.entries, "entry", "entries"), found.head.root.hex());
  if (report.first) {
    text += fmt::format("  of {}, {} to {}\n", found.head.origin, to_rfc3339(*report.first),
                        to_rfc3339(*report.last));
  }
  if (report.verified) text += fmt::format("  signed by {}\n", report.key);
  if (report.signatures > 0) {
    text += fmt::format("  {} of members, all good\n",
                        counted(report.signatures, "signature", "signatures"));
  }
  for (const auto& [digest, plan] : report.state.plans) {
    text += fmt::format("  plan {} {}: {}\n", digest.short_hex(), to_string(plan.standing),
                        counted(plan.rounds.size(), "round committed", "rounds committed"));
  }
  if (found.entries_behind_head > 0) {
    text += fmt::format("  {} more that no head covers yet\n",
                        counted(found.entries_behind_head, "entry", "entries"));
  }
  if (found.torn_tail)
    text += fmt::format("  a torn tail behind the head: {}\n", found.torn_reason);
  return text;
}

json::object report_json(const Report& report) {
  const ledger::Verification& found = report.ledger;
  json::object object{{"verdict", verdict_of(report)},
                      {"verified", report.verified},
                      {"entries", found.entries},
                      {"head", json::object{{"size", found.head.size},
                                            {"root", found.head.root.hex()},
                                            {"origin", found.head.origin}}},
                      {"behind_head", found.entries_behind_head},
                      {"torn_tail", found.torn_tail},
                      {"signatures", report.signatures},
                      {"plans", plans_json(report.state)}};
  if (report.verified) object["key"] = report.key;
  if (report.first) object["first"] = to_rfc3339(*report.first);
  if (report.last) object["last"] = to_rfc3339(*report.last);
  return object;
}

json::object failure_json(const Error& error) {
  return {{"verdict", "not verified"}, {"verified", false}, {"error", error.detail}};
}

}  // namespace entente::audit
