// SPDX-License-Identifier: Apache-2.0
#include "audit/members.hpp"

#include "common/base/identity.hpp"
#include "common/base/json.hpp"
#include "common/ledger/statement.hpp"
#include "coordinator/round/entries.hpp"

namespace entente::audit {
namespace {

namespace kind = coordinator::round::kind;

Error unproved(std::string_view what) {
  return {Errc::unauthenticated, "a member's signature: " + std::string(what)};
}

Result<Bytes> read_base64(const ledger::Entry& entry, std::string_view name) {
  const json::value* value = entry.details.if_contains(name);
  if (value == nullptr || !value->is_string()) {
    return unproved("the details have no text '" + std::string(name) + "'");
  }
  auto bytes = from_base64(std::string_view(value->get_string()));
  if (!bytes) return unproved(std::string(name) + ": " + bytes.error().detail);
  return bytes;
}

}  // namespace

bool carries_signature(const ledger::Entry& entry) {
  const bool signed_kind = entry.kind == kind::plan_submitted || entry.kind == kind::plan_consented;
  return signed_kind && entry.outcome == "ok";
}

Result<void> check_member_signature(const ledger::Entry& entry,
                                    const std::vector<crypto::Certificate>& authorities) {
  const bool submits = entry.kind == kind::plan_submitted;
  if (!entry.plan) return unproved("the entry names no plan");
  const auto der = read_base64(entry, "certificate");
  if (!der) return der.error();
  const auto signature = read_base64(entry, "signature");
  if (!signature) return signature.error();
  const auto certificate = crypto::Certificate::from_der(*der);
  if (!certificate) return unproved("certificate: " + certificate.error().detail);
  const auto identity = certificate->identity();
  if (!identity) return unproved("certificate: " + identity.error().detail);
  if (identity->uri() != entry.actor || identity->federation != entry.federation) {
    return unproved("the certificate is of " + identity->uri() + ", the entry of " + entry.actor);
  }
  if (identity->role != (submits ? Role::operator_ : Role::participant)) {
    return unproved("the role " + std::string(to_string(identity->role)) + " may not sign this");
  }
  if (const auto chained = verify_chain(*certificate, authorities, entry.time); !chained) {
    return unproved("certificate: " + chained.error().detail);
  }
  const std::string text = ledger::statement(
      submits ? ledger::plan_submitted : ledger::plan_consented, entry.federation, *entry.plan);
  if (!certificate->public_key().verify(as_bytes(text), *signature)) {
    return unproved("it is not over this plan by " + entry.actor);
  }
  return ok();
}

}  // namespace entente::audit
