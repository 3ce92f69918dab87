// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/issue.hpp"

#include <algorithm>
#include <array>

#include "common/base/assert.hpp"
#include "common/base/text.hpp"
#include "common/crypto/openssl.hpp"
#include "common/crypto/random.hpp"

namespace entente::crypto {

namespace {

constexpr std::size_t serial_bytes = 20;         // RFC 5280's most
constexpr std::size_t name_part_max_bytes = 64;  // X.520's upper bound for O, OU and CN

Error failed(std::string_view doing) {
  return {Errc::io, "making a certificate: " + std::string(doing) + ": " + openssl_reason()};
}

Error wrong(std::string what) {
  return {Errc::invalid_argument, std::move(what)};
}

bool add_name_part(X509_NAME* name, const char* part, std::string_view text) {
  if (text.empty()) return true;
  const std::string_view cut = text.substr(0, name_part_max_bytes);
  return X509_NAME_add_entry_by_txt(name, part, MBSTRING_UTF8, octets(as_bytes(cut)),
                                    static_cast<int>(cut.size()), -1, 0) == 1;
}

bool set_serial(X509* certificate) {
  std::array<std::byte, serial_bytes> serial{};
  random_bytes(serial);
  // Positive and always of the same length.
  serial[0] = (serial[0] & std::byte{0x7f}) | std::byte{0x40};
  const OwnedBignum number(
      BN_bin2bn(octets(serial.data()), static_cast<int>(serial.size()), nullptr));
  return number != nullptr &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_validity(X509* certificate, Validity validity) {
  const auto seconds = [](TimePoint time) {
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  };
  return ASN1_TIME_set(X509_getm_notBefore(certificate), seconds(validity.not_before)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), seconds(validity.not_after)) != nullptr;
}

bool add_names(int type, const std::vector<std::string>& texts, GENERAL_NAMES* into) {
  for (const std::string& text : texts) {
    Owned<GENERAL_NAME, GENERAL_NAME_free> name(GENERAL_NAME_new());
    Owned<ASN1_IA5STRING, ASN1_IA5STRING_free> value(ASN1_IA5STRING_new());
    if (name == nullptr || value == nullptr) return false;
    if (ASN1_STRING_set(value.get(), text.data(), static_cast<int>(text.size())) != 1) return false;
    GENERAL_NAME_set0_value(name.get(), type, value.release());
    if (sk_GENERAL_NAME_push(into, name.get()) == 0) return false;
    name.release();
  }
  return true;
}

bool add_alternative_names(X509* certificate, const CertificateText& text) {
  if (text.uris.empty() && text.dns_names.empty()) return true;
  const OwnedNames names(sk_GENERAL_NAME_new_null());
  const int critical = X509_NAME_entry_count(X509_get_subject_name(certificate)) == 0 ? 1 : 0;
  return names != nullptr && add_names(GEN_URI, text.uris, names.get()) &&
         add_names(GEN_DNS, text.dns_names, names.get()) &&
         X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), critical,
                           X509V3_ADD_DEFAULT) == 1;
}

bool add_extension(X509* certificate, X509V3_CTX* context, int id, const std::string& value) {
  if (value.empty()) return true;
  const OwnedExtension extension(X509V3_EXT_conf_nid(nullptr, context, id, value.c_str()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_extensions(X509* certificate, const CertificateText& text, X509* issuer) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer != nullptr ? issuer : certificate, certificate, nullptr, nullptr,
                 0);
  std::string constraints = text.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE";
  if (text.path_length) constraints += ",pathlen:" + std::to_string(*text.path_length);
  return add_extension(certificate, &context, NID_basic_constraints, constraints) &&
         add_extension(certificate, &context, NID_key_usage, text.usage) &&
         add_extension(certificate, &context, NID_ext_key_usage, text.extended_usage) &&
         add_extension(certificate, &context, NID_subject_key_identifier, "hash") &&
         (issuer == nullptr ||
          add_extension(certificate, &context, NID_authority_key_identifier, "keyid:always")) &&
         add_alternative_names(certificate, text);
}

Result<void> check_validity(Validity validity, const Certificate* issuer) {
  if (validity.not_after <= validity.not_before) {
    return wrong("a certificate that ends at " + to_rfc3339(validity.not_after) +
                 " but begins at " + to_rfc3339(validity.not_before));
  }
  if (issuer == nullptr || validity.not_after <= issuer->not_after()) return ok();
  return wrong("a certificate until " + to_rfc3339(validity.not_after) +
               " would outlive its authority, which ends at " + to_rfc3339(issuer->not_after()) +
               "; ask for fewer days, or renew the authority first");
}

Result<Certificate> issue(const CertificateText& text, const PublicKey& key,
                          const Authority& issuer) {
  if (auto fit = check_validity(text.validity, &issuer.certificate); !fit) return fit.error();
  if (issuer.key.public_key().der() != issuer.certificate.public_key().der()) {
    return wrong("the authority's key does not belong to its certificate " +
                 issuer.certificate.describe());
  }
  return sign_certificate(text, key, issuer.key, &issuer.certificate);
}

CertificateText authority_text(const std::string& federation, std::string common_name,
                               unsigned path_length, Validity validity) {
  CertificateText text;
  text.organisation = federation;
  text.common_name = std::move(common_name);
  text.uris = {"spiffe://" + federation};
  text.is_authority = true;
  text.path_length = path_length;
  text.usage = "critical,keyCertSign,cRLSign";
  text.extended_usage.clear();
  text.validity = validity;
  return text;
}

}  // namespace

