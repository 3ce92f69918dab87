// SPDX-License-Identifier: Apache-2.0
//
// What a program shows to others and trusts in others: its certificate chain, its key, the
// federation's authorities. Read whole and checked whole, at start and at a reload: either all of
// it is good, or the old one stays in use.
#pragma once

#include <filesystem>
#include <vector>

#include "common/base/clock.hpp"
#include "common/base/identity.hpp"
#include "common/base/result.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/key.hpp"

namespace entente::crypto {

// Where they lie; all PEM.
struct CredentialFiles {
  std::filesystem::path certificate;  // the leaf first, then the issuing CA
  std::filesystem::path key;
  std::filesystem::path authorities;  // root and issuing CAs: ca.pem
};

// A value; cheap to copy, any thread. A list of revocations will stand beside `authorities`.
struct Credentials {
  Identity identity;               // of the leaf
  std::vector<Certificate> chain;  // leaf first; never empty
  PrivateKey key;                  // signs plans and consents too
  std::vector<Certificate> authorities;
};

// Errors: those of reading the files; unauthenticated - the leaf breaks the rules, does not chain
// to the authorities, or is not valid at `now`; rejected - the key is not the certificate's, or
// readable by others. Each names the file.
Result<Credentials> load_credentials(const CredentialFiles& files, TimePoint now);

}  // namespace entente::crypto
