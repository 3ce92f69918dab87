// SPDX-License-Identifier: Apache-2.0
#include "participant/state_folder.hpp"

#include <system_error>

#include "common/base/file.hpp"
#include "common/base/log.hpp"

namespace entente::participant {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view tensors_suffix = ".safetensors";
constexpr unsigned owner_only = 0700;

void sweep(const fs::path& folder, const std::set<Digest>& kept) {
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed); !failed && entry != fs::directory_iterator();
       entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    const auto digest = parse_digest(std::string_view(name).substr(0, 2 * Digest::size_bytes));
    if (digest && kept.contains(*digest)) continue;
    if (auto removed = remove_file(entry->path()); !removed) {
      log_warning("an old file cannot be removed", {{"reason", removed.error().detail}});
    }
  }
  if (failed) {
    log_warning("old files cannot be listed",
                {{"folder", folder.string()}, {"reason", failed.message()}});
  }
}

}  // namespace

Result<void> StateFolder::make() const {
  for (const auto* name : {"journal", "plans", "models", "updates", "receipts", "approvals"}) {
    if (auto made = make_folder(root_ / name, owner_only); !made) return made;
  }
  return ok();
}

fs::path StateFolder::plan(const Digest& plan) const {
  return root_ / "plans" / (plan.hex() + ".json");
}
fs::path StateFolder::model(const Digest& model) const {
  return root_ / "models" / (model.hex() + std::string(tensors_suffix));
}
fs::path StateFolder::update(const Digest& update) const {
  return root_ / "updates" / (update.hex() + std::string(tensors_suffix));
}
fs::path StateFolder::approval(const Digest& plan) const {
  return root_ / "approvals" / plan.hex();
}

Result<void> StateFolder::approve(const Digest& plan, TimePoint now) const {
  if (auto made = make_folder(root_ / "approvals", owner_only); !made) return made;
  const std::string text = "approved " + to_rfc3339(now) + "\n";
  return write_file(approval(plan), as_bytes(text));
}

bool StateFolder::is_approved(const Digest& plan) const {
  std::error_code ignored;
  return fs::is_regular_file(approval(plan), ignored);
}

void StateFolder::keep_only(const std::set<Digest>& models, const std::set<Digest>& updates) const {
  sweep(root_ / "models", models);
  sweep(root_ / "updates", updates);
}

}  // namespace entente::participant
