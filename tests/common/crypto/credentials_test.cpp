// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/credentials.hpp"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <string>

#include "tests/common/crypto/federation.hpp"
#include "tests/common/crypto/folder.hpp"

namespace entente::crypto {

using testing::Federation;
using testing::Folder;
using testing::must;
using testing::noon;
using testing::year;

namespace {

std::string pem_of(const std::vector<Certificate>& chain) {
  std::string text;
  for (const auto& one : chain) text += one.pem();
  return text;
}

// A folder as `entente-certs issue` makes it, and loading it.
struct Kit {
  Folder folder;
  CredentialFiles files{folder / "cert.pem", folder / "key.pem", folder / "ca.pem"};

  explicit Kit(const Credentials& of) {
    folder.write("cert.pem", pem_of(of.chain));
    folder.write("ca.pem", pem_of(of.authorities));
    BOOST_REQUIRE(of.key.save(files.key).has_value());
  }
  Error refused(TimePoint when = noon) const {
    const auto loaded = load_credentials(files, when);
    BOOST_REQUIRE(!loaded.has_value());
    return loaded.error();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(credentials)

BOOST_AUTO_TEST_CASE(a_whole_kit_is_read_with_the_identity_of_its_leaf) {
  const Federation hospitals;
  const Kit kit(hospitals.credentials(Role::participant, "charite"));
  const auto loaded = must(load_credentials(kit.files, noon));
  BOOST_TEST(loaded.identity.uri() == "spiffe://hospitals.example/participant/charite");
  BOOST_TEST(loaded.chain.size() == 2U);
  BOOST_TEST(loaded.authorities.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_key_of_another_certificate_is_refused) {
  const Federation hospitals;
  const Kit kit(hospitals.credentials(Role::participant, "charite"));
  const Kit other(hospitals.credentials(Role::participant, "mayo"));
  Kit mixed(hospitals.credentials(Role::participant, "x"));
  mixed.files.key = other.files.key;
  const auto error = mixed.refused();
  BOOST_TEST((error.code == Errc::rejected));
  BOOST_TEST(error.detail.starts_with(other.files.key.string()));
}

BOOST_AUTO_TEST_CASE(a_kit_of_another_authority_or_another_time_is_refused) {
  const Federation hospitals;
  const Federation banks("banks.example");
  const Kit kit(hospitals.credentials(Role::participant, "charite", {year(2026), year(2027)}));
  BOOST_TEST((kit.refused(year(2025)).code == Errc::unauthenticated));
  BOOST_TEST((kit.refused(year(2028)).code == Errc::unauthenticated));
  kit.folder.write("ca.pem", pem_of(banks.authorities()));
  BOOST_TEST((kit.refused().code == Errc::unauthenticated));
}

BOOST_AUTO_TEST_CASE(a_leaf_that_breaks_the_rules_is_refused_at_home_already) {
  const Federation hospitals;
  auto text = hospitals.text("x");
  text.uris.push_back("spiffe://hospitals.example/operator/x");
  const Kit kit(hospitals.credentials(text));
  const auto error = kit.refused();
  BOOST_TEST((error.code == Errc::unauthenticated));
  BOOST_TEST(error.detail.starts_with(kit.files.certificate.string()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::crypto
