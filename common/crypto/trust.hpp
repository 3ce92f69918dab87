// SPDX-License-Identifier: Apache-2.0
//
// The one place that says which certificates are trusted, for stored chains (certificate.hpp) and
// for TLS (tls.hpp) alike. For the .cpp files of this room.
//
// Revocation belongs here: a CRL is added to the same store, with X509_V_FLAG_CRL_CHECK |
// X509_V_FLAG_CRL_CHECK_ALL.
#pragma once

#include <vector>

#include "common/base/result.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/openssl.hpp"

namespace entente::crypto {

// leaf, issuing CA, root: one intermediate is usual, two are the limit.
inline constexpr int chain_depth_max = 2;
// OpenSSL's: keys and digests of 112 bits and more.
inline constexpr int security_level = 2;

// A store that trusts the self-signed ones of `authorities`, knows the others as links, and nothing
// of the system's. Errors: invalid_argument - one that is not a CA's, or none that is self-signed.
Result<OwnedStore> trust_store(const std::vector<Certificate>& authorities);

}  // namespace entente::crypto
