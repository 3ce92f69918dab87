// SPDX-License-Identifier: Apache-2.0
#include "tests/crash/matrix.hpp"

#include <csignal>
#include <cstdio>
#include <set>
#include <stdexcept>

#include "common/base/file.hpp"
#include "common/crypto/hash.hpp"
#include "tests/crash/ledger_checks.hpp"

namespace entente::crash {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t file_max_bytes = 16U << 20U;
constexpr Harm harms_of_restarts[] = {Harm::killed, Harm::io_once};

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "; ") + line;
  return text;
}

// What a line of one outcome says and the other does not.
std::string difference(const std::vector<std::string>& expected,
                       const std::vector<std::string>& seen) {
  const std::multiset<std::string> one(expected.begin(), expected.end());
  const std::multiset<std::string> other(seen.begin(), seen.end());
  std::string text;
  for (const std::string& line : one) {
    if (other.count(line) < one.count(line)) text += " missing: " + line;
  }
  for (const std::string& line : other) {
    if (one.count(line) < other.count(line)) text += " too much: " + line;
  }
  return text;
}

// The kernel interrupts these, as a program must expect; others never, nor the opening of a folder.
bool may_be_interrupted(const Call& call) {
  static const std::set<std::string> calls = {
      "open",      "openat", "read",      "pread64",   "write",  "pwrite64", "fsync",
      "fdatasync", "flock",  "ftruncate", "fallocate", "statfs", "fstatfs"};
  return calls.contains(call.name) && call.line.find("O_DIRECTORY") == call.line.npos;
}

bool is_applicable(const Call& call, Harm harm) {
  return harm != Harm::interrupted || may_be_interrupted(call);
}

// Whether a run may end so after such a harm: what happens once must not end a program that is up.
bool is_allowed(const Ending& ending, Harm harm) {
  switch (harm) {
    case Harm::killed:
      return ending.signal == SIGKILL;
    case Harm::interrupted:
      return ending.well(went_well);
    case Harm::io_once:
    case Harm::full_once:
      return ending.well(went_well) || ending.well(did_not_start);
    case Harm::io_onwards:
    case Harm::full_onwards:
      return ending.well(went_well) || ending.well(did_not_start) || ending.well(gave_up);
  }
  return false;
}

// All that a restart can see: names and contents, and what was promised.
std::string fingerprint(const fs::path& folder, const Notes& notes) {
  crypto::Sha256 hash;
  for (const std::string& name : names_below(folder)) {
    if (name == "lock") continue;  // holds the process's number
    hash.update(as_bytes(name + "\n"));
    hash.update(read_file(folder / name, file_max_bytes).value());
  }
  for (const auto& item : fs::recursive_directory_iterator(folder)) {
    if (item.is_directory()) hash.update(as_bytes("d"));
  }
  hash.update(as_bytes(joined(notes.promises())));
  return hash.finish().hex();
}

void copy_folder(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
}

}  // namespace

// Every so many-th number would meet one harm again and again: the harms of a call are neighbours.
bool Selection::takes(std::uint64_t number) const {
  constexpr std::uint64_t golden_ratio = 0x9E3779B97F4A7C15;
  return ((number * golden_ratio) >> 32U) % every == first % every;
}

Matrix::Matrix(const Story& story) : story_(story) {
  begin_anew();
  calls_ = calls_of([&] { return play(story_, state(), notes_, Extent::whole); }, base_.path());
  notes_.keep_promises();
  const Ending ending = run([&] { return restart(story_, state(), notes_); });
  if (!ending.well(went_well)) {
    throw std::runtime_error("a restart without any fault " + ending.text() + ": " +
                             joined(notes_.problems()));
  }
  outcome_ = notes_.outcomes();
}

void Matrix::begin_anew() {
  fs::remove_all(state());
  fs::create_directory(state());
  notes_.clear();
}

// Plays on with a fault; what was wrong with how that ended.
std::string Matrix::harm(const Fault& fault, Extent extent, std::string* ended) {
  const Ending ending =
      run([&] { return play(story_, state(), notes_, extent); }, fault, base_.path());
  *ended = ending.text();
  if (!ending.harmed) return "the fault was not met: the story is not deterministic";
  if (!is_allowed(ending, fault.harm)) {
    return "at " + ending.met + ": " + ending.text() + ": " + joined(notes_.problems());
  }
  return {};
}

