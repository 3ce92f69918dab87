// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/verify.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/common/ledger/ledger_fixture.hpp"

namespace entente::ledger {
namespace {

using test::entries_from;
using test::entry_at;
using test::failed_with;
using test::line_at;

// Opening reads as verifying does: where every byte is tried, some are enough for both.
constexpr std::size_t opened_every = 7;

// Six entries, and a head that covers the first `covered` of them.
struct Ledger : test::LedgerFixture {
  std::string whole;
  std::string complete_head;

  Ledger() {
    found(6);
    whole = lines();
    complete_head = storage.content("checkpoint");
  }
  std::size_t end_of(std::uint64_t entries) const {
    std::size_t end = 0;
    for (std::uint64_t i = 0; i < entries; ++i) end = whole.find('\n', end) + 1;
    return end;
  }
  // Puts back the head that was signed over the first `covered` entries.
  void cover(std::uint64_t covered) {
    MerkleTree tree;
    for (std::uint64_t i = 0; i < covered; ++i) tree.append(leaf_hash(line_at(i)));
    storage.put(
        "checkpoint",
        sign_checkpoint({ledger_origin(test::federation), covered, tree.root()}, key).value());
  }
  std::vector<std::string> split() const {
    std::vector<std::string> parts;
    for (std::uint64_t i = 0; i < 6; ++i) parts.push_back(line_at(i));
    return parts;
  }
  static std::string join(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += part + "\n";
    return text;
  }
  // Opening and verifying must both say `text`.
  boost::test_tools::predicate_result corrupt(std::string_view text) {
    const auto verified = failed_with(verify(), Errc::corrupt, text);
    return verified ? failed_with(open(), Errc::corrupt, text) : verified;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(damage, Ledger)

BOOST_AUTO_TEST_CASE(a_ledger_cut_at_any_byte_is_corrupt_when_its_head_covers_more) {
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    set_lines(whole.substr(0, cut));
    BOOST_REQUIRE(failed_with(verify(), Errc::corrupt, ""));
    if (cut % opened_every == 0) BOOST_REQUIRE(failed_with(open(), Errc::corrupt, ""));
    BOOST_REQUIRE(lines().size() == cut);  // nothing was repaired
  }
}

// Should: keep whole lines, cut the rest, sign a head over what stands, and go on.
BOOST_AUTO_TEST_CASE(a_ledger_cut_at_any_byte_behind_its_head_recovers_all_whole_lines) {
  cover(2);
  const auto covered = storage;
  for (std::size_t cut = end_of(2); cut <= whole.size(); ++cut) {
    storage = covered;
    set_lines(whole.substr(0, cut));
    const auto standing = static_cast<std::uint64_t>(
        std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut), '\n'));
    const auto found_first = verify().value();
    BOOST_REQUIRE(found_first.entries == 2U);
    BOOST_REQUIRE(found_first.entries_behind_head == standing - 2);
    BOOST_REQUIRE(found_first.torn_tail == (cut != end_of(standing)));
    BOOST_REQUIRE((seen == entries_from(0, 2)));

    Log log = open().value();
    BOOST_REQUIRE((seen == entries_from(0, standing)));
    BOOST_REQUIRE(log.size() == standing);
    BOOST_REQUIRE(log.recovery().entries_kept == standing - 2);
    BOOST_REQUIRE(log.recovery().bytes_cut == cut - end_of(standing));
    BOOST_REQUIRE(lines() == whole.substr(0, end_of(standing)));
    log.append(entries_from(standing, 1)).value();
    const auto found_then = verify().value();
    BOOST_REQUIRE(found_then.entries == standing + 1);
    BOOST_REQUIRE(found_then.entries_behind_head == 0U);
    BOOST_REQUIRE(!found_then.torn_tail);
  }
}

BOOST_AUTO_TEST_CASE(every_flipped_byte_under_the_head_is_found) {
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string altered = whole;
    altered[i] = static_cast<char>(altered[i] ^ 0x01);
    set_lines(altered);
    BOOST_REQUIRE(failed_with(verify(), Errc::corrupt, ""));
    if (i % opened_every == 0) BOOST_REQUIRE(failed_with(open(), Errc::corrupt, ""));
    BOOST_REQUIRE(lines() == altered);
  }
}

