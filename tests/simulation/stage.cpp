// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/stage.hpp"

#include <cstdio>
#include <utility>

namespace entente::simulation {
namespace {

constexpr std::uint64_t fnv_offset = 0xcbf29ce484222325;
constexpr std::uint64_t fnv_prime = 0x100000001b3;
constexpr std::size_t lines_kept = 60;
constexpr net::Instant beginning{std::chrono::hours(1)};  // as SimulatedTime has it
const TimePoint beginning_utc = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1);

}  // namespace

std::string_view to_string(Plant plant) {
  constexpr std::string_view names[] = {"nothing",
                                        "an answer before its sync",
                                        "a disk that lies about its sync",
                                        "a participant counted twice",
                                        "a commit on too few",
                                        "a torn tail accepted",
                                        "a deadline that never fires",
                                        "a deadline that is never armed",
                                        "a straggler awaited for ever",
                                        "an evaluation that never ends",
                                        "a recruiting that never ends",
                                        "a retry that asks the same cohort"};
  return names[static_cast<std::size_t>(plant)];
}

std::string_view to_string(Mode mode) {
  return mode == Mode::safety ? "safety" : "liveness";
}

std::string_view to_string(Fate fate) {
  constexpr std::string_view names[] = {"is steady",
                                        "is dead",
                                        "is mute",
                                        "works for ever",
                                        "loses its connections without a word",
                                        "is hostile",
                                        "cannot write any more"};
  return names[static_cast<std::size_t>(fate)];
}

namespace {

// The weather in which nothing may get done at all.
void make_harsh(Weather& weather, Random& random) {
  const auto perhaps = [&random](auto& what, auto worse) {
    if (random.chance(0.4)) what = worse;
  };
  const auto mean = [&random](std::uint64_t least, std::uint64_t most) {
    return seconds(static_cast<std::int64_t>(least + random.below(most - least)));
  };
  perhaps(weather.lost, random.uniform());
  perhaps(weather.silent, 1.0);
  perhaps(weather.partition, mean(5, 60));
  perhaps(weather.for_ever, random.uniform());
  perhaps(weather.crash, mean(1, 15));
  perhaps(weather.member_crash, mean(1, 30));
  perhaps(weather.in_recovery, 0.9 * random.uniform());
  perhaps(weather.disk, SimulatedDisk::Trouble{random.uniform(), random.uniform(), 0.1});
  perhaps(weather.broken, mean(5, 60));
  perhaps(weather.spool_loss, mean(1, 10));
  perhaps(weather.fails, random.uniform());
  perhaps(weather.unfit, random.uniform());
  perhaps(weather.rogue, mean(1, 5));
  perhaps(weather.suspends, mean(3, 30));
}

}  // namespace

Weather draw_weather(Random& random, Mode mode) {
  const auto maybe = [&random](double most) {
    return random.chance(0.5) ? most * random.uniform() * random.uniform() : 0.0;
  };
  const auto rarely = [&random](std::uint64_t least, std::uint64_t most) {
    const bool there = random.chance(0.5);
    const auto mean = static_cast<std::int64_t>(least + random.below(most - least));
    return there ? seconds(mean) : seconds(0);
  };
  Weather weather;
  weather.lost = maybe(0.1);
  weather.silent = maybe(0.8);
  weather.cut = maybe(0.3);
  weather.repeated = maybe(0.6);
  weather.delayed = maybe(0.3);
  weather.partition = rarely(60, 400);
  weather.crash = rarely(10, 300);
  weather.member_crash = rarely(20, 600);
  weather.power = random.uniform();
  weather.in_write = random.uniform();
  weather.in_recovery = maybe(0.5);
  weather.disk = {maybe(0.05), maybe(0.05), maybe(0.005)};
  weather.full = rarely(40, 300);
  weather.broken = rarely(60, 600);
  weather.slow_disk = milliseconds(static_cast<std::int64_t>(maybe(4000)));
  weather.slow_work = milliseconds(5'000 + static_cast<std::int64_t>(maybe(120'000)));
  weather.spool_loss = rarely(5, 100);
  weather.clock_jumps = random.chance(0.5);
  weather.clock_moves = rarely(20, 200);
  weather.straggles = maybe(0.4);
  weather.fails = maybe(0.3);
  weather.other_bits = maybe(1);
  weather.unfit = maybe(0.3);
  weather.rogue = rarely(2, 60);
  weather.suspends = rarely(40, 400);
  weather.cancels = maybe(0.5);
  if (mode == Mode::safety) {
    weather.for_ever = maybe(0.5);
    weather.rogues = 1 + random.below(5);
    if (random.chance(0.5)) make_harsh(weather, random);
  }
  return weather;
}

Stage::Stage(std::uint64_t seed, Mode mode_, bool tell)
    : mode(mode_), random(seed), seed_(seed), tell_(tell), hash_(fnv_offset) {}

Random Stage::new_random() {
  return Random(seed_, ++streams_);
}

bool Stage::strikes(double probability) {
  return !calm && probability > 0 && random.chance(probability);
}

milliseconds Stage::between(milliseconds least, milliseconds most) {
  if (most <= least) return least;
  const auto span = static_cast<std::uint64_t>((most - least).count()) + 1;
  return least + milliseconds(static_cast<std::int64_t>(random.below(span)));
}

void Stage::after(milliseconds wait, std::function<void()> act) {
  time.waiting()->add(time.now() + wait, time.executor(), [act = std::move(act)](bool expired) {
    if (expired) act();
  });
}

TimePoint Stage::utc() const {
  return beginning_utc + std::chrono::duration_cast<Duration>(time.now() - beginning);
}

double Stage::seconds_so_far() const {
  return std::chrono::duration<double>(time.now() - beginning).count();
}

void Stage::note(std::string_view who, std::string_view what, std::string_view detail) {
  char stamp[32];
  std::snprintf(stamp, sizeof stamp, "%10.3f ", seconds_so_far());
  std::string line(stamp);
  line.append(who).append(": ").append(what);
  if (!detail.empty()) line.append(" ").append(detail);
  for (const char c : line) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * fnv_prime;
  ++lines_;
  if (tell_) std::fprintf(stderr, "%s\n", line.c_str());
  last_lines_.push_back(std::move(line));
  if (last_lines_.size() > lines_kept) last_lines_.pop_front();
}

void Stage::violate(std::string what) {
  if (violation_) return;
  note("VIOLATED", what);
  violation_ = std::move(what);
}

void Stage::count(std::string_view what) {
  const auto found = counts_.find(what);
  if (found != counts_.end()) {
    ++found->second;
  } else {
    counts_.emplace(what, 1);
  }
}

}  // namespace entente::simulation
