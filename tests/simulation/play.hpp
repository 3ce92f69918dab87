// SPDX-License-Identifier: Apache-2.0
//
// The World that simulate() plays (world.hpp), for its own .cpp files: world.cpp (steps, checks,
// the calm), weather.cpp (crashes and the like), people.cpp (the operator, and one who says
// anything). Nobody else includes it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/house.hpp"
#include "tests/simulation/world.hpp"

namespace entente::simulation {

inline constexpr seconds operator_tries_again{10};
inline constexpr milliseconds service_restarts{5'000};

// One schedule while it is played.
class World {
 public:
  explicit World(const Settings& settings);
  Outcome run();

 private:
  // One participant: its home, the process that runs there, and those that have not quite ended.
  struct Member {
    std::unique_ptr<Home> home;
    std::unique_ptr<simulation::Run> run;
    std::vector<std::unique_ptr<simulation::Run>> ghosts;
  };
  struct Order {  // a plan of the operator's
    Digest digest;
    plan::Rules rules;
    std::string signature;
    bool recorded = false;
  };

  void step_until(net::Instant end);
  void look_around();
  void look_at(Member& member);
  void check_deadlines();
  // --- the weather (weather.cpp)
  // Again and again, until the calm.
  void every(seconds mean, std::function<void()> act);
  void brew();
  void adjust_clock(Duration& error);
  void start_coordinator();
  void crash_coordinator(bool in_write);
  void coordinator_is_gone(bool power_failed);
  void spoil_spool();
  void start_member(Member& member);
  void crash_member(Member& member, bool in_write);
  void member_is_gone(Member& member, bool power_failed);
  void cut_off_somebody();
  void fill_a_disk();
  // --- people (people.cpp)
  void suspend_somebody();
  void act_as_rogue();
  void write_order();
  void submit(std::size_t order);
  void cancel(std::size_t order);
  void resume(const std::string& name);
  void ask(round::Event event, std::function<void(bool)> done);
  // --- the calm
  void calm_down();
  bool can_run(const Order& order) const;
  bool all_ended() const;
  seconds patience() const;
  void finish();

  Stage stage_;
  Plant plant_;
  std::size_t size_;
  std::vector<Member> members_;
  std::optional<std::size_t> rogue_;
  Premises premises_;
  Auditor auditor_;
  std::shared_ptr<Shell> shell_;
  Network network_;
  std::vector<Order> orders_;
  bool closing_ = false;  // nobody starts any more
};

}  // namespace entente::simulation
