// SPDX-License-Identifier: Apache-2.0
//
// The coordinator's files: plans and models under their digests, updates of the present round in
// the spool.
//
//     DIR/VERSION  lock  ledger/  plans/<digest>.json  models/<digest>.safetensors
//     spool/<participant>-<digest>.safetensors
//
// Only names made here reach the file system: digests, and participants' names from their
// certificates. Any thread: no state but the folder's path.
#pragma once

#include <filesystem>
#include <set>
#include <span>
#include <string>

#include "common/base/digest.hpp"
#include "common/base/file.hpp"
#include "common/base/result.hpp"
#include "common/crypto/hash.hpp"
#include "common/plan/plan.hpp"
#include "common/tensor/layout.hpp"

namespace entente::coordinator {

inline constexpr std::string_view store_format = "entente-coordinator 1";

class Store {
 public:
  // Makes the folders. Errors: io.
  static Result<Store> open(const std::filesystem::path& folder);

  std::filesystem::path ledger_folder() const { return folder_ / "ledger"; }
  std::filesystem::path plan_path(const Digest& plan) const;
  // Where a plan lies while it arrives and is checked, so that a false one never touches a stored
  // one.
  std::filesystem::path offered_plan_path(const std::string& by, const Digest& plan) const;
  std::filesystem::path model_path(const Digest& model) const;
  std::filesystem::path update_path(const std::string& participant, const Digest& update) const;
  const std::filesystem::path& folder() const { return folder_; }

  // A stored plan, its digest checked. Errors: not_found; corrupt; those of plan::parse_plan.
  Result<plan::Plan> plan(const Digest& plan) const;

  // The file behind `digest`, plan or model. Errors: not_found; io.
  Result<std::filesystem::path> find(const Digest& digest) const;

  // Removes what `participant` began to send of other updates than this one, so that nobody can
  // fill the spool with beginnings. Errors: io.
  Result<void> keep_one_part(const std::string& participant, const Digest& update) const;

  // Removes updates that are not in `needed` (whole or in part), unless of the round that is
  // collecting (`keep_parts`), and models beyond `needed` and the `models_kept` youngest. Errors:
  // io.
  Result<void> sweep(const std::set<Digest>& needed_updates, bool keep_parts,
                     const std::set<Digest>& needed_models, std::size_t models_kept) const;

 private:
  explicit Store(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_;
};

// The digest of a file, read in blocks. Errors: not_found; io.
Result<Digest> digest_of_file(const std::filesystem::path& path);

// Writes a canonical model file block by block, hashing as it goes; `finish` makes it durable under
// its digest. Nothing stays when it is destroyed unfinished.
class ModelWriter {
 public:
  // Errors: io.
  static Result<ModelWriter> begin(const Store& store, const tensor::ParameterLayout& layout);
  // The next values, in layout order. Errors: io (a full disk included).
  Result<void> append(std::span<const float> values);
  Result<Digest> finish();

  ModelWriter(ModelWriter&&) noexcept = default;
  ModelWriter& operator=(ModelWriter&&) = delete;
  ~ModelWriter();

 private:
  ModelWriter(const Store& store, File file, std::uint64_t expected_bytes)
      : store_(&store), file_(std::move(file)), expected_bytes_(expected_bytes) {}
  const Store* store_;
  File file_;
  crypto::Sha256 hash_;
  std::uint64_t expected_bytes_;
  std::uint64_t written_bytes_ = 0;
  bool finished_ = false;
};

}  // namespace entente::coordinator
