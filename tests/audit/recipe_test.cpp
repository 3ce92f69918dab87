// SPDX-License-Identifier: Apache-2.0
//
// docs/ledger.md shows how to check a ledger with standard tools alone. Here the scripts are taken
// from that page as they stand and run.
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "common/ledger/receipt.hpp"
#include "tests/audit/audited.hpp"
#include "tests/audit/shell.hpp"
#include "tests/folders.hpp"

namespace entente::audit {
namespace {

using test::must;

struct Page : test::Audited {
  test::Shell shell{folder.path()};

  Page() {
    write();
    std::filesystem::create_directory(folder / "tools");
    const std::string page =
        must(read_text(tests_folder().parent_path() / "docs" / "ledger.md", 1U << 20U));
    const std::string fence = "```\n";
    std::size_t at = 0;
    const std::string marker = "<!-- file: ";
    while ((at = page.find(marker, at)) != page.npos) {
      const std::size_t name_at = at + marker.size();
      const std::string name = page.substr(name_at, page.find(" -->", name_at) - name_at);
      const std::size_t begin = page.find('\n', page.find("```bash", at)) + 1;
      const std::size_t end = page.find(fence, begin);
      folder.write("tools/" + name, page.substr(begin, end - begin), 0755);
      at = end;
    }
  }

  bool says(const std::string& command, const std::string& words) {
    const auto outcome = shell.run(command);
    BOOST_TEST_INFO(command << ": exit " << outcome.code << ": " << outcome.out << outcome.err);
    return outcome.code == 0 && (outcome.out + outcome.err).find(words) != std::string::npos;
  }
  bool refuses(const std::string& command) {
    const auto outcome = shell.run(command);
    BOOST_TEST_INFO(command << ": exit " << outcome.code << ": " << outcome.out << outcome.err);
    return outcome.code == 1 && outcome.err.find("not verified: ") != std::string::npos;
  }
  // Flips a bit of byte `at` of a file of the ledger.
  void flip(const std::string& name, std::size_t at) {
    std::string altered = content(name);
    altered[at] = static_cast<char>(altered[at] ^ 0x01);
    put(name, altered);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(recipe, Page)

BOOST_AUTO_TEST_CASE(a_whole_ledger_is_verified_with_openssl_sha256sum_xxd_and_jq) {
  BOOST_TEST(says("tools/check-ledger ledger ledger/key",
                  "verified: " + std::to_string(story.entries.size()) + " entries, head "));
}

BOOST_AUTO_TEST_CASE(a_flipped_byte_anywhere_is_refused) {
  const std::string lines = content("entries-000000.jsonl");
  for (const std::size_t at :
       {std::size_t{20}, lines.size() / 2, lines.find("\"examples\":10") + 12, lines.size() - 1}) {
    flip("entries-000000.jsonl", at);
    BOOST_TEST(refuses("tools/check-ledger ledger ledger/key"));
    put("entries-000000.jsonl", lines);
  }
  const std::string checkpoint = content("checkpoint");
  for (const std::size_t at : {std::size_t{3}, checkpoint.find('\n') + 1, checkpoint.find('\n') + 9,
                               checkpoint.size() - 20}) {
    flip("checkpoint", at);
    BOOST_TEST(refuses("tools/check-ledger ledger ledger/key"));
    put("checkpoint", checkpoint);
  }
  // Whether what becomes of it is base64 or not.
  for (const char damage : {'@', '=', 'A'}) {
    std::string altered = checkpoint;
    altered[checkpoint.size() - 20] = damage;
    if (altered == checkpoint) continue;
    put("checkpoint", altered);
    BOOST_TEST(refuses("tools/check-ledger ledger ledger/key"));
    put("checkpoint", checkpoint);
  }
  flip("key", content("key").size() - 10);
  BOOST_TEST(refuses("tools/check-ledger ledger ledger/key"));
}

BOOST_AUTO_TEST_CASE(a_dropped_line_is_refused) {
  const std::string lines = content("entries-000000.jsonl");
  put("entries-000000.jsonl", lines.substr(lines.find('\n') + 1));
  BOOST_TEST(refuses("tools/check-ledger ledger ledger/key"));
}

BOOST_AUTO_TEST_CASE(entries_behind_the_head_and_an_empty_ledger_do_not_confuse_it) {
  put("entries-000000.jsonl", content("entries-000000.jsonl") + "{\"torn");
  BOOST_TEST(says("tools/check-ledger ledger ledger/key", "verified: "));
  write([](auto& entries) { entries.clear(); });
  put("entries-000000.jsonl", "");
  BOOST_TEST(
      says("tools/check-ledger ledger ledger/key", "verified: 0 entries, head e3b0c44298fc1c14"));
}

BOOST_AUTO_TEST_CASE(every_entry_is_verified_by_its_receipt_and_a_changed_receipt_is_not) {
  const auto storage = open_storage(ledger());
  const auto log = must(ledger::Log::open(
      *storage, test::origin, key, [](const ledger::Entry&, std::string_view) { return ok(); }));
  for (std::uint64_t i = 0; i < log.size(); ++i) {
    const auto receipt = must(ledger::make_receipt(log, i));
    folder.write("receipt", ledger::receipt_text(receipt));
    BOOST_TEST(says("tools/check-entry receipt ledger/key", receipt.line));
  }
  const auto good = must(ledger::make_receipt(log, 5));
  const auto spoiled = [&](auto change) {
    auto receipt = good;
    change(receipt);
    folder.write("receipt", ledger::receipt_text(receipt));
    return refuses("tools/check-entry receipt ledger/key");
  };
  BOOST_TEST(spoiled([](auto& receipt) { receipt.line[30] ^= 1; }));
  BOOST_TEST(spoiled([](auto& receipt) { receipt.proof[0].bytes[0] ^= std::byte{1}; }));
  BOOST_TEST(spoiled([](auto& receipt) { receipt.proof.pop_back(); }));
  BOOST_TEST(spoiled([](auto& receipt) { receipt.proof.push_back(receipt.proof[0]); }));
  BOOST_TEST(spoiled([](auto& receipt) { receipt.index = 4; }));
  BOOST_TEST(spoiled([](auto& receipt) { receipt.index = 1000; }));
  BOOST_TEST(spoiled([](auto& receipt) { receipt.checkpoint[2] ^= 1; }));
}

BOOST_AUTO_TEST_CASE(the_keys_certificate_and_the_members_signatures_are_verified) {
  BOOST_TEST(says("tools/check-signatures ledger ca.pem",
                  "verified: the ledger's key and 4 signatures of members"));
  write([&](std::vector<ledger::Entry>& entries) {
    for (auto& entry : entries) {
      if (entry.kind == "plan.consented")
        entry.details["signature"] = signature_of("alice", "plan refused");
    }
  });
  BOOST_TEST(refuses("tools/check-signatures ledger ca.pem"));
  write();
  certify(crypto::PrivateKey::generate(crypto::KeyKind::ed25519).value().public_key(),
          crypto::testing::century);
  BOOST_TEST(refuses("tools/check-signatures ledger ca.pem"));
  write();
  const crypto::testing::Federation strangers(test::federation_name);
  folder.write("ca.pem", strangers.root.certificate.pem() + strangers.issuing.certificate.pem());
  BOOST_TEST(refuses("tools/check-signatures ledger ca.pem"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::audit
