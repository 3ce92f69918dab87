// SPDX-License-Identifier: Apache-2.0
//
// The ledger's writer alone, in segments of three lines: batches that cross one, several and no
// border, heads stored at once and later, the ledger opened anew in between.
#include <algorithm>

#include "common/base/clock.hpp"
#include "tests/crash/ledger_checks.hpp"
#include "tests/crash/story.hpp"

namespace entente::crash {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uint64_t entries_wanted = 17;
constexpr std::uint64_t segment_bytes = 900;
constexpr std::uint64_t opened_anew_at = 9;

ledger::Entry entry_at(std::uint64_t sequence) {
  ledger::Entry entry;
  entry.sequence = sequence;
  entry.time = parse_rfc3339("2026-11-23T12:00:00.000000Z").value() + sequence * 1s;
  entry.kind = "round.opened";
  entry.federation = federation;
  entry.actor = "spiffe://hospitals.example/coordinator/main";
  entry.round = sequence;
  entry.software = "0.1.0";
  entry.details["attempt"] = 1;
  return entry;
}

// How many entries are appended together from that of `sequence` on.
std::uint64_t batch_at(std::uint64_t sequence) {
  const std::uint64_t some = sequence == 3 ? 6 : sequence % 3 == 0 ? 1 : 2;
  return std::min(some, entries_wanted - sequence);
}

class LedgerScene : public Scene {
 public:
  LedgerScene(fs::path folder, Notes& notes, bool hasty)
      : folder_(std::move(folder)), notes_(notes), hasty_(hasty) {}

  Result<void> open() override {
    log_.reset();
    storage_ = open_storage(folder_ / "ledger");
    auto opened = ledger::Log::open(
        *storage_, ledger::ledger_origin(federation), ledger_key(),
        [](const ledger::Entry&, std::string_view) { return ok(); }, segment_bytes);
    if (!opened) return opened.error();
    log_.emplace(std::move(*opened));
    promise(notes_, {}, *log_);
    return ok();
  }

  Result<bool> step() override {
    if (!log_) {
      if (auto opened = open(); !opened) return opened.error();
    }
    const std::uint64_t size = log_->size();
    if (size >= entries_wanted) {
      if (auto stored = log_->store_head(); !stored) return stored.error();
      return false;
    }
    if (size >= opened_anew_at && !opened_anew_) {
      opened_anew_ = true;
      log_.reset();
      return true;
    }
    std::vector<ledger::Entry> batch;
    for (std::uint64_t i = 0; i < batch_at(size); ++i) batch.push_back(entry_at(size + i));
    const auto head = size % 2 == 0 ? ledger::StoreHead::now : ledger::StoreHead::later;
    if (hasty_) promise_entries(notes_, batch);
    if (auto appended = log_->append(batch, head); !appended) {
      log_.reset();  // what it says of itself is worth nothing now
      return appended.error();
    }
    promise(notes_, batch, *log_);
    if (size % 5 == 0) {
      if (auto stored = log_->store_head(); !stored) return stored.error();
    }
    return true;
  }

 private:
  fs::path folder_;
  Notes& notes_;
  bool hasty_;
  std::unique_ptr<Storage> storage_;
  std::optional<ledger::Log> log_;
  bool opened_anew_ = false;
};

class LedgerStory : public Story {
 public:
  explicit LedgerStory(bool hasty) : hasty_(hasty) {}
  std::string name() const override { return hasty_ ? "hasty ledger" : "ledger"; }
  std::unique_ptr<Scene> begin(const fs::path& folder, Notes& notes) const override {
    return std::make_unique<LedgerScene>(folder, notes, hasty_);
  }
  Result<void> look_at_wreck(const fs::path& folder, const Notes& notes) const override {
    return check_wreck(folder / "ledger", notes);
  }
  Result<void> look_at_opened(const fs::path& folder, const Notes& notes) const override {
    const auto entries = check_whole(folder / "ledger", notes);
    if (!entries) return entries.error();
    return ok();
  }
  Result<void> look_at_end(const fs::path& folder, Notes& notes) const override {
    const auto entries = check_whole(folder / "ledger", notes);
    if (!entries) return entries.error();
    for (const ledger::Entry& entry : *entries) {
      if (entry != entry_at(entry.sequence)) {
        return Error{Errc::corrupt,
                     "entry " + std::to_string(entry.sequence) + " is not what was written"};
      }
    }
    for (const std::string& name : names_below(folder)) notes.outcome(name);
    return ok();
  }

 private:
  bool hasty_;
};

}  // namespace

std::unique_ptr<Story> ledger_story() {
  return std::make_unique<LedgerStory>(false);
}
std::unique_ptr<Story> hasty_ledger_story() {
  return std::make_unique<LedgerStory>(true);
}

}  // namespace entente::crash
