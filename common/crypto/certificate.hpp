// SPDX-License-Identifier: Apache-2.0
//
// X.509 certificates as the federation uses them: read, checked against the federation's roots, and
// (for certs/) made.
//
// Who a certificate speaks for is its one URI SAN (common/base/identity.hpp). Rules: SPIFFE
// X509-SVID; docs/identity.md.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.hpp"
#include "common/base/digest.hpp"
#include "common/base/identity.hpp"
#include "common/base/result.hpp"
#include "common/crypto/key.hpp"

struct x509_st;

namespace entente::crypto {

// Cheap to copy (shared, immutable); any thread. Its public key is always one of KeyKind.
class Certificate {
 public:
  // Errors: malformed - not one X.509 v3 certificate and nothing behind it, an extension that does
  // not decode or stands there twice, a key that is not one of KeyKind.
  static Result<Certificate> from_der(ByteView der);
  // All certificates of a PEM file (1 MiB at most), in its order, at least one. Errors: not_found;
  // malformed; io.
  static Result<std::vector<Certificate>> load(const std::filesystem::path& path);
  static Result<std::vector<Certificate>> from_pem(std::string_view pem);

  Bytes der() const;
  std::string pem() const;
  PublicKey public_key() const;
  TimePoint not_before() const;
  TimePoint not_after() const;
  std::string serial_hex() const;
  // SHA-256 of der().
  Digest fingerprint() const;
  // Distinguished names as RFC 2253 writes them: for people.
  std::string subject() const;
  std::string issuer() const;
  // The names of the subject alternative name, as they stand there: not checked, of any length and
  // content.
  std::vector<std::string> uris() const;
  std::vector<std::string> dns_names() const;
  bool is_authority() const;
  bool is_self_signed() const;

  // Who the certificate speaks for, by the leaf rules: exactly one URI SAN of our form, not a CA,
  // key usage critical with digitalSignature and neither keyCertSign nor cRLSign, extended usage
  // (when present) with both serverAuth and clientAuth. Says nothing of dates and issuer
  // (verify_chain) nor whether the federation is the caller's own. Errors: unauthenticated - which
  // rule, in words.
  Result<Identity> identity() const;
  // The federation whose ledger key this certificate is over: its one URI is
  // spiffe://<federation>/ledger, its usage as in identity(). Errors: unauthenticated - which rule,
  // in words.
  Result<std::string> ledger_federation() const;
  // The federation that this CA's one URI names: spiffe://<federation>. Errors: unauthenticated -
  // not a CA, or another URI.
  Result<std::string> authority_federation() const;
  // One line for people: subject, issuer, URI, dates, key.
  std::string describe() const;

  // For common/crypto and the TLS stream only. Precondition: as from_der would have it.
  explicit Certificate(std::shared_ptr<x509_st> certificate)
      : certificate_(std::move(certificate)) {}
  x509_st* native() const { return certificate_.get(); }

 private:
  std::shared_ptr<x509_st> certificate_;
};

// Whether `leaf` chains to one of `authorities` (roots and issuing CAs; each must itself chain to a
// self-signed one among them) at `when`, by OpenSSL's strict rules. Errors: unauthenticated -
// OpenSSL's reason in words; invalid_argument - `authorities` holds a certificate that is not a
// CA's, or no self-signed one.
Result<void> verify_chain(const Certificate& leaf, const std::vector<Certificate>& authorities,
                          TimePoint when);

}  // namespace entente::crypto
