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

// Faults that are built in on purpose, to prove that they would be found.
enum class Plant {
  none,
  answer_before_sync,         // the log signs and answers before its entries are synced
  lying_disk,                 // the disk calls a sync done that is not: answers come before it
  participant_counted_twice,  // a second update is accepted beside the first
  commit_on_too_few,          // a round is closed one update short of its quorum
  torn_tail_accepted,         // a tail torn by a crash stays where it is
  deadline_never_fires,       // a round without its quorum waits for ever
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
  seconds crash{0};         // of the coordinator
  seconds member_crash{0};  // of each participant
  double power = 0;         // of crashes: the power fails
  double in_write = 0;      // of crashes: in the middle of a writing call
  SimulatedDisk::Trouble disk;
  seconds full{0};            // mean time between two spells of a full disk
  milliseconds slow_disk{0};  // a batch takes up to so long
  milliseconds slow_work{0};  // an aggregation takes up to so long
  seconds spool_loss{0};      // a file of the spool is gone or damaged, without any crash
  bool clock_jumps = false;   // at a restart
  double straggles = 0;       // a training takes longer than the round
  double fails = 0;           // a training or evaluation fails
  double other_bits = 0;  // of restarts: training gives other bits from now on, updates are gone
  double unfit = 0;       // a participant's data do not fit a plan
  seconds rogue{0};       // one member's certificate is also used by a program that says anything
  seconds suspends{0};    // the operator suspends and resumes
  double cancels = 0;     // a plan is cancelled on its way
};
// Each kind of fault is there in about half of all schedules.
Weather draw_weather(Random& random);

class Stage {
 public:
  // `tell`: the trace goes to stderr as it happens.
  Stage(std::uint64_t seed, bool tell);
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  net::SimulatedTime time;
  Random random;
  Weather weather;
  bool calm = false;                         // the faults have ended
  std::set<std::string> cut_off;             // participants that reach nobody now
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
