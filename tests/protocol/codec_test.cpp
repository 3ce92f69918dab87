// SPDX-License-Identifier: Apache-2.0
#include "protocol/codec.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "common/base/random.hpp"
#include "tests/protocol/samples.hpp"

namespace entente::protocol {
namespace {

bool encodes(const Message& message) {
  const auto bytes = encode(message);
  if (bytes) return true;
  BOOST_TEST((bytes.error().code == Errc::invalid_argument));
  return false;
}

template <class T>
T again(const T& message) {
  const auto bytes = encode(message);
  BOOST_REQUIRE_MESSAGE(bytes.has_value(), bytes.error().detail);
  const auto decoded = decode(*bytes);
  BOOST_REQUIRE_MESSAGE(decoded.has_value(), decoded.error().detail);
  BOOST_REQUIRE(std::holds_alternative<T>(*decoded));
  return std::get<T>(*decoded);
}

template <class T>
T sample() {
  for (const Message& message : sample_messages()) {
    if (const T* found = std::get_if<T>(&message)) return *found;
  }
  BOOST_FAIL("no sample");
  return {};
}

// `field` at `most` is encoded and read back; one more is refused.
template <class T, class Value>
void limit(T message, Value T::*field, Value most, Value more) {
  message.*field = most;
  BOOST_TEST(encodes(message), name_of(message) << " at its limit");
  message.*field = more;
  BOOST_TEST(!encodes(message), name_of(message) << " past its limit");
}

std::string text_of(std::size_t size) {
  return std::string(size, 'x');
}

ledger::Receipt receipt_of(std::size_t line, std::size_t proof, std::size_t checkpoint) {
  ledger::Receipt receipt;
  receipt.line = text_of(line);
  receipt.proof.resize(proof);
  receipt.checkpoint = text_of(checkpoint);
  return receipt;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(protocol_codec)

BOOST_AUTO_TEST_CASE(every_message_reads_back_as_it_was_written) {
  std::set<std::size_t> kinds;
  for (const Message& message : sample_messages()) {
    kinds.insert(message.index());
    const auto bytes = encode(message);
    BOOST_REQUIRE_MESSAGE(bytes.has_value(), bytes.error().detail);
    const auto decoded = decode(*bytes);
    BOOST_REQUIRE_MESSAGE(decoded.has_value(), decoded.error().detail);
    BOOST_TEST(name_of(*decoded) == name_of(message));
    BOOST_TEST((encode(*decoded).value() == *bytes), name_of(message));
  }
  BOOST_TEST(kinds.size() == std::variant_size_v<Message>);
}

BOOST_AUTO_TEST_CASE(fields_keep_their_values) {
  const auto offer = again(sample<OfferUpdate>());
  BOOST_TEST(offer.stream == 255);
  BOOST_TEST((offer.plan == digest_of("plan")));
  BOOST_TEST(offer.round == 7U);
  BOOST_TEST((offer.update == digest_of("update")));
  BOOST_TEST(offer.size_bytes == std::uint64_t{3} << 30U);
  BOOST_TEST(offer.examples == 12'000U);
  const auto answer = again(sample<Answer>());
  BOOST_TEST((answer.verdict == Verdict::accepted));
  BOOST_TEST(answer.stream == 3);
  BOOST_REQUIRE(answer.receipt.has_value());
  BOOST_TEST(answer.receipt->line == sample_receipt().line);
  BOOST_TEST(answer.receipt->checkpoint == sample_receipt().checkpoint);
  BOOST_TEST((answer.receipt->proof == sample_receipt().proof));
  const auto report = again(sample<ReportEvaluation>());
  BOOST_TEST(report.metrics.at("loss") == 1.25);
  const auto agenda = again(std::get<Agenda>(sample_messages()[19]));
  BOOST_REQUIRE(std::holds_alternative<Train>(agenda.work));
  BOOST_TEST(std::get<Train>(agenda.work).model_size_bytes == std::uint64_t{5} << 32U);
  BOOST_TEST((std::get<Train>(agenda.work).closes_in == std::chrono::milliseconds(90'500)));
  BOOST_TEST((agenda.plans.at(0).signature == to_bytes("signature")));
  const auto status = again(sample<Status>());
  BOOST_TEST((status.model == digest_of("model")));
  BOOST_TEST(status.rounds.at(0).metrics.at("accuracy") == 0.875);
  BOOST_TEST(status.participants.at(0).bytes_expected == 20U);
}

BOOST_AUTO_TEST_CASE(numbers_are_accepted_at_their_limits_and_refused_one_past_them) {
  limit(sample<Fetch>(), &Fetch::offset, blob_max_bytes, blob_max_bytes + 1);
  limit(sample<Fetch>(), &Fetch::stream, std::uint8_t{1}, std::uint8_t{0});
  limit(sample<StopStream>(), &StopStream::stream, std::uint8_t{255}, std::uint8_t{0});
  limit(sample<OfferUpdate>(), &OfferUpdate::size_bytes, blob_max_bytes, blob_max_bytes + 1);
  limit(sample<OfferUpdate>(), &OfferUpdate::size_bytes, std::uint64_t{1}, std::uint64_t{0});
  limit(sample<OfferUpdate>(), &OfferUpdate::round, number_max, number_max + 1);
  limit(sample<OfferUpdate>(), &OfferUpdate::examples, number_max, number_max + 1);
  limit(sample<OfferPlan>(), &OfferPlan::size_bytes, plan_max_bytes, plan_max_bytes + 1);
  limit(sample<Proceed>(), &Proceed::offset, blob_max_bytes, blob_max_bytes + 1);
  limit(sample<Serving>(), &Serving::size_bytes, blob_max_bytes, blob_max_bytes + 1);
  limit(sample<Hello>(), &Hello::version_least, std::uint32_t{1}, std::uint32_t{0});
  limit(sample<Hello>(), &Hello::version_least, std::uint32_t{2},
        std::uint32_t{3});  // of 2 at most
  limit(sample<Welcome>(), &Welcome::version, std::uint32_t{1}, std::uint32_t{0});
  const std::chrono::milliseconds longest = duration_max;
  limit(sample<Status>(), &Status::closes_in, longest, longest + std::chrono::milliseconds(1));
  limit(sample<Status>(), &Status::closes_in, std::chrono::milliseconds(0),
        std::chrono::milliseconds(-1));
}

BOOST_AUTO_TEST_CASE(texts_and_bytes_are_accepted_at_their_limits_and_refused_one_past_them) {
  limit(sample<Hello>(), &Hello::software, text_of(software_max_bytes),
        text_of(software_max_bytes + 1));
  limit(sample<Welcome>(), &Welcome::verifier_key, text_of(1024), text_of(1025));
  limit(sample<Welcome>(), &Welcome::federation, text_of(255), text_of(256));
  limit(sample<Welcome>(), &Welcome::federation, std::string("a"), std::string());
  limit(sample<SetSuspended>(), &SetSuspended::participant, text_of(63), text_of(64));
  limit(sample<SetSuspended>(), &SetSuspended::participant, std::string("a"),
        std::string("Charite"));
  limit(sample<AnswerPlan>(), &AnswerPlan::signature, Bytes(signature_max_bytes),
        Bytes(signature_max_bytes + 1));
  limit(sample<AnswerPlan>(), &AnswerPlan::signature, Bytes(1), Bytes());
  limit(sample<OfferPlan>(), &OfferPlan::signature, Bytes(signature_max_bytes),
        Bytes(signature_max_bytes + 1));
  limit(sample<Status>(), &Status::phase, text_of(state_max_bytes), text_of(state_max_bytes + 1));
  AnswerPlan refusal{digest_of("plan"), false, Bytes(1), "no"};
  BOOST_TEST(!encodes(refusal));
}

BOOST_AUTO_TEST_CASE(lists_are_accepted_at_their_limits_and_refused_one_past_them) {
  const PlanToConsider told{digest_of("plan"), plan_max_bytes, Bytes(certificate_max_bytes),
                            Bytes(signature_max_bytes)};
  const auto plans = [&](std::size_t count) { return std::vector<PlanToConsider>(count, told); };
  limit(Agenda{}, &Agenda::plans, plans(plans_told_max), plans(plans_told_max + 1));
  const auto metrics = [](std::size_t count) {
    std::map<std::string, double> named;
    for (std::size_t i = 0; i < count; ++i) named["metric" + std::to_string(i)] = 1;
    return named;
  };
  limit(sample<ReportEvaluation>(), &ReportEvaluation::metrics, metrics(metrics_max),
        metrics(metrics_max + 1));
  const auto participants = [](std::size_t count) {
    ParticipantStatus status;
    status.name = "charite";
    return std::vector<ParticipantStatus>(count, status);
  };
  limit(sample<Status>(), &Status::participants, participants(status_participants_max),
        participants(status_participants_max + 1));
  limit(sample<Status>(), &Status::plans, std::vector<PlanStatus>(status_plans_max),
        std::vector<PlanStatus>(status_plans_max + 1));
  limit(sample<Status>(), &Status::rounds, std::vector<RoundStatus>(status_rounds_max),
        std::vector<RoundStatus>(status_rounds_max + 1));
}

BOOST_AUTO_TEST_CASE(receipts_are_accepted_at_their_limits_and_refused_one_past_them) {
  using ledger::line_max_bytes;
  const auto fits = [](const ledger::Receipt& receipt) {
    Answer answer;
    answer.verdict = Verdict::accepted;
    answer.receipt = receipt;
    return encodes(answer);
  };
  BOOST_TEST(fits(receipt_of(line_max_bytes, proof_max, checkpoint_max_bytes)));
  BOOST_TEST(!fits(receipt_of(line_max_bytes + 1, 0, 1)));
  BOOST_TEST(!fits(receipt_of(1, proof_max + 1, 1)));
  BOOST_TEST(!fits(receipt_of(1, 0, checkpoint_max_bytes + 1)));
  BOOST_TEST(!fits(receipt_of(0, 0, 1)));
  BOOST_TEST(!fits(receipt_of(1, 0, 0)));
}

BOOST_AUTO_TEST_CASE(an_agenda_with_everything_at_its_limit_is_one_message) {
  Agenda agenda;
  const PlanToConsider told{digest_of("plan"), plan_max_bytes, Bytes(certificate_max_bytes),
                            Bytes(signature_max_bytes)};
  agenda.plans.assign(plans_told_max, told);
  Train train;
  train.model_size_bytes = blob_max_bytes;
  train.round = number_max;
  train.closes_in = duration_max;
  train.opening = receipt_of(ledger::line_max_bytes, proof_max, checkpoint_max_bytes);
  agenda.work = train;
  BOOST_TEST(encodes(agenda));
}

BOOST_AUTO_TEST_CASE(metrics_that_are_not_finite_or_not_named_are_refused) {
  auto report = sample<ReportEvaluation>();
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    report.metrics = {{"loss", value}};
    BOOST_TEST(!encodes(report));
  }
  for (const std::string& name : {std::string(), std::string("Loss"), std::string("lo ss"),
                                  text_of(metric_name_max_bytes + 1)}) {
    report.metrics = {{name, 1}};
    BOOST_TEST(!encodes(report));
  }
  report.metrics = {{text_of(metric_name_max_bytes), std::numeric_limits<double>::max()}};
  BOOST_TEST(encodes(report));
}

BOOST_AUTO_TEST_CASE(text_for_people_is_cut_and_made_utf_8_instead_of_refused) {
  BOOST_TEST(again(Goodbye{text_of(text_max_bytes)}).reason.size() == text_max_bytes);
  BOOST_TEST(again(Goodbye{text_of(text_max_bytes + 1)}).reason.size() == text_max_bytes);
  // A character that the limit would tear is left out whole.
  const std::string torn = text_of(text_max_bytes - 1) + "\xc3\xa4";
  BOOST_TEST(again(Goodbye{torn}).reason == text_of(text_max_bytes - 1));
  BOOST_TEST(again(Goodbye{"bad \xff byte"}).reason.find("bad ") == 0U);
}

BOOST_AUTO_TEST_CASE(a_status_that_is_too_large_loses_its_oldest_rounds) {
  auto status = sample<Status>();
  status.rounds.clear();
  for (std::uint64_t round = 1; round <= status_rounds_max; ++round) {
    RoundStatus one;
    one.round = round;
    for (int i = 0; i < 30; ++i) one.metrics[text_of(60) + std::to_string(i)] = 1;
    status.rounds.push_back(one);
  }
  const auto read = again(status);
  BOOST_TEST(read.rounds.size() < status_rounds_max);
  BOOST_TEST(!read.rounds.empty());
  BOOST_TEST(read.rounds.back().round == status_rounds_max);
}

BOOST_AUTO_TEST_CASE(wrong_digests_verdicts_and_unknown_messages_are_malformed) {
  // Fetch{stream 1, digest of 31 bytes}; Answer{verdict 0}; Answer{verdict 17}; Goodbye that is not
  // UTF-8; field 200 of the envelope; an empty envelope; a message cut short.
  const std::string short_digest = "2a230801121f" + std::string(62, '0');
  for (const std::string& hex :
       {short_digest, std::string("a20100"), std::string("a201020811"), std::string("1a030a01ff"),
        std::string("c20c00"), std::string(""), std::string("2a2308")}) {
    const auto decoded = decode(from_hex(hex).value());
    BOOST_TEST((!decoded && decoded.error().code == Errc::malformed), hex);
  }
  // The same, whole: what makes the difference is the one byte.
  const std::string digest =
      "2a240801122"
      "0" +
      std::string(64, '0');
  BOOST_TEST(decode(from_hex(digest).value()).has_value());
}

BOOST_AUTO_TEST_CASE(fields_that_we_do_not_know_are_passed_over) {
  // Ping{nonce 1} with a field 15 of a later version.
  const auto decoded = decode(from_hex("0a0408017801").value());
  BOOST_REQUIRE(decoded.has_value());
  BOOST_TEST(std::get<Ping>(*decoded).nonce == 1U);
}

BOOST_AUTO_TEST_CASE(a_message_is_read_at_the_size_limit_and_refused_one_past_it) {
  // Unknown bytes fill the envelope up: field 1000, length-delimited.
  const auto padded = [](std::size_t size) {
    Bytes bytes = encode(Ping{1}).value();
    const std::size_t rest = size - bytes.size() - 5;  // two bytes of tag, three of length
    for (const int byte :
         {0xC2, 0x3E, static_cast<int>(0x80 | (rest & 0x7F)),
          static_cast<int>(0x80 | ((rest >> 7) & 0x7F)), static_cast<int>(rest >> 14)}) {
      bytes.push_back(static_cast<std::byte>(byte));
    }
    bytes.resize(size);
    return bytes;
  };
  BOOST_TEST(decode(padded(control_max_bytes)).has_value());
  BOOST_TEST(!decode(padded(control_max_bytes + 1)).has_value());
}

BOOST_AUTO_TEST_CASE(bytes_changed_at_random_never_do_harm) {
  Random random(20261123);
  std::size_t read = 0;
  for (int turn = 0; turn < 40; ++turn) {
    for (const Message& message : sample_messages()) {
      Bytes bytes = encode(message).value();
      const std::uint64_t changes = 1 + random.below(4);
      for (std::uint64_t i = 0; i < changes && !bytes.empty(); ++i) {
        const std::size_t at = random.below(bytes.size());
        if (random.chance(0.2)) {
          bytes.resize(at);
        } else {
          bytes[at] = static_cast<std::byte>(random.next32());
        }
      }
      const auto decoded = decode(bytes);
      if (decoded) {
        ++read;
        BOOST_TEST(encode(*decoded).has_value());  // what was let in is within the limits
      } else {
        BOOST_TEST((decoded.error().code == Errc::malformed));
      }
    }
  }
  BOOST_TEST(read > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::protocol
