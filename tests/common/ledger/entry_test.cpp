// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/entry.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>

#include "common/ledger/statement.hpp"
#include "tests/common/ledger/ledger_fixture.hpp"

namespace entente::ledger {
namespace {

using test::entry_at;
using test::failed_with;

const std::string golden_line =
    R"({"actor":"spiffe://hospitals.example/participant/charite","details":{"examples":107},)"
    R"("federation":"hospitals.example","kind":"update.accepted","outcome":"ok",)"
    R"("plan":"8c6dd61f51c9b6c3f1a28d4c4cb7d7f4a5b0f6d1d0a8d2ff8a1a7e4d54a4f8b3",)"
    R"("round":2,"sequence":7,"software":"0.1.0",)"
    R"("subjects":{"update":"0000000000000000000000000000000000000000000000000000000000000000"},)"
    R"("time":"2026-11-23T12:00:07.000000Z","v":1})";

std::string golden_with(const std::string& from, const std::string& to) {
  std::string line = golden_line;
  BOOST_REQUIRE(line.find(from) != line.npos);
  return line.replace(line.find(from), from.size(), to);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(entry)

BOOST_AUTO_TEST_CASE(an_entry_is_one_line_of_canonical_json) {
  Entry entry = entry_at(7);
  entry.plan =
      parse_digest("8c6dd61f51c9b6c3f1a28d4c4cb7d7f4a5b0f6d1d0a8d2ff8a1a7e4d54a4f8b3").value();
  entry.subjects["update"] = Digest{};
  BOOST_TEST(encode_entry(entry).value() == golden_line);
  BOOST_TEST((decode_entry(golden_line).value() == entry));
}

BOOST_AUTO_TEST_CASE(members_with_nothing_to_say_are_not_written) {
  Entry entry;
  entry.time = test::noon;
  entry.kind = "service.started";
  entry.federation = test::federation;
  entry.actor = "spiffe://hospitals.example/coordinator/main";
  const std::string line = encode_entry(entry).value();
  BOOST_TEST(
      line ==
      R"({"actor":"spiffe://hospitals.example/coordinator/main","federation":"hospitals.example",)"
      R"("kind":"service.started","outcome":"ok","sequence":0,"software":"",)"
      R"("time":"2026-11-23T12:00:00.000000Z","v":1})");
  BOOST_TEST((decode_entry(line).value() == entry));
}

BOOST_AUTO_TEST_CASE(reasons_in_any_script_and_with_control_characters_stay_on_one_line) {
  Entry entry = entry_at(0);
  entry.outcome = "refused";
  entry.reason = "zu sp\xc3\xa4t \xe2\x80\x94 \"quoted\"\n\tand \\ more \x1b[31m";
  const std::string line = encode_entry(entry).value();
  BOOST_TEST(line.find('\n') == line.npos);
  BOOST_TEST((decode_entry(line).value() == entry));
}

BOOST_AUTO_TEST_CASE(what_is_not_an_entry_is_malformed) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"", "not JSON"},
      {"null", "entry"},
      {"[]", "entry"},
      {golden_line + "\n", ""},
      {" " + golden_line, ""},
      {golden_line.substr(0, golden_line.size() - 1), ""},
      {golden_with("\"v\":1", "\"v\":2"), "v"},
      {golden_with("\"v\":1", "\"v\":\"1\""), "v"},
      {golden_with(",\"v\":1", ""), "v"},
      {golden_with("\"sequence\":7", "\"sequence\":-1"), "sequence"},
      {golden_with("\"sequence\":7", "\"sequence\":7.5"), "sequence"},
      {golden_with("\"sequence\":7", "\"sequence\":07"), ""},
      {golden_with("\"sequence\":7", "\"sequence\":7e0"), ""},
      {golden_with("\"sequence\":7,", ""), "sequence"},
      {golden_with("\"sequence\":7", "\"sequence\":9007199254740993"), "sequence"},
      {golden_with("\"outcome\":\"ok\"", "\"outcome\":\"fine\""), "outcome"},
      {golden_with("\"kind\":\"update.accepted\"", "\"kind\":\"Update\""), "kind"},
      {golden_with("\"kind\":\"update.accepted\"", "\"kind\":\"\""), "kind"},
      {golden_with("8c6d", "8C6D"), "plan"},
      {golden_with("8c6d", "8c6"), "plan"},
      {golden_with("12:00:07.000000Z", "12:00:07Z"), "time"},
      {golden_with("2026-11-23T", "2026-11-31T"), "time"},
      {golden_with("{\"update\":", "{\"Update\":"), "subjects"},
      {golden_with("\"0000000000000000000000000000000000000000000000000000000000000000\"", "7"),
       "subjects"},
      {golden_with("{\"examples\":107}", "{}"), "canonical"},
      {golden_with("{\"examples\":107}", "[1]"), "details"},
      {golden_with("\"outcome\":\"ok\",", "\"outcome\":\"ok\",\"secret\":1,"), "secret"},
      {golden_with("\"round\":2", "\"reason\":\"\",\"round\":2"), "canonical"},
      {golden_with("\"round\":2,", "\"round\":2,\"round\":2,"), ""},
      {golden_with("\"outcome\":\"ok\"", "\"outcome\": \"ok\""), ""},
      {golden_with("charite", "charit\\u0065"), ""},
      {golden_with("charite", "charit\xff"), ""},
      {golden_with("spiffe://hospitals.example/participant/charite", ""), "actor"},
      {golden_with("\"federation\":\"hospitals.example\"", "\"federation\":\"Hospitals\""),
       "federation"},
  };
  for (const auto& [line, text] : wrong) {
    BOOST_TEST(failed_with(decode_entry(line), Errc::malformed, text), line);
  }
}

