// SPDX-License-Identifier: Apache-2.0
#include "participant/local_workbench.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "common/base/assert.hpp"
#include "common/base/file.hpp"
#include "common/base/log.hpp"
#include "common/crypto/hash.hpp"
#include "common/tensor/safetensors.hpp"
#include "participant/optimizer_memory.hpp"

namespace entente::participant {
namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

constexpr std::uint64_t space_reserve_bytes = 64U << 20U;  // for the journal and the receipts
constexpr std::size_t hash_block_bytes = 1U << 20U;
constexpr std::string_view not_enough_memory =
    "there is not enough memory here for the plan's model; try micro_batch, recompute or a smaller "
    "batch_size";  // as is told, and so is the next
constexpr std::string_view data_do_not_fit = "the data here do not fit the plan";

// How long a piece of work may go on: until its flag, or its time.
class Patience {
 public:
  explicit Patience(const WorkOrder& order)
      : stop_(order.stop), started_(SteadyClock::now()), limit_(order.time_max) {}
  bool is_over() const { return stop_.raised() || elapsed() >= limit_; }
  SteadyClock::duration elapsed() const { return SteadyClock::now() - started_; }

  // What an error of the training room means for the daemon. Its text may speak of rows: it is
  // logged here and goes no further.
  Error explain(const Error& error, std::string_view told) const {
    if (error.code == Errc::cancelled && !stop_.raised()) {
      return {Errc::timed_out, "stopped after its longest time"};
    }
    const bool of_data = error.code == Errc::malformed;
    if (!of_data && error.code != Errc::invalid_argument) return error;
    log_warning("work failed", {{"reason", error.detail}});
    return {Errc::rejected, std::string(of_data ? data_do_not_fit : told)};
  }

 private:
  StopFlag stop_;
  SteadyClock::time_point started_;
  std::chrono::seconds limit_;
};

// `work` on prepared rows; what it needs in vain is logged here and told without a number.
template <class Work>
auto declined_without_memory(const Prepared& prepared, const Work& work) -> decltype(work()) {
  bool failed = false;
  auto outcome = within_memory(prepared, [&]() -> decltype(work()) {
    failed = true;
    auto done = work();
    failed = false;
    return done;
  });
  if (!failed) return outcome;
  log_warning("work failed", {{"reason", outcome.error().detail}});
  return Error{Errc::rejected, std::string(not_enough_memory)};
}

Result<std::optional<std::uint64_t>> size_of_file(const fs::path& path) {
  std::error_code failed;
  const auto size = fs::file_size(path, failed);
  if (failed == std::errc::no_such_file_or_directory) return std::optional<std::uint64_t>();
  if (failed) return Error{Errc::io, path.string() + ": " + failed.message()};
  return std::optional<std::uint64_t>(size);
}

Result<Digest> hash_file(const fs::path& path, std::uint64_t size_bytes) {
  const auto file = File::open(path, File::Mode::read);
  if (!file) return file.error();
  crypto::Sha256 hash;
  Bytes block(hash_block_bytes);
  for (std::uint64_t offset = 0; offset < size_bytes;) {
    const auto part = std::span(block).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), size_bytes - offset)));
    if (auto read = file->read_at(offset, part); !read) return read.error();
    hash.update(part);
    offset += part.size();
  }
  return hash.finish();
}

// The parameters in the model's file, its digest checked; a file that is not what its name says is
// removed.
Result<tensor::ParameterBuffer> read_model(const Prepared& prepared, const fs::path& path,
                                           const Digest& model) {
  tensor::ParameterBuffer values(prepared.network.parameter_count());
  const auto digest = tensor::read_safetensors(path, prepared.network.layout(), values.values());
  if (digest && *digest == model) return values;
  if (!digest && digest.error().code != Errc::malformed) return digest.error();
  if (auto removed = remove_file(path); !removed) return removed.error();
  return Error{
      Errc::corrupt,
      path.string() + ": " + (digest ? "another digest than its name" : digest.error().detail)};
}

// What the optimiser begins with; a plan that keeps nothing leaves nothing of others' either.
Result<std::optional<training::Remembered>> what_was_remembered(const Prepared& prepared,
                                                                const OptimizerMemory& memory,
                                                                const TrainedRound& round) {
  if (prepared.plan->training.optimizer_state == plan::OptimizerState::keep) {
    return memory.before(round, training::remembered_count(prepared.setting()));
  }
  memory.forget();
  return std::optional<training::Remembered>();
}

Result<TrainedUpdate> train_here(const Prepared& prepared, const WorkOrder& order,
                                 const StateFolder& folder) {
  const Patience patience(order);
  auto global = read_model(prepared, folder.model(order.model), order.model);
  if (!global) return global.error();
  const OptimizerMemory memory(folder.optimizer());
  const TrainedRound round{prepared.plan->digest, order.round, order.model};
  auto before = what_was_remembered(prepared, memory, round);
  if (!before) return before.error();
  const auto outcome = training::train(
      prepared.setting(), order.round, global->values(), [&] { return patience.is_over(); },
      *before ? &**before : nullptr);
  if (!outcome) return patience.explain(outcome.error(), "training did not stay finite");
  // Before the update: an update that is there is never trained again.
  if (outcome->optimizer) {
    const engine::Optimizer& optimizer = *outcome->optimizer;
    auto kept = memory.keep(round, optimizer.steps(), optimizer.state());
    if (!kept) return kept.error();
  }
  const tensor::ParameterLayout& layout = prepared.network.layout();
  auto writer = tensor::SafetensorsWriter::open(folder.unfinished_update(), layout);
  if (!writer) return writer.error();
  if (auto written = writer->append(outcome->update.values()); !written) return written.error();
  const auto digest = writer->finish(Durability::durable);
  if (!digest) return digest.error();
  auto committed = writer->commit(Durability::durable, folder.update(*digest));
  if (!committed) return committed.error();
  TrainedUpdate update;
  update.digest = *digest;
  update.size_bytes = tensor::safetensors_size_bytes(layout);
  update.examples = outcome->examples;
  update.norm = outcome->norm;
  update.tensors = layout.tensors().size();
  update.loss = outcome->loss;
  update.took = std::chrono::duration_cast<std::chrono::milliseconds>(patience.elapsed());
  return update;
}

