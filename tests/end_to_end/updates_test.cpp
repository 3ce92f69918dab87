// SPDX-License-Identifier: Apache-2.0
//
// A participant with a good certificate and bad intentions, beside two honest ones: each thing that
// it sends gets its verdict, the ledger says so, and the run goes on, ends and verifies. All but
// the hostile participant are the real programs.
#include "tests/end_to_end/insider.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "common/base/random.hpp"
#include "common/crypto/hash.hpp"
#include "common/ledger/statement.hpp"
#include "protocol/limits.hpp"

using namespace entente;
using namespace entente::test;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

FederationOptions options_of(std::uint32_t rounds) {
  FederationOptions options;
  options.rounds = rounds;
  options.quorum = 2;
  options.grace = "1h";  // a round waits until the hostile one has sent or declined
  return options;
}

// Alice and bob as programs, carol as the test has her; the plan is submitted.
struct Stage {
  explicit Stage(std::uint32_t rounds) : federation(options_of(rounds)) {
    federation.start_coordinator();
    federation.start_participant("alice");
    federation.start_participant("bob");
    plan = must(parse_digest(federation.submit()));
    must_connect();
  }
  void must_connect() {
    const Result<void> connected = carol.connect();
    BOOST_REQUIRE_MESSAGE(connected.has_value(), connected.error().detail);
  }
  void consent() { BOOST_REQUIRE((must(carol.consent(plan)).verdict == Verdict::accepted)); }
  // The files in the spool that hold what carol has sent, and their bytes.
  struct Spooled {
    std::size_t files = 0;
    std::uint64_t bytes = 0;
  };
  Spooled spooled() const {
    Spooled seen;
    const auto spool = federation.state_folder() / "spool";
    for (const auto& item : std::filesystem::directory_iterator(spool)) {
      if (!item.path().filename().string().starts_with("carol-")) continue;
      ++seen.files;
      seen.bytes += item.file_size();
    }
    return seen;
  }

  Federation federation;
  Digest plan;
  Insider carol{federation, kit_of(federation, "carol")};
};

// Should: be answered with the verdict, and with the words in the reason.
void answered(const Result<protocol::Answer>& answer, Verdict verdict,
              const std::string& words = "") {
  BOOST_REQUIRE_MESSAGE(answer.has_value(), answer.error().detail);
  BOOST_TEST(to_string(answer->verdict) == to_string(verdict), answer->reason);
  BOOST_TEST(answer->reason.find(words) != std::string::npos, answer->reason);
}

// Where an upload of which `sent` bytes have arrived for certain goes on. The one byte of the frame
// that broke off counts too when the coordinator has read it before the next session asks.
std::uint64_t goes_on_at(Insider& carol, std::uint64_t sent) {
  const std::uint64_t offset = carol.receive<protocol::Proceed>().offset;
  BOOST_TEST((offset == sent || (sent > 0 && offset == sent + 1)), offset << " after " << sent);
  return offset;
}

// How often carol was refused with each verdict.
std::map<std::string, int> refused(const std::vector<ledger::Entry>& entries) {
  std::map<std::string, int> verdicts;
  for (const ledger::Entry& entry : entries) {
    if (entry.kind != "update.refused") continue;
    BOOST_TEST(entry.actor.ends_with("/participant/carol"));
    BOOST_TEST(entry.outcome == "refused");
    BOOST_TEST(!entry.reason.empty());
    BOOST_TEST(entry.plan.has_value());
    BOOST_TEST(entry.subjects.contains("update"));
    ++verdicts[std::string(entry.details.at("verdict").as_string())];
  }
  return verdicts;
}