BOOST_AUTO_TEST_CASE(every_flipped_byte_behind_the_head_cuts_the_tail_there) {
  cover(4);
  const auto covered = storage;
  for (std::size_t i = end_of(4); i < whole.size(); ++i) {
    storage = covered;
    std::string altered = whole;
    altered[i] = static_cast<char>(altered[i] ^ 0x80);
    set_lines(altered);
    const Log log = open().value();
    const std::uint64_t standing = i < end_of(5) ? 4 : 5;
    BOOST_REQUIRE(log.size() == standing);
    BOOST_REQUIRE(lines() == whole.substr(0, end_of(standing)));
    BOOST_REQUIRE(
        log.recovery().reason.find("entries-000000.jsonl:" + std::to_string(standing + 1)) == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_line_that_is_no_entry_is_named_by_file_and_number) {
  auto parts = split();
  parts[3] = "{}";
  set_lines(join(parts));
  BOOST_TEST(corrupt("entries-000000.jsonl:4: "));
  parts[3] = std::string(300'000, 'x');
  set_lines(join(parts));
  BOOST_TEST(corrupt("entries-000000.jsonl:4: "));
  parts[3] = std::string(3'000'000, 'x');
  set_lines(join(parts));
  BOOST_TEST(corrupt("entries-000000.jsonl:4: "));
}

BOOST_AUTO_TEST_CASE(a_dropped_line_is_named) {
  auto parts = split();
  parts.erase(parts.begin() + 2);
  set_lines(join(parts));
  BOOST_TEST(corrupt("entries-000000.jsonl:3: out of sequence: expected entry 2, saw 3"));
}

BOOST_AUTO_TEST_CASE(swapped_lines_are_named) {
  auto parts = split();
  std::swap(parts[1], parts[2]);
  set_lines(join(parts));
  BOOST_TEST(corrupt("entries-000000.jsonl:2: out of sequence: expected entry 1, saw 2"));
}

BOOST_AUTO_TEST_CASE(a_repeated_line_is_named) {
  auto parts = split();
  parts.insert(parts.begin() + 3, parts[2]);
  set_lines(join(parts));
  BOOST_TEST(corrupt("entries-000000.jsonl:4: out of sequence: expected entry 3, saw 2"));
}

BOOST_AUTO_TEST_CASE(an_inserted_line_is_named) {
  auto parts = split();
  parts.insert(parts.begin() + 3, encode_entry(entry_at(99)).value());
  set_lines(join(parts));
  BOOST_TEST(corrupt("entries-000000.jsonl:4: out of sequence: expected entry 3, saw 99"));
}

BOOST_AUTO_TEST_CASE(an_empty_line_is_named) {
  auto parts = split();
  parts.insert(parts.begin() + 3, "");
  set_lines(join(parts));
  BOOST_TEST(corrupt("entries-000000.jsonl:4: "));
}

BOOST_AUTO_TEST_CASE(time_that_goes_back_is_named) {
  auto parts = split();
  Entry early = entry_at(3);
  early.time = entry_at(1).time;
  parts[3] = encode_entry(early).value();
  set_lines(join(parts));
  BOOST_TEST(corrupt("entries-000000.jsonl:4: time goes back"));
}

BOOST_AUTO_TEST_CASE(an_entry_of_another_federation_is_named) {
  auto parts = split();
  Entry strange = entry_at(3);
  strange.federation = "banks.example";
  parts[3] = encode_entry(strange).value();
  set_lines(join(parts));
  BOOST_TEST(corrupt(
      "entries-000000.jsonl:4: an entry of banks.example/ledger in hospitals.example/ledger"));
}

BOOST_AUTO_TEST_CASE(a_well_formed_change_does_not_lead_to_the_root) {
  auto parts = split();
  Entry changed = entry_at(3);
  changed.details["examples"] = 1'000'000;
  parts[3] = encode_entry(changed).value();
  set_lines(join(parts));
  BOOST_TEST(corrupt("the entries up to 6 do not lead to the signed root"));
}

BOOST_AUTO_TEST_CASE(a_ledger_shorter_than_its_head_is_corrupt) {
  set_lines(whole.substr(0, end_of(4)));
  BOOST_TEST(corrupt("the ledger ends after 4 entries, its signed head covers 6"));
  storage.files.erase("entries-000000.jsonl");
  BOOST_TEST(corrupt("the ledger ends after 0 entries, its signed head covers 6"));
}

BOOST_AUTO_TEST_CASE(entries_without_any_head_are_corrupt) {
  storage.files.erase("checkpoint");
  BOOST_TEST(failed_with(open(), Errc::corrupt, "'checkpoint' (the signed head) is missing"));
  BOOST_TEST(failed_with(verify(), Errc::not_found, "checkpoint"));
}

BOOST_AUTO_TEST_CASE(every_flipped_byte_of_the_head_is_found) {
  for (std::size_t i = 0; i < complete_head.size(); ++i) {
    std::string altered = complete_head;
    altered[i] = static_cast<char>(altered[i] ^ 0x01);
    storage.put("checkpoint", altered);
    BOOST_REQUIRE(!verify());
    BOOST_REQUIRE(!open());
  }
}

BOOST_AUTO_TEST_CASE(a_head_over_nothing_with_another_root_is_corrupt) {
  storage.put("checkpoint",
              sign_checkpoint({ledger_origin(test::federation), 0, Digest{}}, key).value());
  BOOST_TEST(corrupt("the entries up to 0 do not lead to the signed root"));
}

BOOST_AUTO_TEST_CASE(without_a_key_the_entries_are_checked_and_the_signature_is_not) {
  const VerifierKey other{ledger_origin(test::federation), test::key_of(9).public_key()};
  BOOST_TEST(
      failed_with(verify_ledger(storage, other, sink()), Errc::unauthenticated, "no signature by"));
  BOOST_TEST(verify_ledger(storage, std::nullopt, sink()).value().entries == 6U);
  set_lines(whole.substr(0, end_of(4)));
  BOOST_TEST(
      failed_with(verify_ledger(storage, std::nullopt, sink()), Errc::corrupt, "ends after 4"));
}

BOOST_AUTO_TEST_CASE(a_missing_segment_is_named) {
  storage = {};
  segment_bytes = 2 * (line_at(0).size() + 1);
  found(6);
  storage.files.erase("entries-000001.jsonl");
  BOOST_TEST(corrupt("entries-000001.jsonl is missing, but entries-000002.jsonl is there"));
}

BOOST_AUTO_TEST_CASE(a_tail_torn_across_segments_is_cut_in_all_of_them) {
  storage = {};
  segment_bytes = 2 * (line_at(0).size() + 1);
  found(6);
  cover(1);
  storage.files["entries-000001.jsonl"].content[0] = '!';
  Log log = open().value();
  BOOST_TEST(log.size() == 2U);
  BOOST_TEST(storage.content("entries-000001.jsonl").empty());
  BOOST_TEST(storage.content("entries-000002.jsonl").empty());
  log.append(entries_from(2, 3)).value();
  BOOST_TEST(open().value().size() == 5U);
  BOOST_TEST((seen == entries_from(0, 5)));
}

BOOST_AUTO_TEST_CASE(other_files_in_the_folder_do_no_harm) {
  storage.put("entries-000001.jsonl.bak", "x");
  storage.put("entries-1.jsonl", "x");
  storage.put("key.crt", "x");
  BOOST_TEST(verify().value().entries == 6U);
  BOOST_TEST(open().value().size() == 6U);
}

BOOST_AUTO_TEST_CASE(a_line_that_changed_since_it_was_read_is_not_given_out) {
  const Log log = open().value();
  std::string altered = whole;
  altered[end_of(2) + 5] = 'x';
  set_lines(altered);
  BOOST_TEST(failed_with(log.line(2), Errc::corrupt, "entry 2 is no longer what was written"));
  BOOST_TEST(log.line(1).value() == line_at(1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::ledger