Result<EvaluatedModel> evaluate_here(const Prepared& prepared, const WorkOrder& order,
                                     const StateFolder& folder) {
  const Patience patience(order);
  auto model = read_model(prepared, folder.model(order.model), order.model);
  if (!model) return model.error();
  auto figures = training::evaluate(prepared.setting(), prepared.split.holdout, model->values(),
                                    [&] { return patience.is_over(); });
  if (!figures) return patience.explain(figures.error(), "the model cannot be evaluated here");
  return EvaluatedModel{figures->examples, std::move(figures->metrics)};
}

}  // namespace

LocalWorkbench::LocalWorkbench(StateFolder folder, data::Source source, std::string participant,
                               std::uint64_t memory_max_bytes, net::Pool& pool)
    : folder_(std::move(folder)),
      source_(std::move(source)),
      participant_(std::move(participant)),
      memory_max_bytes_(memory_max_bytes),
      pool_(pool) {}

fs::path LocalWorkbench::plan_file(const Digest& plan) const {
  return folder_.plan(plan);
}
fs::path LocalWorkbench::model_file(const Digest& model) const {
  return folder_.model(model);
}
fs::path LocalWorkbench::update_file(const Digest& update) const {
  return folder_.update(update);
}

Result<std::string> LocalWorkbench::read_plan(const Digest& plan) {
  const fs::path path = folder_.plan(plan);
  auto text = read_text(path, plan::plan_max_bytes);
  if (text && crypto::sha256(*text) == plan) return text;
  if (!text && text.error().code != Errc::malformed) return text;
  if (auto removed = remove_file(path); !removed) return removed.error();
  return Error{Errc::not_found, path.string() + ": damaged"};
}

Result<bool> LocalWorkbench::has_model(const Digest& model, std::uint64_t size_bytes) {
  const auto size = size_of_file(folder_.model(model));
  if (!size) return size.error();
  if (*size == size_bytes) return true;
  const auto free_bytes = free_space_bytes(folder_.root());
  if (!free_bytes) return free_bytes.error();
  // The model, and the update that comes of it.
  if (*free_bytes < space_reserve_bytes || (*free_bytes - space_reserve_bytes) / 2 < size_bytes) {
    return Error{Errc::rejected, "not enough disk space here for the model and its update"};
  }
  return false;
}

net::Async<bool> LocalWorkbench::has_update(Digest update, std::uint64_t size_bytes) {
  const fs::path path = folder_.update(update);
  const auto size = size_of_file(path);
  if (!size) co_return size.error();
  if (*size != size_bytes) co_return false;
  auto job = [path, size_bytes] { return hash_file(path, size_bytes); };
  const Result<Digest> digest = co_await net::on_pool(pool_, std::move(job));
  if (!digest) co_return digest.error();
  co_return *digest == update;
}

void LocalWorkbench::keep_only(const std::set<Digest>& models, const std::set<Digest>& updates) {
  folder_.keep_only(models, updates);
}

bool LocalWorkbench::is_approved(const Digest& plan) {
  return folder_.is_approved(plan);
}

net::Async<Suitability> LocalWorkbench::consider(std::shared_ptr<const plan::Plan> plan) {
  if (!prepared_ || prepared_->plan->digest != plan->digest) {
    prepared_.reset();  // the rows of one plan in memory at a time
    auto job = [plan, source = source_, participant = participant_, memory = memory_max_bytes_] {
      return prepare(plan, source, participant, memory, data::Cells::withheld);
    };
    Result<PreparedRef> prepared = co_await net::on_pool(pool_, std::move(job));
    if (!prepared) co_return prepared.error();
    prepared_ = std::move(*prepared);
  }
  co_return suitability_of(*prepared_);
}

net::Async<TrainedUpdate> LocalWorkbench::train(WorkOrder order) {
  ENTENTE_ASSERT(prepared_ && prepared_->plan->digest == order.plan->digest,
                 "consider() comes before train()");
  auto job = [prepared = prepared_, order, folder = folder_] {
    return declined_without_memory(*prepared, [&] { return train_here(*prepared, order, folder); });
  };
  co_return co_await net::on_pool(pool_, std::move(job));
}

net::Async<EvaluatedModel> LocalWorkbench::evaluate(WorkOrder order) {
  ENTENTE_ASSERT(prepared_ && prepared_->plan->digest == order.plan->digest,
                 "consider() comes before evaluate()");
  auto job = [prepared = prepared_, order, folder = folder_] {
    return declined_without_memory(*prepared,
                                   [&] { return evaluate_here(*prepared, order, folder); });
  };
  co_return co_await net::on_pool(pool_, std::move(job));
}

}  // namespace entente::participant
