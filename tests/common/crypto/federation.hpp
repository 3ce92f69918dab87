// SPDX-License-Identifier: Apache-2.0
//
// A federation made of nothing but values, for the tests of this room: valid through the years 2000
// to 2099, so that no test depends on today.
#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "common/crypto/credentials.hpp"
#include "common/crypto/issue.hpp"

namespace entente::crypto::testing {

inline TimePoint year(int number) {
  return std::chrono::sys_days(std::chrono::year(number) / 1 / 1);
}
inline const Validity century{year(2000), year(2100)};
inline const TimePoint noon = year(2026) + std::chrono::hours(12);

template <class T>
T must(Result<T> result) {
  if (!result) BOOST_FAIL(result.error().detail);
  return std::move(*result);
}

struct Federation {
  std::string name;
  Authority root;
  Authority issuing;

  explicit Federation(std::string name_ = "hospitals.example")
      : name(std::move(name_)), root(make_root(name)), issuing(make_issuing(root)) {}

  static Authority make_root(const std::string& name) {
    const auto key = must(PrivateKey::generate(KeyKind::ecdsa_p256));
    return {must(issue_root(name, key, century)), key};
  }
  static Authority make_issuing(const Authority& root) {
    const auto key = must(PrivateKey::generate(KeyKind::ecdsa_p256));
    return {must(issue_authority(root, key.public_key(), century)), key};
  }

  std::vector<Certificate> authorities() const { return {root.certificate, issuing.certificate}; }
  Identity member(Role role, std::string who) const { return {name, role, std::move(who)}; }

  Credentials credentials(Role role, const std::string& who, Validity validity = century,
                          KeyKind kind = KeyKind::ecdsa_p256) const {
    const auto key = must(PrivateKey::generate(kind));
    const auto leaf =
        must(issue_leaf(issuing, member(role, who), {"localhost"}, key.public_key(), validity));
    return {member(role, who), {leaf, issuing.certificate}, key, authorities()};
  }

  // What a leaf of `who` says, to be spoiled by the test.
  CertificateText text(const std::string& who) const {
    CertificateText text;
    text.common_name = who;
    text.uris = {member(Role::participant, who).uri()};
    text.validity = century;
    return text;
  }
  // A leaf that says `text`, whatever that is.
  Credentials credentials(const CertificateText& text) const {
    const auto key = must(PrivateKey::generate(KeyKind::ecdsa_p256));
    const auto leaf =
        must(sign_certificate(text, key.public_key(), issuing.key, &issuing.certificate));
    return {member(Role::participant, "x"), {leaf, issuing.certificate}, key, authorities()};
  }
};

}  // namespace entente::crypto::testing
