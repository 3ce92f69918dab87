// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/log.hpp"

#include <boost/test/unit_test.hpp>

#include "common/base/file.hpp"
#include "tests/common/crypto/folder.hpp"
#include "tests/common/ledger/ledger_fixture.hpp"
#include "tests/folders.hpp"

namespace entente::ledger {

using test::entries_from;
using test::entry_at;
using test::failed_with;
using test::federation;
using test::LedgerFixture;
using test::line_at;
using Loss = test::MemoryStorage::Loss;

BOOST_FIXTURE_TEST_SUITE(log, LedgerFixture)

BOOST_AUTO_TEST_CASE(an_empty_folder_begins_a_ledger_with_a_head_over_nothing) {
  const Log log = open().value();
  BOOST_TEST(log.size() == 0U);
  BOOST_TEST(log.head().root.hex() ==
             "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  BOOST_TEST(storage.content("key") == verifier().text() + "\n");
  BOOST_TEST(storage.content("checkpoint") == log.checkpoint());
  BOOST_TEST(verify().value().entries == 0U);
}

BOOST_AUTO_TEST_CASE(appended_entries_are_lines_on_disk_under_a_signed_head) {
  Log log = open().value();
  log.append(entries_from(0, 3)).value();
  log.append(entries_from(3, 1)).value();
  log.append({}).value();
  BOOST_TEST(lines() ==
             line_at(0) + "\n" + line_at(1) + "\n" + line_at(2) + "\n" + line_at(3) + "\n");
  BOOST_TEST(log.size() == 4U);
  BOOST_TEST((open_checkpoint(storage.content("checkpoint"), verifier()).value() == log.head()));
  BOOST_TEST(log.line(2).value() == line_at(2));
  BOOST_TEST(failed_with(log.line(4), Errc::not_found, "entry 4 of a ledger of 4 entries"));
}

BOOST_AUTO_TEST_CASE(many_entries_cost_one_sync_and_one_head) {
  Log log = open().value();
  const auto before = storage.writes;
  log.append(entries_from(0, 20)).value();
  BOOST_TEST(storage.writes == before + 3);  // append, sync, replace
}

BOOST_AUTO_TEST_CASE(
    a_head_to_be_stored_later_costs_one_sync_and_is_none_the_less_true_after_a_crash) {
  Checkpoint given;
  {
    Log log = open().value();
    log.append(entries_from(0, 2)).value();
    const std::string stored = storage.content("checkpoint");
    const auto before = storage.writes;
    log.append(entries_from(2, 3), StoreHead::later).value();
    BOOST_TEST(storage.writes == before + 2);  // append, sync
    BOOST_TEST(!log.head_is_stored());
    BOOST_TEST(storage.content("checkpoint") == stored);
    given = log.head();
  }
  storage.crash(Loss::all);
  Log log = open().value();
  BOOST_TEST((seen == entries_from(0, 5)));
  BOOST_TEST((log.head() == given));
  BOOST_TEST(log.head_is_stored());
  log.append(entries_from(5, 1), StoreHead::later).value();
  log.store_head().value();
  BOOST_TEST((open_checkpoint(storage.content("checkpoint"), verifier()).value() == log.head()));
  BOOST_TEST(check_consistency(given.size, given.root, 6, log.head().root,
                               log.consistency_proof(given.size))
                 .has_value());
}

BOOST_AUTO_TEST_CASE(a_head_that_cannot_be_stored_is_tried_again) {
  Log log = open().value();
  log.append(entries_from(0, 2), StoreHead::later).value();
  storage.failing_write = storage.writes;
  BOOST_TEST(failed_with(log.store_head(), Errc::io, ""));
  BOOST_TEST(!log.head_is_stored());
  log.append(entries_from(2, 1), StoreHead::later).value();
  log.store_head().value();
  BOOST_TEST(verify().value().entries == 3U);
}

BOOST_AUTO_TEST_CASE(a_reopened_ledger_gives_its_entries_and_goes_on) {
  found(5);
  Log log = open().value();
  BOOST_TEST((seen == entries_from(0, 5)));
  BOOST_TEST(log.recovery().entries_kept == 0U);
  BOOST_TEST(log.recovery().bytes_cut == 0U);
  log.append(entries_from(5, 2)).value();
  BOOST_TEST(verify().value().entries == 7U);
  BOOST_TEST((seen == entries_from(0, 7)));
}

BOOST_AUTO_TEST_CASE(segments_roll_over_and_read_back_as_one_ledger) {
  segment_bytes = 3 * (line_at(0).size() + 1);
  Log log = open().value();
  log.append(entries_from(0, 2)).value();
  log.append(entries_from(2, 6)).value();
  BOOST_TEST(storage.files.size() == 5U);  // key, checkpoint, three segments
  BOOST_TEST(storage.content("entries-000002.jsonl") == line_at(6) + "\n" + line_at(7) + "\n");
  for (std::uint64_t i = 0; i < 8; ++i) BOOST_TEST(log.line(i).value() == line_at(i));
  Log again = open().value();
  again.append(entries_from(8, 1)).value();
  BOOST_TEST(again.line(8).value() == line_at(8));
  BOOST_TEST(verify().value().entries == 9U);
  BOOST_TEST((seen == entries_from(0, 9)));
}

BOOST_AUTO_TEST_CASE(a_line_longer_than_a_segment_has_one_of_its_own) {
  segment_bytes = 10;
  found(3);
  BOOST_TEST(storage.content("entries-000002.jsonl") == line_at(2) + "\n");
  BOOST_TEST(verify().value().entries == 3U);
}

BOOST_AUTO_TEST_CASE(proofs_hold_for_the_head) {
  Log log = open().value();
  log.append(entries_from(0, 4)).value();
  const Checkpoint old = log.head();
  log.append(entries_from(4, 7)).value();
  for (std::uint64_t i = 0; i < log.size(); ++i) {
    BOOST_TEST(check_inclusion(i, log.size(), leaf_hash(line_at(i)), log.inclusion_proof(i),
                               log.head().root)
                   .has_value());
  }
  BOOST_TEST(check_consistency(old.size, old.root, log.size(), log.head().root,
                               log.consistency_proof(old.size))
                 .has_value());
}

BOOST_AUTO_TEST_CASE(an_entry_that_cannot_be_written_leaves_the_ledger_unharmed) {
  Log log = open().value();
  auto entries = entries_from(0, 2);
  entries[1].reason = "\xff";
  BOOST_TEST(failed_with(log.append(entries), Errc::invalid_argument, "writing an entry"));
  BOOST_TEST(log.size() == 0U);
  log.append(entries_from(0, 2)).value();
  BOOST_TEST(verify().value().entries == 2U);
}

BOOST_AUTO_TEST_CASE(a_ledger_of_another_key_is_not_opened) {
  found(2);
  key = test::key_of(8);
  BOOST_TEST(failed_with(open(), Errc::unauthenticated, "'key'"));
  storage.files.erase("key");
  BOOST_TEST(failed_with(open(), Errc::unauthenticated, "no signature by"));
}

BOOST_AUTO_TEST_CASE(a_ledger_of_another_federation_is_not_opened) {
  found(2);
  storage.files.erase("key");
  BOOST_TEST(failed_with(Log::open(storage, "banks.example/ledger", key, sink()),
                         Errc::unauthenticated, "no signature by banks.example/ledger"));
}

BOOST_AUTO_TEST_CASE(an_error_of_the_sink_is_passed_on_with_the_place) {
  found(3);
  const auto refuse_second = [](const Entry& entry, std::string_view) -> Result<void> {
    if (entry.sequence == 1) return Error{Errc::corrupt, "no such round"};
    return ok();
  };
  BOOST_TEST(failed_with(Log::open(storage, ledger_origin(federation), key, refuse_second),
                         Errc::corrupt, "entries-000000.jsonl:2: no such round"));
}

BOOST_AUTO_TEST_CASE(a_failed_sync_fails_the_append_and_every_later_one) {
  Log log = open().value();
  log.append(entries_from(0, 2)).value();
  const Checkpoint head = log.head();
  storage.failing_write = storage.writes + 1;  // append, then sync
  BOOST_TEST(failed_with(log.append(entries_from(2, 1)), Errc::io, "input/output error"));
  BOOST_TEST(failed_with(log.append(entries_from(2, 1)), Errc::io, "until it is opened again"));
  BOOST_TEST((log.head() == head));
  BOOST_TEST(log.size() == 2U);
  BOOST_TEST((open_checkpoint(storage.content("checkpoint"), verifier()).value() == head));
  BOOST_TEST(log.inclusion_proof(1).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_full_disk_fails_the_append_and_the_ledger_goes_on_when_reopened_with_space) {
  Log log = open().value();
  log.append(entries_from(0, 2)).value();
  storage.failing_write = storage.writes;
  BOOST_TEST(failed_with(log.append(entries_from(2, 2)), Errc::io, "no space left on device"));
  Log again = open().value();
  BOOST_TEST(again.size() >= 2U);
  again.append(entries_from(again.size(), 1)).value();
  BOOST_TEST(verify().has_value());
}

// Should: stand after the crash, once append has said so.
// Should not: leave a ledger that does not open.
BOOST_AUTO_TEST_CASE(whichever_write_fails_what_was_acknowledged_survives_the_crash) {
  segment_bytes = 2 * (line_at(0).size() + 1);
  for (const Loss loss : {Loss::all, Loss::half, Loss::nothing}) {
    bool failed = true;
    for (std::uint64_t failing = 0; failed; ++failing) {
      storage = {};
      storage.failing_write = failing;
      std::uint64_t acknowledged = 0;
      failed = false;
      if (auto log = open()) {
        while (acknowledged < 9 && log->append(entries_from(acknowledged, 3))) acknowledged += 3;
        failed = acknowledged < 9;
      } else {
        failed = true;
      }
      storage.crash(loss);
      const Log log = open().value();
      BOOST_REQUIRE(log.size() >= acknowledged);
      BOOST_REQUIRE(log.size() <= acknowledged + 3);
      BOOST_REQUIRE((seen == entries_from(0, log.size())));
      BOOST_REQUIRE(verify().value().entries == log.size());
    }
  }
}

// A crash while recovering from a crash.
BOOST_AUTO_TEST_CASE(recovery_itself_may_fail_at_any_write_and_be_repeated) {
  segment_bytes = 2 * (line_at(0).size() + 1);
  bool failed = true;
  for (std::uint64_t failing = 0; failed; ++failing) {
    storage = {};
    {
      Log log = open().value();
      log.append(entries_from(0, 3)).value();
      const std::string checkpoint = storage.content("checkpoint");
      log.append(entries_from(3, 4)).value();
      storage.put("checkpoint", checkpoint);
      storage.files["entries-000003.jsonl"].content += "torn";
    }
    storage.failing_write = storage.writes + failing;
    failed = !open();
    storage.crash(Loss::all);
    const Log log = open().value();
    BOOST_REQUIRE(log.size() == 7U);  // a head over them may have been given out
    BOOST_REQUIRE((seen == entries_from(0, 7)));
    BOOST_REQUIRE(!verify().value().torn_tail);
  }
}

BOOST_AUTO_TEST_CASE(a_ledger_in_a_real_folder_reads_back) {
  const crypto::testing::Folder folder;
  {
    auto disk = open_storage(folder.path());
    Log log = Log::open(*disk, ledger_origin(federation), key, sink(), 1000).value();
    log.append(entries_from(0, 10)).value();
    BOOST_TEST(log.line(9).value() == line_at(9));
  }
  auto disk = open_storage(folder.path());
  const Log log = Log::open(*disk, ledger_origin(federation), key, sink(), 1000).value();
  BOOST_TEST((seen == entries_from(0, 10)));
  BOOST_TEST(verify_ledger(*disk, verifier(), sink()).value().entries == 10U);
  BOOST_TEST((read_verifier_key(*disk).value().text() == verifier().text()));
}

// Should: be read as it is by every later version.
BOOST_AUTO_TEST_CASE(the_frozen_ledger_of_the_first_form_reads_and_would_be_written_again) {
  const std::filesystem::path vectors = tests_folder() / "vectors" / "ledger-1";
  const auto frozen = open_storage(vectors);
  BOOST_TEST(verify_ledger(*frozen, verifier(), sink()).value().entries == 5U);
  BOOST_TEST((seen == entries_from(0, 5)));
  const auto receipt =
      parse_receipt(read_text(vectors / "entry-3.tlog-proof", receipt_max_bytes).value());
  BOOST_TEST((check_receipt(receipt.value(), verifier()).value() == entry_at(3)));

  segment_bytes = 1200;
  found(5);
  for (const char* name : {"entries-000000.jsonl", "entries-000001.jsonl", "entries-000002.jsonl",
                           "checkpoint", "key"}) {
    BOOST_TEST(storage.content(name) == read_text(vectors / name, 1U << 20U).value(), name);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::ledger
