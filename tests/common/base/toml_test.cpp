// SPDX-License-Identifier: Apache-2.0
#include "common/base/toml.hpp"

#include <boost/test/unit_test.hpp>

#include "common/base/file.hpp"
#include "tests/common/base/folder.hpp"

namespace {

using namespace entente;

std::string problem_of(std::string_view text) {
  const auto read = parse_toml(text, "plan.toml");
  if (read) return "none";
  BOOST_TEST((read.error().code == Errc::malformed));
  return read.error().detail;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(toml_text)

BOOST_AUTO_TEST_CASE(a_file_of_every_kind_of_value_becomes_the_same_value_as_json) {
  const auto read = parse_toml(R"(
name = "demo"   # a comment
rate = 0.5
whole = 1.0
count = 1_000
on = true
[rounds]
quorum = 3
deadline.seconds = 60
[[column]]
name = "ä"
[[column]]
classes = ["a", "b"]
)",
                               "plan.toml");
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(canonical_json(*read).value() ==
             R"({"column":[{"name":"ä"},{"classes":["a","b"]}],"count":1000,"name":"demo",)"
             R"("on":true,"rate":0.5,"rounds":{"deadline":{"seconds":60},"quorum":3},"whole":1})");
  BOOST_TEST(read->at("whole").is_double());
  BOOST_TEST(read->at("count").is_int64());
  BOOST_TEST(parse_toml("", "x").value().get_object().empty());
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_said_with_file_line_and_column) {
  BOOST_TEST(problem_of("a = 1\nb = \n").starts_with("plan.toml:2:"));
  BOOST_TEST(problem_of("a = 1\n\na = 2\n").starts_with("plan.toml:3:"));
  BOOST_TEST(problem_of("a = 1\nb = { c = inf }") == "plan.toml:2:11: expected a finite number");
  BOOST_TEST(problem_of("a = nan").starts_with("plan.toml:1:5: "));
  for (const std::string_view date :
       {"2026-11-23", "16:00:00", "2026-11-23T16:00:00", "2026-11-23T16:00:00Z"}) {
    BOOST_TEST(problem_of("a = [1, " + std::string(date) + "]")
                   .starts_with("plan.toml:1:9: expected no date or time"),
               date);
  }
  BOOST_TEST(problem_of("a = 9223372036854775808") != "none");
  BOOST_TEST(problem_of("a = '\xff'") != "none");
  BOOST_TEST(problem_of("a = 1\0b = 2").find('\n') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(nesting_beyond_the_limit_is_refused_however_it_is_written) {
  const auto list = [](std::size_t depth) {
    return "a = " + std::string(depth, '[') + std::string(depth, ']');
  };
  BOOST_TEST(problem_of(list(json_depth_max - 1)) == "none");
  BOOST_TEST(problem_of(list(json_depth_max)).find("nested deeper than 32") != std::string::npos);
  std::string key = "a";
  for (int i = 0; i < 1000; ++i) key += ".a";
  BOOST_TEST(problem_of(key + " = 1").find("nested deeper than 32") != std::string::npos);
  for (int i = 0; i < 1'000'000; ++i) key += ".a";
  BOOST_TEST(problem_of("b = 1\n" + key + " = 1") == "plan.toml:2: expected a key of fewer parts");
  BOOST_TEST(problem_of("b = { " + key + " = 1 }") == "plan.toml:1: expected a key of fewer parts");
  BOOST_TEST(problem_of("[" + key + "]") == "plan.toml:1: expected a key of fewer parts");
}

BOOST_AUTO_TEST_CASE(a_file_is_read_and_a_missing_one_not_found) {
  const test::Folder folder;
  BOOST_REQUIRE(write_file(folder / "good.toml", as_bytes("a = 1")).has_value());
  BOOST_REQUIRE(write_file(folder / "bad.toml", as_bytes("a = ")).has_value());
  BOOST_TEST(read_toml(folder / "good.toml").value().at("a").get_int64() == 1);
  BOOST_TEST(read_toml(folder / "bad.toml")
                 .error()
                 .detail.starts_with((folder / "bad.toml").string() + ":1:"));
  BOOST_TEST((read_toml(folder / "none.toml").error().code == Errc::not_found));
  BOOST_TEST(!parse_toml(std::string(toml_size_max_bytes + 1, ' '), "x").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
