// SPDX-License-Identifier: Apache-2.0
#include "coordinator/screen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace entente::coordinator {
namespace {

constexpr std::size_t bar_cells = 20;
constexpr std::size_t name_cells_max = 24;

const protocol::PlanStatus* shown_plan(const protocol::Status& status) {
  for (const protocol::PlanStatus& plan : status.plans) {
    if (status.plan == plan.plan) return &plan;
  }
  return status.plans.empty() ? nullptr : &status.plans.front();
}

std::string clipped(std::string line, std::size_t columns) {
  // Count code points, not bytes: the bars are drawn in UTF-8.
  std::size_t cells = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xC0U) == 0x80U) continue;
    if (++cells > columns) {
      line.resize(i);
      break;
    }
  }
  return line;
}

std::string bar(double share) {
  const auto full = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * bar_cells);
  std::string text;
  for (std::size_t i = 0; i < bar_cells; ++i) text += i < full ? "█" : "░";
  return text;
}

// What a participant is doing, and its bar when it is sending.
std::string doing(const protocol::Status& status, const protocol::ParticipantStatus& participant) {
  if (participant.suspended) return "suspended";
  if (!participant.connected) return participant.sent ? "has sent, away" : "away";
  if (status.phase == "evaluating" && participant.in_cohort) {
    return participant.evaluated ? "has evaluated" : "evaluating";
  }
  if (!participant.in_cohort) return "waiting";
  if (participant.sent) return "has sent " + bytes_text(participant.bytes_expected);
  if (status.phase != "collecting") return "waiting";
  if (participant.bytes_received == 0 || participant.bytes_expected == 0) return "training";
  const double share = static_cast<double>(participant.bytes_received) /
                       static_cast<double>(participant.bytes_expected);
  return fmt::format("{} sending {} of {}", bar(share), bytes_text(participant.bytes_received),
                     bytes_text(participant.bytes_expected));
}

std::vector<std::string> metric_names(const protocol::Status& status) {
  std::vector<std::string> names;
  for (const protocol::RoundStatus& round : status.rounds) {
    for (const auto& [name, value] : round.metrics) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  std::ranges::sort(names);
  return names;
}

void add_heading(const protocol::Status& status, std::vector<std::string>& lines) {
  const protocol::PlanStatus* plan = shown_plan(status);
  lines.push_back(fmt::format("Entente  {}  {} entries in the ledger", status.federation,
                              status.ledger_entries));
  if (plan == nullptr) {
    lines.push_back("no plan yet");
  } else {
    lines.push_back(fmt::format("plan {}  {}{}", plan->name, plan->state,
                                plan->reason.empty() ? "" : ": " + plan->reason));
    lines.push_back("  " + plan->plan.hex());
    std::string line;
    if (plan->state == "running") {
      const std::uint64_t round =
          std::min(std::max<std::uint64_t>(status.round, 1), plan->rounds_total);
      line = fmt::format("round {} of {}  {}", round, plan->rounds_total, status.phase);
      if (status.closes_in.count() > 0) line += "  closes in " + minutes_text(status.closes_in);
      std::chrono::milliseconds took{0};
      for (const protocol::RoundStatus& done : status.rounds) took += done.took;
      if (!status.rounds.empty() && plan->rounds_total > plan->rounds_committed) {
        const auto left = took / static_cast<std::int64_t>(status.rounds.size()) *
                          static_cast<std::int64_t>(plan->rounds_total - plan->rounds_committed);
        line += "  about " + minutes_text(left) + " left";
      }
    } else {
      line = fmt::format("{} of {} rounds committed, {} consents", plan->rounds_committed,
                         plan->rounds_total, plan->consents);
    }
    lines.push_back(line);
  }
  if (!status.problem.empty()) lines.push_back("problem: " + status.problem);
}

void add_participants(const protocol::Status& status, std::vector<std::string>& lines) {
  if (status.participants.empty()) return;
  std::size_t width = 0;
  for (const auto& participant : status.participants)
    width = std::max(width, participant.name.size());
  width = std::min(width, name_cells_max);
  lines.emplace_back();
  for (const auto& participant : status.participants) {
    lines.push_back(
        fmt::format("  {:<{}}  {}", participant.name, width, doing(status, participant)));
  }
}

void add_rounds(const protocol::Status& status, std::size_t rows, std::vector<std::string>& lines) {
  if (status.rounds.empty()) return;
  const auto names = metric_names(status);
  std::string caption = fmt::format("  {:>5}  {:>8}  {:>7}", "round", "updates", "seconds");
  for (const std::string& name : names) caption += fmt::format("  {:>9}", name);
  lines.emplace_back();
  lines.push_back(caption);
  std::size_t first = 0;
  if (rows > 0) {
    const std::size_t used = lines.size() + 2;
    const std::size_t room = rows > used ? rows - used : 1;
    first = status.rounds.size() > room ? status.rounds.size() - room : 0;
  }
  for (std::size_t i = first; i < status.rounds.size(); ++i) {
    const protocol::RoundStatus& round = status.rounds[i];
    std::string line = fmt::format("  {:>5}  {:>8}  {:>7.1f}", round.round, round.contributors,
                                   static_cast<double>(round.took.count()) / 1000);
    for (const std::string& name : names) {
      const auto found = round.metrics.find(name);
      line += found == round.metrics.end() ? fmt::format("  {:>9}", "-")
                                           : fmt::format("  {:>9.4f}", found->second);
    }
    lines.push_back(line);
  }
}

}  // namespace

