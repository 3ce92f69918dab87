// SPDX-License-Identifier: Apache-2.0
//
// The federation's certificate authority as a folder, and what it hands out. Called by the
// entente-certs program.
//
//     DIR/root/     root.key root.crt         the root; once the federation is founded, its key
//     belongs offline DIR/issuing/  issuing.key issuing.crt   signs the members' certificates
//     DIR/ledger/   ledger.key key key.crt    the ledger's signing key, its verifier key as text,
//     and that key's certificate DIR/ca.pem                              root and issuing
//     certificate: what every member trusts
//
// No file is ever overwritten. What the certificates say: common/crypto/issue.hpp and
// docs/identity.md.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "certs/new_files.hpp"
#include "common/base/clock.hpp"
#include "common/base/identity.hpp"
#include "common/base/result.hpp"
#include "common/crypto/certificate.hpp"

namespace entente::certs {

inline constexpr std::chrono::days root_lifetime{3650};
inline constexpr std::chrono::days issuing_lifetime{730};
inline constexpr int member_days_default = 90;
inline constexpr int member_days_max = 397;
// Certificates begin this long before they are made, for members whose clocks are late.
inline constexpr std::chrono::minutes clock_tolerance{5};

struct Founded {
  std::string federation;
  crypto::Certificate root;
  crypto::Certificate issuing;
  std::string verifier_key;  // C2SP vkey text
  std::vector<NewFile> files;
};

// Errors: invalid_argument - not a federation's name; rejected - a file exists already; io.
Result<Founded> found_federation(const std::string& federation, const std::filesystem::path& folder,
                                 TimePoint now);

struct MemberOrder {
  std::filesystem::path authority;  // DIR of found_federation
  Role role = Role::member;
  std::string name;
  std::vector<std::string> dns_names;  // a coordinator's default: localhost
  int days = member_days_default;
  std::filesystem::path folder;  // where the kit goes
};

struct Issued {
  Identity identity;
  crypto::Certificate certificate;
  std::vector<NewFile> files;
};

// Makes key and certificate of a member, and with them what the member needs of the federation:
//
//     key.pem  cert.pem (leaf, then issuing CA)  ca.pem  ledger-key  ledger-key.crt
//
// Errors: invalid_argument - a name, host name or number of days that cannot be; not_found,
// malformed - the authority's files; unauthenticated - the authority is out of date; rejected - a
// file exists already; io.
Result<Issued> issue_member(const MemberOrder& order, TimePoint now);

}  // namespace entente::certs
