// SPDX-License-Identifier: Apache-2.0
//
// Crashes, clocks, partitions and full disks.
#include <utility>

#include "tests/simulation/play.hpp"

namespace entente::simulation {

// Again and again, until the calm.
void World::every(seconds mean, std::function<void()> act) {
  if (mean.count() == 0) return;
  stage_.after(stage_.about(mean), [this, mean, act = std::move(act)] {
    if (stage_.calm) return;
    act();
    every(mean, act);
  });
}

void World::brew() {
  const Weather& weather = stage_.weather;
  every(weather.crash, [this] { crash_coordinator(stage_.strikes(stage_.weather.in_write)); });
  for (Member& member : members_) {
    every(weather.member_crash,
          [this, &member] { crash_member(member, stage_.strikes(stage_.weather.in_write)); });
  }
  every(weather.partition, [this] { cut_off_somebody(); });
  every(weather.full, [this] { fill_a_disk(); });
  every(weather.broken, [this] { break_all_disks(); });
  every(weather.clock_moves, [this] { move_a_clock(); });
  every(weather.spool_loss, [this] {
    if (shell_ && shell_->is_up()) shell_->lose_spool_file();
  });
  every(weather.suspends, [this] { suspend_somebody(); });
  every(weather.rogue, [this] { act_as_rogue(); });
}

void World::adjust_clock(Duration& error) {
  if (!stage_.strikes(stage_.weather.clock_jumps ? 0.5 : 0)) return;
  stage_.count("clock jumped");
  error = std::chrono::hours(1) - stage_.between(milliseconds(0), std::chrono::hours(2));
}

// While its machine runs. What runs on the monotonic clock must not notice.
void World::move_a_clock() {
  const std::uint64_t whose = stage_.random.below(size_ + 1);
  Duration& error = whose == size_ ? premises_.clock_error : members_[whose].home->clock_error;
  error = std::chrono::hours(1) - stage_.between(milliseconds(0), std::chrono::hours(2));
  stage_.note(whose == size_ ? "coordinator" : members_[whose].home->name(), "has its clock set");
  stage_.count("clock moved while running");
}

void World::start_coordinator() {
  network_.power_is_off = false;
  adjust_clock(premises_.clock_error);
  stage_.note("coordinator", "starts");
  shell_ = std::make_shared<Shell>(stage_, premises_, auditor_);
  if (stage_.strikes(stage_.weather.in_recovery)) premises_.ledger.die_in(stage_.random.below(6));
  const Result<void> started = shell_->start();
  if (premises_.ledger.dead()) stage_.count("coordinator died in recovery");
  if (started || premises_.ledger.dead()) return;
  shell_->crash(false);
  stage_.note("coordinator", "cannot start", started.error().detail);
  if (started.error().code != Errc::io) {
    stage_.violate("the coordinator cannot start after a crash: " + started.error().detail);
  }
  stage_.after(service_restarts, [this] { start_coordinator(); });
}

void World::crash_coordinator(bool in_write) {
  if (!shell_ || !shell_->is_up()) return;
  if (in_write) {
    premises_.ledger.die_in(stage_.random.below(12));
  } else {
    coordinator_is_gone(stage_.random.chance(stage_.weather.power));
  }
}

void World::coordinator_is_gone(bool power_failed) {
  stage_.note("coordinator", "crashes", power_failed ? "power" : "killed");
  stage_.count(power_failed ? "coordinator lost power" : "coordinator killed");
  shell_->crash(power_failed);
  const std::uint64_t torn = premises_.ledger.torn();
  premises_.ledger.restart(power_failed);
  if (premises_.ledger.torn() > torn) stage_.count("ledger torn");
  if (power_failed) spoil_spool();
  network_.power_is_off = power_failed;
  const seconds away_most{stage_.calm ? 2 : 60};
  stage_.after(stage_.between(milliseconds(100), away_most), [this] { start_coordinator(); });
}

// The spool is not synced.
void World::spoil_spool() {
  for (auto at = premises_.spool.begin(); at != premises_.spool.end();) {
    SpoolFile& file = at->second;
    const double luck = stage_.random.uniform();
    if (luck < 0.25) {
      at = premises_.spool.erase(at);
      continue;
    }
    if (luck < 0.5) file.have_bytes = stage_.random.below(file.have_bytes + 1);
    if (luck >= 0.5 && luck < 0.7 && file.have_bytes > 0) file.damaged = true;
    ++at;
  }
}

void World::start_member(Member& member) {
  if (closing_) return;
  Home& home = *member.home;
  const bool gone = home.fate == Fate::dead || home.fate == Fate::mute;
  if (stage_.calm && gone) return;
  adjust_clock(home.clock_error);
  if (stage_.strikes(stage_.weather.in_recovery)) {
    home.journal.die_in(stage_.random.below(4));
    stage_.count("participant died in recovery");
  }
  member.run = std::make_unique<simulation::Run>(stage_, home, network_);
  member.run->start();
}

void World::crash_member(Member& member, bool in_write) {
  if (!member.run) return;
  if (in_write) {
    SimulatedDisk& disk = stage_.random.chance(0.8) ? member.home->journal : member.home->receipts;
    disk.die_in(stage_.random.below(6));
  } else {
    member_is_gone(member, stage_.random.chance(stage_.weather.power));
  }
}

void World::member_is_gone(Member& member, bool power_failed) {
  Home& home = *member.home;
  stage_.note(home.name(), "crashes", power_failed ? "power" : "killed");
  stage_.count(power_failed ? "participant lost power" : "participant killed");
  const std::uint64_t torn = home.journal.torn();
  home.journal.restart(power_failed);
  home.receipts.restart(power_failed);
  if (home.journal.torn() > torn) stage_.count("journal torn");
  if (member.run) {
    member.run->crash(power_failed);
    member.ghosts.push_back(std::move(member.run));
  }
  if (stage_.strikes(stage_.weather.other_bits)) {
    ++home.bits;
    std::erase_if(home.files, [](const auto& file) { return file.first.starts_with("updates/"); });
  }
  const seconds away_most{stage_.calm ? 2 : 240};
  stage_.after(stage_.between(milliseconds(100), away_most), [this, &member] {
    if (!member.run) start_member(member);
  });
}

void World::cut_off_somebody() {
  const std::string name = members_[stage_.random.below(size_)].home->name();
  stage_.note(name, "is cut off");
  stage_.cut_off.insert(name);
  if (stage_.strikes(stage_.weather.for_ever)) {
    stage_.count("partition for ever");
    return;
  }
  stage_.count("partition");
  stage_.after(stage_.about(seconds(60)), [this, name] { stage_.cut_off.erase(name); });
}

void World::fill_a_disk() {
  const std::uint64_t whose = stage_.random.below(size_ + 1);
  SimulatedDisk& disk = whose == size_ ? premises_.ledger : members_[whose].home->journal;
  stage_.note(whose == size_ ? "coordinator" : members_[whose].home->name(), "has a full disk");
  stage_.count("disk full");
  disk.set_full(true);
  stage_.after(stage_.about(seconds(20)), [&disk] { disk.set_full(false); });
}

// Every call fails, everywhere.
void World::break_all_disks() {
  stage_.note("weather", "all disks fail");
  stage_.count("all disks fail");
  set_trouble({1, 1, 1});
  stage_.after(stage_.about(seconds(15)), [this] {
    if (!stage_.calm) set_trouble(stage_.weather.disk);
  });
}

void World::set_trouble(const SimulatedDisk::Trouble& trouble) {
  premises_.ledger.set_trouble(trouble);
  for (Member& member : members_) {
    member.home->journal.set_trouble(trouble);
    member.home->receipts.set_trouble(trouble);
  }
}

}  // namespace entente::simulation
