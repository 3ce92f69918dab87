// SPDX-License-Identifier: Apache-2.0
#include "certs/inspect.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/crypto/certificate.hpp"

namespace entente::certs {

namespace {

std::string state_at(const crypto::Certificate& certificate, TimePoint now) {
  if (now < certificate.not_before()) return "not yet valid";
  return now > certificate.not_after() ? "expired" : "valid";
}

// Names in a certificate may hold anything; this is what is shown of them.
json::array shown(const std::vector<std::string>& names) {
  json::array list;
  for (const std::string& name : names) list.emplace_back(escaped(name));
  return list;
}

void add_kind(const crypto::Certificate& certificate, json::object& into) {
  if (certificate.is_authority()) {
    into["kind"] = certificate.is_self_signed() ? "root" : "issuing";
    if (auto federation = certificate.authority_federation()) into["federation"] = *federation;
    return;
  }
  if (const auto identity = certificate.identity()) {
    into["kind"] = "member";
    into["federation"] = identity->federation;
    into["role"] = to_string(identity->role);
    into["name"] = identity->name;
    return;
  } else if (auto federation = certificate.ledger_federation()) {
    into["kind"] = "ledger";
    into["federation"] = *federation;
  } else {
    into["kind"] = "other";
    into["problem"] = identity.error().detail;
  }
}

json::object described(const crypto::Certificate& certificate, TimePoint now) {
  json::object about;
  add_kind(certificate, about);
  about["uri"] = shown(certificate.uris());
  about["dns"] = shown(certificate.dns_names());
  about["subject"] = escaped(certificate.subject());
  about["issuer"] = escaped(certificate.issuer());
  about["not_before"] = to_rfc3339(certificate.not_before());
  about["not_after"] = to_rfc3339(certificate.not_after());
  about["state"] = state_at(certificate, now);
  about["days_left"] = std::chrono::floor<std::chrono::days>(certificate.not_after() - now).count();
  about["key"] =
      certificate.public_key().kind() == crypto::KeyKind::ed25519 ? "Ed25519" : "ECDSA P-256";
  about["serial"] = certificate.serial_hex();
  about["sha256"] = certificate.fingerprint().hex();
  return about;
}

std::string_view text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

std::string joined(const json::value& list) {
  std::string text;
  for (const json::value& one : list.get_array()) {
    text += (text.empty() ? "" : ", ") + std::string(one.get_string().c_str());
  }
  return text.empty() ? "none" : text;
}

std::string title(const json::object& about) {
  const auto kind = text_at(about, "kind");
  const auto federation = text_at(about, "federation");
  if (kind == "member") {
    return fmt::format("{} {} of {}", text_at(about, "role"), text_at(about, "name"), federation);
  }
  if (kind == "other") return fmt::format("nobody of a federation: {}", text_at(about, "problem"));
  if (kind == "ledger") return fmt::format("ledger key of {}", federation);
  const auto of = federation.empty() ? "no federation of ours" : federation;
  return fmt::format("{} authority of {}", kind, of);
}

std::string validity(const json::object& about) {
  const auto state = text_at(about, "state");
  return fmt::format("{} to {}, {}", text_at(about, "not_before"), text_at(about, "not_after"),
                     state == "valid"
                         ? fmt::format("{} days left", about.at("days_left").as_int64())
                         : std::string(state));
}

}  // namespace

Result<json::object> inspect(const std::filesystem::path& file, TimePoint now) {
  const auto certificates = crypto::Certificate::load(file);
  if (!certificates) return certificates.error();
  json::array list;
  for (const crypto::Certificate& one : *certificates) list.emplace_back(described(one, now));
  return json::object{{"file", file.string()}, {"certificates", std::move(list)}};
}

std::string inspection_text(const json::object& inspection) {
  std::string text;
  int number = 0;
  for (const json::value& value : inspection.at("certificates").get_array()) {
    const json::object& about = value.get_object();
    text += fmt::format("{}. {}\n", ++number, title(about));
    const auto line = [&](std::string_view label, std::string_view content) {
      text += fmt::format("   {:<8} {}\n", label, content);
    };
    line("uri", joined(about.at("uri")));
    line("dns", joined(about.at("dns")));
    line("subject", text_at(about, "subject"));
    line("issuer", text_at(about, "issuer"));
    line("valid", validity(about));
    line("key", text_at(about, "key"));
    line("serial", text_at(about, "serial"));
    line("sha256", text_at(about, "sha256"));
  }
  return text;
}

}  // namespace entente::certs
