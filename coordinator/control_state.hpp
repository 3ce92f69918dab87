// SPDX-License-Identifier: Apache-2.0
//
// The inside of Control, for its own .cpp files: control.cpp (questions, batches, answers) and
// control_settle.cpp (bringing the world in line with the state). Everything here runs on the
// control thread, but for `figures`.
#pragma once

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/control.hpp"
#include "coordinator/core.hpp"
#include "coordinator/telling.hpp"

namespace entente::coordinator {

namespace asio = boost::asio;

struct Control::State : std::enable_shared_from_this<Control::State> {
  struct Waiting {
    Question question;
    Reply reply;
  };
  struct Peer {
    Connection connection;
    std::optional<round::Agenda> told;
  };

  // Of the store's files.
  struct Needed {
    std::set<Digest> updates;
    bool collecting = false;
    std::set<Digest> models;
    bool includes(const Needed& other) const {
      return std::ranges::includes(updates, other.updates) &&
             std::ranges::includes(models, other.models) && (collecting || !other.collecting);
    }
  };

  State(asio::io_context& thread_, asio::thread_pool& work_, const Store& store_, Layouts& layouts_,
        ControlSettings settings_, crypto::PrivateKey key_)
      : thread(thread_),
        pool(work_),
        store(store_),
        layouts(layouts_),
        settings(std::move(settings_)),
        key(std::move(key_)),
        deadline(thread_),
        minute(thread_),
        reopening(thread_),
        head(thread_),
        work_retry(thread_),
        space_retry(thread_) {}

  asio::io_context& thread;
  asio::thread_pool& pool;
  const Store& store;
  Layouts& layouts;
  ControlSettings settings;
  crypto::PrivateKey key;
  std::unique_ptr<Storage> storage;
  std::optional<Core> core;  // empty while the disk refuses the ledger
  std::optional<Clock> clock;
  std::vector<Waiting> waiting;
  bool drain_posted = false;
  bool stopped = false;
  std::map<std::string, Peer> peers;  // the participants that are connected, by name
  // Whose agendas may have changed since they were told: with an entry of somebody else than a
  // participant, everybody's; and with the phase (a lost update opens a closed round to all again).
  std::set<std::string> to_tell;
  bool all_to_tell = true;
  std::map<std::string, round::Evaluation> evaluations;
  std::optional<Digest> evaluated_model;
  std::map<std::string, UploadProgress> uploads;
  std::map<std::string, std::uint64_t> strangers;  // by cause
  round::Work running;                             // what the pool is doing
  bool working = false;
  std::string ledger_problem;
  std::string work_problem;
  std::string space_problem;
  asio::steady_timer deadline;
  asio::steady_timer minute;
  asio::steady_timer reopening;
  asio::steady_timer head;
  bool head_due = false;
  std::optional<Needed> swept;  // what the last sweep left
  asio::steady_timer work_retry;
  asio::steady_timer space_retry;
  mutable std::mutex figures_mutex;  // figures are read by the health endpoint's thread
  Figures figures;

  Result<void> open();
  void reopen_later(const Error& error);
  void schedule();
  void drain();
  bool decide(std::vector<Waiting>& batch);
  protocol::Status status_without_core() const;
  void answer(const round::Answer& answer, const Reply& reply);
  void take_evaluation(const EvaluationReported& reported, const Reply& reply);
  round::Tick surroundings(bool may_open);
  void note_agendas(std::span<const ledger::Entry> entries);
  void settle();
  void forget_evaluations();
  void tell_agendas();
  void tell_agenda(const std::string& name, Peer& peer, const std::set<std::string>& evaluated);
  void start_work();
  Result<Digest> carry_out(const round::Work& task) const;
  void finish_work(const round::Work& task, Result<Digest> outcome);
  void check_spool();
  bool check_space();
  void sweep();
  void arm_deadline();
  void arm_minute();
  void keep_head();
  void keep_head_in(std::chrono::milliseconds wait);
  void flush_strangers();
  void update_figures();
  std::set<std::string> present() const;
  std::string problem() const;
  Scenery scenery() const;
};

}  // namespace entente::coordinator
