// SPDX-License-Identifier: Apache-2.0
#include "common/base/json.hpp"

#include <boost/test/unit_test.hpp>
#include <functional>
#include <limits>

namespace {

using namespace entente;

// What finish() says after `ask` has asked.
std::string problem_of(std::string_view text, const std::function<void(JsonReader&)>& ask,
                       const std::string& path = "plan") {
  const json::value value = parse_json(text, 1U << 20U).value();
  JsonReader reader(value, path);
  ask(reader);
  const auto done = reader.finish();
  if (done) return "none";
  BOOST_TEST((done.error().code == Errc::malformed));
  return done.error().detail;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json_reader)

BOOST_AUTO_TEST_CASE(members_of_every_kind_are_read) {
  const json::value value =
      parse_json(
          R"({"name":"ä","count":-3,"rate":0.5,"whole":2,"on":true,"list":[1,2],"inner":{"x":1}})",
          1000)
          .value();
  JsonReader reader(value, "plan");
  BOOST_TEST(reader.text("name") == "ä");
  BOOST_TEST(reader.integer("count", -3, 3) == -3);
  BOOST_TEST(reader.number("rate", 0, 1) == 0.5);
  BOOST_TEST(reader.number("whole", 2, 2) == 2.0);
  BOOST_TEST(reader.boolean("on"));
  BOOST_TEST(reader.array("list", 1, 2).size() == 2U);
  JsonReader inner = reader.object("inner");
  BOOST_TEST(inner.integer("x", 0, 9) == 1);
  BOOST_TEST(inner.path_of("x") == "plan.inner.x");
  BOOST_TEST(inner.finish().has_value());
  BOOST_TEST(reader.finish().has_value());
}

BOOST_AUTO_TEST_CASE(absent_members_give_the_fallback_and_null_is_not_absent) {
  const json::value value = parse_json(R"({"set":null})", 1000).value();
  JsonReader reader(value, "");
  BOOST_TEST(reader.text_or("a", "fallback") == "fallback");
  BOOST_TEST(reader.integer_or("b", 7, 0, 9) == 7);
  BOOST_TEST(reader.number_or("c", 0.5, 0, 1) == 0.5);
  BOOST_TEST(reader.boolean_or("d", true));
  BOOST_TEST(reader.find("e") == nullptr);
  BOOST_TEST(reader.has("set"));
  BOOST_TEST(!reader.has("a"));
  BOOST_TEST(!reader.failed());
  BOOST_TEST(reader.integer_or("set", 7, 0, 9) == 0);
  BOOST_TEST(reader.finish().error().detail == "set: expected an integer from 0 to 9, saw null");
}

BOOST_AUTO_TEST_CASE(what_is_out_of_its_range_or_of_another_kind_is_said_in_words) {
  using Reader = JsonReader&;
  BOOST_TEST(problem_of(R"({"quorum":-3})", [](Reader r) { r.integer("quorum", 1, 1000); },
                        "plan.rounds") ==
             "plan.rounds.quorum: expected an integer from 1 to 1000, saw -3");
  BOOST_TEST(problem_of(R"({"n":3.0})", [](Reader r) { r.integer("n", 1, 9); }) ==
             "plan.n: expected an integer from 1 to 9, saw 3.0");
  BOOST_TEST(problem_of(R"({"n":"3"})", [](Reader r) { r.integer_or("n", 1, 1, 9); }) ==
             "plan.n: expected an integer from 1 to 9, saw '3'");
  BOOST_TEST(problem_of(R"({"n":1.5})", [](Reader r) { r.number("n", 0, 1); }) ==
             "plan.n: expected a number from 0 to 1, saw 1.5");
  BOOST_TEST(problem_of(R"({"n":true})", [](Reader r) { r.number("n", 0, 1); }) ==
             "plan.n: expected a number from 0 to 1, saw true");
  BOOST_TEST(problem_of(R"({"n":1})", [](Reader r) { r.boolean("n"); }) ==
             "plan.n: expected true or false, saw 1");
  BOOST_TEST(problem_of(R"({"n":{}})", [](Reader r) { r.text("n"); }) ==
             "plan.n: expected a text, saw an object");
  BOOST_TEST(problem_of(R"({"n":1})", [](Reader r) { r.array("n", 0, 3); }) ==
             "plan.n: expected a list, saw 1");
  BOOST_TEST(problem_of(R"({"n":[]})", [](Reader r) { r.object("n"); }) ==
             "plan.n: expected an object, saw a list");
  BOOST_TEST(problem_of("[]", [](Reader) {}) == "plan: expected an object, saw a list");
  BOOST_TEST(problem_of(
                 "1", [](Reader) {}, "") == "expected an object, saw 1");
}

BOOST_AUTO_TEST_CASE(each_limit_holds_at_the_limit_and_one_past_it) {
  using Reader = JsonReader&;
  BOOST_TEST(problem_of(R"({"a":"123"})", [](Reader r) { r.text("a", 3); }) == "none");
  BOOST_TEST(problem_of(R"({"a":"1234"})", [](Reader r) { r.text("a", 3); }) ==
             "plan.a: expected a text of at most 3 bytes, saw one of 4");
  BOOST_TEST(problem_of(R"({"a":[1]})", [](Reader r) { r.array("a", 2, 3); }) ==
             "plan.a: expected a list of 2 to 3 values, saw 1");
  BOOST_TEST(problem_of(R"({"a":[1,2,3,4]})", [](Reader r) { r.array("a", 0, 3); }) ==
             "plan.a: expected a list of at most 3 values, saw 4");
  BOOST_TEST(problem_of(R"({"a":10})", [](Reader r) { r.integer("a", 1, 10); }) == "none");
  BOOST_TEST(problem_of(R"({"a":11})", [](Reader r) { r.integer("a", 1, 10); }) != "none");
  const auto most = std::numeric_limits<std::int64_t>::max();
  BOOST_TEST(problem_of(R"({"a":0})", [&](Reader r) { r.integer("a", 1, most); }) ==
             "plan.a: expected an integer of at least 1, saw 0");
}

BOOST_AUTO_TEST_CASE(an_unknown_member_is_an_error_with_the_nearest_known_name) {
  const auto ask = [](JsonReader& reader) {
    reader.find("training");
    reader.find("rounds");
  };
  BOOST_TEST(problem_of(R"({"trainig":1})", ask) ==
             "plan.trainig: unknown; did you mean 'training'?");
  BOOST_TEST(problem_of(R"({"colour":1})", ask) ==
             "plan.colour: unknown; known are training, rounds");
  BOOST_TEST(problem_of(R"({"a\nb":1})", [](JsonReader&) {}) == "plan.a\\nb: unknown");
}

BOOST_AUTO_TEST_CASE(a_missing_member_is_an_error_and_its_misspelled_name_the_better_one) {
  const auto ask = [](JsonReader& reader) {
    reader.integer("rounds", 1, 9);
    reader.find("seed");
  };
  BOOST_TEST(problem_of("{}", ask) == "plan.rounds: missing; expected an integer from 1 to 9");
  BOOST_TEST(problem_of(R"({"round":1})", ask) == "plan.round: unknown; did you mean 'rounds'?");
  BOOST_TEST(problem_of(R"({"sed":1})", ask) ==
             "plan.rounds: missing; expected an integer from 1 to 9");
}

BOOST_AUTO_TEST_CASE(the_reader_of_a_missing_object_knows_of_the_misspelling) {
  const json::value value = parse_json(R"({"trainig":{"rate":1}})", 1000).value();
  JsonReader reader(value, "plan");
  JsonReader training = reader.object("training");
  BOOST_TEST(training.number("rate", 0.25, 1) == 0.25);
  BOOST_TEST(training.finish().error().detail == "plan.trainig: unknown; did you mean 'training'?");
  BOOST_TEST(reader.finish().error().detail == "plan.trainig: unknown; did you mean 'training'?");
  JsonReader again(value, "plan");
  JsonReader other(again.child("data"), again.path_of("data"));
  BOOST_TEST(other.finish().error().detail == "plan.data: missing; expected an object");
}

BOOST_AUTO_TEST_CASE(the_first_error_stays_and_later_answers_keep_their_bounds) {
  const json::value value = parse_json(R"({"a":0,"b":"x","c":{}})", 1000).value();
  JsonReader reader(value, "");
  BOOST_TEST(reader.integer("a", 5, 9) == 5);
  BOOST_TEST(reader.failed());
  BOOST_TEST(reader.text("b") == "");
  BOOST_TEST(reader.integer("missing", 2, 9) == 2);
  BOOST_TEST(reader.array("c", 1, 1).empty());
  BOOST_TEST(reader.child("c").is_null());
  BOOST_TEST(reader.object("c").finish().error().detail ==
             "a: expected an integer from 5 to 9, saw 0");
  reader.fail("b", "something else");
  BOOST_TEST(reader.finish().error().detail == "a: expected an integer from 5 to 9, saw 0");
}

BOOST_AUTO_TEST_CASE(a_callers_own_error_names_the_member) {
  BOOST_TEST(problem_of(R"({"a":1})", [](JsonReader& r) {
               r.find("a");
               r.fail("a", "expected a prime");
             }) == "plan.a: expected a prime");
}

BOOST_AUTO_TEST_SUITE_END()
