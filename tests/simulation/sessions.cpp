// SPDX-License-Identifier: Apache-2.0
//
// The part of the simulated coordinator that the daemon's sessions are: what a participant says,
// turned into events for the core.
#include <algorithm>

#include "common/crypto/hash.hpp"
#include "protocol/limits.hpp"
#include "tests/simulation/cast.hpp"
#include "tests/simulation/shell.hpp"

namespace entente::simulation {
namespace {

round::UpdateOffered offered_event(const std::string& from, const protocol::OfferUpdate& offer) {
  return {from, offer.plan, offer.round, offer.update, offer.examples};
}

}  // namespace

void Shell::connected(std::shared_ptr<Connection> connection) {
  for (const auto& [id, peer] : peers_) {
    if (peer.connection->participant() != connection->participant()) continue;
    peer.connection->close_from_server({Errc::closed, "another session was opened"});
  }
  std::erase_if(peers_, [&](const auto& item) {
    return item.second.connection->participant() == connection->participant();
  });
  peers_.emplace(connection->id(), Peer{connection, std::nullopt});
  stage_.note("coordinator", "connected", connection->participant());
  schedule();
}

void Shell::crash(bool power_failed) {
  gone_ = true;
  for (const auto& [id, peer] : peers_) {
    const milliseconds learns = power_failed ? milliseconds(protocol::silence_max)
                                             : stage_.between(milliseconds(1), milliseconds(1000));
    peer.connection->lose(learns, milliseconds(0));
  }
}

void Shell::disconnected(std::uint64_t id) {
  if (const auto peer = peers_.find(id); peer != peers_.end()) {
    stage_.note("coordinator", "disconnected", peer->second.connection->participant());
    peers_.erase(peer);
  }
  schedule();
}

bool Shell::has_session(const std::string& participant) const {
  return std::ranges::any_of(peers_, [&](const auto& item) {
    return item.second.connection->participant() == participant;
  });
}

void Shell::request(const std::string& from, const protocol::Message& message, Reply reply) {
  if (const auto* answered = std::get_if<protocol::AnswerPlan>(&message)) {
    round::PlanAnswered event;
    event.from = from;
    event.plan = answered->plan;
    event.consents = answered->consents;
    if (event.consents) {
      event.certificate = the_cast().participant(from).certificate_base64;
      event.signature = to_base64(answered->signature);
    }
    event.reason = answered->reason;
    ask(round::Event(std::move(event)), std::move(reply));
  } else if (const auto* report = std::get_if<protocol::ReportEvaluation>(&message)) {
    ask(EvaluationReported{from, *report}, std::move(reply));
  } else if (const auto* declined = std::get_if<protocol::DeclineWork>(&message)) {
    const round::WorkDeclined event{from, declined->plan, declined->round, declined->reason};
    ask(round::Event(event), std::move(reply));
  } else {
    stage_.violate("a participant sent " + std::string(protocol::name_of(message)));
  }
}

void Shell::offer(const std::string& from, const protocol::OfferUpdate& offer, OfferReply reply) {
  auto decided = [weak = weak_from_this(), from, offer,
                  reply = std::move(reply)](const protocol::Answer& answer) {
    const auto self = weak.lock();
    if (!self || !reply) return;
    if (answer.verdict != Verdict::accepted) {
      reply(std::nullopt, answer);
      return;
    }
    SpoolFile& file = self->premises_.spool[{from, offer.update}];
    if (file.size_bytes != offer.size_bytes) file = SpoolFile{0, offer.size_bytes, false};
    if (file.have_bytes > 0) self->stage_.count("upload resumed");
    reply(file.have_bytes, answer);
  };
  ask(round::Event(offered_event(from, offer)), std::move(decided));
}

void Shell::take_data(const std::string& from, const protocol::OfferUpdate& offer,
                      std::uint64_t begin, std::uint64_t end, Reply reply) {
  const auto found = premises_.spool.find({from, offer.update});
  if (found == premises_.spool.end() || found->second.have_bytes != begin) {
    // Swept, or another stream of the same update was faster.
    if (reply) reply({Verdict::busy, "the upload was overtaken", std::nullopt, 0});
    return;
  }
  found->second.have_bytes = end;
  if (end < offer.size_bytes) return;
  if (found->second.damaged) {
    premises_.spool.erase(found);
    stage_.count("damaged upload");
    const round::UpdateFlawed flawed{from,
                                     offer.plan,
                                     offer.round,
                                     offer.update,
                                     Verdict::digest_mismatch,
                                     "other bytes than announced"};
    ask(round::Event(flawed), std::move(reply));
    return;
  }
  const round::UpdateArrived arrived{from,         offer.plan,     offer.round,
                                     offer.update, offer.examples, 1.0};
  ask(round::Event(arrived), [weak = weak_from_this(), name = SpoolName(from, offer.update),
                              reply = std::move(reply)](const protocol::Answer& answer) {
    const auto self = weak.lock();
    if (self && !is_success(answer.verdict) && answer.verdict != Verdict::busy) {
      self->premises_.spool.erase(name);
    }
    if (reply) reply(answer);
  });
}

bool Shell::has_blob(const Digest& digest) const {
  return premises_.plans.contains(digest) || premises_.models.contains(digest);
}

}  // namespace entente::simulation
