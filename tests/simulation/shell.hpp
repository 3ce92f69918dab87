// SPDX-License-Identifier: Apache-2.0
//
// A simulated coordinator: the real Core over a simulated disk, and around it a small shell with
// the same order of steps as the daemon's control thread: decide what waits in one batch; when that
// fails, drop the Core and open the ledger again; answer; then bring the world in line with the
// state.
//
// A Shell is one process: it ends with a crash. What it leaves behind is its Premises.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/net/timer.hpp"
#include "coordinator/core.hpp"
#include "protocol/messages.hpp"
#include "tests/simulation/auditor.hpp"
#include "tests/simulation/connection.hpp"
#include "tests/simulation/disk.hpp"
#include "tests/simulation/stage.hpp"

namespace entente::simulation {

namespace round = coordinator::round;

// An update's file, as far as it has come. The spool is not synced.
struct SpoolFile {
  std::uint64_t have_bytes = 0;
  std::uint64_t size_bytes = 0;
  bool damaged = false;
  bool whole() const { return have_bytes == size_bytes; }
};
using SpoolName = std::pair<std::string, Digest>;  // participant, update

// What lies on the coordinator's disk.
struct Premises {
  explicit Premises(Random random) : ledger(random) {}
  SimulatedDisk ledger;
  std::set<Digest> plans;
  std::set<Digest> models;  // synced before anything names them
  std::map<SpoolName, SpoolFile> spool;
  Duration clock_error{0};
};

struct EvaluationReported {
  std::string from;
  protocol::ReportEvaluation report;
};
using Question = std::variant<round::Event, EvaluationReported>;
using Reply = std::function<void(const protocol::Answer&)>;
// Goes on with an upload at an offset, or answers.
using OfferReply =
    std::function<void(std::optional<std::uint64_t> offset, const protocol::Answer&)>;

class Shell : public std::enable_shared_from_this<Shell> {
 public:
  Shell(Stage& stage, Premises& premises, Auditor& auditor);

  // Opens the ledger and begins. Errors: those of Core::open: the process ends.
  Result<void> start();
  // The process is gone: nothing that it has under way happens any more.
  void crash(bool power_failed);
  bool is_up() const { return !gone_ && !premises_.ledger.dead(); }
  // Since when the ledger could be written, and nothing kept the shell from deciding.
  std::optional<net::Instant> healthy_since() const { return healthy_since_; }
  const std::optional<coordinator::Core>& core() const { return core_; }
  TimePoint now() const;

  // --- what sessions do
  void connected(std::shared_ptr<Connection> connection);
  void disconnected(std::uint64_t id);
  // AnswerPlan, ReportEvaluation, DeclineWork.
  void request(const std::string& from, const protocol::Message& message, Reply reply);
  void offer(const std::string& from, const protocol::OfferUpdate& offer, OfferReply reply);
  // Bytes [begin, end) of an update that was offered; the last ones are answered.
  void take_data(const std::string& from, const protocol::OfferUpdate& offer, std::uint64_t begin,
                 std::uint64_t end, Reply reply);
  // Whether the blob is served.
  bool has_blob(const Digest& digest) const;
  // Whether that participant has a session here, whether or not it still knows of it.
  bool has_session(const std::string& participant) const;
  // --- anyone else
  void ask(Question question, Reply reply);
  // An update's file is gone or damaged though nothing crashed.
  void lose_spool_file();

 private:
  struct Waiting {
    Question question;
    Reply reply;
  };
  struct Peer {
    std::shared_ptr<Connection> connection;
    std::optional<round::Agenda> told;
  };

  void later(milliseconds wait, void (Shell::*act)());
  Result<void> open();
  void reopen_later(const Error& error);
  void reopen();
  void store_head();
  void schedule();
  void drain();
  bool decide(std::vector<Waiting>& batch);
  void answer(const round::Event& event, const round::Answer& given, const Reply& reply);
  void take_evaluation(const EvaluationReported& reported, const Reply& reply);
  round::Tick surroundings() const;
  void settle();
  void forget_evaluations();
  void tell_agendas();
  Result<protocol::Agenda> agenda_message(const round::Agenda& agenda);
  void start_work();
  Result<Digest> work_on(const round::Work& task) const;
  void finish_work(const round::Work& task, const Result<Digest>& outcome);
  void retry_work();
  void check_spool();
  void sweep();
  void arm_deadline();

  Stage& stage_;
  Premises& premises_;
  Auditor& auditor_;
  bool gone_ = false;
  bool started_ = false;
  std::optional<coordinator::Core> core_;  // empty while the disk refuses the ledger
  std::optional<net::Instant> healthy_since_;
  TimePoint clock_start_;
  net::Instant clock_started_{};
  std::vector<Waiting> waiting_;
  bool drain_posted_ = false;
  bool head_posted_ = false;
  std::map<std::uint64_t, Peer> peers_;
  std::map<std::string, round::Evaluation> evaluations_;
  std::optional<Digest> evaluated_model_;
  bool working_ = false;
  net::Timer deadline_;
};

}  // namespace entente::simulation
