// SPDX-License-Identifier: Apache-2.0
//
// Where the daemon's work is done and its files lie: the second of its three seams. In production
// local_workbench.hpp: the institution's data, the engine on other threads, the state folder. In
// simulations whatever stands in for them.
//
// Called from one thread; one piece of work at a time. Files are named by digest, so that no
// received text becomes a path.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/base/digest.hpp"
#include "common/net/async.hpp"
#include "common/plan/plan.hpp"
#include "participant/policy.hpp"

namespace entente::participant {

// Raised by the daemon's thread, looked at by the work's. Copies are the same flag.
class StopFlag {
 public:
  StopFlag() : raised_(std::make_shared<std::atomic<bool>>(false)) {}
  void raise() const { raised_->store(true, std::memory_order_relaxed); }
  bool raised() const { return raised_->load(std::memory_order_relaxed); }

 private:
  std::shared_ptr<std::atomic<bool>> raised_;
};

// One piece of training or evaluation.
struct WorkOrder {
  WorkOrder(std::shared_ptr<const plan::Plan> of_plan, std::uint64_t in_round, Digest with_model)
      : plan(std::move(of_plan)), round(in_round), model(with_model) {}
  std::shared_ptr<const plan::Plan> plan;
  std::uint64_t round = 0;
  Digest model;  // its file is there
  std::chrono::seconds time_max{3600};
  StopFlag stop;
};

// An update that lies in update_file(digest).
struct TrainedUpdate {
  Digest digest;
  std::uint64_t size_bytes = 0;
  std::uint64_t examples = 0;  // training rows
  double norm = 0;             // Euclidean
  std::uint64_t tensors = 0;
  double loss = 0;  // mean over all batches
  std::chrono::milliseconds took{0};
};

struct EvaluatedModel {
  std::uint64_t examples = 0;  // hold-out rows
  std::map<std::string, double> metrics;
};

class Workbench {
 public:
  virtual ~Workbench() = default;

  // --- files
  // Where the transport puts a plan or a model, and finds an update.
  virtual std::filesystem::path plan_file(const Digest& plan) const = 0;
  virtual std::filesystem::path model_file(const Digest& model) const = 0;
  virtual std::filesystem::path update_file(const Digest& update) const = 0;
  // The plan's bytes, their digest checked. Errors: not_found - not there, or damaged; io.
  virtual Result<std::string> read_plan(const Digest& plan) = 0;
  // Whether a file of that size is there. Errors: io; rejected - it is not, and the disk has no
  // room for it.
  virtual Result<bool> has_model(const Digest& model, std::uint64_t size_bytes) = 0;
  // Whether the whole file is there, its digest checked. Errors: io; cancelled.
  virtual net::Async<bool> has_update(Digest update, std::uint64_t size_bytes) = 0;
  // Removes all other models and updates, as far as it can.
  virtual void keep_only(const std::set<Digest>& models, const std::set<Digest>& updates) = 0;

  // Whether a person here approved the plan.
  virtual bool is_approved(const Digest& plan) = 0;

  // --- work. Each ends soon after its flag is raised (cancelled).
  // Whether the institution's data fit the plan, and what running it would take.
  // Errors: malformed, invalid_argument - the data do not fit; not_found, io - they cannot be read
  // now; the text may name file, row and column, never what stands there, and is for this house
  // alone; rejected - there is no memory for them, in words that may be told.
  virtual net::Async<Suitability> consider(std::shared_ptr<const plan::Plan> plan) = 0;
  // Trains one round; the update is durable. Precondition: consider() succeeded for the plan.
  // Errors: corrupt - the model's file is not what its name says (it was removed: fetch it again);
  // rejected - the outcome cannot be used, in words that may be told; timed_out - longer than
  // time_max; io; cancelled - the flag.
  virtual net::Async<TrainedUpdate> train(WorkOrder order) = 0;
  // The plan's metrics of the model on the hold-out rows. Precondition and errors: as train.
  virtual net::Async<EvaluatedModel> evaluate(WorkOrder order) = 0;
};

}  // namespace entente::participant
