// SPDX-License-Identifier: Apache-2.0
//
// The coordinator's side of a session: hello and welcome, requests to a handler, one upload and one
// download at a time, whatever is posted from outside, heartbeats, goodbye. Decides nothing: the
// handler does. The client's side: client.hpp.
//
// Here it is seen to that every request gets exactly one answer, that streams keep their order,
// that nobody waits for ever and that a peer which does not read slows its own session alone (and
// is cut when it takes nothing for write_max).
//
// Threads: that of the stream, but for the Outbox.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "common/net/async.hpp"
#include "protocol/channel.hpp"
#include "protocol/messages.hpp"
#include "protocol/transfer.hpp"

namespace entente::protocol {

// What the coordinator does with what a peer says. All calls come on the session's thread. While
// one of the three that wait is under way, the others may be called too, but never the same one
// again, nor on_offer and on_received together. When the session ends they are stopped (cancelled).
class ServerHandler {
 public:
  virtual ~ServerHandler() = default;

  // AnswerPlan, ReportEvaluation, DeclineWork, CancelPlan, SetSuspended, StopCoordinator or
  // AskStatus; what is returned (an Answer or a Status) is sent back. Errors: end the session,
  // after a goodbye that says why.
  virtual net::Async<std::optional<Message>> on_message(Message message) = 0;

  // OfferUpdate or OfferPlan: where to put what is offered, or the answer that it is not wanted.
  // The stream of the answer is filled in here. Errors: as on_message.
  virtual net::Async<std::variant<Expected, Answer>> on_offer(Message offer) = 0;
  // The offered file is in its place, or why not (io: this disk; malformed: not what was announced;
  // corrupt: another digest; the inspection's own). Gives the answer. Not called when the peer
  // stops its upload or the session ends: what arrived stays for the next offer.
  virtual net::Async<Answer> on_received(Message offer, Result<Received> received) = 0;
  // Bytes of the upload under way that are here; for each data frame.
  virtual void on_progress(const Message& offer, std::uint64_t received,
                           std::uint64_t expected) = 0;

  // The file of that digest, for a Fetch.
  // Errors: not_found - answered Verdict::unknown; rejected - not_allowed; any other - busy.
  virtual Result<std::filesystem::path> find(const Digest& digest) = 0;
};

class ServerSession {
 public:
  // `handler` must outlive greet() and run().
  ServerSession(std::unique_ptr<net::Stream> stream, net::BufferPool pool, Timing timing,
                ServerHandler& handler);
  ~ServerSession();
  ServerSession(ServerSession&&) noexcept;
  ServerSession& operator=(ServerSession&&) = delete;

  // Hello and Welcome. `welcome.version` is chosen here.
  // Errors: rejected - no version in common (the peer was told); malformed (likewise); closed;
  // timed_out; unauthenticated; cancelled.
  net::Async<void> greet(Welcome welcome);
  // After greet, instead of run: tells the peer that it is not welcome and ends.
  net::Async<void> refuse(Refusal refusal);
  // The rest of the session. Errors: how it ended, always: closed - the peer left, or
  // Outbox::close; malformed - it broke the rules (and was told); timed_out - it fell silent or
  // takes nothing; cancelled - the caller is being stopped (goodbye was said); those of the
  // handler.
  net::Async<void> run();

  // Messages to the peer from any thread. Copies may outlive the session; what is posted after its
  // end is dropped.
  class Outbox {
   public:
    // Sends it when its turn comes; of several agendas that wait, the last. A peer that leaves
    // outbox_max messages unread loses its session.
    void post(Message message) const;
    // Sends what waits, says why, and ends the session.
    void close(std::string reason) const;

   private:
    friend class ServerSession;
    struct Target;
    std::shared_ptr<Target> target_;
  };
  const std::shared_ptr<const Outbox>& outbox() const { return outbox_; }

  const Identity& peer() const;
  // DER of its leaf.
  ByteView peer_certificate() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::shared_ptr<const Outbox> outbox_;
};

}  // namespace entente::protocol
