// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/house.hpp"

#include <utility>

#include "common/plan/plan.hpp"

namespace entente::simulation {
namespace {

constexpr milliseconds slice{1'000};  // how often work looks at its flag
constexpr milliseconds considers_most{2'000};
constexpr milliseconds considers_late{30'000};
constexpr milliseconds work_calm_most{4'000};
constexpr milliseconds work_most{20'000};
constexpr milliseconds straggling_most{400'000};
constexpr milliseconds approval_most{120'000};
constexpr milliseconds for_ever = std::chrono::hours(24 * 365);
constexpr std::uint64_t rows = 100;

Error off() {
  return {Errc::io, "the machine is off"};
}

}  // namespace

bool Home::journal_says(const std::string& kind, const Digest& digest) const {
  const std::string_view text = journal.durable(std::string(participant::journal_file));
  const std::string hex = digest.hex();
  const std::string kind_member = "\"kind\":\"" + kind + "\"";
  for (std::size_t at = text.find(hex); at != text.npos; at = text.find(hex, at + 1)) {
    const std::size_t begin = text.rfind('\n', at) + 1;  // npos + 1 is 0
    const std::size_t end = text.find('\n', at);
    if (end == text.npos) return false;
    if (text.substr(begin, end - begin).find(kind_member) != std::string_view::npos) return true;
  }
  return false;
}

// --- the disk

Result<std::vector<std::string>> DiskOfRun::list() {
  if (gone_) return off();
  return disk_.list();
}
Result<std::uint64_t> DiskOfRun::size_bytes(const std::string& name) {
  if (gone_) return off();
  return disk_.size_bytes(name);
}
Result<Bytes> DiskOfRun::read(const std::string& name, std::uint64_t offset, std::uint64_t size) {
  if (gone_) return off();
  return disk_.read(name, offset, size);
}
Result<void> DiskOfRun::append(const std::string& name, ByteView content) {
  if (gone_) return off();
  return disk_.append(name, content);
}
Result<void> DiskOfRun::sync(const std::string& name) {
  if (gone_) return off();
  return disk_.sync(name);
}
Result<void> DiskOfRun::truncate(const std::string& name, std::uint64_t size) {
  if (gone_) return off();
  return disk_.truncate(name, size);
}
Result<void> DiskOfRun::replace(const std::string& name, ByteView content) {
  if (gone_) return off();
  return disk_.replace(name, content);
}

// --- the workbench

std::filesystem::path SimulatedWorkbench::plan_file(const Digest& plan) const {
  return "plans/" + plan.hex();
}
std::filesystem::path SimulatedWorkbench::model_file(const Digest& model) const {
  return "models/" + model.hex();
}
std::filesystem::path SimulatedWorkbench::update_file(const Digest& update) const {
  return "updates/" + update.hex();
}

Result<std::string> SimulatedWorkbench::read_plan(const Digest& plan) {
  if (gone_ || stage_.strikes(stage_.weather.disk.read)) return off();
  if (!home_.files.contains(plan_file(plan).string())) {
    return Error{Errc::not_found, "no plan " + plan.hex()};
  }
  return stage_.plan_bytes.at(plan);
}

Result<bool> SimulatedWorkbench::has_model(const Digest& model, std::uint64_t size_bytes) {
  if (gone_ || stage_.strikes(stage_.weather.disk.read)) return off();
  const auto file = home_.files.find(model_file(model).string());
  return file != home_.files.end() && file->second.size_bytes == size_bytes;
}

net::Async<bool> SimulatedWorkbench::has_update(Digest update, std::uint64_t size_bytes) {
  const Result<void> read = co_await net::wait_for(stage_.between(slice / 100, slice));
  if (!read) co_return read.error();
  if (gone_) co_return off();
  const auto file = home_.files.find(update_file(update).string());
  co_return file != home_.files.end() && file->second.size_bytes == size_bytes;
}

void SimulatedWorkbench::keep_only(const std::set<Digest>& models,
                                   const std::set<Digest>& updates) {
  if (gone_) return;
  std::erase_if(home_.files, [&](const auto& item) {
    const auto& [path, file] = item;
    return (path.starts_with("models/") && !models.contains(file.digest)) ||
           (path.starts_with("updates/") && !updates.contains(file.digest));
  });
}

bool SimulatedWorkbench::is_approved(const Digest& plan) {
  if (!home_.must_approve) return true;
  const auto [asked, first] = home_.approved_from.try_emplace(plan, net::Instant{});
  if (first) {
    asked->second = net::now() + stage_.between(slice, stage_.calm ? slice : approval_most);
  }
  return net::now() >= asked->second;
}

net::Async<void> SimulatedWorkbench::work(milliseconds duration, participant::StopFlag stop) {
  net::Instant end = net::now() + duration;
  while (net::now() < end && !stop.raised() && !gone_) {
    // Nobody straggles on in the calm, but for those whose fate it is.
    if (stage_.calm && home_.fate == Fate::steady)
      end = std::min(end, net::Instant(net::now() + work_calm_most));
    const auto left = std::chrono::ceil<milliseconds>(end - net::now());
    const Result<void> waited = co_await net::wait_for(std::min(left, slice));
    if (!waited) co_return waited;
  }
  if (stop.raised() || gone_) co_return Error{Errc::cancelled, "the flag"};
  co_return ok();
}

net::Async<participant::Suitability> SimulatedWorkbench::consider(
    std::shared_ptr<const plan::Plan> plan) {
  const participant::StopFlag none;
  // Whoever is lost takes its time, so that nothing is begun without the steady.
  milliseconds takes = stage_.between(slice / 20, considers_most);
  if (stage_.calm && home_.fate != Fate::steady) takes += considers_late;
  const Result<void> looked = co_await work(takes, none);
  if (!looked) co_return looked.error();
  // The same house finds the same each time.
  Random luck(load_little_endian<std::uint64_t>(plan->digest.bytes.data()), home_.index);
  if (!stage_.fits_everybody.contains(plan->digest) && luck.chance(stage_.weather.unfit)) {
    stage_.count("data do not fit");
    co_return Error{Errc::malformed, "table.csv:17: not a number"};
  }
  participant::Suitability suitability;
  suitability.training_rows = rows + home_.index;
  suitability.holdout_rows = rows / 10;
  suitability.parameters = model_bytes / 4;
  suitability.model_bytes = model_bytes;
  suitability.memory_bytes = 4 * model_bytes;
  co_return suitability;
}

net::Async<participant::TrainedUpdate> SimulatedWorkbench::train(participant::WorkOrder order) {
  const Digest plan = order.plan->digest;
  stage_.note(home_.name(), "trains", "round " + std::to_string(order.round));
  milliseconds duration = stage_.between(slice / 10, stage_.calm ? work_calm_most : work_most);
  if (stage_.strikes(stage_.weather.straggles)) {
    duration = stage_.between(slice, straggling_most);
    stage_.count("training straggles");
  }
  if (stage_.calm && home_.fate == Fate::idle) duration = for_ever;
  const Result<void> worked = co_await work(duration, order.stop);
  if (!worked) co_return worked.error();
  if (stage_.strikes(stage_.weather.fails)) {
    stage_.count("training failed");
    if (stage_.random.chance(0.5)) co_return Error{Errc::rejected, "the loss is not finite"};
    co_return Error{Errc::io, "the disk is full"};
  }
  participant::TrainedUpdate update;
  update.digest = trained_update(plan, order.round, home_.name(), order.model, home_.bits);
  update.size_bytes = model_bytes;
  update.examples = rows + home_.index;
  update.norm = 1;
  update.tensors = 2;
  update.loss = 0.5;
  update.took = duration;
  home_.files[update_file(update.digest).string()] = {update.digest, model_bytes};
  co_return update;
}

net::Async<participant::EvaluatedModel> SimulatedWorkbench::evaluate(participant::WorkOrder order) {
  const Result<void> worked = co_await work(stage_.between(slice / 10, work_calm_most), order.stop);
  if (!worked) co_return worked.error();
  if (stage_.strikes(stage_.weather.fails)) co_return Error{Errc::io, "the disk is full"};
  participant::EvaluatedModel evaluated;
  evaluated.examples = rows / 10;
  evaluated.metrics["accuracy"] = 0.5 + 0.05 * static_cast<double>(home_.index);
  evaluated.metrics["loss"] = 0.5;
  co_return evaluated;
}

// --- the process

Run::Run(Stage& stage, Home& home, Network& network)
    : stage_(stage),
      home_(home),
      journal_(home.journal, gone_),
      receipts_(home.receipts, gone_),
      transport_(stage, home, network, gone_),
      workbench_(stage, home, gone_),
      tasks_(stage.time.executor()) {}

void Run::start() {
  stage_.note(home_.name(), "starts");
  tasks_.spawn(home_.name(), take_part());
}

void Run::crash(bool power_failed) {
  gone_ = true;
  transport_.crash(power_failed);
  tasks_.stop();
}

net::Async<void> Run::take_part() {
  const Cast& cast = the_cast();
  const participant::House house{transport_, workbench_, journal_, receipts_};
  participant::Policy policy;
  policy.operators = {cast.op.identity.name};
  policy.accept = home_.must_approve ? participant::Acceptance::approved
                                     : participant::Acceptance::signed_by_operator;
  participant::Trust trust{home_.player.identity, cast.authorities, cast.verifier_key};
  participant::Member member{std::move(trust), std::move(policy), home_.player.key,
                             [this] { return stage_.utc() + home_.clock_error; },
                             stage_.new_random()};
  auto taking_part = participant::participate(house, std::move(member), &tally_);
  const Result<void> ended = co_await std::move(taking_part);
  ended_ = ended ? Error{Errc::closed, "it ended by itself"} : ended.error();
  if (!gone_) stage_.note(home_.name(), "ended", ended_->detail);
  co_return ok();
}

}  // namespace entente::simulation
