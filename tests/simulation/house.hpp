// SPDX-License-Identifier: Apache-2.0
//
// A simulated participant: the real daemon over a simulated transport, workbench and disk.
//
// A House is what lasts: its disk and its files. A Run in it is one process of the daemon; a crash
// cuts its seams off from everything and stops its coroutines, so that nothing it still does has
// any effect.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/net/task_group.hpp"
#include "participant/daemon.hpp"
#include "participant/journal.hpp"
#include "tests/simulation/auditor.hpp"
#include "tests/simulation/cast.hpp"
#include "tests/simulation/connection.hpp"
#include "tests/simulation/disk.hpp"
#include "tests/simulation/shell.hpp"
#include "tests/simulation/stage.hpp"

namespace entente::simulation {

// Who can be dialled: gives the coordinator's process, or nullptr when none is up.
struct Network {
  std::function<std::shared_ptr<Shell>()> coordinator;
  bool power_is_off = false;  // nobody answers the dialler at all
  std::uint64_t connections = 0;
};

struct StoredFile {
  Digest digest;
  std::uint64_t size_bytes = 0;
};

// What lasts over the crashes of one participant.
struct Home {
  Home(const Player& player_, std::size_t index_, Random journal_luck, Random receipts_luck)
      : player(player_), index(index_), journal(journal_luck), receipts(receipts_luck) {}

  const std::string& name() const { return player.identity.name; }

  const Player& player;
  std::size_t index;
  SimulatedDisk journal;
  SimulatedDisk receipts;
  std::map<std::string, StoredFile> files;       // by path
  std::map<Digest, std::uint64_t> parts;         // how much of a blob has come
  std::uint64_t bits = 0;                        // see trained_update
  bool must_approve = false;                     // a person approves each plan
  Fate fate = Fate::steady;                      // once the weather has ended
  std::map<Digest, net::Instant> approved_from;  // plans that were asked about
  Duration clock_error{0};

  // Whether the durable journal has a line of that kind that names the digest.
  bool journal_says(const std::string& kind, const Digest& digest) const;
};

// The journal or receipts folder as one process sees it.
class DiskOfRun : public Storage {
 public:
  DiskOfRun(SimulatedDisk& disk, const bool& gone) : disk_(disk), gone_(gone) {}
  Result<std::vector<std::string>> list() override;
  Result<std::uint64_t> size_bytes(const std::string& name) override;
  Result<Bytes> read(const std::string& name, std::uint64_t offset, std::uint64_t size) override;
  Result<void> append(const std::string& name, ByteView content) override;
  Result<void> sync(const std::string& name) override;
  Result<void> truncate(const std::string& name, std::uint64_t size) override;
  Result<void> replace(const std::string& name, ByteView content) override;

 private:
  SimulatedDisk& disk_;
  const bool& gone_;
};

class SimulatedTransport : public participant::Transport {
 public:
  SimulatedTransport(Stage& stage, Home& home, Network& network, const bool& gone)
      : stage_(stage), home_(home), network_(network), gone_(gone) {}

  net::Async<protocol::Welcome> connect() override;
  net::Async<protocol::Agenda> next_agenda() override;
  net::Async<protocol::Answer> request(protocol::Message message) override;
  net::Async<void> fetch(Digest digest, std::uint64_t size_bytes,
                         std::filesystem::path destination) override;
  net::Async<protocol::Answer> upload(protocol::OfferUpdate offer,
                                      std::filesystem::path file) override;
  net::Async<void> close(std::string goodbye) override;

  // The process is gone: its connections end as the machine lets them.
  void crash(bool power_failed);

 private:
  using Opened = std::shared_ptr<Connection>;
  // What answers an offer: go on from there, or an answer.
  struct OfferOutcome {
    std::optional<std::uint64_t> offset;
    protocol::Answer answer;
  };

  template <class T>
  std::shared_ptr<Slot<T>> new_slot(const Opened& connection);
  bool is_open() const { return !gone_ && connection_ && connection_->client_open(); }
  void check_journal(const protocol::Message& message);
  // Perhaps says the same once more, later, whatever became of the connection.
  void perhaps_repeat(std::function<void(Shell&)> again);
  net::Async<void> carry_chunk(Opened connection, std::uint64_t bytes);
  net::Async<OfferOutcome> offer(Opened connection, protocol::OfferUpdate offer);
  void send_chunk(const Opened& connection, const protocol::OfferUpdate& offer, std::uint64_t begin,
                  std::uint64_t end, const std::shared_ptr<Slot<protocol::Answer>>& answered);

  Stage& stage_;
  Home& home_;
  Network& network_;
  const bool& gone_;
  Opened connection_;
};

class SimulatedWorkbench : public participant::Workbench {
 public:
  SimulatedWorkbench(Stage& stage, Home& home, const bool& gone)
      : stage_(stage), home_(home), gone_(gone) {}

  std::filesystem::path plan_file(const Digest& plan) const override;
  std::filesystem::path model_file(const Digest& model) const override;
  std::filesystem::path update_file(const Digest& update) const override;
  Result<std::string> read_plan(const Digest& plan) override;
  Result<bool> has_model(const Digest& model, std::uint64_t size_bytes) override;
  net::Async<bool> has_update(Digest update, std::uint64_t size_bytes) override;
  void keep_only(const std::set<Digest>& models, const std::set<Digest>& updates) override;
  bool is_approved(const Digest& plan) override;
  net::Async<participant::Suitability> consider(std::shared_ptr<const plan::Plan> plan) override;
  net::Async<participant::TrainedUpdate> train(participant::WorkOrder order) override;
  net::Async<participant::EvaluatedModel> evaluate(participant::WorkOrder order) override;

 private:
  // Errors: cancelled - the flag, a stop or the process's end.
  net::Async<void> work(milliseconds duration, participant::StopFlag stop);

  Stage& stage_;
  Home& home_;
  const bool& gone_;
};

// One process of the daemon.
class Run {
 public:
  Run(Stage& stage, Home& home, Network& network);

  void start();
  // Ends it at once: nothing of it has any effect after this.
  void crash(bool power_failed);
  // Asks it to stop, as a signal does.
  void stop() { tasks_.stop(); }

  bool gone() const { return gone_; }
  // Whether all its coroutines have ended.
  bool over() const { return tasks_.size() == 0; }
  // How it ended by itself.
  const std::optional<Error>& ended() const { return ended_; }
  const participant::Tally& tally() const { return tally_; }

 private:
  net::Async<void> take_part();

  Stage& stage_;
  Home& home_;
  bool gone_ = false;
  DiskOfRun journal_;
  DiskOfRun receipts_;
  SimulatedTransport transport_;
  SimulatedWorkbench workbench_;
  participant::Tally tally_;
  std::optional<Error> ended_;
  net::TaskGroup tasks_;
};

inline constexpr std::uint64_t model_bytes = 64U << 10U;  // of every model and update

}  // namespace entente::simulation
