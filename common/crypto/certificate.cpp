// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/certificate.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctime>
#include <optional>

#include "common/base/assert.hpp"
#include "common/base/file.hpp"
#include "common/base/text.hpp"
#include "common/crypto/hash.hpp"
#include "common/crypto/openssl.hpp"
#include "common/crypto/trust.hpp"

namespace entente::crypto {

namespace {

constexpr std::uint64_t pem_file_max_bytes = 1U << 20U;
constexpr long x509_version_3 = 2;

Error refused(std::string rule) {
  return {Errc::unauthenticated, std::move(rule)};
}

// The rules that any certificate keeps before it becomes a Certificate.
Result<void> check_form(X509* certificate) {
  const auto malformed = [](std::string what) { return Error{Errc::malformed, std::move(what)}; };
  if (X509_get_version(certificate) != x509_version_3) {
    return malformed("expected an X.509 certificate of version 3, saw version " +
                     std::to_string(X509_get_version(certificate) + 1));
  }
  const bool read =
      X509_check_purpose(certificate, -1, 0) == 1;  // decodes and keeps all extensions
  if (!read || (X509_get_extension_flags(certificate) & EXFLAG_INVALID) != 0) {
    return malformed("a certificate with an extension that is broken or stands there twice");
  }
  unsigned char* encoded = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded);
  if (size <= 0) return malformed("a certificate without a key: " + openssl_reason());
  const auto key = PublicKey::from_der(
      {reinterpret_cast<const std::byte*>(encoded), static_cast<std::size_t>(size)});
  OPENSSL_free(encoded);
  if (!key) return in_context("the certificate's key", key.error());
  return ok();
}

Result<Certificate> adopt(OwnedCertificate certificate) {
  if (auto fit = check_form(certificate.get()); !fit) return fit.error();
  return Certificate(std::shared_ptr<X509>(certificate.release(), X509_free));
}

TimePoint time_of(const ASN1_TIME* time) {
  std::tm parts{};
  const int done = ASN1_TIME_to_tm(time, &parts);
  if (done != 1) return TimePoint{};  // an unreadable date is long past
  return TimePoint(std::chrono::seconds(::timegm(&parts)));
}

std::string text_of(const X509_NAME* name) {
  const OwnedBio memory(BIO_new(BIO_s_mem()));
  ENTENTE_ASSERT(memory != nullptr, "out of memory");
  X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_RFC2253);
  return std::string(as_text(written_to(memory.get())));
}

std::vector<std::string> alternative_names(const X509* certificate, int type) {
  std::vector<std::string> found;
  const OwnedNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != type) continue;
    const ASN1_STRING* text = name->d.ia5;  // URI and DNS names are both of this type
    found.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                       static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  return found;
}

bool is_critical(const X509* certificate, int extension) {
  const int at = X509_get_ext_by_NID(certificate, extension, -1);
  return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(certificate, at)) != 0;
}

Result<std::string> the_uri(const Certificate& certificate) {
  auto uris = certificate.uris();
  if (uris.size() == 1) return std::move(uris.front());
  return refused("expected exactly one URI in the subject alternative name, saw " +
                 std::to_string(uris.size()));
}

// What a certificate that authenticates may be used for.
Result<void> check_usage(X509* certificate) {
  const std::uint32_t flags = X509_get_extension_flags(certificate);
  if ((flags & EXFLAG_CA) != 0) return refused("the certificate of an authority speaks for nobody");
  if ((flags & EXFLAG_CRITICAL) != 0) return refused("an unknown critical extension");
  if ((flags & EXFLAG_KUSAGE) == 0 || !is_critical(certificate, NID_key_usage)) {
    return refused("expected a critical key usage, saw none");
  }
  const std::uint32_t usage = X509_get_key_usage(certificate);
  if ((usage & KU_DIGITAL_SIGNATURE) == 0) return refused("key usage lacks digitalSignature");
  if ((usage & KU_KEY_CERT_SIGN) != 0) return refused("key usage of a leaf has keyCertSign");
  if ((usage & KU_CRL_SIGN) != 0) return refused("key usage of a leaf has cRLSign");
  if (X509_NAME_entry_count(X509_get_subject_name(certificate)) == 0 &&
      !is_critical(certificate, NID_subject_alt_name)) {
    return refused("an empty subject needs a critical subject alternative name");
  }
  return ok();
}

Result<void> check_extended_usage(X509* certificate) {
  if ((X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) == 0) return ok();
  constexpr std::uint32_t both = XKU_SSL_SERVER | XKU_SSL_CLIENT;
  if ((X509_get_extended_key_usage(certificate) & both) == both) return ok();
  return refused("extended key usage needs both serverAuth and clientAuth");
}

}  // namespace

Result<Certificate> Certificate::from_der(ByteView der) {
  const unsigned char* at = octets(der);
  OwnedCertificate certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (certificate == nullptr) {
    return Error{Errc::malformed, "expected an X.509 certificate: " + openssl_reason()};
  }
  if (at != octets(der) + der.size()) {
    return Error{Errc::malformed, "expected one X.509 certificate, saw bytes behind it"};
  }
  return adopt(std::move(certificate));
}

