// SPDX-License-Identifier: Apache-2.0
#include "common/base/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "common/base/file.hpp"
#include "common/base/json.hpp"
#include "tests/common/base/folder.hpp"

namespace {

using namespace entente;

const TimePoint noon = parse_rfc3339("2026-11-23T12:00:00.000001Z").value();

// What `say` writes to stderr.
template <class Say>
std::string stderr_of(Say say) {
  const test::Folder folder;
  const int old = ::dup(STDERR_FILENO);
  const int file = ::open((folder / "stderr").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(file, STDERR_FILENO);
  say();
  ::dup2(old, STDERR_FILENO);
  ::close(old);
  ::close(file);
  return read_text(folder / "stderr", 1U << 20U).value();
}

struct Quiet {
  Quiet() = default;
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  ~Quiet() { start_logging(LogFormat::text, LogLevel::warning); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(log_lines, Quiet)

BOOST_AUTO_TEST_CASE(a_text_line_reads_from_left_to_right) {
  BOOST_TEST(log_line(LogFormat::text, LogLevel::info, noon, "update accepted",
                      {{"participant", "charite"},
                       {"round", 7},
                       {"name", std::string("ä b")},
                       {"rate", 0.5},
                       {"late", false}}) ==
             "2026-11-23T12:00:00.000001Z info    update accepted participant=charite round=7 "
             "name=\"ä b\" "
             "rate=0.5 late=false");
  BOOST_TEST(log_line(LogFormat::text, LogLevel::warning, noon, "refused",
                      {{"why", "too late"}, {"empty", ""}, {"said", "a\"b=c"}}) ==
             "2026-11-23T12:00:00.000001Z warning refused why=\"too late\" empty=\"\" "
             "said=\"a\\\"b=c\"");
}

BOOST_AUTO_TEST_CASE(a_json_line_is_json_in_a_fixed_order) {
  BOOST_TEST(
      log_line(LogFormat::json, LogLevel::error, noon, "disk full",
               {{"path", "/a\"b"}, {"bytes", 12}, {"rate", 0.5}, {"list", json::array{1, 2}}}) ==
      R"({"time":"2026-11-23T12:00:00.000001Z","level":"error","event":"disk full",)"
      R"("path":"/a\"b","bytes":12,"rate":0.5,"list":[1,2]})");
}

BOOST_AUTO_TEST_CASE(no_value_begins_a_line_of_its_own_or_commands_a_terminal) {
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    const std::string line = log_line(
        format, LogLevel::info, noon, "event",
        {{"value", "a\nfake line\r\x1b[2J\xff{}%s"}, {"list", json::array{"a\nb", "\x1b"}}});
    BOOST_TEST(std::all_of(line.begin(), line.end(),
                           [](char c) { return static_cast<unsigned char>(c) >= 0x20; }),
               line);
    if (format == LogFormat::json) BOOST_TEST(parse_json(line, 10'000).has_value(), line);
  }
}

BOOST_AUTO_TEST_CASE(a_value_without_end_is_cut) {
  const std::string endless(1U << 20U, 'x');
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    BOOST_TEST(log_line(format, LogLevel::info, noon, "event", {{"value", endless}}).size() < 5000);
  }
}

BOOST_AUTO_TEST_CASE(lines_go_to_stderr_from_the_chosen_level_up) {
  start_logging(LogFormat::json, LogLevel::info);
  const std::string said = stderr_of([] {
    log_debug("unheard");
    log_info("heard", {{"brace", "{}"}});
    log_error("louder");
  });
  const std::size_t end = said.find('\n');
  BOOST_REQUIRE(end != said.npos);
  const json::value first = parse_json(said.substr(0, end), 1000).value();
  BOOST_TEST(first.at("event").get_string() == "heard");
  BOOST_TEST(first.at("brace").get_string() == "{}");
  BOOST_TEST(parse_rfc3339(first.at("time").get_string()).has_value());
  BOOST_TEST(said.find("louder") != said.npos);
  BOOST_TEST(std::count(said.begin(), said.end(), '\n') == 2);

  start_logging(LogFormat::text, LogLevel::off);
  BOOST_TEST(stderr_of([] { log_error("unheard"); }) == "");
}

BOOST_AUTO_TEST_CASE(formats_and_levels_are_read_from_their_names) {
  BOOST_TEST((parse_log_format("json").value() == LogFormat::json));
  BOOST_TEST((parse_log_level("warning").value() == LogLevel::warning));
  BOOST_TEST(parse_log_format("xml").error().detail == "expected text or json, saw 'xml'");
  BOOST_TEST(parse_log_level("loud").error().detail ==
             "expected debug, info, warning, error or off; saw 'loud'");
}

BOOST_AUTO_TEST_SUITE_END()
