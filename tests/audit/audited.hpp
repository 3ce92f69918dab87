// SPDX-License-Identifier: Apache-2.0
//
// A federation of three that has trained for a round, its ledger in a folder as the coordinator
// leaves it, with real certificates and signatures.
#pragma once

#include <boost/test/unit_test.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/base/file.hpp"
#include "common/ledger/log.hpp"
#include "common/ledger/statement.hpp"
#include "tests/common/crypto/federation.hpp"
#include "tests/common/crypto/folder.hpp"
#include "tests/coordinator/round/story.hpp"

namespace entente::audit::test {

using coordinator::round::test::digest_of;
using coordinator::round::test::Story;
using crypto::testing::must;

inline const std::string federation_name = "lab.example";
inline const std::string origin = ledger::ledger_origin(federation_name);

struct Audited {
  using Change = std::function<void(std::vector<ledger::Entry>&)>;

  crypto::testing::Folder folder;
  crypto::testing::Federation federation{federation_name};
  crypto::PrivateKey key = must(crypto::PrivateKey::generate(crypto::KeyKind::ed25519));
  std::map<std::string, crypto::Credentials> members;
  Story story;

  Audited() {
    // One of them signs with Ed25519.
    members.emplace("olga", federation.credentials(Role::operator_, "olga"));
    members.emplace("alice",
                    federation.credentials(Role::participant, "alice", crypto::testing::century,
                                           crypto::KeyKind::ed25519));
    members.emplace("bob", federation.credentials(Role::participant, "bob"));
    members.emplace("carol", federation.credentials(Role::participant, "carol"));
    folder.write("ca.pem",
                 federation.root.certificate.pem() + federation.issuing.certificate.pem());
    tell();
  }

  std::filesystem::path ledger() const { return folder / "ledger"; }
  std::filesystem::path entries() const { return ledger() / "entries-000000.jsonl"; }
  std::filesystem::path authorities() const { return folder / "ca.pem"; }
  ledger::VerifierKey verifier() const { return {origin, key.public_key()}; }

  // base64 of what `name` signs of the story's plan.
  std::string signature_of(const std::string& name, std::string_view act) const {
    const std::string text = ledger::statement(act, federation_name, story.plan);
    return to_base64(must(members.at(name).key.sign(as_bytes(text))));
  }
  std::string certificate_of(const std::string& name) const {
    return to_base64(members.at(name).chain.front().der());
  }

  // The plan submitted and consented to, one round committed, then refusals.
  void tell() {
    using namespace coordinator::round;
    story.entries[0].details["verifier_key"] = verifier().text();
    plan::Rules rules = coordinator::round::test::three_of_three();
    story.happen(PlanSubmitted{coordinator::round::test::olga, story.plan, "trial", rules, 100,
                               certificate_of("olga"),
                               signature_of("olga", ledger::plan_submitted)});
    for (const char* name : {"alice", "bob", "carol"}) {
      story.wait(std::chrono::seconds(1));
      story.happen(PlanAnswered{name, story.plan, true, certificate_of(name),
                                signature_of(name, ledger::plan_consented), ""});
    }
    story.happen(ModelPrepared{story.plan, digest_of("model 0")});
    story.tick();
    for (const char* name : {"alice", "bob", "carol"})
      story.arrives(name, std::string("update of ") + name);
    story.tick();
    story.aggregated(digest_of("model 1"));
    for (const char* name : {"alice", "bob", "carol"}) story.evaluated(name, 0.875);
    story.tick();
    BOOST_REQUIRE(story.record().rounds.size() == 1);
  }

  // Writes the ledger, each entry as `change` leaves it, and the certificate over its key.
  void write(const Change& change = [](auto&) {}) {
    std::filesystem::remove_all(ledger());
    auto entries = story.entries;
    change(entries);
    const auto storage = open_storage(ledger());
    auto log = must(ledger::Log::open(*storage, origin, key,
                                      [](const ledger::Entry&, std::string_view) { return ok(); }));
    log.append(entries).value();
    certify(key.public_key(), crypto::testing::century);
  }
  void certify(const crypto::PublicKey& over, crypto::Validity validity) {
    const auto certificate = must(crypto::issue_ledger_key(federation.issuing, over, validity));
    put("key.crt", certificate.pem());
  }

  // The content of a file of the ledger, and another in its place.
  std::string content(const std::string& name) const {
    return must(read_text(ledger() / name, 1U << 20U));
  }
  void put(const std::string& name, const std::string& content) const {
    write_file(ledger() / name, as_bytes(content), Durability::cached).value();
  }
};

}  // namespace entente::audit::test
