// SPDX-License-Identifier: Apache-2.0
//
// What all who play in one simulated schedule share: time, randomness, the weather (which faults
// there are, and how often), the trace, and the first broken promise.
//
// All randomness comes from one seed, and everything happens on one thread in simulated time: the
// same seed gives the same trace.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/base/clock.hpp"
#include "common/base/digest.hpp"
#include "common/base/random.hpp"
#include "common/net/simulated_time.hpp"
#include "common/net/timer.hpp"
#include "tests/simulation/disk.hpp"

namespace entente::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Safety: weather that never ends, and that may be worse than any in which work goes on; only the
// promises are looked at that hold whatever happens. Liveness: some weather, then the faults stop
// for the coordinator and for those who are steady; what was promised is then done in time.
enum class Mode { safety, liveness };
std::string_view to_string(Mode mode);

// Faults that are built in on purpose, to prove that they would be found.
enum class Plant {
  none,
  answer_before_sync,         // the log signs and answers before its entries are synced
  lying_disk,                 // the disk calls a sync done that is not: answers come before it
  participant_counted_twice,  // a second update is accepted beside the first
  commit_on_too_few,          // a round is closed one update short of its quorum
  torn_tail_accepted,         // a tail torn by a crash stays where it is
  deadline_never_fires,       // a round without its quorum waits for ever
  deadline_never_armed,       // nobody is woken at a deadline
  straggler_awaited,          // a round that has its quorum waits for the rest for ever
  evaluation_never_ends,      // a candidate waits for the last evaluation for ever
  recruiting_never_ends,      // a plan whose quorum does not come holds up the next one
  same_cohort_again,          // a retry asks those who let the round down
};
std::string_view to_string(Plant plant);

// Which faults a schedule has. Probabilities are for each occasion, means are times between two.
struct Weather {
  double lost = 0;          // a message is lost, and the connection with it
  double silent = 0;        // of lost connections: an end that is not told for a minute
  double cut = 0;           // a transfer is cut at a chunk
  double repeated = 0;      // a request comes once more, up to a minute and a half later
  double delayed = 0;       // a message takes up to half a minute
  seconds partition{0};     // mean; 0: never
  double for_ever = 0;      // of partitions: they do not end with the weather
  seconds crash{0};         // of the coordinator
  seconds member_crash{0};  // of each participant
  double power = 0;         // of crashes: the power fails
  double in_write = 0;      // of crashes: in the middle of a writing call
  double in_recovery = 0;   // of starts: the machine dies while it reads what the last crash left
  SimulatedDisk::Trouble disk;
  seconds full{0};            // mean time between two spells of a full disk
  seconds broken{0};          // the same of spells in which no disk does anything
  milliseconds slow_disk{0};  // a batch takes up to so long
  milliseconds slow_work{0};  // an aggregation takes up to so long
  seconds spool_loss{0};      // a file of the spool is gone or damaged, without any crash
  bool clock_jumps = false;   // at a restart
  seconds clock_moves{0};     // a clock is set by up to an hour while its machine runs
  double straggles = 0;       // a training takes longer than the round
  double fails = 0;           // a training or evaluation fails
  double other_bits = 0;     // of restarts: training gives other bits from now on, updates are gone
  double unfit = 0;          // a participant's data do not fit a plan
  seconds rogue{0};          // a compromised member's certificate is used by who says anything
  std::uint64_t rogues = 1;  // how many members are compromised, at most
  seconds suspends{0};       // the operator suspends and resumes
  double cancels = 0;        // a plan is cancelled on its way
};
// Each kind of fault is there in about half of all schedules. In safety mode every second schedule
// has a weather in which nothing may get done at all.
Weather draw_weather(Random& random, Mode mode);

// What becomes of a participant for good when the weather of a liveness schedule ends.
enum class Fate {
  steady,       // no fault any more
  dead,         // never starts again
  mute,         // connected, consents to everything, and says nothing more
  idle,         // an honest program whose work never ends
  half_open,    // its connections are lost without a word, again and again
  hostile,      // says anything, besides its honest program
  broken_disk,  // nothing can be written in its house
};
std::string_view to_string(Fate fate);

class Stage {
 public:
  // `tell`: the trace goes to stderr as it happens.
  Stage(std::uint64_t seed, Mode mode, bool tell);
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  const Mode mode;
  net::SimulatedTime time;
  Random random;
  Weather weather;
  bool calm = false;                         // the faults have ended, but for fates
  std::set<std::string> cut_off;             // participants that reach nobody now
  std::set<std::string> half_open;           // whose connections are lost without a word
  std::set<Digest> fits_everybody;           // plans that no participant's data are unfit for
  std::map<Digest, std::string> plan_bytes;  // every plan that was ever submitted

  // A stream of randomness of its own.
  Random new_random();
  // Whether a fault of this probability happens now: never when calm.
  bool strikes(double probability);
  // Uniform; both included.
  milliseconds between(milliseconds least, milliseconds most);
  // Around `mean`, never 0.
  milliseconds about(seconds mean) { return between(milliseconds(1), 2 * mean); }
  void after(milliseconds wait, std::function<void()> act);
  // The true time; clocks may be wrong.
  TimePoint utc() const;
  double seconds_so_far() const;

  // One line of the trace.
  void note(std::string_view who, std::string_view what, std::string_view detail = {});
  // A promise was broken. The first one stands; the schedule ends.
  void violate(std::string what);
  const std::optional<std::string>& violation() const { return violation_; }
  // That something worth counting happened.
  void count(std::string_view what);

  std::uint64_t trace_hash() const { return hash_; }
  std::uint64_t trace_lines() const { return lines_; }
  const std::deque<std::string>& last_lines() const { return last_lines_; }
  const std::map<std::string, std::uint64_t, std::less<>>& counts() const { return counts_; }

 private:
  std::uint64_t seed_;
  std::uint64_t streams_ = 0;
  bool tell_;
  std::uint64_t hash_;
  std::uint64_t lines_ = 0;
  std::deque<std::string> last_lines_;
  std::map<std::string, std::uint64_t, std::less<>> counts_;
  std::optional<std::string> violation_;
};

}  // namespace entente::simulation