std::string minutes_text(std::chrono::milliseconds time) {
  const std::int64_t seconds = (time.count() + 500) / 1000;
  if (seconds >= 3600)
    return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string render_status(const protocol::Status& status, ScreenSize size) {
  std::vector<std::string> lines;
  add_heading(status, lines);
  add_participants(status, lines);
  add_rounds(status, size.rows, lines);
  std::string text;
  for (std::string& line : lines)
    text += clipped(std::move(line), std::max<std::size_t>(size.columns, 40)) + "\n";
  return text;
}

boost::json::object status_json(const protocol::Status& status) {
  namespace json = boost::json;
  const auto metrics = [](const std::map<std::string, double>& values) {
    json::object object;
    for (const auto& [name, value] : values) object[name] = value;
    return object;
  };
  const auto digest = [](const std::optional<Digest>& value) {
    return value ? json::value(value->hex()) : json::value(nullptr);
  };
  json::array plans;
  for (const protocol::PlanStatus& plan : status.plans) {
    plans.push_back(json::object{{"plan", plan.plan.hex()},
                                 {"name", plan.name},
                                 {"state", plan.state},
                                 {"reason", plan.reason},
                                 {"consents", plan.consents},
                                 {"rounds_committed", plan.rounds_committed},
                                 {"rounds_total", plan.rounds_total}});
  }
  json::array rounds;
  for (const protocol::RoundStatus& round : status.rounds) {
    rounds.push_back(json::object{{"round", round.round},
                                  {"model", round.model.hex()},
                                  {"contributors", round.contributors},
                                  {"metrics", metrics(round.metrics)},
                                  {"took_ms", round.took.count()}});
  }
  json::array participants;
  for (const protocol::ParticipantStatus& one : status.participants) {
    participants.push_back(json::object{{"name", one.name},
                                        {"connected", one.connected},
                                        {"suspended", one.suspended},
                                        {"in_cohort", one.in_cohort},
                                        {"sent", one.sent},
                                        {"evaluated", one.evaluated},
                                        {"bytes_received", one.bytes_received},
                                        {"bytes_expected", one.bytes_expected}});
  }
  return json::object{{"federation", status.federation},
                      {"software", status.software},
                      {"phase", status.phase},
                      {"plan", digest(status.plan)},
                      {"round", status.round},
                      {"model", digest(status.model)},
                      {"closes_in_ms", status.closes_in.count()},
                      {"ledger_entries", status.ledger_entries},
                      {"problem", status.problem},
                      {"plans", std::move(plans)},
                      {"rounds", std::move(rounds)},
                      {"participants", std::move(participants)}};
}

}  // namespace entente::coordinator
