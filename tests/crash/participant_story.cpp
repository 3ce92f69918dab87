// SPDX-License-Identifier: Apache-2.0
//
// The participant's state folder through the consent to a plan and two rounds: lock, journal,
// approvals, updates, receipts, and what the optimiser remembers.
#include "participant/state_folder.hpp"

#include <algorithm>
#include <map>

#include "common/base/file.hpp"
#include "common/crypto/hash.hpp"
#include "common/tensor/safetensors.hpp"
#include "participant/journal.hpp"
#include "participant/optimizer_memory.hpp"
#include "tests/crash/ledger_checks.hpp"
#include "tests/crash/story.hpp"

namespace entente::crash {
namespace {

namespace fs = std::filesystem;
using namespace participant;
using namespace std::chrono_literals;

constexpr std::uint64_t rounds = 3;
constexpr std::uint64_t values_remembered = 4;
constexpr std::uint64_t text_max_bytes = 1U << 20U;

const Digest plan = crypto::sha256("plan");

WorkName work_of(std::uint64_t round) {
  return {plan, round, crypto::sha256("model " + std::to_string(round))};
}

tensor::ParameterLayout layout() {
  return tensor::ParameterLayout::make({{"dense/bias", {values_remembered}}}).value();
}

class ParticipantScene : public Scene {
 public:
  ParticipantScene(fs::path root, Notes& notes) : folder_(std::move(root)), notes_(notes) {}

  Result<void> open() override {
    auto lock = FolderLock::take(folder_.root(), state_format);
    if (!lock) return lock.error();
    lock_.emplace(std::move(*lock));
    if (auto made = folder_.make(); !made) return made;
    storage_ = open_storage(folder_.journal());
    receipts_ = open_storage(folder_.receipts());
    auto journal = Journal::open(*storage_);
    if (!journal) return journal.error();
    journal_.emplace(std::move(*journal));
    return ok();
  }

  Result<bool> step() override {
    if (!folder_.is_approved(plan)) {
      if (auto done = folder_.approve(plan, now()); !done) return done.error();
      notes_.promise("approved");
      return true;
    }
    if (journal_->consent(plan) == nullptr) {
      if (auto done = write(Consent{plan, 100, "trial", "olga", to_bytes("signature")}); !done) {
        return done.error();
      }
      return true;
    }
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      const FinishedUpdate* finished = journal_->update(work_of(round));
      if (finished != nullptr && journal_->has_receipt(finished->update)) continue;
      auto done = finished == nullptr ? train(round) : send(*finished);
      if (!done) return done.error();
      return true;
    }
    folder_.keep_only({work_of(rounds).model}, {journal_->update(work_of(rounds))->update});
    return false;
  }

 private:
  // Goes by the journal: a line is the same whoever writes it.
  TimePoint now() const {
    const std::uint64_t records = journal_ ? journal_->records() : 0;
    return parse_rfc3339("2026-11-23T12:00:00.000000Z").value() + records * 1s;
  }

  Result<void> write(const Record& record) {
    const auto line = encode_record(record, now());
    if (!line) return line.error();
    if (auto written = journal_->append(record, now()); !written) return written;
    notes_.promise("line " + *line);
    return ok();
  }

  // As the workbench does: what the optimiser remembers, then the update, then the journal.
  Result<void> train(std::uint64_t round) {
    const OptimizerMemory memory(folder_.optimizer());
    const TrainedRound trained{plan, round, work_of(round).model};
    const auto before = memory.before(trained, values_remembered);
    if (!before) return before.error();
    const float last = *before ? (*before)->values.values()[0] : 0.0F;
    const std::vector<float> state(values_remembered, 2 * last + static_cast<float>(round));
    if (auto kept = memory.keep(trained, round, state); !kept) return kept;

    auto writer = tensor::SafetensorsWriter::open(folder_.unfinished_update(), layout());
    if (!writer) return writer.error();
    if (auto written = writer->append(state); !written) return written;
    const auto digest = writer->finish(Durability::durable);
    if (!digest) return digest.error();
    auto committed = writer->commit(Durability::durable, folder_.update(*digest));
    if (!committed) return committed;
    FinishedUpdate finished;
    finished.work = work_of(round);
    finished.update = *digest;
    finished.size_bytes = tensor::safetensors_size_bytes(layout());
    finished.norm = 1;
    finished.tensors = 1;
    return write(finished);
  }

  // What the journal says is about to leave must be there; then the receipt is kept.
  Result<void> send(const FinishedUpdate& finished) {
    const auto content = read_file(folder_.update(finished.update), text_max_bytes);
    if (!content) return content.error();
    if (crypto::sha256(*content) != finished.update) {
      return Error{Errc::corrupt, "an update is not what the journal says"};
    }
    ReceiptKept kept;
    kept.plan = plan;
    kept.round = finished.work.round;
    kept.update = finished.update;
    kept.index = finished.work.round;
    kept.file = "update-" + finished.update.hex() + ".tlog-proof";
    if (auto stored = receipts_->replace(kept.file, as_bytes(kept.file)); !stored) return stored;
    const std::set<Digest> models = {finished.work.model}, updates = {finished.update};
    if (auto written = write(kept); !written) return written;
    notes_.promise("receipt " + kept.file);
    folder_.keep_only(models, updates);
    return ok();
  }

  StateFolder folder_;
  Notes& notes_;
  std::optional<FolderLock> lock_;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Storage> receipts_;
  std::optional<Journal> journal_;
};

class ParticipantStory : public Story {
 public:
  std::string name() const override { return "participant"; }
  std::unique_ptr<Scene> begin(const fs::path& folder, Notes& notes) const override {
    return std::make_unique<ParticipantScene>(folder, notes);
  }

  // Should: hold every promised line already, before anything was opened.
  Result<void> look_at_wreck(const fs::path& folder, const Notes& notes) const override {
    std::string text;
    if (auto read = read_text(folder / "journal" / journal_file, text_max_bytes)) text = *read;
    for (const std::string& line : notes.promises()) {
      const bool kept =
          line == "approved" ? StateFolder(folder).is_approved(plan)
          : line.starts_with("receipt ")
              ? read_text(folder / "receipts" / line.substr(8), text_max_bytes).has_value()
              : text.find(line.substr(5) + "\n") != text.npos;
      if (!kept) return Error{Errc::corrupt, "promised and not kept: " + line};
    }
    return ok();
  }

  Result<void> look_at_opened(const fs::path& folder, const Notes& notes) const override {
    return look_at_wreck(folder, notes);
  }

  Result<void> look_at_end(const fs::path& folder, Notes& notes) const override {
    if (auto kept = look_at_wreck(folder, notes); !kept) return kept;
    const auto text = read_text(folder / "journal" / journal_file, text_max_bytes);
    if (!text) return text.error();
    notes.outcome(*text);  // the whole journal: nothing is in it twice
    for (const std::string& name : names_below(folder)) {
      // An older state that could not be removed goes with the next round's.
      if (!name.starts_with("optimizer/") || name.ends_with("-" + std::to_string(rounds))) {
        notes.outcome(name);
      }
    }
    return ok();
  }
};

}  // namespace

std::unique_ptr<Story> participant_story() {
  return std::make_unique<ParticipantStory>();
}

}  // namespace entente::crash
