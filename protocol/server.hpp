// SPDX-License-Identifier: Apache-2.0
//
// The coordinator's side of a session: hello and welcome, then messages to a handler, at most one
// upload and one download at a time, and whatever is posted from outside. Decides nothing: the
// handler does. The client's side: client.hpp.
//
// Threads: that of the channel, but for ServerSession::post.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "common/net/async.hpp"
#include "common/net/mailbox.hpp"
#include "common/net/task_group.hpp"
#include "protocol/channel.hpp"
#include "protocol/messages.hpp"
#include "protocol/transfer.hpp"

namespace entente::protocol {

// What the coordinator does with what a peer says. Called by the session, one call at a time.
class ServerHandler {
 public:
  virtual ~ServerHandler() = default;

  // A message that is no offer, no fetch and no heartbeat; what is returned is sent back.
  // Errors: end the session, after a goodbye that says why.
  virtual net::Async<std::optional<Message>> on_message(Message message) = 0;

  // OfferUpdate or OfferPlan: where to put what is offered, or the answer that it is not wanted.
  virtual net::Async<std::variant<Expected, Answer>> on_offer(Message offer) = 0;
  // The offered file is in its place, or why not (io: this disk; corrupt: another digest; the
  // inspection's own). Gives the answer.
  virtual net::Async<Answer> on_received(Message offer, Result<Received> received) = 0;
  // Bytes of the upload under way.
  virtual void on_progress(const Message& offer, std::uint64_t received,
                           std::uint64_t expected) = 0;

  // The file of that digest, for a Fetch. Errors: not_found.
  virtual Result<std::filesystem::path> find(const Digest& digest) = 0;
};

class ServerSession {
 public:
  // `handler` must outlive the session.
  ServerSession(std::unique_ptr<net::Stream> stream, net::BufferPool pool, Timing timing,
                ServerHandler& handler);
  ~ServerSession();

  // Hello and Welcome. `welcome.version` is chosen here.
  // Errors: rejected - no version in common (the peer was told); malformed; closed; timed_out.
  net::Async<void> greet(Welcome welcome);
  // Until the peer leaves (closed), breaks the rules (malformed), falls silent (timed_out), or the
  // caller is stopped (cancelled).
  net::Async<void> run();

  // Sends a message when its turn comes; from any thread. A peer that leaves outbox_max messages
  // unread loses its session. Copies share the outbox and may outlive the session.
  struct Outbox {
    net::Mailbox<Message> messages{outbox_max};
    void post(Message message) const;
    // The session ends, saying why.
    void close(std::string reason) const;
  };
  const std::shared_ptr<Outbox>& outbox() const { return outbox_; }

  const Identity& peer() const { return channel_.peer(); }
  ByteView peer_certificate() const { return channel_.peer_certificate(); }

 private:
  struct Upload;
  net::Async<void> read();
  net::Async<void> write();
  net::Async<void> send_downloads();
  net::Async<void> download(Fetch fetch);
  net::Async<void> on_incoming(Message message);
  net::Async<void> on_data(DataFrame frame);
  net::Async<void> on_end(StreamEnd end);
  net::Async<void> begin_upload(Message offer);
  net::Async<void> end_upload(Result<Received> received);

  Channel channel_;
  ServerHandler& handler_;
  std::shared_ptr<Outbox> outbox_;
  net::Mailbox<Fetch> fetches_;
  std::shared_ptr<bool> download_stopped_;
  std::uint8_t download_stream_ = 0;
  std::unique_ptr<Upload> upload_;
};

}  // namespace entente::protocol
