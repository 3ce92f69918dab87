// SPDX-License-Identifier: Apache-2.0
//
// The participant's folder on disk; the only one that it writes to.
//
//     VERSION  lock
//     journal/     journal.jsonl                        what left the house (journal.hpp)
//     plans/       <digest>.json                        canonical plans
//     models/      <digest>.safetensors                 global models
//     updates/     <digest>.safetensors                 finished updates
//     receipts/    update-<digest>.tlog-proof, consent-<digest>.tlog-proof
//     approvals/   <digest>                             plans that a person here approved
//     optimizer/   <digest>-<round>                     what the optimiser remembers
//                                                       (optimizer_memory.hpp)
//
// Names hold digests alone: no received text becomes a path.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "common/base/clock.hpp"
#include "common/base/digest.hpp"
#include "common/base/result.hpp"

namespace entente::participant {

inline constexpr std::string_view state_format = "entente-participant 1";

class StateFolder {
 public:
  explicit StateFolder(std::filesystem::path root) : root_(std::move(root)) {}
  // Makes the folders that are missing. Errors: io.
  Result<void> make() const;

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path journal() const { return root_ / "journal"; }
  std::filesystem::path receipts() const { return root_ / "receipts"; }
  std::filesystem::path optimizer() const { return root_ / "optimizer"; }
  std::filesystem::path plan(const Digest& plan) const;
  std::filesystem::path model(const Digest& model) const;
  std::filesystem::path update(const Digest& update) const;
  // Where an update is written before its digest is known.
  std::filesystem::path unfinished_update() const { return root_ / "updates" / "unfinished"; }
  std::filesystem::path approval(const Digest& plan) const;

  // A person's word: durable when it returns. Errors: io.
  Result<void> approve(const Digest& plan, TimePoint now) const;
  bool is_approved(const Digest& plan) const;

  // Removes every model and update, whole or partial, that is not named. What cannot be removed is
  // told in the log.
  void keep_only(const std::set<Digest>& models, const std::set<Digest>& updates) const;

 private:
  std::filesystem::path root_;
};

}  // namespace entente::participant
