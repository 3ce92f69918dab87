// SPDX-License-Identifier: Apache-2.0
//
// The simulator's claims: no schedule breaks a promise, what can be done after the faults is done
// in time, the same seed gives the same trace, and faults that are built in on purpose are found.
//
//     test_simulation -- --seeds 20000 --first 1     so many schedules of each mode from that seed
//     on test_simulation -- --seed 4711                 one of each mode, its whole trace on stderr
//     test_simulation -- --threads 1                 on one core
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
#include <span>
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

std::string story_of(std::uint64_t seed, Mode mode, const Outcome& outcome) {
  std::string text = "seed " + std::to_string(seed) + ": " + outcome.violation.value_or("nothing") +
                     "\n  replay: script/simulate --mode " + std::string(to_string(mode)) +
                     " --seed " + std::to_string(seed) + "\n";
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
Campaign play(Mode mode, std::uint64_t first, std::uint64_t count) {
  Campaign campaign;
  const auto begin = std::chrono::steady_clock::now();
  std::mutex mutex;
  std::atomic<std::uint64_t> next{first};
  const auto work = [&] {
    for (std::uint64_t seed = next++; seed < first + count; seed = next++) {
      Outcome outcome = simulate({seed, mode, Plant::none, false});
      const std::lock_guard lock(mutex);
      for (const auto& [what, times] : outcome.counts) campaign.counts[what] += times;
      campaign.simulated_seconds += outcome.simulated_seconds;
      if (outcome.violation) campaign.failures.emplace(seed, std::move(outcome));
    }
  };
  const std::uint64_t cores = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::thread> threads(number_from("--threads", "ENTENTE_THREADS").value_or(cores));
  for (std::thread& thread : threads) thread = std::thread(work);
  for (std::thread& thread : threads) thread.join();
  campaign.took_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return campaign;
}

// What a thousand schedules of either mode must have gone through at least once, or they prove
// little.
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
                                       "coordinator died in recovery",
                                       "participant lost power",
                                       "participant killed",
                                       "participant died while writing",
                                       "participant died in recovery",
                                       "connection lost",
                                       "message delayed",
                                       "request repeated",
                                       "transfer cut",
                                       "upload resumed",
                                       "download resumed",
                                       "damaged upload",
                                       "partition",
                                       "disk full",
                                       "all disks fail",
                                       "clock jumped",
                                       "clock moved while running",
                                       "training straggles",
                                       "answer: repeated",
                                       "answer: too late",
                                       "answer: another update was accepted before"};
constexpr std::string_view sights_of_safety[] = {"partition for ever",
                                                 "all members are compromised"};
constexpr std::string_view sights_of_liveness[] = {"fate: is dead",
                                                   "fate: is mute",
                                                   "fate: works for ever",
                                                   "fate: loses its connections without a word",
                                                   "fate: is hostile",
                                                   "fate: cannot write any more",
                                                   "retry in the calm",
                                                   "quorum does not come",
                                                   "round closed with its target"};

// In which mode it is looked for.
struct Planting {
  Plant plant;
  Mode mode;
};
constexpr Planting plantings[] = {{Plant::answer_before_sync, Mode::safety},
                                  {Plant::lying_disk, Mode::safety},
                                  {Plant::participant_counted_twice, Mode::safety},
                                  {Plant::commit_on_too_few, Mode::safety},
                                  {Plant::torn_tail_accepted, Mode::safety},
                                  {Plant::deadline_never_fires, Mode::safety},
                                  {Plant::deadline_never_fires, Mode::liveness},
                                  {Plant::deadline_never_armed, Mode::liveness},
                                  {Plant::straggler_awaited, Mode::liveness},
                                  {Plant::evaluation_never_ends, Mode::liveness},
                                  {Plant::recruiting_never_ends, Mode::liveness},
                                  {Plant::same_cohort_again, Mode::liveness}};

// For the names of the test cases.
std::ostream& operator<<(std::ostream& stream, const Planting& planting) {
  return stream << to_string(planting.plant) << " (" << to_string(planting.mode) << ")";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(simulation)

namespace {

void play_all(Mode mode, std::span<const std::string_view> further_sights) {
  if (const auto seed = number_from("--seed", "ENTENTE_SEED")) {
    const Outcome outcome = simulate({*seed, mode, Plant::none, true});
    BOOST_REQUIRE_MESSAGE(!outcome.violation, story_of(*seed, mode, outcome));
    return;
  }
  const std::uint64_t first = number_from("--first", "ENTENTE_FIRST_SEED").value_or(1);
  const std::uint64_t count = number_from("--seeds", "ENTENTE_SEEDS").value_or(seeds_default);
  const Campaign campaign = play(mode, first, count);
  BOOST_TEST_MESSAGE(to_string(mode) << ": " << count << " schedules, "
                                     << static_cast<int>(campaign.simulated_seconds / 3600)
                                     << " simulated hours, in " << campaign.took_seconds << " s");
  for (const auto& [what, times] : campaign.counts)
    BOOST_TEST_MESSAGE("  " << what << ": " << times);
  for (const auto& [seed, outcome] : campaign.failures) {
    BOOST_ERROR("seed " << seed << ": " << *outcome.violation);
  }
  BOOST_TEST(campaign.failures.empty());
  if (!campaign.failures.empty()) {
    const auto& [seed, outcome] = *campaign.failures.begin();
    BOOST_FAIL(story_of(seed, mode, outcome));
  }
  if (count < 500) return;
  for (const auto& list : {std::span<const std::string_view>(sights), further_sights}) {
    for (const std::string_view sight : list) {
      BOOST_TEST(campaign.counts.contains(sight), "no schedule has seen: " << sight);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(safety_no_weather_breaks_a_promise) {
  play_all(Mode::safety, sights_of_safety);
}

BOOST_AUTO_TEST_CASE(liveness_when_the_faults_stop_rounds_commit_in_time) {
  play_all(Mode::liveness, sights_of_liveness);
}

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_trace) {
  for (const Mode mode : {Mode::safety, Mode::liveness}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const Outcome once = simulate({seed, mode, Plant::none, false});
      const Outcome again = simulate({seed, mode, Plant::none, false});
      BOOST_TEST(once.trace_hash == again.trace_hash, "seed " << seed << " gave two traces");
      BOOST_TEST(once.trace_lines > 20U);
    }
  }
}

BOOST_DATA_TEST_CASE(a_planted_fault_is_found, boost::unit_test::data::make(plantings), planting) {
  for (std::uint64_t seed = 1; seed <= seeds_to_find_a_fault; ++seed) {
    const Outcome outcome = simulate({seed, planting.mode, planting.plant, false});
    if (!outcome.violation) continue;
    BOOST_TEST_MESSAGE(planting << ": found by schedule " << seed << ": " << *outcome.violation);
    return;
  }
  BOOST_FAIL(planting << ": not found in " << seeds_to_find_a_fault << " schedules");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::simulation