bool is_dns_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  while (true) {
    const std::string_view label = text.substr(0, text.find('.'));
    if (!is_name(label) || label.starts_with('-') || label.ends_with('-')) return false;
    const bool is_number =
        std::all_of(label.begin(), label.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (label.size() == text.size()) return !is_number;
    text.remove_prefix(label.size() + 1);
  }
}

Result<Certificate> sign_certificate(const CertificateText& text, const PublicKey& key,
                                     const PrivateKey& signer, const Certificate* issuer) {
  OwnedCertificate made(X509_new());
  X509* certificate = made.get();
  X509* issuing = issuer != nullptr ? issuer->native() : nullptr;
  if (certificate == nullptr || X509_set_version(certificate, 2) != 1) return failed("version");
  if (!set_serial(certificate)) return failed("serial number");
  if (!set_validity(certificate, text.validity)) return failed("dates");
  X509_NAME* subject = X509_get_subject_name(certificate);
  if (!add_name_part(subject, "O", text.organisation) || !add_name_part(subject, "OU", text.unit) ||
      !add_name_part(subject, "CN", text.common_name)) {
    return failed("subject");
  }
  const X509_NAME* issuer_name = issuing != nullptr ? X509_get_subject_name(issuing) : subject;
  if (X509_set_issuer_name(certificate, issuer_name) != 1) return failed("issuer");
  if (X509_set_pubkey(certificate, key.native()) != 1) return failed("key");
  if (!add_extensions(certificate, text, issuing)) return failed("extensions");
  const EVP_MD* digest = signer.kind() == KeyKind::ed25519 ? nullptr : EVP_sha256();
  if (X509_sign(certificate, signer.native(), digest) == 0) return failed("signature");
  // Read back, so that what is handed out has passed what a reader checks.
  return Certificate::from_der(Certificate(std::shared_ptr<X509>(made.release(), X509_free)).der());
}

Result<Certificate> issue_root(const std::string& federation, const PrivateKey& key,
                               Validity validity) {
  if (!is_federation_name(federation)) {
    return wrong("expected a federation's name of [a-z0-9._-]{1,255}, saw " +
                 in_quotes(federation));
  }
  if (auto fit = check_validity(validity, nullptr); !fit) return fit.error();
  const auto text = authority_text(federation, "Root authority", 1, validity);
  return sign_certificate(text, key.public_key(), key, nullptr);
}

Result<Certificate> issue_authority(const Authority& root, const PublicKey& key,
                                    Validity validity) {
  const auto federation = root.certificate.authority_federation();
  if (!federation) return wrong(federation.error().detail);
  return issue(authority_text(*federation, "Issuing authority", 0, validity), key, root);
}

Result<Certificate> issue_leaf(const Authority& issuer, const Identity& who,
                               const std::vector<std::string>& dns_names, const PublicKey& key,
                               Validity validity) {
  const auto federation = issuer.certificate.authority_federation();
  if (!federation) return wrong(federation.error().detail);
  if (who.federation != *federation) {
    return wrong("expected a member of " + *federation + ", saw one of " +
                 in_quotes(who.federation));
  }
  if (!is_name(who.name)) {
    return wrong("expected a name of [a-z0-9-]{1,63}, saw " + in_quotes(who.name));
  }
  for (const std::string& name : dns_names) {
    if (is_dns_name(name)) continue;
    return wrong("expected a host name such as 'train.hospital.example', saw " + in_quotes(name));
  }
  CertificateText text;
  text.organisation = who.federation;
  text.unit = std::string(to_string(who.role));
  text.common_name = who.name;
  text.uris = {who.uri()};
  text.dns_names = dns_names;
  text.validity = validity;
  return issue(text, key, issuer);
}

Result<Certificate> issue_ledger_key(const Authority& issuer, const PublicKey& key,
                                     Validity validity) {
  const auto federation = issuer.certificate.authority_federation();
  if (!federation) return wrong(federation.error().detail);
  CertificateText text;
  text.organisation = *federation;
  text.common_name = "Ledger";
  text.uris = {"spiffe://" + *federation + "/ledger"};
  text.extended_usage.clear();
  text.validity = validity;
  return issue(text, key, issuer);
}

}  // namespace entente::crypto
