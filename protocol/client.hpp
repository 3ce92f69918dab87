// SPDX-License-Identifier: Apache-2.0
//
// The client's side of a session (participants and operators) as straight-line calls: connect, ask,
// fetch, upload, wait for the agenda. A task of its own reads and hands out what comes; heartbeats
// are looked after.
//
// next_agenda() may wait beside one other call; request and ask_status take turns; one fetch and
// one upload may run together. Every call ends: when the session fails they all do, with its
// reason. After a call that was cancelled nothing but close() makes sense. Threads: that of the
// stream.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "common/net/buffer_pool.hpp"
#include "common/net/stream.hpp"
#include "protocol/channel.hpp"
#include "protocol/messages.hpp"
#include "protocol/transfer.hpp"

namespace entente::protocol {

struct ClientSettings {
  ClientSettings(std::string our_software, std::string of_federation,
                 std::string key_of_ledger = {}, Timing waits = {})
      : software(std::move(our_software)),
        federation(std::move(of_federation)),
        verifier_key(std::move(key_of_ledger)),
        timing(waits) {}
  std::string software;      // "entente 0.1.0"
  std::string federation;    // the coordinator must be of it
  std::string verifier_key;  // vkey text that the coordinator must name; empty: any
  Timing timing;
};

// Asked for each agenda that comes during a transfer (next_agenda still gives it): whether to go
// on. An empty one says yes.
using StillWanted = std::function<bool(const Agenda& agenda)>;

class Client {
 public:
  // Says hello over a stream that is up and waits for the welcome.
  // Errors: rejected - the coordinator's refusal in its words, or another federation's or ledger's
  // coordinator; unauthenticated - it refused our certificate; malformed; closed; timed_out;
  // cancelled.
  static net::Async<std::unique_ptr<Client>> connect(std::unique_ptr<net::Stream> stream,
                                                     net::BufferPool pool, ClientSettings settings);
  // Ends the session at once, without goodbye.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const Welcome& welcome() const;

  // Errors of all calls: what ended the session (closed, malformed, timed_out); cancelled - the
  // caller is being stopped.

  // Asks and waits for the answer. Not for offers and fetches.
  net::Async<Answer> request(Message message);
  // Errors: rejected - the coordinator's words.
  net::Async<Status> ask_status();

  // The agenda that came last and was not given yet, or else the next one. A cancelled call loses
  // none.
  net::Async<Agenda> next_agenda();
  // Whether next_agenda() would return at once.
  bool has_news() const;

  // The blob of that digest into the file `destination`, whole and checked, or not at all. What an
  // earlier call has got of it
  // (`destination`.part) is not asked for again.
  // Errors: rejected - not served, or no longer wanted (the text says which); malformed - larger
  // than size_max_bytes; corrupt
  // - another digest than asked for: the part is discarded; io - this machine's disk.
  net::Async<Received> fetch(Digest digest, std::filesystem::path destination,
                             std::uint64_t size_max_bytes, StillWanted still_wanted = {});

  // Announces `file` by an OfferUpdate or OfferPlan (its stream is chosen here), and sends what the
  // coordinator lacks of it. An upload that is no longer wanted is answered by Verdict::not_now.
  // Errors: io - the file, or its size is not the announced one.
  net::Async<Answer> upload(Message offer, std::filesystem::path file,
                            StillWanted still_wanted = {});

  // Says why and ends the session; every other call fails with Errc::closed. May be called again.
  net::Async<void> close(std::string reason);

 private:
  struct State;
  explicit Client(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace entente::protocol