BOOST_AUTO_TEST_CASE(the_longest_line_is_taken_and_one_byte_more_is_refused) {
  Entry entry = entry_at(0);
  entry.reason = "x";
  const std::size_t without = encode_entry(entry).value().size() - 1;
  entry.reason = std::string(line_max_bytes - without, 'x');
  const std::string line = encode_entry(entry).value();
  BOOST_TEST(line.size() == line_max_bytes);
  BOOST_TEST((decode_entry(line).value() == entry));
  entry.reason += 'x';
  BOOST_TEST(
      failed_with(encode_entry(entry), Errc::invalid_argument, "32769 bytes, at most 32768"));
}

BOOST_AUTO_TEST_CASE(an_entry_that_could_not_be_read_back_is_never_written) {
  const auto refused = [](auto change) {
    Entry entry = entry_at(0);
    change(entry);
    return failed_with(encode_entry(entry), Errc::invalid_argument, "writing an entry");
  };
  BOOST_TEST(refused([](Entry& entry) { entry.reason = "\xff"; }));
  BOOST_TEST(refused([](Entry& entry) { entry.kind = "Round Opened"; }));
  BOOST_TEST(refused([](Entry& entry) { entry.outcome = "good"; }));
  BOOST_TEST(refused([](Entry& entry) { entry.federation = "Hospitals"; }));
  BOOST_TEST(refused([](Entry& entry) { entry.actor.clear(); }));
  BOOST_TEST(refused([](Entry& entry) { entry.sequence = (std::uint64_t{1} << 53U) + 1; }));
  BOOST_TEST(refused([](Entry& entry) { entry.subjects["a b"] = Digest{}; }));
  BOOST_TEST(refused(
      [](Entry& entry) { entry.details["loss"] = std::numeric_limits<double>::quiet_NaN(); }));
  BOOST_TEST(refused([](Entry& entry) { entry.details["n"] = ~std::uint64_t{0}; }));
}

BOOST_AUTO_TEST_CASE(numbers_in_details_keep_their_value) {
  for (const double value :
       {0.0, 0.1, -1.5, 1e-7, 1e21, 123456789.125, 5e-324, 1.7976931348623157e308}) {
    Entry entry = entry_at(0);
    entry.details["value"] = value;
    const Entry read = decode_entry(encode_entry(entry).value()).value();
    BOOST_TEST(read.details.at("value").to_number<double>() == value);
  }
}

BOOST_AUTO_TEST_CASE(a_statement_names_the_act_the_federation_and_the_plan) {
  BOOST_TEST(statement(plan_consented, "hospitals.example", Digest{}) ==
             "entente/1 plan consented\nhospitals.example\n"
             "0000000000000000000000000000000000000000000000000000000000000000\n");
  BOOST_TEST(statement(plan_submitted, "hospitals.example", Digest{})
                 .starts_with("entente/1 plan submitted\n"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::ledger
