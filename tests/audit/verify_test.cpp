// SPDX-License-Identifier: Apache-2.0
#include "audit/verify.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/audit/audited.hpp"
#include "tests/common/ledger/ledger_fixture.hpp"

namespace entente::audit {
namespace {

using crypto::testing::year;
using ledger::test::failed_with;

struct Auditor : test::Audited {
  Auditor() { write(); }

  Result<Report> with_nothing() { return verify(ledger(), {}, year(2026)); }
  Result<Report> with_key() { return verify(ledger(), {verifier(), {}}, year(2026)); }
  Result<Report> with_ca() { return verify(ledger(), {{}, federation.authorities()}, year(2026)); }

  ledger::Entry& find(std::vector<ledger::Entry>& entries, std::string_view kind) {
    for (auto& entry : entries) {
      if (entry.kind == kind) return entry;
    }
    throw std::runtime_error("no such entry");
  }
  // The ledger written anew, signed as it should be, with one entry of `kind` changed.
  void rewrite(std::string_view kind, const std::function<void(ledger::Entry&)>& change) {
    write([&](std::vector<ledger::Entry>& entries) { change(find(entries, kind)); });
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(verify_ledger, Auditor)

BOOST_AUTO_TEST_CASE(
    with_the_federations_ca_a_good_ledger_is_verified_with_its_members_signatures) {
  const Report report = with_ca().value();
  BOOST_TEST(report.verified);
  BOOST_TEST(report.signatures == 4U);
  BOOST_TEST(report.ledger.entries == story.entries.size());
  BOOST_TEST((report.state == story.state));
  BOOST_TEST(report_text(report).starts_with("verified: " + std::to_string(story.entries.size()) +
                                             " entries, head " + report.ledger.head.root.hex() +
                                             "\n"));
  const json::object object = report_json(report);
  BOOST_TEST(object.at("verdict").as_string() == "verified");
  BOOST_TEST(object.at("verified").as_bool());
  BOOST_TEST(object.at("entries").to_number<std::uint64_t>() == story.entries.size());
  BOOST_TEST(object.at("head").at("origin").as_string() == test::origin);
  BOOST_TEST(object.at("plans").at(0).at("rounds_committed").to_number<int>() == 1);
}

BOOST_AUTO_TEST_CASE(with_the_verifiers_key_the_head_is_verified) {
  const Report report = with_key().value();
  BOOST_TEST(report.verified);
  BOOST_TEST(report.signatures == 0U);
  BOOST_TEST(report.key == verifier().text());
}

BOOST_AUTO_TEST_CASE(without_anything_to_trust_a_ledger_is_consistent_and_never_called_verified) {
  const Report report = with_nothing().value();
  BOOST_TEST(!report.verified);
  const std::string text = report_text(report);
  BOOST_TEST(text.starts_with("consistent, not authenticated: "));
  BOOST_TEST(text.find("verified") == text.npos);
  BOOST_TEST(!report_json(report).at("verified").as_bool());
  BOOST_TEST(report_json(report).at("verdict").as_string() == "consistent, not authenticated");
}

BOOST_AUTO_TEST_CASE(every_changed_digit_of_an_entry_is_found) {
  const std::string good = content("entries-000000.jsonl");
  for (std::size_t i = 0; i < good.size(); i += 97) {
    std::string altered = good;
    altered[i] = static_cast<char>(altered[i] ^ 0x01);
    put("entries-000000.jsonl", altered);
    BOOST_REQUIRE(!with_ca());
    BOOST_REQUIRE(!with_nothing());
  }
}

BOOST_AUTO_TEST_CASE(another_key_or_another_ca_is_unauthenticated) {
  const ledger::VerifierKey other{
      test::origin, crypto::PrivateKey::generate(crypto::KeyKind::ed25519).value().public_key()};
  BOOST_TEST(failed_with(verify(ledger(), {other, {}}, year(2026)), Errc::unauthenticated,
                         "no signature by"));
  const crypto::testing::Federation strangers(test::federation_name);
  BOOST_TEST(failed_with(verify(ledger(), {{}, strangers.authorities()}, year(2026)),
                         Errc::unauthenticated,
                         "entries-000000.jsonl:3: a member's signature: certificate:"));
}

BOOST_AUTO_TEST_CASE(the_certificate_of_the_ledgers_key_must_be_over_it_and_for_this_ledger) {
  const auto other = crypto::PrivateKey::generate(crypto::KeyKind::ed25519).value().public_key();
  certify(other, crypto::testing::century);
  BOOST_TEST(failed_with(with_ca(), Errc::unauthenticated, "over another key"));
  put("key.crt", members.at("bob").chain.front().pem());
  BOOST_TEST(failed_with(with_ca(), Errc::unauthenticated, "key.crt"));
  put("key.crt", "");
  BOOST_TEST(failed_with(with_ca(), Errc::malformed, "key.crt"));
  std::filesystem::remove(ledger() / "key.crt");
  BOOST_TEST(failed_with(with_ca(), Errc::not_found, "key.crt"));
  BOOST_TEST(with_key().has_value());
}

BOOST_AUTO_TEST_CASE(a_ledger_of_a_key_that_another_federations_ca_certified_is_refused) {
  const crypto::testing::Federation banks("banks.example");
  const auto theirs =
      crypto::issue_ledger_key(banks.issuing, key.public_key(), crypto::testing::century);
  put("key.crt", theirs.value().pem());
  BOOST_TEST(failed_with(verify(ledger(), {{}, banks.authorities()}, year(2026)),
                         Errc::unauthenticated, "key.crt is for the ledger of banks.example"));
}

BOOST_AUTO_TEST_CASE(the_certificate_of_the_key_counts_at_the_first_or_the_last_entry) {
  const TimePoint first = story.entries.front().time;
  const TimePoint last = story.entries.back().time;
  certify(key.public_key(), {first - std::chrono::days(1), first + std::chrono::seconds(1)});
  BOOST_TEST(with_ca().has_value());
  certify(key.public_key(), {last - std::chrono::seconds(1), last + std::chrono::days(1)});
  BOOST_TEST(with_ca().has_value());
  certify(key.public_key(), {year(2027), year(2028)});
  BOOST_TEST(failed_with(with_ca(), Errc::unauthenticated, "key.crt"));
  certify(key.public_key(), {year(2020), year(2021)});
  BOOST_TEST(failed_with(with_ca(), Errc::unauthenticated, "key.crt"));
}

BOOST_AUTO_TEST_CASE(an_empty_ledger_is_verified_by_its_head_at_the_present_time) {
  write([](auto& entries) { entries.clear(); });
  BOOST_TEST(with_ca().value().ledger.entries == 0U);
  BOOST_TEST(report_text(with_ca().value()).starts_with("verified: 0 entries, head e3b0c442"));
  certify(key.public_key(), {year(2020), year(2021)});
  BOOST_TEST(failed_with(with_ca(), Errc::unauthenticated, "key.crt"));
}

// The ledger's own signature is good in all of these: it is the coordinator who is at fault.
BOOST_AUTO_TEST_CASE(a_consent_that_the_participant_did_not_sign_is_found) {
  const auto refused = [&](std::string_view kind, const std::function<void(ledger::Entry&)>& change,
                           std::string_view text) {
    rewrite(kind, change);
    return failed_with(with_ca(), Errc::unauthenticated, text);
  };
  BOOST_TEST(refused(
      "plan.consented",
      [&](ledger::Entry& entry) { entry.details["signature"] = to_base64(Bytes(64)); },
      "entries-000000.jsonl:4: a member's signature: it is not over this plan"));
  BOOST_TEST(refused(
      "plan.consented",
      [&](ledger::Entry& entry) {
        entry.details["certificate"] = certificate_of("bob");
        entry.details["signature"] = signature_of("bob", ledger::plan_consented);
      },
      "the certificate is of spiffe://lab.example/participant/bob"));
  BOOST_TEST(refused(
      "plan.consented",
      [&](ledger::Entry& entry) {
        entry.details["signature"] = signature_of("alice", ledger::plan_submitted);
      },
      "not over this plan"));
  BOOST_TEST(refused(
      "plan.consented", [&](ledger::Entry& entry) { entry.details.erase("certificate"); },
      "no text 'certificate'"));
  BOOST_TEST(refused(
      "plan.submitted", [&](ledger::Entry& entry) { entry.plan = test::digest_of("another plan"); },
      "not over this plan"));
  BOOST_TEST(refused(
      "plan.submitted",
      [&](ledger::Entry& entry) {
        entry.actor = "spiffe://lab.example/participant/bob";
        entry.details["certificate"] = certificate_of("bob");
        entry.details["signature"] = signature_of("bob", ledger::plan_submitted);
      },
      "the role participant may not sign this"));
  BOOST_TEST(with_key().has_value());  // none of which a key alone can show
}

BOOST_AUTO_TEST_CASE(a_certificate_that_had_ended_when_it_signed_is_found) {
  members.erase("carol");
  members.emplace("carol",
                  federation.credentials(Role::participant, "carol", {year(2020), year(2021)}));
  write([&](std::vector<ledger::Entry>& entries) {
    for (auto& entry : entries) {
      if (entry.kind != "plan.consented" || entry.actor.find("carol") == std::string::npos)
        continue;
      entry.details["certificate"] = certificate_of("carol");
      entry.details["signature"] = signature_of("carol", ledger::plan_consented);
    }
  });
  BOOST_TEST(failed_with(with_ca(), Errc::unauthenticated, "entries-000000.jsonl:6: "));
}

BOOST_AUTO_TEST_CASE(a_history_that_could_not_have_happened_is_found_though_well_signed) {
  rewrite("round.committed",
          [](ledger::Entry& entry) { entry.subjects["model"] = test::digest_of("other"); });
  BOOST_TEST(failed_with(with_ca(), Errc::corrupt, "commits another model than the candidate"));
  BOOST_TEST(failed_with(with_nothing(), Errc::corrupt, "entries-000000.jsonl:"));
}

BOOST_AUTO_TEST_CASE(a_ledger_opened_with_another_key_is_found) {
  rewrite("ledger.opened", [](ledger::Entry& entry) { entry.details["verifier_key"] = "another"; });
  BOOST_TEST(failed_with(with_ca(), Errc::unauthenticated, "opened with another key"));
}

BOOST_AUTO_TEST_CASE(what_lies_behind_the_head_is_told_and_not_counted) {
  const std::string checkpoint = content("checkpoint");
  auto more = story.entries.back();
  const std::string kept = content("entries-000000.jsonl");
  more.sequence += 1;
  put("entries-000000.jsonl", kept + ledger::encode_entry(more).value() + "\n{\"torn");
  const Report report = with_ca().value();
  BOOST_TEST(report.ledger.entries == story.entries.size());
  BOOST_TEST(report.ledger.entries_behind_head == 1U);
  BOOST_TEST(report.ledger.torn_tail);
  BOOST_TEST(report_json(report).at("behind_head").to_number<int>() == 1);
  BOOST_TEST(report_json(report).at("torn_tail").as_bool());
  BOOST_TEST(report_text(report).find("an unfinished line") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::audit
