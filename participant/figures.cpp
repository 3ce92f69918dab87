// SPDX-License-Identifier: Apache-2.0
#include "participant/figures.hpp"

namespace entente::participant {

std::vector<net::Metric> metrics_of(const Tally& tally) {
  std::vector<net::Metric> metrics;
  const auto add = [&](const char* name, const char* help, net::MetricKind kind, auto value) {
    metrics.push_back(
        {std::string("entente_participant_") + name, help, kind, static_cast<double>(value), {}});
  };
  constexpr auto counter = net::MetricKind::counter;
  constexpr auto gauge = net::MetricKind::gauge;
  add("connected", "1 while a session with the coordinator is up.", gauge, tally.connected);
  add("sessions_total", "Sessions begun.", counter, tally.sessions);
  add("plans_consented_total", "Plans agreed to.", counter, tally.plans_consented);
  add("plans_declined_total", "Plans declined.", counter, tally.plans_declined);
  add("rounds_trained_total", "Rounds trained.", counter, tally.rounds_trained);
  add("updates_accepted_total", "Updates with a checked receipt.", counter, tally.updates_accepted);
  add("updates_refused_total", "Updates that the coordinator refused.", counter,
      tally.updates_refused);
  add("update_bytes_total", "Bytes of the accepted updates.", counter, tally.update_bytes);
  add("evaluations_total", "Models evaluated and told.", counter, tally.evaluations);
  add("receipts_checked_total", "Receipts whose proof was checked.", counter,
      tally.receipts_checked);
  add("alarms_total", "Statements that the ledger or an operator did not sign.", counter,
      tally.alarms);
  add("training_seconds_total", "Time spent training.", counter, tally.training_seconds);
  add("last_loss", "Mean training loss of the last round, nats.", gauge, tally.last_loss);
  return metrics;
}

std::string problem_of(const Tally& tally) {
  if (tally.connected) return {};
  return "not connected to the coordinator" +
         (tally.problem.empty() ? std::string() : ": " + tally.problem);
}

}  // namespace entente::participant
