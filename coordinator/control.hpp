// SPDX-License-Identifier: Apache-2.0
//
// The control thread's room: the Core, who is connected, what is being worked on in the background.
//
// Sessions and operators hand in requests from any thread; the control thread decides all that wait
// in one batch (one fsync), answers, and then brings the world in line with the state: agendas to
// participants whose task changed, work that is due to the pool, files that nobody needs removed.
// What it does is read off the state, so a restart continues by itself.
//
// When the ledger cannot be written nothing is decided or answered with success until it was opened
// again.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "common/base/clock.hpp"
#include "common/base/identity.hpp"
#include "common/crypto/key.hpp"
#include "coordinator/admission.hpp"
#include "coordinator/round/event.hpp"
#include "coordinator/store.hpp"
#include "protocol/messages.hpp"

namespace entente::coordinator {

// A participant that is connected. The functions may be called on the control thread at any time
// and must not block; they hand over to the session's own thread.
struct Connection {
  std::uint64_t id = 0;
  Identity identity;
  std::function<void(protocol::Message)> send;
  std::function<void(std::string reason)> close;
};

// How far an upload is, for the status.
struct UploadProgress {
  std::string participant;
  std::uint64_t received_bytes = 0;
  std::uint64_t expected_bytes = 0;
};

struct EvaluationReported {
  std::string from;
  protocol::ReportEvaluation report;
};
struct StatusAsked {};

using Question = std::variant<round::Event, EvaluationReported, StatusAsked>;
// Called once, on the control thread: protocol::Answer or protocol::Status.
using Reply = std::function<void(protocol::Message)>;

struct ControlSettings {
  std::string federation;
  std::string coordinator_uri;
  std::size_t models_kept = 3;
  std::chrono::milliseconds reopen_every{2000};  // after the disk failed
};

// What the daemon's metrics show. Read from any thread.
struct Figures {
  std::uint64_t ledger_entries = 0;
  std::uint64_t connections = 0;
  std::uint64_t rounds_committed = 0;
  std::string phase;
  std::string problem;
};

class Control {
 public:
  // `store` and `layouts` must outlive the Control. `work`: where aggregation runs.
  Control(boost::asio::io_context& thread, boost::asio::thread_pool& work, const Store& store,
          Layouts& layouts, ControlSettings settings, crypto::PrivateKey ledger_key);
  ~Control();

  // Opens the ledger and begins. Call on the control thread (or before it runs).
  // Errors: those of Core::open: the daemon must not start.
  Result<void> start();

  // --- from any thread
  void ask(Question question, Reply reply);
  void connected(Connection connection);
  void disconnected(std::uint64_t id);
  void progress(UploadProgress progress);
  // A stranger was turned away, or a member whose certificate is good was (`member`: SPIFFE id).
  void refused(std::string member, std::string cause);
  Figures figures() const;

  // Records what is still counted, then takes no more questions. On the control thread.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace entente::coordinator
