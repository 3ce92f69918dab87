// SPDX-License-Identifier: Apache-2.0
//
// The World that simulate() plays (world.hpp), for its own .cpp files: world.cpp (steps, checks),
// weather.cpp (crashes and the like), people.cpp (the operator, and one who says anything),
// liveness.cpp (the calm, and what must be done by when). Nobody else includes it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
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
    std::shared_ptr<Connection> mute;  // that nobody speaks on
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
  void break_all_disks();
  void set_trouble(const SimulatedDisk::Trouble& trouble);
  void move_a_clock();
  // --- people (people.cpp)
  void suspend_somebody();
  void act_as_rogue();
  void answer_plan(const Player& player, const Digest& plan, bool consents);
  plan::Rules draw_rules();
  std::size_t write_order(const plan::Rules& rules);
  void plan_ahead();
  void submit(std::size_t order);
  void cancel(std::size_t order);
  void resume(const std::string& name);
  void ask(round::Event event, std::function<void(bool)> done);
  // --- the calm (liveness.cpp)
  void draw_fates();
  void calm_down();
  void stop_the_faults();
  void meet_fate(Member& member);
  void stay_mute(Member& member);
  void stay_hostile();
  void await_the_steady();
  void expect_connections();
  void order_in_the_calm();
  bool all_of_fate(Fate fate, const std::function<bool(const Member&)>& holds) const;
  bool steady_have_consented(const Digest& plan) const;
  std::size_t lost_ones() const;
  std::uint32_t attempts_most(const plan::Rules& rules) const;
  static seconds commit_within(const plan::Rules& rules, std::uint32_t attempts);
  static seconds end_within(const plan::Rules& rules);
  void check_commits();
  bool is_settled(const Order& order) const;
  bool all_settled() const;
  // --- the end
  void finish();
  void open_for_the_last_time();

  Stage stage_;
  Plant plant_;
  std::size_t size_;
  std::vector<Member> members_;
  std::set<std::size_t> compromised_;  // members in whose names somebody else speaks, too
  Premises premises_;
  Auditor auditor_;
  std::shared_ptr<Shell> shell_;
  Network network_;
  std::vector<Order> orders_;
  std::optional<std::size_t> last_order_;  // that was written in the calm
  bool closing_ = false;                   // nobody starts any more
};

}  // namespace entente::simulation
