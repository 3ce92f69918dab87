// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/receipt.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/common/ledger/ledger_fixture.hpp"

namespace entente::ledger {
namespace {

using test::entry_at;
using test::failed_with;

struct Issued : test::LedgerFixture {
  std::vector<Receipt> receipts;
  Issued() {
    found(11);
    const Log log = open().value();
    for (std::uint64_t i = 0; i < log.size(); ++i) receipts.push_back(make_receipt(log, i).value());
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(receipt, Issued)

BOOST_AUTO_TEST_CASE(a_receipt_proves_its_entry_to_whoever_has_the_key) {
  for (std::uint64_t i = 0; i < receipts.size(); ++i) {
    BOOST_TEST((check_receipt(receipts[i], verifier()).value() == entry_at(i)));
  }
}

BOOST_AUTO_TEST_CASE(a_receipt_for_another_entry_or_place_is_refused) {
  Receipt wrong = receipts[4];
  wrong.line = receipts[5].line;
  BOOST_TEST(
      failed_with(check_receipt(wrong, verifier()), Errc::unauthenticated, "inclusion proof"));
  wrong = receipts[4];
  wrong.index = 5;
  BOOST_TEST(
      failed_with(check_receipt(wrong, verifier()), Errc::unauthenticated, "inclusion proof"));
  wrong = receipts[4];
  wrong.proof.pop_back();
  BOOST_TEST(failed_with(check_receipt(wrong, verifier()), Errc::unauthenticated, "too short"));
  const VerifierKey other{ledger_origin(test::federation), test::key_of(9).public_key()};
  BOOST_TEST(
      failed_with(check_receipt(receipts[4], other), Errc::unauthenticated, "no signature by"));
}

// The signer itself may be at fault: a tree whose entry says another place.
BOOST_AUTO_TEST_CASE(a_receipt_whose_entry_names_another_place_or_ledger_is_refused) {
  const auto alone = [&](const std::string& line, const std::string& origin) {
    return Receipt{line, 0, {}, sign_checkpoint({origin, 1, leaf_hash(line)}, key).value()};
  };
  const std::string origin = ledger_origin(test::federation);
  BOOST_TEST(check_receipt(alone(test::line_at(0), origin), verifier()).has_value());
  BOOST_TEST(failed_with(check_receipt(alone(test::line_at(3), origin), verifier()),
                         Errc::malformed, "entry 3 of hospitals.example/ledger stands at 0"));
  BOOST_TEST(
      failed_with(check_receipt(alone("{}", origin), verifier()), Errc::malformed, "receipt: "));
  const VerifierKey banks{"banks.example/ledger", key.public_key()};
  BOOST_TEST(failed_with(check_receipt(alone(test::line_at(0), banks.name), banks), Errc::malformed,
                         "of banks.example/ledger"));
}

BOOST_AUTO_TEST_CASE(a_receipt_is_a_text_file_that_reads_back) {
  for (const Receipt& receipt : receipts) {
    BOOST_TEST((parse_receipt(receipt_text(receipt)).value() == receipt));
  }
  const std::string text = receipt_text(receipts[2]);
  BOOST_TEST(text.starts_with("c2sp.org/tlog-proof@v1\nextra eyJhY3RvciI6"));
  BOOST_TEST(text.find("\nindex 2\n") != text.npos);
  BOOST_TEST(text.ends_with("\n\n" + receipts[2].checkpoint));
}

BOOST_AUTO_TEST_CASE(a_receipt_cut_at_any_byte_or_with_any_byte_flipped_is_refused) {
  const std::string text = receipt_text(receipts[2]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto cut = parse_receipt(std::string_view(text).substr(0, i));
    BOOST_REQUIRE((!cut || !check_receipt(*cut, verifier())));
    std::string altered = text;
    altered[i] = static_cast<char>(altered[i] ^ 0x01);
    const auto read = parse_receipt(altered);
    BOOST_REQUIRE((!read || !check_receipt(*read, verifier())));
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_a_receipt_is_malformed) {
  const std::string form = "c2sp.org/tlog-proof@v1\n";
  std::string many_hashes = form + "extra AAAA\nindex 0\n";
  for (std::size_t i = 0; i <= proof_length_max; ++i)
    many_hashes += to_base64(Digest{}.bytes) + "\n";
  const std::vector<std::string> wrong{
      "",
      form,
      "c2sp.org/tlog-proof@v2\nextra AAAA\nindex 0\n\n",
      form + "index 0\n\n",
      form + "extra A\nindex 0\n\n",
      form + "extra AAAA\n\n",
      form + "extra AAAA\nindex 01\n\n",
      form + "extra AAAA\nindex -1\n\n",
      form + "extra AAAA\nindex 18446744073709551616\n\n",
      form + "extra AAAA\nindex 0\nAAAA\n\n",
      form + "extra AAAA\nindex 0\n*\n\n",
      form + "extra AAAA\nindex 0\n",
      many_hashes + "\n",
      std::string(receipt_max_bytes + 1, 'x'),
  };
  for (const std::string& text : wrong) {
    BOOST_TEST(failed_with(parse_receipt(text), Errc::malformed, "not a receipt"), text);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::ledger
