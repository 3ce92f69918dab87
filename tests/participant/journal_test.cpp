// SPDX-License-Identifier: Apache-2.0
#include "participant/journal.hpp"

#include <boost/test/unit_test.hpp>
#include <vector>

#include "common/crypto/hash.hpp"
#include "tests/common/ledger/memory_storage.hpp"

namespace entente::participant {
namespace {

using ledger::test::MemoryStorage;

const TimePoint noon = parse_rfc3339("2026-11-23T12:00:00.000000Z").value();
const std::string file(journal_file);

WorkName work(std::uint64_t round) {
  return {crypto::sha256("plan"), round, crypto::sha256("model " + std::to_string(round))};
}

Consent consent() {
  return {crypto::sha256("plan"), 1234, "breast-cancer", "olga", to_bytes("signature")};
}

FinishedUpdate update(std::uint64_t round) {
  FinishedUpdate made;
  made.work = work(round);
  made.update = crypto::sha256("update " + std::to_string(round));
  made.size_bytes = 318'648;
  made.examples = 4000;
  made.norm = 1.25;
  made.tensors = 8;
  return made;
}

FinishedEvaluation evaluation(std::uint64_t round) {
  FinishedEvaluation made;
  made.work = work(round);
  made.metrics = {{"accuracy", 0.5}, {"loss", 1.5}};
  return made;
}

std::vector<Record> one_of_each() {
  return {consent(),
          Decline{crypto::sha256("other"), std::nullopt, "not now"},
          update(1),
          ReceiptKept{crypto::sha256("plan"), 1, update(1).update, 17, "update-x.tlog-proof"},
          evaluation(1),
          Decline{crypto::sha256("plan"), 2, "training did not stay finite"}};
}

Journal opened(MemoryStorage& storage) {
  auto journal = Journal::open(storage);
  BOOST_REQUIRE_MESSAGE(journal.has_value(), journal.error().detail);
  return std::move(*journal);
}

void write_all(MemoryStorage& storage) {
  Journal journal = opened(storage);
  for (const Record& record : one_of_each()) BOOST_REQUIRE(journal.append(record, noon));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(participant_journal)

BOOST_AUTO_TEST_CASE(every_kind_of_record_reads_back_as_it_was_written) {
  for (const Record& record : one_of_each()) {
    const auto line = encode_record(record, noon);
    BOOST_REQUIRE(line.has_value());
    const auto read = decode_record(*line);
    BOOST_REQUIRE_MESSAGE(read.has_value(), read.error().detail);
    BOOST_TEST((*read == record));
  }
}

BOOST_AUTO_TEST_CASE(a_line_is_canonical_json_with_its_kind_and_time) {
  BOOST_TEST(
      encode_record(update(3), noon).value() ==
      "{\"bytes\":318648,\"examples\":4000,\"kind\":\"update\",\"model\":\"" +
          crypto::sha256("model 3").hex() + "\",\"norm\":1.25,\"plan\":\"" +
          crypto::sha256("plan").hex() +
          "\",\"round\":3,\"tensors\":8,\"time\":\"2026-11-23T12:00:00.000000Z\",\"update\":\"" +
          crypto::sha256("update 3").hex() + "\",\"v\":1}");
}

BOOST_AUTO_TEST_CASE(a_record_is_synced_before_append_returns) {
  MemoryStorage storage;
  Journal journal = opened(storage);
  BOOST_REQUIRE(journal.append(consent(), noon));
  BOOST_TEST(storage.files[file].durable == storage.files[file].content);
  storage.crash(MemoryStorage::Loss::all);
  BOOST_REQUIRE(opened(storage).consent(consent().plan) != nullptr);
}

// The process before it was killed between writing the line and syncing it.
BOOST_AUTO_TEST_CASE(what_opening_finds_is_durable_before_anyone_believes_it) {
  MemoryStorage storage;
  write_all(storage);
  MemoryStorage::File& journal = storage.files[file];
  journal.durable.resize(journal.durable.rfind('\n', journal.durable.size() - 2) + 1);
  const std::uint64_t records = opened(storage).records();
  storage.crash(MemoryStorage::Loss::all);
  BOOST_TEST(opened(storage).records() == records);
}

BOOST_AUTO_TEST_CASE(a_restart_knows_consents_and_finished_work) {
  MemoryStorage storage;
  write_all(storage);
  const Journal journal = opened(storage);
  BOOST_TEST(journal.records() == one_of_each().size());
  BOOST_REQUIRE(journal.consent(consent().plan) != nullptr);
  BOOST_TEST((*journal.consent(consent().plan) == consent()));
  BOOST_TEST(journal.consent(crypto::sha256("other")) == nullptr);
  BOOST_REQUIRE(journal.update(work(1)) != nullptr);
  BOOST_TEST((*journal.update(work(1)) == update(1)));
  BOOST_TEST(journal.update(work(2)) == nullptr);
  BOOST_TEST((*journal.evaluation(work(1)) == evaluation(1)));
  BOOST_TEST(journal.has_receipt(update(1).update));
  BOOST_TEST(!journal.has_receipt(update(2).update));
}

BOOST_AUTO_TEST_CASE(only_the_latest_finished_work_is_kept_in_memory) {
  MemoryStorage storage;
  Journal journal = opened(storage);
  for (std::uint64_t round = 1; round <= finished_kept_max + 1; ++round) {
    BOOST_REQUIRE(journal.append(update(round), noon));
  }
  BOOST_TEST(journal.updates().size() == finished_kept_max);
  BOOST_TEST(journal.update(work(1)) == nullptr);
  BOOST_TEST(journal.update(work(2)) != nullptr);
}

// Should: keep every whole line before the cut, and go on.
BOOST_AUTO_TEST_CASE(cut_at_every_byte_it_opens_with_the_whole_lines) {
  MemoryStorage whole;
  write_all(whole);
  const std::string content = whole.content(file);
  for (std::size_t size = 0; size <= content.size(); ++size) {
    MemoryStorage storage;
    storage.put(file, content.substr(0, size));
    Journal journal = opened(storage);
    const std::string kept = content.substr(0, size);
    const auto lines = static_cast<std::uint64_t>(std::count(kept.begin(), kept.end(), '\n'));
    BOOST_TEST_REQUIRE(journal.records() == lines);
    const std::size_t end = kept.rfind('\n') == kept.npos ? 0 : kept.rfind('\n') + 1;
    BOOST_TEST_REQUIRE(journal.bytes_cut() == size - end);
    BOOST_TEST_REQUIRE(storage.files[file].durable.size() == end);
    BOOST_REQUIRE(journal.append(update(9), noon));
    BOOST_TEST_REQUIRE(opened(storage).records() == lines + 1);
  }
}

BOOST_AUTO_TEST_CASE(
    a_last_line_of_nonsense_is_cut_and_one_in_the_middle_is_refused_with_its_number) {
  MemoryStorage storage;
  write_all(storage);
  const std::string good = storage.content(file);
  storage.put(file, good + std::string(80, '\0') + "\n");
  BOOST_TEST(opened(storage).bytes_cut() == 81u);
  BOOST_TEST(storage.content(file) == good);

  std::string damaged = good;
  damaged[damaged.find('\n') + 10] ^= 1;
  storage.put(file, damaged);
  const auto refused = Journal::open(storage);
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST((refused.error().code == Errc::corrupt));
  BOOST_TEST(refused.error().detail.starts_with("journal.jsonl:2: "));
}

BOOST_AUTO_TEST_CASE(a_record_that_the_disk_refused_is_not_known_and_does_not_spoil_the_next) {
  for (std::uint64_t fails : {0U, 1U}) {  // the append itself, then its sync
    MemoryStorage storage;
    Journal journal = opened(storage);
    BOOST_REQUIRE(journal.append(consent(), noon));
    storage.failing_write = storage.writes + fails;
    const auto refused = journal.append(update(1), noon);
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == Errc::io));
    BOOST_TEST(journal.update(work(1)) == nullptr);
    storage.failing_write.reset();
    BOOST_REQUIRE(journal.append(update(2), noon));
    const Journal reopened = opened(storage);
    BOOST_TEST(reopened.records() == 2u);
    BOOST_TEST(reopened.update(work(1)) == nullptr);
    BOOST_TEST(reopened.update(work(2)) != nullptr);
  }
}

BOOST_AUTO_TEST_CASE(a_number_that_json_cannot_say_is_refused_before_anything_is_written) {
  MemoryStorage storage;
  Journal journal = opened(storage);
  FinishedUpdate bad = update(1);
  bad.norm = std::numeric_limits<double>::infinity();
  BOOST_TEST((journal.append(bad, noon).error().code == Errc::invalid_argument));
  BOOST_TEST(storage.files.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant
