// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/certificate.hpp"

#include <boost/test/unit_test.hpp>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/crypto/hash.hpp"
#include "common/crypto/openssl.hpp"
#include "tests/common/crypto/federation.hpp"
#include "tests/common/crypto/folder.hpp"

namespace entente::crypto {

using testing::century;
using testing::Federation;
using testing::Folder;
using testing::must;
using testing::noon;
using testing::year;

namespace {

std::string refusal(const Result<Identity>& result) {
  if (result) return "accepted as " + result->uri();
  BOOST_TEST((result.error().code == Errc::unauthenticated));
  return result.error().detail;
}

std::string refusal(const Result<void>& result) {
  if (result) return "accepted";
  BOOST_TEST((result.error().code == Errc::unauthenticated));
  return result.error().detail;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(certificate)

BOOST_AUTO_TEST_CASE(a_member_is_who_the_uri_of_the_certificate_says) {
  const Federation hospitals;
  for (const Role role :
       {Role::coordinator, Role::participant, Role::operator_, Role::auditor, Role::member}) {
    const auto leaf = hospitals.credentials(role, "charite-2").chain.front();
    const auto identity = must(leaf.identity());
    BOOST_TEST(identity.uri() ==
               "spiffe://hospitals.example/" + std::string(to_string(role)) + "/charite-2");
    BOOST_TEST(verify_chain(leaf, hospitals.authorities(), noon).has_value());
    BOOST_TEST(!leaf.is_authority());
    BOOST_TEST((leaf.dns_names() == std::vector<std::string>{"localhost"}));
  }
}

// Should: refuse, and say which rule.
BOOST_AUTO_TEST_CASE(a_leaf_that_breaks_a_rule_speaks_for_nobody) {
  const Federation hospitals;
  using Spoil = std::function<void(CertificateText&)>;
  const std::vector<std::pair<std::string, Spoil>> spoilt = {
      {"exactly one URI in the subject alternative name, saw 2",
       [](auto& text) { text.uris.push_back("spiffe://hospitals.example/operator/x"); }},
      {"exactly one URI in the subject alternative name, saw 2",
       [](auto& text) { text.uris.push_back("https://hospitals.example/"); }},
      {"exactly one URI in the subject alternative name, saw 0",
       [](auto& text) { text.uris.clear(); }},
      {"exactly one URI in the subject alternative name, saw 0",
       [](auto& text) {
         text.uris.clear();
         text.dns_names = {"localhost"};
       }},
      {"spiffe://", [](auto& text) { text.uris = {"https://hospitals.example/participant/x"}; }},
      {"spiffe://", [](auto& text) { text.uris = {"spiffe://hospitals.example/participant/x/"}; }},
      {"spiffe://", [](auto& text) { text.uris = {"spiffe://hospitals.example/participant/x?y"}; }},
      {"spiffe://",
       [](auto& text) { text.uris = {"spiffe://hospitals.example/participant/../x"}; }},
      {"spiffe://", [](auto& text) { text.uris = {"spiffe://hospitals.example/king/x"}; }},
      {"spiffe://", [](auto& text) { text.uris = {"spiffe://hospitals.example:1/participant/x"}; }},
      {"spiffe://",
       [](auto& text) {
         text.uris = {std::string("spiffe://hospitals.example/participant/x\0y", 41)};
       }},
      {"spiffe://", [](auto& text) { text.uris = {"spiffe://hospitals.example/ledger"}; }},
      {"spiffe://", [](auto& text) { text.uris = {"spiffe://hospitals.example"}; }},
      {"authority",
       [](auto& text) {
         text.is_authority = true;
         text.usage = "critical,digitalSignature,keyCertSign";
       }},
      {"keyCertSign", [](auto& text) { text.usage = "critical,digitalSignature,keyCertSign"; }},
      {"cRLSign", [](auto& text) { text.usage = "critical,digitalSignature,cRLSign"; }},
      {"digitalSignature", [](auto& text) { text.usage = "critical,keyAgreement"; }},
      {"critical key usage", [](auto& text) { text.usage = "digitalSignature"; }},
      {"critical key usage", [](auto& text) { text.usage.clear(); }},
      {"both serverAuth and clientAuth", [](auto& text) { text.extended_usage = "serverAuth"; }},
      {"both serverAuth and clientAuth", [](auto& text) { text.extended_usage = "clientAuth"; }},
      {"both serverAuth and clientAuth", [](auto& text) { text.extended_usage = "codeSigning"; }},
  };
  for (const auto& [rule, spoil] : spoilt) {
    auto text = hospitals.text("x");
    spoil(text);
    const auto leaf = hospitals.credentials(text).chain.front();
    const std::string seen = refusal(leaf.identity());
    BOOST_TEST(contains(seen, rule), "expected " << rule << " in: " << seen);
  }
}

BOOST_AUTO_TEST_CASE(a_leaf_without_extended_usage_or_without_a_subject_is_good) {
  const Federation hospitals;
  auto text = hospitals.text("x");
  text.extended_usage.clear();
  BOOST_TEST(hospitals.credentials(text).chain.front().identity().has_value());
  text.common_name.clear();
  const auto nameless = hospitals.credentials(text).chain.front();
  BOOST_TEST(nameless.subject().empty());
  BOOST_TEST(nameless.identity().has_value());
  BOOST_TEST(verify_chain(nameless, hospitals.authorities(), noon).has_value());
}

BOOST_AUTO_TEST_CASE(an_authority_never_authenticates) {
  const Federation hospitals;
  for (const auto& authority : hospitals.authorities()) {
    BOOST_TEST(authority.is_authority());
    BOOST_TEST(!authority.identity().has_value());
    BOOST_TEST(must(authority.authority_federation()) == "hospitals.example");
  }
  BOOST_TEST(hospitals.root.certificate.is_self_signed());
  BOOST_TEST(!hospitals.issuing.certificate.is_self_signed());
  const auto leaf = hospitals.credentials(Role::operator_, "anna").chain.front();
  BOOST_TEST(!leaf.authority_federation().has_value());
}

BOOST_AUTO_TEST_CASE(the_ledgers_certificate_names_its_key_and_authenticates_nobody) {
  const Federation hospitals;
  const auto key = must(PrivateKey::generate(KeyKind::ed25519));
  const auto ledger = must(issue_ledger_key(hospitals.issuing, key.public_key(), century));
  BOOST_TEST(must(ledger.ledger_federation()) == "hospitals.example");
  BOOST_TEST((ledger.public_key().raw_ed25519() == key.public_key().raw_ed25519()));
  BOOST_TEST(verify_chain(ledger, hospitals.authorities(), noon).has_value());
  BOOST_TEST(contains(refusal(ledger.identity()), "spiffe://hospitals.example/ledger"));

  const auto leaf = hospitals.credentials(Role::operator_, "ledger").chain.front();
  BOOST_TEST(!leaf.ledger_federation().has_value());
  BOOST_TEST(!hospitals.issuing.certificate.ledger_federation().has_value());
}

BOOST_AUTO_TEST_CASE(a_chain_is_good_only_in_its_time) {
  const Federation hospitals;
  const auto leaf =
      hospitals.credentials(Role::member, "x", {year(2026), year(2027)}).chain.front();
  const auto authorities = hospitals.authorities();
  const auto day = std::chrono::hours(24);
  BOOST_TEST(verify_chain(leaf, authorities, noon).has_value());
  BOOST_TEST(verify_chain(leaf, authorities, year(2026) + day).has_value());
  BOOST_TEST(verify_chain(leaf, authorities, year(2027) - day).has_value());
  BOOST_TEST(contains(refusal(verify_chain(leaf, authorities, year(2026) - day)), "not yet valid"));
  BOOST_TEST(contains(refusal(verify_chain(leaf, authorities, year(2027) + day)), "has expired"));
  BOOST_TEST((leaf.not_before() == year(2026)));
  BOOST_TEST((leaf.not_after() == year(2027)));
}

BOOST_AUTO_TEST_CASE(another_authority_with_the_same_names_is_not_ours) {
  const Federation ours;
  const Federation theirs;
  const auto leaf = theirs.credentials(Role::participant, "x").chain.front();
  BOOST_TEST(leaf.identity().has_value());
  BOOST_TEST(!verify_chain(leaf, ours.authorities(), noon).has_value());
  // Not even when their issuing CA is put among ours: it does not end in our root.
  BOOST_TEST(
      !verify_chain(leaf, {ours.root.certificate, theirs.issuing.certificate}, noon).has_value());
  BOOST_TEST(!verify_chain(leaf, {ours.root.certificate}, noon).has_value());
}

BOOST_AUTO_TEST_CASE(a_leaf_cannot_issue) {
  const Federation hospitals;
  const auto member = hospitals.credentials(Role::participant, "x");
  const auto key = must(PrivateKey::generate(KeyKind::ecdsa_p256));
  const auto forged =
      must(sign_certificate(hospitals.text("y"), key.public_key(), member.key, &member.chain[0]));
  auto authorities = hospitals.authorities();
  BOOST_TEST(!verify_chain(forged, authorities, noon).has_value());
  authorities.push_back(member.chain[0]);
  const auto verdict = verify_chain(forged, authorities, noon);
  BOOST_REQUIRE(!verdict.has_value());
  BOOST_TEST((verdict.error().code == Errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(an_issuing_authority_cannot_make_another) {
  const Federation hospitals;
  const auto key = must(PrivateKey::generate(KeyKind::ecdsa_p256));
  CertificateText text;
  text.common_name = "Deeper authority";
  text.uris = {"spiffe://hospitals.example"};
  text.is_authority = true;
  text.usage = "critical,keyCertSign";
  text.extended_usage.clear();
  text.validity = century;
  const Authority deeper{must(sign_certificate(text, key.public_key(), hospitals.issuing.key,
                                               &hospitals.issuing.certificate)),
                         key};
  const auto leaf =
      must(issue_leaf(deeper, hospitals.member(Role::member, "x"), {}, key.public_key(), century));
  auto authorities = hospitals.authorities();
  authorities.push_back(deeper.certificate);
  BOOST_TEST(contains(refusal(verify_chain(leaf, authorities, noon)), "path length"));
}

BOOST_AUTO_TEST_CASE(authorities_without_a_root_are_a_mistake_of_configuration) {
  const Federation hospitals;
  const auto leaf = hospitals.credentials(Role::member, "x").chain.front();
  for (const auto& authorities : {std::vector<Certificate>{}, {hospitals.issuing.certificate}}) {
    const auto verdict = verify_chain(leaf, authorities, noon);
    BOOST_REQUIRE(!verdict.has_value());
    BOOST_TEST((verdict.error().code == Errc::invalid_argument));
  }
}

BOOST_AUTO_TEST_CASE(issuing_refuses_what_readers_would_refuse) {
  const Federation hospitals;
  const auto key = must(PrivateKey::generate(KeyKind::ecdsa_p256));
  const auto issue = [&](const Identity& who, std::vector<std::string> dns, Validity validity) {
    const auto made = issue_leaf(hospitals.issuing, who, dns, key.public_key(), validity);
    if (!made) BOOST_TEST((made.error().code == Errc::invalid_argument));
    return made.has_value();
  };
  const auto good = hospitals.member(Role::member, "x");
  BOOST_TEST(issue(good, {"a.example", "localhost"}, century));
  BOOST_TEST(!issue({"banks.example", Role::member, "x"}, {}, century));
  BOOST_TEST(!issue(hospitals.member(Role::member, "X"), {}, century));
  BOOST_TEST(!issue(hospitals.member(Role::member, ""), {}, century));
  BOOST_TEST(!issue(hospitals.member(Role::member, std::string(64, 'x')), {}, century));
  BOOST_TEST(issue(hospitals.member(Role::member, std::string(63, 'x')), {}, century));
  for (const char* name :
       {"", ".", "a..b", "a.", "-a", "a-", "A.example", "*.example", "a b", "127.0.0.1", "a/b"}) {
    BOOST_TEST(!issue(good, {name}, century), name);
  }
  BOOST_TEST(!issue(good, {}, {year(2000), year(2101)}));
  BOOST_TEST(!issue(good, {}, {year(2027), year(2026)}));
  const Authority mismatched{hospitals.issuing.certificate, hospitals.root.key};
  BOOST_TEST(!issue_leaf(mismatched, good, {}, key.public_key(), century).has_value());
  BOOST_TEST(!issue_root("Hospitals", key, century).has_value());
  BOOST_TEST(issue_root(std::string(255, 'h'), key, century).has_value());
}

BOOST_AUTO_TEST_CASE(serial_numbers_are_long_positive_and_never_the_same) {
  const Federation hospitals;
  std::set<std::string> seen;
  for (int i = 0; i < 20; ++i) {
    const auto serial = hospitals.credentials(Role::member, "x").chain.front().serial_hex();
    BOOST_TEST(serial.size() == 40U);
    BOOST_TEST(serial[0] < '8');
    BOOST_TEST(seen.insert(serial).second);
  }
}

BOOST_AUTO_TEST_CASE(a_certificate_survives_pem_and_der) {
  const Federation hospitals;
  const auto member = hospitals.credentials(Role::member, "x", century, KeyKind::ed25519);
  const auto& leaf = member.chain[0];
  const Folder folder;
  const auto path = folder.write("cert.pem", "a comment\n" + leaf.pem() + member.chain[1].pem());
  const auto read = must(Certificate::load(path));
  BOOST_REQUIRE(read.size() == 2U);
  BOOST_TEST((read[0].der() == leaf.der()));
  BOOST_TEST((read[1].fingerprint() == sha256(member.chain[1].der())));
  BOOST_TEST((must(Certificate::from_der(leaf.der())).public_key().kind() == KeyKind::ed25519));
  BOOST_TEST(leaf.subject() == "CN=x,OU=member,O=hospitals.example");
  BOOST_TEST(
      leaf.describe() ==
      "'CN=x,OU=member,O=hospitals.example', issued by 'CN=Issuing authority,O=hospitals.example', "
      "'spiffe://hospitals.example/member/x', 2000-01-01T00:00:00.000000Z to "
      "2100-01-01T00:00:00.000000Z, Ed25519");
}

BOOST_AUTO_TEST_CASE(a_certificate_over_another_kind_of_key_is_malformed) {
  const Federation hospitals;
  const std::shared_ptr<EVP_PKEY> rsa(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048}),
                                      EVP_PKEY_free);
  const auto made = sign_certificate(hospitals.text("x"), PublicKey(rsa), hospitals.issuing.key,
                                     &hospitals.issuing.certificate);
  BOOST_REQUIRE(!made.has_value());
  BOOST_TEST((made.error().code == Errc::malformed));
  BOOST_TEST(contains(made.error().detail, "saw RSA of 2048 bits"), made.error().detail);
}

BOOST_AUTO_TEST_CASE(a_damaged_certificate_is_malformed) {
  const Federation hospitals;
  const Bytes der = hospitals.credentials(Role::member, "x").chain[0].der();
  for (std::size_t size = 0; size < der.size(); ++size) {
    BOOST_TEST(!Certificate::from_der(ByteView(der).first(size)).has_value());
  }
  Bytes longer = der;
  longer.push_back(std::byte{0});
  BOOST_TEST(!Certificate::from_der(longer).has_value());
  // A flipped bit is either seen at once or breaks the signature; nothing crashes.
  for (std::size_t bit = 0; bit < der.size() * 8; bit += 3) {
    Bytes damaged = der;
    damaged[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    const auto read = Certificate::from_der(damaged);
    if (!read) continue;
    static_cast<void>(read->identity());
    static_cast<void>(read->describe());
    BOOST_TEST(!verify_chain(*read, hospitals.authorities(), noon).has_value(), "bit " << bit);
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_holds_no_certificate_is_named) {
  const Folder folder;
  const Federation hospitals;
  const std::string pem = hospitals.root.certificate.pem();
  std::string broken = pem;
  broken[100] = '!';
  for (const auto& content :
       {std::string(), std::string("text\n"), broken, pem + broken, pem.substr(0, 300)}) {
    const auto path = folder.write("bad.pem", content);
    const auto read = Certificate::load(path);
    BOOST_REQUIRE(!read.has_value());
    BOOST_TEST((read.error().code == Errc::malformed), read.error().detail);
    BOOST_TEST(read.error().detail.starts_with(path.string()), read.error().detail);
  }
  const auto missing = Certificate::load(folder / "missing.pem");
  BOOST_REQUIRE(!missing.has_value());
  BOOST_TEST((missing.error().code == Errc::not_found));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::crypto