Result<std::vector<Certificate>> Certificate::from_pem(std::string_view pem) {
  std::vector<Certificate> found;
  const OwnedBio bio = bio_over(as_bytes(pem));
  while (X509* read = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    auto certificate = adopt(OwnedCertificate(read));
    if (!certificate) {
      return in_context("certificate " + std::to_string(found.size() + 1), certificate.error());
    }
    found.push_back(std::move(*certificate));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = openssl_reason();
  if (at_end && !found.empty()) return found;
  return Error{Errc::malformed,
               at_end ? "expected a PEM certificate, saw none"
                      : "certificate " + std::to_string(found.size() + 1) + ": " + reason};
}

Result<std::vector<Certificate>> Certificate::load(const std::filesystem::path& path) {
  const auto pem = read_text(path, pem_file_max_bytes);
  if (!pem) return pem.error();
  auto found = from_pem(*pem);
  if (!found) return in_context(path.string(), found.error());
  return found;
}

Bytes Certificate::der() const {
  unsigned char* encoded = nullptr;
  const int size = i2d_X509(certificate_.get(), &encoded);
  ENTENTE_ASSERT(size > 0, "a certificate that cannot be encoded");
  const auto* begin = reinterpret_cast<const std::byte*>(encoded);
  Bytes der(begin, begin + size);
  OPENSSL_free(encoded);
  return der;
}

std::string Certificate::pem() const {
  const OwnedBio memory(BIO_new(BIO_s_mem()));
  const bool done = memory != nullptr && PEM_write_bio_X509(memory.get(), certificate_.get()) == 1;
  ENTENTE_ASSERT(done, "a certificate that cannot be encoded");
  return std::string(as_text(written_to(memory.get())));
}

PublicKey Certificate::public_key() const {
  return PublicKey(std::shared_ptr<EVP_PKEY>(X509_get_pubkey(certificate_.get()), EVP_PKEY_free));
}

TimePoint Certificate::not_before() const {
  return time_of(X509_get0_notBefore(native()));
}
TimePoint Certificate::not_after() const {
  return time_of(X509_get0_notAfter(native()));
}

std::string Certificate::serial_hex() const {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate_.get());
  const auto* begin = reinterpret_cast<const std::byte*>(ASN1_STRING_get0_data(serial));
  return to_hex({begin, static_cast<std::size_t>(ASN1_STRING_length(serial))});
}

Digest Certificate::fingerprint() const {
  return sha256(der());
}
std::string Certificate::subject() const {
  return text_of(X509_get_subject_name(native()));
}
std::string Certificate::issuer() const {
  return text_of(X509_get_issuer_name(native()));
}
std::vector<std::string> Certificate::uris() const {
  return alternative_names(native(), GEN_URI);
}
std::vector<std::string> Certificate::dns_names() const {
  return alternative_names(native(), GEN_DNS);
}

bool Certificate::is_authority() const {
  return X509_check_ca(native()) == 1;
}
bool Certificate::is_self_signed() const {
  return X509_self_signed(native(), 0) == 1;
}

Result<Identity> Certificate::identity() const {
  auto uri = the_uri(*this);
  if (!uri) return uri.error();
  auto identity = parse_identity(*uri);
  if (!identity) return refused(identity.error().detail);
  if (auto fit = check_usage(native()); !fit) return fit.error();
  if (auto fit = check_extended_usage(native()); !fit) return fit.error();
  return identity;
}

Result<std::string> Certificate::ledger_federation() const {
  constexpr std::string_view scheme = "spiffe://";
  constexpr std::string_view path = "/ledger";
  const auto uri = the_uri(*this);
  if (!uri) return uri.error();
  if (uri->starts_with(scheme) && uri->ends_with(path) &&
      uri->size() > scheme.size() + path.size()) {
    auto federation = uri->substr(scheme.size(), uri->size() - scheme.size() - path.size());
    if (is_federation_name(federation)) {
      if (auto fit = check_usage(native()); !fit) return fit.error();
      return federation;
    }
  }
  return refused("expected the URI spiffe://<federation>/ledger, saw " + in_quotes(*uri));
}

Result<std::string> Certificate::authority_federation() const {
  constexpr std::string_view scheme = "spiffe://";
  if (!is_authority()) return refused("expected the certificate of an authority");
  const auto uri = the_uri(*this);
  if (!uri) return uri.error();
  if (uri->starts_with(scheme) && is_federation_name(uri->substr(scheme.size()))) {
    return uri->substr(scheme.size());
  }
  return refused("expected the URI spiffe://<federation>, saw " + in_quotes(*uri));
}

std::string Certificate::describe() const {
  const auto uris = this->uris();
  const char* kind = public_key().kind() == KeyKind::ed25519 ? "Ed25519" : "ECDSA P-256";
  return in_quotes(subject(), 200) + ", issued by " + in_quotes(issuer(), 200) + ", " +
         (uris.empty() ? "no URI" : in_quotes(uris.front(), 200)) + ", " +
         to_rfc3339(not_before()) + " to " + to_rfc3339(not_after()) + ", " + kind;
}

Result<void> verify_chain(const Certificate& leaf, const std::vector<Certificate>& authorities,
                          TimePoint when) {
  const auto store = trust_store(authorities);
  if (!store) return store.error();
  const OwnedStoreContext context(X509_STORE_CTX_new());
  const bool ready =
      context != nullptr &&
      X509_STORE_CTX_init(context.get(), store->get(), leaf.native(), nullptr) == 1 &&
      X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_ANY) == 1;
  ENTENTE_ASSERT(ready, "out of memory");
  X509_STORE_CTX_set_time(
      context.get(), 0, std::chrono::floor<std::chrono::seconds>(when).time_since_epoch().count());
  if (X509_verify_cert(context.get()) == 1) return ok();
  const int reason = X509_STORE_CTX_get_error(context.get());
  const int depth = X509_STORE_CTX_get_error_depth(context.get());
  ERR_clear_error();
  return refused(std::string(X509_verify_cert_error_string(reason)) +
                 (depth > 0 ? " (its authority " + std::to_string(depth) + " above)" : "") + ": " +
                 leaf.describe());
}

}  // namespace entente::crypto
