// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/auditor.hpp"

#include <algorithm>
#include <utility>

#include "common/ledger/verify.hpp"
#include "coordinator/round/transition.hpp"

namespace entente::simulation {
namespace {

namespace core_round = coordinator::round;

const std::string entries_file = "entries-000000.jsonl";

}  // namespace

void Auditor::fail(const std::string& what) {
  stage_.violate(what);
}

void Auditor::expect(bool holds, const std::string& what) {
  if (!holds) stage_.violate(what);
}

void Auditor::begin_again() {
  lines_.clear();
  tree_ = {};
  note_.clear();
  head_ = {};
  read_bytes_ = 0;
  last_time_ = {};
  folded_ = {};
  plans_.clear();
  round_.reset();
  suspended_.clear();
}

void Auditor::look(const coordinator::Core& core, const SimulatedDisk& disk) {
  if (disk.dead() || stage_.violation()) return;
  const std::string& note = core.log().checkpoint();
  if (note == note_) return;
  const auto head = ledger::parse_checkpoint(note);
  if (!head) return fail("the head is none: " + head.error().detail);
  read_lines(disk, head->size);
  if (stage_.violation()) return;
  check_head(core, *head);
  note_ = note;
  expect(folded_ == core.state(), "the state folded from the ledger is not the live one");
}

void Auditor::read_lines(const SimulatedDisk& disk, std::uint64_t size) {
  const std::string_view text = disk.content(entries_file);
  while (lines_.size() < size) {
    const std::size_t end = text.find('\n', read_bytes_);
    if (end == std::string_view::npos) {
      return fail("the head covers " + std::to_string(size) + " entries, on disk are " +
                  std::to_string(lines_.size()));
    }
    take(std::string(text.substr(read_bytes_, end - read_bytes_)));
    read_bytes_ = end + 1;
    if (stage_.violation()) return;
  }
}

void Auditor::check_head(const coordinator::Core& core, const ledger::Checkpoint& head) {
  const std::string sizes = std::to_string(head_.size) + " to " + std::to_string(head.size);
  expect(head.size == lines_.size() && head.size >= head_.size, "the head went back: " + sizes);
  if (stage_.violation()) return;
  expect(tree_.root() == head.root, "the head's root is not that of the entries");
  if (head_.size > 0) {
    const auto consistent = ledger::check_consistency(head_.size, head_.root, head.size, head.root,
                                                      core.log().consistency_proof(head_.size));
    expect(consistent.has_value(), "the heads are not consistent: " + sizes);
  }
  head_ = head;
  promised_ = std::max(promised_, head.size);
  checked_ = head.size;
}

void Auditor::verify(const SimulatedDisk& disk) {
  SimulatedDisk copy = disk;  // the auditor's own reading never fails
  copy.set_trouble({});
  const auto verified = ledger::verify_ledger(
      copy, the_cast().verifier_key,
      [](const ledger::Entry&, std::string_view) -> Result<void> { return ok(); });
  if (!verified) return fail("the ledger does not verify: " + verified.error().detail);
  expect(verified->entries_behind_head == 0 && !verified->torn_tail,
         "after opening something stands behind the head");
}

// Whether all lines that were read are still there.
bool Auditor::stands_as_before(const SimulatedDisk& disk) const {
  const std::string_view text = disk.content(entries_file);
  std::size_t at = 0;
  for (const std::string& line : lines_) {
    if (!text.substr(at).starts_with(line) || text.substr(at + line.size(), 1) != "\n")
      return false;
    at += line.size() + 1;
  }
  return true;
}

void Auditor::reopened(const coordinator::Core& core, const SimulatedDisk& disk, bool verify_too) {
  if (stage_.violation()) return;
  if (verify_too) verify(disk);
  if (stands_as_before(disk)) {
    look(core, disk);
    expect(folded_ == core.state(), "the state folded from the ledger is not the recovered one");
    return;
  }
  stage_.count("entries without a head lost");
  checked_ = std::min(checked_, promised_);
  const std::vector<std::string> before = std::move(lines_);
  begin_again();
  look(core, disk);
  if (stage_.violation()) return;
  expect(lines_.size() >= promised_, "the ledger has " + std::to_string(lines_.size()) +
                                         " entries, a head over " + std::to_string(promised_) +
                                         " was signed");
  const auto common = static_cast<std::ptrdiff_t>(
      std::min<std::uint64_t>({promised_, before.size(), lines_.size()}));
  expect(std::equal(before.begin(), before.begin() + common, lines_.begin()),
         "an entry that a signed head covered has changed");
  check_receipts();
}

void Auditor::take(const std::string& line) {
  const auto entry = ledger::decode_entry(line);
  const std::string number = std::to_string(lines_.size());
  if (!entry) return fail("line " + number + ": " + entry.error().detail);
  expect(entry->sequence == lines_.size(), "entry " + number + " is out of sequence");
  expect(entry->time >= last_time_, "entry " + number + " is older than the one before it");
  expect(entry->federation == the_cast().federation, "entry " + number + ": another federation");
  last_time_ = entry->time;
  follow(*entry);
  if (stage_.violation()) return;
  auto next = core_round::apply(std::move(folded_), *entry);
  if (!next) return fail("recovery would refuse its own ledger: " + next.error().detail);
  folded_ = std::move(*next);
  tree_.append(ledger::leaf_hash(line));
  lines_.push_back(line);
}

void Auditor::given(const ledger::Receipt& receipt) {
  if (stage_.violation()) return;
  const auto head = ledger::parse_checkpoint(receipt.checkpoint);
  if (!head) return fail("a receipt without a head: " + head.error().detail);
  const Digest leaf = ledger::leaf_hash(receipt.line);
  const auto included =
      ledger::check_inclusion(receipt.index, head->size, leaf, receipt.proof, head->root);
  expect(included.has_value(), "a receipt that proves nothing");
  given_.push_back({receipt.index, leaf, head->size, head->root});
  promised_ = std::max(promised_, head->size);
}

void Auditor::check_receipts() {
  for (const Given& given : given_) {
    const bool stands = given.size <= tree_.size() && given.index < tree_.size() &&
                        tree_.leaf(given.index) == given.leaf;
    expect(stands, "entry " + std::to_string(given.index) +
                       ", for which somebody has a receipt, is not in the ledger any more");
    if (!stands) return;
    expect(tree_.root(given.size) == given.root,
           "the head over " + std::to_string(given.size) +
               " entries that somebody was given is not consistent with the ledger");
  }
}

void Auditor::answered(const core_round::Event& event, const protocol::Answer& answer) {
  if (!is_success(answer.verdict) || stage_.violation()) return;
  std::string kind;
  std::string actor;
  std::optional<Digest> update;
  if (const auto* arrived = std::get_if<core_round::UpdateArrived>(&event)) {
    kind = "update.accepted";
    actor = arrived->from;
    update = arrived->update;
  } else if (const auto* given = std::get_if<core_round::PlanAnswered>(&event)) {
    if (!given->consents) return;
    kind = "plan.consented";
    actor = given->from;
  } else if (std::holds_alternative<core_round::PlanSubmitted>(event)) {
    kind = "plan.submitted";
  } else {
    return;
  }
  if (!answer.receipt) return fail("a success without a receipt: " + kind);
  const auto entry = ledger::decode_entry(answer.receipt->line);
  if (!entry) return fail("a receipt of no entry: " + entry.error().detail);
  expect(entry->kind == kind, "a receipt of " + entry->kind + " for " + kind);
  expect(actor.empty() || entry->actor == the_cast().participant(actor).identity.uri(),
         "a receipt of somebody else's " + kind);
  expect(!update || entry->subjects.at("update") == *update, "a receipt of another update");
}

}  // namespace entente::simulation
