// SPDX-License-Identifier: Apache-2.0
//
// The crash matrix's claims. Without options a part of it, so that the tests stay short:
// script/crash-matrix has the whole.
//
//     test_crash -- --every 1 --first 0             one trial in so many, and which ones
//     test_crash -- --story ledger --fault 'fsync 3 EIO'       one trial alone
#include <boost/test/unit_test.hpp>
#include <charconv>
#include <sstream>

#include "common/base/log.hpp"
#include "common/base/parallel.hpp"
#include "tests/crash/matrix.hpp"

namespace entente::crash {
namespace {

constexpr std::uint64_t single_every = ENTENTE_CRASH_EVERY;
// Of the second dimension every so many-th call's wreck, and of its restart every so many-th trial.
constexpr std::uint64_t wrecks_every = 97;
constexpr std::uint64_t restarts_every = ENTENTE_CRASH_EVERY;
constexpr std::uint64_t hasty_every = 15;

// The word behind `option` behind "--".
std::string option(std::string_view name) {
  const auto& suite = boost::unit_test::framework::master_test_suite();
  for (int i = 1; i + 1 < suite.argc; ++i) {
    if (suite.argv[i] == name) return suite.argv[i + 1];
  }
  return {};
}

std::uint64_t number_or(std::string_view name, std::uint64_t otherwise) {
  const std::string text = option(name);
  if (text.empty()) return otherwise;
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) {
    throw std::runtime_error(std::string(name) + ": expected a number, saw '" + text + "'");
  }
  return number;
}

Fault fault_of(const std::string& text) {
  std::istringstream words(text);
  std::string harm;
  Fault fault;
  words >> fault.call >> fault.number >> harm;
  for (const Harm known : harms) {
    if (harm != to_string(known)) continue;
    fault.harm = known;
    return fault;
  }
  throw std::runtime_error("--fault: expected e.g. 'fsync 3 EIO', saw '" + text + "'");
}

std::string counted(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [what, count] : counts) {
    text += (text.empty() ? "  " : ", ") + what + " " + std::to_string(count);
  }
  return text;
}

void tell(const std::string& what, const Report& report) {
  std::string text = what + ": " + std::to_string(report.calls) + " calls";
  if (report.states > 0) text += ", " + std::to_string(report.states) + " states after a kill";
  if (!report.kinds.empty()) text += "\n" + counted(report.kinds);
  text += "\n" + counted(report.endings) + "\n" + what + ": " + std::to_string(report.run) +
          " of " + std::to_string(report.trials) + " trials";
  BOOST_TEST_MESSAGE(text);
  for (const std::string& failure : report.failures) BOOST_ERROR(failure);
}

bool is_asked_for(const Story& story) {
  return option("--story").empty() || option("--story") == story.name();
}

void harm_each_call(const Story& story) {
  if (!is_asked_for(story)) return;
  Matrix matrix(story);
  if (const std::string fault = option("--fault"); !fault.empty()) {
    const std::string wrong = matrix.one(fault_of(fault));
    BOOST_TEST(wrong.empty(), wrong);
    return;
  }
  const Report report =
      matrix.single({number_or("--every", single_every), number_or("--first", 0)});
  tell(story.name(), report);
  BOOST_TEST(report.calls > 50U);
  BOOST_TEST(report.run > 0U);
}

void harm_restarts(const Story& story) {
  if (!is_asked_for(story) || !option("--fault").empty()) return;
  Matrix matrix(story);
  const std::uint64_t every = number_or("--every", 0);
  const Report report = matrix.twofold(
      every > 0 ? 1 : wrecks_every, {every > 0 ? every : restarts_every, number_or("--first", 0)});
  tell(story.name() + ", restarts", report);
  BOOST_TEST(report.states > 0U);
  BOOST_TEST(report.trials > 0U);
}

// Nothing is logged, and nothing runs in a second thread: what a story calls is the same each time.
struct Quiet {
  Quiet() {
    static const bool once = [] {
      start_logging(LogFormat::text, LogLevel::off);
      set_thread_count(1);
      return true;
    }();
    static_cast<void>(once);
  }
};

boost::test_tools::assertion_result tracing_is_allowed(boost::unit_test::test_unit_id) {
  const test::Folder folder;
  const std::string why = why_not_traced(folder.path());
  boost::test_tools::assertion_result allowed(why.empty());
  allowed.message() << "SKIPPED: no process may be traced here: " << why;
  return allowed;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(crash, Quiet, *boost::unit_test::precondition(tracing_is_allowed))

BOOST_AUTO_TEST_CASE(whichever_call_of_the_ledgers_writer_fails_a_restart_keeps_every_promise) {
  harm_each_call(*ledger_story());
}
BOOST_AUTO_TEST_CASE(whichever_call_of_the_coordinator_fails_a_restart_keeps_every_promise) {
  harm_each_call(*coordinator_story());
}
BOOST_AUTO_TEST_CASE(whichever_call_of_the_participant_fails_a_restart_keeps_every_promise) {
  harm_each_call(*participant_story());
}

BOOST_AUTO_TEST_CASE(a_restart_of_the_ledgers_writer_may_fail_at_any_call_too) {
  harm_restarts(*ledger_story());
}
BOOST_AUTO_TEST_CASE(a_restart_of_the_coordinator_may_fail_at_any_call_too) {
  harm_restarts(*coordinator_story());
}
BOOST_AUTO_TEST_CASE(a_restart_of_the_participant_may_fail_at_any_call_too) {
  harm_restarts(*participant_story());
}

// Or all of the above proves nothing.
BOOST_AUTO_TEST_CASE(a_writer_that_promises_before_it_has_written_is_found) {
  if (!option("--story").empty() || !option("--every").empty()) return;
  const auto story = hasty_ledger_story();
  const Report report = Matrix(*story).single({hasty_every, 0});
  BOOST_TEST(!report.failures.empty());
  for (const std::string& failure : report.failures) BOOST_TEST_MESSAGE("found: " << failure);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::crash