// A restart without faults; what was wrong with it.
std::string Matrix::restart_well() {
  notes_.keep_promises();
  const Ending ending = run([&] { return restart(story_, state(), notes_); });
  if (!ending.well(went_well)) return ending.text() + ": " + joined(notes_.problems());
  if (notes_.outcomes() != outcome_) {
    return "another outcome:" + difference(outcome_, notes_.outcomes());
  }
  return {};
}

Report Matrix::single(const Selection& selection) {
  Report report;
  report.calls = calls_.size();
  for (const Call& call : calls_) {
    ++report.kinds[call.name];
    for (const Harm harm_kind : harms) {
      if (!is_applicable(call, harm_kind) || !selection.takes(report.trials++)) continue;
      ++report.run;
      const Fault fault{call.name, call.number, harm_kind};
      begin_anew();
      std::string ending;
      std::string wrong = harm(fault, Extent::whole, &ending);
      ++report.endings[std::string(to_string(harm_kind)) + ": " + ending];
      if (wrong.empty()) wrong = restart_well();
      if (!wrong.empty()) {
        report.failures.push_back("--story " + story_.name() + " --fault '" + fault.text() + "' (" +
                                  call.line + "): " + wrong);
      }
    }
  }
  return report;
}

std::string Matrix::one(const Fault& fault) {
  begin_anew();
  std::string ending;
  std::string wrong = harm(fault, Extent::whole, &ending);
  for (const std::string& line : notes_.promises())
    std::fprintf(stderr, "promised: %s\n", line.c_str());
  for (const std::string& line : notes_.problems()) std::fprintf(stderr, "%s\n", line.c_str());
  std::fprintf(stderr, "%s\n", ending.c_str());
  for (const std::string& name : names_below(state()))
    std::fprintf(stderr, "left: %s\n", name.c_str());
  return wrong.empty() ? restart_well() : wrong;
}

// What a process killed at this call leaves; nothing when it went another way.
std::optional<std::string> Matrix::wreck_by(const Call& call) {
  begin_anew();
  std::string ending;
  if (!harm({call.name, call.number, Harm::killed}, Extent::whole, &ending).empty()) {
    return std::nullopt;
  }
  return fingerprint(state(), notes_);
}

std::vector<Call> Matrix::calls_of_opening() {
  return calls_of([&] { return play(story_, state(), notes_, Extent::opening); }, base_.path());
}

Report Matrix::twofold(std::uint64_t wrecks_every, const Selection& selection) {
  Report report;
  report.calls = calls_.size();
  std::set<std::string> seen;
  std::uint64_t number = 0;
  for (const Call& call : calls_) {
    if (number++ % wrecks_every != wrecks_every / 2) continue;
    const auto wreck = wreck_by(call);
    if (!wreck) {
      report.failures.push_back("not killed at " + call.line);
      continue;
    }
    if (!seen.insert(*wreck).second) continue;
    ++report.states;
    const fs::path kept = base_ / "wreck";
    copy_folder(state(), kept);
    const std::vector<std::string> promised = notes_.promises();
    const std::vector<Call> opening = calls_of_opening();
    for (const Call& second : opening) {
      for (const Harm harm_kind : harms_of_restarts) {
        if (!selection.takes(report.trials++)) continue;
        ++report.run;
        const Fault fault{second.name, second.number, harm_kind};
        copy_folder(kept, state());
        notes_.clear();
        for (const std::string& line : promised) notes_.promise(line);
        std::string ending;
        std::string wrong = harm(fault, Extent::opening, &ending);
        ++report.endings[std::string(to_string(harm_kind)) + ": " + ending];
        if (wrong.empty()) wrong = restart_well();
        if (!wrong.empty()) {
          report.failures.push_back(story_.name() + ", killed at " + call.name + " " +
                                    std::to_string(call.number) + ", restart harmed at '" +
                                    fault.text() + "' (" + second.line + "): " + wrong);
        }
      }
    }
  }
  return report;
}

}  // namespace entente::crash