std::vector<std::size_t> contributors(const std::vector<ledger::Entry>& entries) {
  std::vector<std::size_t> counts;
  for (const ledger::Entry& entry : entries) {
    if (entry.kind == "round.committed")
      counts.push_back(entry.details.at("contributors").as_array().size());
  }
  return counts;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(hostile_updates)

BOOST_AUTO_TEST_CASE(what_is_no_update_is_refused_with_its_reason_and_a_good_one_still_counts) {
  Stage stage(1);
  Insider& carol = stage.carol;
  stage.consent();
  const protocol::Train task = carol.training(1);
  const ModelBytes good = carol.model(task.model).filled(0.001F);

  answered(carol.send(task, good.with(good.count() - 1, NAN)), Verdict::not_finite);
  answered(carol.send(task, good.with(0, infinity)), Verdict::not_finite);
  answered(carol.send(task, good.with(17, -infinity)), Verdict::not_finite);
  answered(carol.send(task, good.reshaped()), Verdict::malformed);
  answered(carol.send(task, good.filled(1000.0F)), Verdict::norm_over_limit);

  protocol::OfferUpdate offer = carol.offer_of(task, good);
  offer.examples = 0;
  answered(carol.offer(offer, good.bytes()), Verdict::examples_over_limit, "saw 0");
  offer.examples = 10'001;
  answered(carol.offer(offer, good.bytes()), Verdict::examples_over_limit, "1 to 10000");
  offer = carol.offer_of(task, good);
  offer.update = crypto::sha256("another update");
  answered(carol.offer(offer, good.bytes()), Verdict::digest_mismatch, offer.update.hex());
  BOOST_TEST(stage.spooled().bytes == 0u);

  // Refused as announced: no byte of it is asked for.
  const std::string size = std::to_string(good.bytes().size()) + " bytes";
  offer = carol.offer_of(task, good);
  offer.size_bytes += 4;
  Bytes larger = good.bytes();
  larger.resize(larger.size() + 4);
  answered(carol.offer(offer, larger), Verdict::malformed, size);
  offer.size_bytes = protocol::blob_max_bytes;
  carol.open_channel();
  carol.send(offer);
  answered(carol.receive<protocol::Answer>(), Verdict::malformed, size);
  BOOST_TEST(stage.spooled().bytes == 0u);

  // Whoever announces the right size and then sends more, or something else first.
  offer = carol.offer_of(task, good);
  carol.send(offer);
  BOOST_TEST(carol.receive<protocol::Proceed>().offset == 0u);
  carol.send_data(offer.stream, 0, larger);
  answered(carol.receive<protocol::Answer>(), Verdict::malformed, "saw more");
  carol.send(protocol::StopStream{offer.stream});
  offer.stream = 2;
  carol.send(offer);
  BOOST_TEST(carol.receive<protocol::Proceed>().offset == 0u);
  carol.send_data(offer.stream, 8, ByteView(good.bytes()).subspan(8, 100));
  answered(carol.receive<protocol::Answer>(), Verdict::malformed, "expected offset 0, saw 8");
  BOOST_TEST(stage.spooled().bytes == 0u);

  stage.must_connect();
  const auto accepted = carol.send(task, good);
  answered(accepted, Verdict::accepted);
  BOOST_TEST(accepted->receipt.has_value());
  answered(carol.evaluate(1), Verdict::accepted);

  stage.federation.finished_model();
  const auto entries = stage.federation.verified_entries();
  BOOST_TEST((contributors(entries) == std::vector<std::size_t>{3}));
  const auto verdicts = refused(entries);
  BOOST_TEST(verdicts.at("not finite") == 3);
  BOOST_TEST(verdicts.at("norm over the limit") == 1);
  BOOST_TEST(verdicts.at("example count over the limit") == 2);
  BOOST_TEST(verdicts.at("digest mismatch") == 1);
  BOOST_TEST(verdicts.at("malformed") >= 2);  // ten a minute are recorded
}

// Nothing crashed, so nobody looked at the spool again before the average was made.
BOOST_AUTO_TEST_CASE(an_accepted_update_that_is_cut_in_the_spool_is_asked_for_again) {
  Stage stage(1);
  Insider& carol = stage.carol;
  stage.consent();
  const protocol::Train task = carol.training(1);
  BOOST_REQUIRE(stage.federation.coordinator().wait_for({"update.accepted", "alice"}) !=
                Process::npos);
  std::size_t cut = 0;
  for (const auto& item :
       std::filesystem::directory_iterator(stage.federation.state_folder() / "spool")) {
    if (!item.path().filename().string().starts_with("alice-")) continue;
    std::filesystem::resize_file(item.path(), item.file_size() / 2);
    ++cut;
  }
  BOOST_TEST(cut == 1U);
  answered(carol.send(task, carol.model(task.model).filled(0.001F)), Verdict::accepted);
  answered(carol.evaluate(1), Verdict::accepted);

  stage.federation.finished_model();
  const auto entries = stage.federation.verified_entries();
  BOOST_TEST((contributors(entries) == std::vector<std::size_t>{3}));
  const auto lost = std::ranges::count_if(entries, [](const ledger::Entry& entry) {
    return entry.kind == "update.lost" && entry.actor.ends_with("/participant/alice");
  });
  BOOST_TEST(lost == 1);
}

BOOST_AUTO_TEST_CASE(what_comes_twice_late_or_too_early_is_refused_and_the_rounds_go_on) {
  Stage stage(2);
  Insider& carol = stage.carol;

  // A plan, from one who may not submit any; a consent that is not signed with her key.
  const std::string plan = "{}";
  protocol::OfferPlan own;
  own.plan = crypto::sha256(plan);
  own.size_bytes = plan.size();
  own.signature = Bytes(64);
  answered(carol.offer(own, to_bytes(plan)), Verdict::not_allowed, "OfferPlan");
  protocol::AnswerPlan forged;
  forged.plan = stage.plan;
  forged.consents = true;
  forged.signature = must(kit_of(stage.federation, "alice")
                              .key.sign(as_bytes(ledger::statement(
                                  ledger::plan_consented, Federation::domain, stage.plan))));
  answered(carol.ask(forged), Verdict::bad_signature);
  answered(carol.consent(crypto::sha256("no plan")), Verdict::unknown);
  stage.consent();

  // Round 1: too early, for no plan, declined, and then too late.
  const protocol::Train first = carol.training(1);
  const ModelBytes good = carol.model(first.model).filled(0.001F);
  protocol::Train other = first;
  other.round = 2;
  answered(carol.send(other, good), Verdict::not_now, "round 2 is not open");
  other = first;
  other.plan = crypto::sha256("no plan");
  answered(carol.send(other, good), Verdict::unknown);
  answered(carol.ask(protocol::DeclineWork{stage.plan, 1, "not today"}), Verdict::accepted);
  const protocol::Evaluate candidate = carol.evaluation(1);
  answered(carol.send(first, good), Verdict::too_late, "round 1 is closed");

  // Figures whose mean would be infinite must not stop the ledger.
  protocol::ReportEvaluation report{stage.plan, 1, candidate.model, protocol::number_max, {}};
  report.metrics["accuracy"] = std::numeric_limits<double>::max();
  report.metrics["loss"] = -std::numeric_limits<double>::max();
  answered(carol.ask(report), Verdict::examples_over_limit);
  report.examples = 10'000;
  answered(carol.ask(report), Verdict::accepted);

  // Round 2: accepted once, whatever comes after it.
  const protocol::Train second = carol.training(2);
  const auto accepted = carol.send(second, good);
  answered(accepted, Verdict::accepted);
  const auto again = carol.send(second, good);
  answered(again, Verdict::repeated);
  BOOST_REQUIRE(accepted->receipt.has_value());
  BOOST_REQUIRE(again->receipt.has_value());
  BOOST_TEST(again->receipt->index == accepted->receipt->index);
  BOOST_TEST(again->receipt->line == accepted->receipt->line);
  answered(carol.send(second, good.filled(0.002F)), Verdict::already_received);

  // While suspended nothing of hers counts, not even what did before.
  BOOST_TEST(stage.federation.operate("suspend", {"carol"}).exit_code == 0);
  answered(carol.send(second, good), Verdict::suspended);
  BOOST_TEST(stage.federation.operate("resume", {"carol"}).exit_code == 0);

  // A flood is answered whole and recorded in part.
  other = second;
  other.round = 3;
  for (int i = 0; i < 30; ++i) answered(carol.send(other, good), Verdict::not_now);
  answered(carol.evaluate(2), Verdict::accepted);

  stage.federation.finished_model();
  answered(carol.send(second, good), Verdict::repeated);
  const auto entries = stage.federation.verified_entries();
  BOOST_TEST((contributors(entries) == std::vector<std::size_t>{2, 3}));
  const auto verdicts = refused(entries);
  BOOST_TEST(verdicts.at("not now") >= 1);
  BOOST_TEST(verdicts.at("too late") == 1);
  BOOST_TEST(verdicts.at("another update was accepted before") == 1);
  std::map<std::string, int> minutes;
  std::string misuse;
  for (const ledger::Entry& entry : entries) {
    if (entry.kind != "update.refused" && entry.kind != "connection.refused") continue;
    ++minutes[to_rfc3339(entry.time).substr(0, 16)];
    if (entry.kind == "connection.refused") misuse += entry.details.at("cause").as_string().c_str();
  }
  for (const auto& [minute, count] : minutes) BOOST_TEST(count <= 10);
  BOOST_TEST(misuse.find("not allowed: OfferPlan") != std::string::npos);
  BOOST_TEST(misuse.find("the signature over plan") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_upload_cut_at_a_random_byte_goes_on_there_in_a_new_session) {
  Stage stage(1);
  Insider& carol = stage.carol;
  stage.consent();
  const protocol::Train task = carol.training(1);
  const ModelBytes update = carol.model(task.model).filled(0.001F);
  const ByteView bytes(update.bytes());
  const std::uint64_t seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  Random random(seed);
  const protocol::OfferUpdate offer = carol.offer_of(task, update);

  std::uint64_t there = 0;
  for (int cut = 0; cut < 5; ++cut) {
    carol.open_channel();
    carol.send(offer);
    there = goes_on_at(carol, there);
    const std::uint64_t until = there + random.below(bytes.size() - there);
    while (there < until) {
      const std::uint64_t piece = std::min<std::uint64_t>(until - there, 1 + random.below(700));
      carol.send_data(offer.stream, there, bytes.subspan(there, piece));
      there += piece;
    }
    // An answer that comes after the data: they have arrived.
    carol.send(protocol::DeclineWork{crypto::sha256("no plan"), 1, "a sign of life"});
    answered(carol.receive<protocol::Answer>(), Verdict::not_now);
    // And a frame that is cut off after its first byte.
    if (there + 10 < bytes.size()) carol.send_half_a_frame(offer.stream, there, bytes[there]);
  }
  carol.open_channel();
  carol.send(offer);
  there = goes_on_at(carol, there);
  carol.send_data(offer.stream, there, bytes.subspan(there));
  carol.send_end(offer.stream, bytes.size(), update.digest());
  answered(carol.receive<protocol::Answer>(), Verdict::accepted);

  stage.must_connect();
  answered(carol.evaluate(1), Verdict::accepted);
  stage.federation.finished_model();
  BOOST_TEST((contributors(stage.federation.verified_entries()) == std::vector<std::size_t>{3}));
}

// Should: keep the last of them only.
BOOST_AUTO_TEST_CASE(a_participant_cannot_fill_the_spool_with_beginnings) {
  Stage stage(1);
  Insider& carol = stage.carol;
  stage.consent();
  const protocol::Train task = carol.training(1);
  const ModelBytes update = carol.model(task.model).filled(0.001F);
  carol.open_channel();
  for (std::uint8_t i = 1; i <= 10; ++i) {
    protocol::OfferUpdate offer = carol.offer_of(task, update);
    offer.stream = i;
    offer.update = crypto::sha256("update " + std::to_string(i));
    carol.send(offer);
    BOOST_TEST(carol.receive<protocol::Proceed>().offset == 0u);
    carol.send_data(offer.stream, 0, ByteView(update.bytes()).first(1000));
    carol.send(protocol::StopStream{offer.stream});
    answered(carol.receive<protocol::Answer>(), Verdict::not_now);
    BOOST_TEST(stage.spooled().files == 1u);
  }
  stage.must_connect();
  answered(carol.send(task, update), Verdict::accepted);
  answered(carol.evaluate(1), Verdict::accepted);
  stage.federation.finished_model();
}

BOOST_AUTO_TEST_SUITE_END()
