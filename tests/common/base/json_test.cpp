// SPDX-License-Identifier: Apache-2.0
#include "common/base/json.hpp"

#include <algorithm>
#include <bit>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "common/base/random.hpp"

namespace {

using namespace entente;

constexpr std::size_t size_max = 1U << 20U;

std::string canonical(std::string_view text) {
  return canonical_json(parse_json(text, size_max).value()).value();
}

std::string problem_of(std::string_view text) {
  const auto read = parse_json(text, size_max);
  if (read) return "none";
  BOOST_TEST((read.error().code == Errc::malformed));
  return read.error().detail;
}

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json_text)

// RFC 8785, appendix B.
BOOST_AUTO_TEST_CASE(numbers_take_the_form_of_the_standards_samples) {
  constexpr std::pair<std::uint64_t, std::string_view> samples[] = {
      {0x0000000000000000, "0"},
      {0x8000000000000000, "0"},
      {0x0000000000000001, "5e-324"},
      {0x8000000000000001, "-5e-324"},
      {0x7fefffffffffffff, "1.7976931348623157e+308"},
      {0xffefffffffffffff, "-1.7976931348623157e+308"},
      {0x4340000000000000, "9007199254740992"},
      {0xc340000000000000, "-9007199254740992"},
      {0x4430000000000000, "295147905179352830000"},
      {0x44b52d02c7e14af5, "9.999999999999997e+22"},
      {0x44b52d02c7e14af6, "1e+23"},
      {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
      {0x444b1ae4d6e2ef4e, "999999999999999700000"},
      {0x444b1ae4d6e2ef4f, "999999999999999900000"},
      {0x444b1ae4d6e2ef50, "1e+21"},
      {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
      {0x3eb0c6f7a0b5ed8d, "0.000001"},
      {0x41b3de4355555553, "333333333.3333332"},
      {0x41b3de4355555554, "333333333.33333325"},
      {0x41b3de4355555555, "333333333.3333333"},
      {0x41b3de4355555556, "333333333.3333334"},
      {0x41b3de4355555557, "333333333.33333343"},
      {0xbecbf647612f3696, "-0.0000033333333333333333"},
      {0x43143ff3c1cb0959, "1424953923781206.2"}};
  for (const auto& [bits, text] : samples) {
    BOOST_TEST(canonical_json(std::bit_cast<double>(bits)).value() == text);
  }
  for (const double number : {NAN, INFINITY, -INFINITY}) {
    const auto written = canonical_json(number);
    BOOST_REQUIRE(!written.has_value());
    BOOST_TEST((written.error().code == Errc::invalid_argument));
  }
}

// RFC 8785, section 3.2.2.
BOOST_AUTO_TEST_CASE(the_standards_sample_has_its_canonical_form) {
  BOOST_TEST(canonical(R"({
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    })") == "{\"literals\":[null,true,false],"
            "\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
            "\"string\":\"\u20ac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

// RFC 8785, section 3.2.3.
BOOST_AUTO_TEST_CASE(members_are_sorted_by_utf16_code_units) {
  BOOST_TEST(canonical(R"({"\u20ac": "Euro Sign", "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One", "\ud83d\ude00": "Grinning Face",
      "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"})") ==
             "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
             "\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\","
             "\"\U0001F600\":\"Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}");
  BOOST_TEST(canonical(R"({"ab":1,"a":2,"":3,"b":{"d":4,"c":5}})") ==
             R"({"":3,"a":2,"ab":1,"b":{"c":5,"d":4}})");
}

BOOST_AUTO_TEST_CASE(only_what_must_be_is_escaped) {
  BOOST_TEST(canonical(R"("\b\t\n\f\r\u0000\u001F\u007f\u2028/<")") ==
             "\"\\b\\t\\n\\f\\r\\u0000\\u001f\x7f\u2028/<\"");
}

BOOST_AUTO_TEST_CASE(integers_are_exact_up_to_2_to_the_53_and_refused_beyond) {
  BOOST_TEST(canonical("9007199254740992") == "9007199254740992");
  BOOST_TEST(canonical("-9007199254740992") == "-9007199254740992");
  BOOST_TEST(canonical("-0") == "0");
  BOOST_TEST(canonical("-0.0") == "0");
  BOOST_TEST(canonical_json(std::uint64_t{7}).value() == "7");
  BOOST_TEST(!canonical_json(json_integer_max + 1).has_value());
  BOOST_TEST(!canonical_json(-json_integer_max - 1).has_value());
  BOOST_TEST(!canonical_json(std::numeric_limits<std::uint64_t>::max()).has_value());
  // Read from text, such a number is a double.
  BOOST_TEST(parse_json("9007199254740993", size_max).value().is_double());
  BOOST_TEST(canonical("9007199254740994") == "9007199254740994");
  BOOST_TEST(canonical("18446744073709551615") == "18446744073709552000");
  BOOST_TEST(canonical("123456789012345678901234567890") == "1.2345678901234568e+29");
}

BOOST_AUTO_TEST_CASE(a_text_that_is_not_utf8_has_no_canonical_form) {
  BOOST_TEST(!canonical_json(json::value("\xff")).has_value());
  BOOST_TEST(!canonical_json(json::value{{"\xc0\x80", 1}}).has_value());
}

// Should: read back the same bits, for numbers of every size.
BOOST_AUTO_TEST_CASE(every_number_reads_back_to_the_same_bits) {
  constexpr std::uint64_t seed = 8785;
  Random random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const double number = std::bit_cast<double>(random.next64());
    if (!std::isfinite(number)) continue;
    const std::string text = canonical_json(number).value();
    const json::value read = parse_canonical_json(text, size_max).value();
    const double back = read.is_int64() ? static_cast<double>(read.get_int64()) : read.get_double();
    BOOST_REQUIRE_MESSAGE(back == number, text << " of seed " << seed);
  }
}

BOOST_AUTO_TEST_CASE(a_number_is_rounded_to_the_nearest_double) {
  BOOST_TEST(parse_json("2.2250738585072011e-308", 99).value().get_double() ==
             0x0.fffffffffffffp-1022);
  BOOST_TEST(parse_json("0.1000000000000000055511151231257827", 99).value().get_double() == 0.1);
  BOOST_TEST(parse_json("179769313486231580793e288", 99).value().get_double() ==
             std::numeric_limits<double>::max());
  BOOST_TEST(parse_json("1e-400", 99).value().get_double() == 0);
  BOOST_TEST(problem_of("[1e400]").find("1e400 is too large") != std::string::npos);
  BOOST_TEST(problem_of("-1e999999999999").starts_with("not JSON at byte"));
}

BOOST_AUTO_TEST_CASE(a_name_twice_in_one_object_is_refused_with_its_place) {
  BOOST_TEST(problem_of(R"({"a":1,"a":1})") ==
             "not JSON at byte 9: the name 'a' appears twice in one object");
  BOOST_TEST(problem_of(R"({"a":1,"\u0061":2})").find("'a' appears twice") != std::string::npos);
  BOOST_TEST(problem_of(R"([{"x":{"b":1,"c":2,"b":3}}])").find("'b'") != std::string::npos);
  BOOST_TEST(problem_of(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]})") == "none");
}

BOOST_AUTO_TEST_CASE(nesting_is_read_to_its_limit_and_refused_one_deeper) {
  BOOST_TEST(problem_of(nested(json_depth_max)) == "none");
  BOOST_TEST(problem_of(nested(json_depth_max + 1)).starts_with("not JSON at byte 32"));
  BOOST_TEST(problem_of(std::string(100'000, '[')) != "none");
}

BOOST_AUTO_TEST_CASE(text_is_read_to_its_size_limit_and_refused_one_byte_longer) {
  BOOST_TEST(parse_json("[12]", 4).has_value());
  const auto read = parse_json("[12]", 3);
  BOOST_REQUIRE(!read.has_value());
  BOOST_TEST(read.error().detail == "expected JSON of at most 3 bytes, saw 4");
}

BOOST_AUTO_TEST_CASE(what_is_not_json_is_refused) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,
                                      " "sv,
                                      "{"sv,
                                      "[1,]"sv,
                                      "{\"a\":1,}"sv,
                                      "{a:1}"sv,
                                      "'a'"sv,
                                      "01"sv,
                                      "+1"sv,
                                      ".5"sv,
                                      "1."sv,
                                      "1e"sv,
                                      "NaN"sv,
                                      "Infinity"sv,
                                      "nul"sv,
                                      "True"sv,
                                      "\"a"sv,
                                      "\"\n\""sv,
                                      "\"\\x\""sv,
                                      "\"\\ud800\""sv,
                                      "\"\\ud800x\""sv,
                                      "\"\\udc00\""sv,
                                      "\"\xff\""sv,
                                      "\"\xc0\x80\""sv,
                                      "\"\xed\xa0\x80\""sv,
                                      "{\"\xff\":1}"sv,
                                      "\xef\xbb\xbf{}"sv,
                                      "/* */ 1"sv,
                                      "1 2"sv,
                                      "{} x"sv,
                                      "[] []"sv,
                                      "1\0"sv,
                                      "[1 2]"sv,
                                      "{\"a\" 1}"sv,
                                      "{\"a\"}"sv,
                                      "{1:2}"sv}) {
    BOOST_TEST(problem_of(text).starts_with("not JSON at byte"), text);
  }
}

BOOST_AUTO_TEST_CASE(white_space_around_a_value_is_no_error) {
  for (const std::string_view text : {" 1 ", "\n1.5\n", "\t{ }\r\n", "\"a\" ", "1.5", "null"}) {
    BOOST_TEST(problem_of(text) == "none", text);
  }
  BOOST_TEST(parse_json(" 1.25", 99).value().get_double() == 1.25);
}

// Cut anywhere, it is an error and nothing worse.
BOOST_AUTO_TEST_CASE(a_text_cut_at_any_byte_is_refused) {
  const std::string_view whole =
      R"({"a":[1,-2.5e3,true,null,"\u00e4\ud83d\ude00ä"],"b":{"c":false}})";
  BOOST_REQUIRE(parse_json(whole, size_max).has_value());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    BOOST_TEST(!parse_json(whole.substr(0, size), size_max).has_value());
  }
}

BOOST_AUTO_TEST_CASE(canonical_text_is_accepted_and_the_same_value_in_another_form_is_not) {
  const auto read = parse_canonical_json(R"({"a":1,"b":[0.5,"ä"]})", size_max);
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(read->at("a").get_int64() == 1);
  for (const std::string_view text :
       {R"({"b":1,"a":2})", R"({"a": 1})", R"({"a":1} )", R"({"a":1.0})", R"({"a":-0})",
        R"({"a":1e3})", R"(["\u00e4"])", R"(["\/"])", "9007199254740993", "0.10",
        "1.00000000000000001"}) {
    const auto refused = parse_canonical_json(text, size_max);
    BOOST_TEST_REQUIRE(!refused.has_value(), text);
    BOOST_TEST((refused.error().code == Errc::malformed));
  }
  BOOST_TEST(parse_canonical_json(R"({"b":1,"a":2})", size_max).error().detail ==
             "not canonical JSON (RFC 8785) from byte 2 on");
}

BOOST_AUTO_TEST_CASE(a_value_is_described_so_that_its_kind_is_seen) {
  BOOST_TEST(describe(json::value(17)) == "17");
  BOOST_TEST(describe(json::value(3.0)) == "3.0");
  BOOST_TEST(describe(json::value(1e300)) == "1e+300");
  BOOST_TEST(describe(json::value("a\nb")) == "'a\\nb'");
  BOOST_TEST(describe(json::value(nullptr)) == "null");
  BOOST_TEST(describe(json::value(true)) == "true");
  BOOST_TEST(describe(json::array()) == "a list");
  BOOST_TEST(describe(json::object()) == "an object");
  BOOST_TEST(describe(json::value(-INFINITY)) == "-inf");
}

BOOST_AUTO_TEST_SUITE_END()
