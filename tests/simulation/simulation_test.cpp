// SPDX-License-Identifier: Apache-2.0
//
// The simulator's claims: no schedule breaks a promise, the same seed gives the same trace, and
// faults that are built in on purpose are found.
//
//     test_simulation -- --seeds 20000 --first 1     so many schedules from that seed on
//     test_simulation -- --seed 4711                 one schedule alone, its whole trace on stderr
//     ENTENTE_SEEDS, ENTENTE_SEED                    the same by the environment
#include "tests/simulation/world.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "common/base/log.hpp"

namespace entente::simulation {
namespace {

constexpr std::uint64_t seeds_default = ENTENTE_SIMULATION_SEEDS;
constexpr std::uint64_t seeds_to_find_a_fault = 1'000;

// The value of `--name N` behind `--`, or of the environment's variable.
std::optional<std::uint64_t> number_from(std::string_view option, const char* variable) {
  const auto& suite = boost::unit_test::framework::master_test_suite();
  std::string_view text;
  for (int i = 1; i + 1 < suite.argc; ++i) {
    if (suite.argv[i] == option) text = suite.argv[i + 1];
  }
  if (const char* value = std::getenv(variable); text.empty() && value != nullptr) text = value;
  if (text.empty()) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) {
    BOOST_FAIL(option << ": expected a number, saw '" << text << "'");
  }
  return number;
}

// An assertion of the program ends the process: say at least in which schedule.
void tell_seed(int) {
  char text[64] = "\nthe schedule of seed ";
  char* end = text + std::char_traits<char>::length(text);
  end = std::to_chars(end, text + sizeof text - 1, present_seed()).ptr;
  *end++ = '\n';
  [[maybe_unused]] const auto written =
      ::write(STDERR_FILENO, text, static_cast<std::size_t>(end - text));
  ::signal(SIGABRT, SIG_DFL);
  std::abort();
}

struct Quiet {
  Quiet() {
    start_logging(LogFormat::text, LogLevel::off);
    ::signal(SIGABRT, tell_seed);
  }
};
BOOST_TEST_GLOBAL_FIXTURE(Quiet);

std::string story_of(std::uint64_t seed, const Outcome& outcome) {
  std::string text = "seed " + std::to_string(seed) + ": " + outcome.violation.value_or("nothing") +
                     "\n  replay: script/simulate --seed " + std::to_string(seed) + "\n";
  for (const std::string& line : outcome.last_lines) text += "  " + line + "\n";
  return text;
}

struct Campaign {
  std::map<std::uint64_t, Outcome> failures;  // by seed
  std::map<std::string, std::uint64_t, std::less<>> counts;
  double simulated_seconds = 0;
  double took_seconds = 0;
};

// Schedules `first` to `first + count - 1`, on all cores.
Campaign play(std::uint64_t first, std::uint64_t count) {
  Campaign campaign;
  const auto begin = std::chrono::steady_clock::now();
  std::mutex mutex;
  std::atomic<std::uint64_t> next{first};
  const auto work = [&] {
    for (std::uint64_t seed = next++; seed < first + count; seed = next++) {
      Outcome outcome = simulate({seed, Plant::none, false});
      const std::lock_guard lock(mutex);
      for (const auto& [what, times] : outcome.counts) campaign.counts[what] += times;
      campaign.simulated_seconds += outcome.simulated_seconds;
      if (outcome.violation) campaign.failures.emplace(seed, std::move(outcome));
    }
  };
  std::vector<std::thread> threads(std::max(1U, std::thread::hardware_concurrency()));
  for (std::thread& thread : threads) thread = std::thread(work);
  for (std::thread& thread : threads) thread.join();
  campaign.took_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return campaign;
}

// What a thousand schedules must have gone through at least once, or they prove little.
constexpr std::string_view sights[] = {"round.committed",
                                       "round.abandoned",
                                       "plan.finished",
                                       "plan.failed",
                                       "plan.cancelled",
                                       "plan.declined",
                                       "update.lost",
                                       "update.refused",
                                       "work.declined",
                                       "participant.suspended",
                                       "ledger failed",
                                       "torn tail cut",
                                       "ledger torn",
                                       "journal torn",
                                       "entries kept without a head",
                                       "coordinator lost power",
                                       "coordinator killed",
                                       "coordinator died while writing",
                                       "participant lost power",
                                       "participant killed",
                                       "participant died while writing",
                                       "connection lost",
                                       "message delayed",
                                       "request repeated",
                                       "transfer cut",
                                       "upload resumed",
                                       "download resumed",
                                       "damaged upload",
                                       "partition",
                                       "disk full",
                                       "clock jumped",
                                       "training straggles",
                                       "answer: repeated",
                                       "answer: too late",
                                       "answer: another update was accepted before"};

constexpr Plant plants[] = {Plant::answer_before_sync,        Plant::lying_disk,
                            Plant::participant_counted_twice, Plant::commit_on_too_few,
                            Plant::torn_tail_accepted,        Plant::deadline_never_fires};

}  // namespace

// For the names of the test cases.
std::ostream& operator<<(std::ostream& stream, Plant plant);
std::ostream& operator<<(std::ostream& stream, Plant plant) {
  return stream << to_string(plant);
}

BOOST_AUTO_TEST_SUITE(simulation)

BOOST_AUTO_TEST_CASE(no_schedule_breaks_a_promise) {
  if (const auto seed = number_from("--seed", "ENTENTE_SEED")) {
    const Outcome outcome = simulate({*seed, Plant::none, true});
    BOOST_REQUIRE_MESSAGE(!outcome.violation, story_of(*seed, outcome));
    return;
  }
  const std::uint64_t first = number_from("--first", "ENTENTE_FIRST_SEED").value_or(1);
  const std::uint64_t count = number_from("--seeds", "ENTENTE_SEEDS").value_or(seeds_default);
  const Campaign campaign = play(first, count);
  BOOST_TEST_MESSAGE(count << " schedules, " << static_cast<int>(campaign.simulated_seconds / 3600)
                           << " simulated hours, in " << campaign.took_seconds << " s");
  for (const auto& [what, times] : campaign.counts)
    BOOST_TEST_MESSAGE("  " << what << ": " << times);
  for (const auto& [seed, outcome] : campaign.failures) {
    BOOST_ERROR("seed " << seed << ": " << *outcome.violation);
  }
  if (!campaign.failures.empty()) {
    const auto& [seed, outcome] = *campaign.failures.begin();
    BOOST_FAIL(story_of(seed, outcome));
  }
  if (count < 500) return;
  for (const std::string_view sight : sights) {
    BOOST_TEST(campaign.counts.contains(sight), "no schedule has seen: " << sight);
  }
}

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_trace) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Outcome once = simulate({seed, Plant::none, false});
    const Outcome again = simulate({seed, Plant::none, false});
    BOOST_TEST(once.trace_hash == again.trace_hash, "seed " << seed << " gave two traces");
    BOOST_TEST(once.trace_lines > 20U);
  }
}

BOOST_DATA_TEST_CASE(a_planted_fault_is_found, boost::unit_test::data::make(plants), plant) {
  for (std::uint64_t seed = 1; seed <= seeds_to_find_a_fault; ++seed) {
    const Outcome outcome = simulate({seed, plant, false});
    if (!outcome.violation) continue;
    BOOST_TEST_MESSAGE(to_string(plant)
                       << ": found by schedule " << seed << ": " << *outcome.violation);
    return;
  }
  BOOST_FAIL(to_string(plant) << ": not found in " << seeds_to_find_a_fault << " schedules");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::simulation
