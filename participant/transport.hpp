// SPDX-License-Identifier: Apache-2.0
//
// How the daemon reaches the coordinator: the first of its three seams (workbench.hpp is the
// second, common/base/storage.hpp the third). In production session_transport.hpp, over TLS; in
// simulations and tests whatever they need.
//
// One thread. next_agenda() may be outstanding beside one other call; all others come one at a
// time. Every call ends: a peer that falls silent is Errc::closed or Errc::timed_out, never a wait
// for ever. All may be cancelled; after a cancelled call nothing but close() is called until the
// next connect().
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/base/digest.hpp"
#include "common/net/async.hpp"
#include "protocol/messages.hpp"

namespace entente::participant {

class Transport {
 public:
  virtual ~Transport() = default;

  // A new connection: both sides authenticated, hello said. Precondition: none is open.
  // Errors: unauthenticated - a peer that is not this federation's coordinator, or our certificate
  // was refused; rejected - the coordinator's own words; closed; timed_out; malformed; cancelled.
  virtual net::Async<protocol::Welcome> connect() = 0;

  // What the coordinator would like to be done now: the agenda that came last and was not given
  // yet, or else the next one. A cancelled call loses none.
  // Errors: closed - the connection is gone; malformed - the peer said something senseless.
  virtual net::Async<protocol::Agenda> next_agenda() = 0;

  // Asks (AnswerPlan, ReportEvaluation, DeclineWork) and waits for the answer.
  // Errors: closed; malformed; cancelled.
  virtual net::Async<protocol::Answer> request(protocol::Message message) = 0;

  // The plan or model of that digest and size into the file `destination`, whole and its digest
  // checked, or not at all. What an earlier call got of it is not asked for again.
  // Errors: rejected - the coordinator does not serve it; malformed - other bytes than the digest
  // names; io - this machine's disk; closed; cancelled.
  virtual net::Async<void> fetch(Digest digest, std::uint64_t size_bytes,
                                 std::filesystem::path destination) = 0;

  // Announces the update and sends what the coordinator lacks of `file`. `offer.stream` is the
  // transport's to choose.
  // Errors: io - the file; closed; malformed; cancelled.
  virtual net::Async<protocol::Answer> upload(protocol::OfferUpdate offer,
                                              std::filesystem::path file) = 0;

  // Says why, as far as there is a connection, and ends it: whoever waits in another call hears
  // Errc::closed. May be called at any time, and again.
  virtual net::Async<void> close(std::string goodbye) = 0;
};

}  // namespace entente::participant
