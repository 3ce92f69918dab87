// SPDX-License-Identifier: Apache-2.0
//
// Making the federation's certificates: root, issuing CA, members, the ledger's verifier key. Pure
// but for the random serial numbers; which files they lie in is certs/.
//
//     root (self-signed, path length 1) -> issuing CA (path length 0) -> leaf
//
// All names are checked here; what these functions make, Certificate::identity() and its like
// accept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.hpp"
#include "common/base/identity.hpp"
#include "common/base/result.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/key.hpp"

namespace entente::crypto {

// Both ends included; whole seconds (fractions are cut).
struct Validity {
  TimePoint not_before;
  TimePoint not_after;
};

// A CA that can sign.
struct Authority {
  Certificate certificate;
  PrivateKey key;
};

// Errors of all five: invalid_argument - a name that is none, an end before the beginning or after
// the issuer's own end, an issuer whose key is not its certificate's; io - OpenSSL's reason.

// Self-signed, URI spiffe://<federation>.
Result<Certificate> issue_root(const std::string& federation, const PrivateKey& key,
                               Validity validity);

// Signs nothing but leaves. `root`'s federation.
Result<Certificate> issue_authority(const Authority& root, const PublicKey& key, Validity validity);

// The certificate that `who` authenticates with, as server and as client; `dns_names` for tools
// that look at host names (who somebody is, is the URI alone). `who.federation` must be the
// issuer's.
Result<Certificate> issue_leaf(const Authority& issuer, const Identity& who,
                               const std::vector<std::string>& dns_names, const PublicKey& key,
                               Validity validity);

// Over the ledger's verifier key: URI spiffe://<federation>/ledger, no extended usage;
// authenticates nobody.
Result<Certificate> issue_ledger_key(const Authority& issuer, const PublicKey& key,
                                     Validity validity);

// What a certificate says, word for word. `usage` and `extended_usage` are OpenSSL's names, comma
// separated; empty: without that extension.
struct CertificateText {
  std::string organisation;
  std::string unit;
  std::string common_name;
  std::vector<std::string> uris;
  std::vector<std::string> dns_names;
  bool is_authority = false;
  std::optional<unsigned> path_length;
  std::string usage = "critical,digitalSignature";
  std::string extended_usage = "serverAuth,clientAuth";
  Validity validity;
};

// A certificate with any content, sensible or not: what the four above are made of, and what tests
// of refusals need. Without `issuer`, `signer` signs its own (then `key` is its public half).
Result<Certificate> sign_certificate(const CertificateText& text, const PublicKey& key,
                                     const PrivateKey& signer, const Certificate* issuer);

// Whether `text` is a host name in lower case: labels [a-z0-9-]{1,63} that neither begin nor end
// with '-', at most 253 bytes, the last label not a number (an IP address is no host name).
bool is_dns_name(std::string_view text);

}  // namespace entente::crypto
