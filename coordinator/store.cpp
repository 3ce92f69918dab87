// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "common/base/assert.hpp"
#include "common/tensor/safetensors.hpp"

namespace entente::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t block_bytes = 1U << 20U;
constexpr std::string_view model_suffix = ".safetensors";
constexpr std::string_view part_suffix = ".part";  // of what is still arriving
constexpr std::string_view unfinished_model = "unfinished.tmp";
constexpr std::string_view offered_suffix = ".offered";

// The digest in a file name that ends "<digest>.safetensors" (or with ".part" behind).
std::optional<Digest> digest_in(std::string name) {
  if (name.ends_with(part_suffix)) name.resize(name.size() - part_suffix.size());
  if (!name.ends_with(model_suffix)) return std::nullopt;
  name.resize(name.size() - model_suffix.size());
  if (name.size() < 64) return std::nullopt;
  auto digest = parse_digest(name.substr(name.size() - 64));
  if (!digest) return std::nullopt;
  return *digest;
}

struct ModelFile {
  fs::file_time_type written;
  fs::path path;
};

Error cannot(const fs::path& path, std::string_view doing, const std::error_code& reason) {
  return {Errc::io, path.string() + ": cannot " + std::string(doing) + ": " + reason.message()};
}

// What lies in `folder`. The iterator's own increment throws when the disk fails. Errors: io.
Result<std::vector<fs::path>> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failed;
  fs::directory_iterator entry(folder, failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    files.push_back(entry->path());
  }
  if (failed) return cannot(folder, "list the folder", failed);
  return files;
}

}  // namespace

Result<Store> Store::open(const fs::path& folder) {
  for (const char* name : {"ledger", "plans", "models", "spool"}) {
    if (auto made = make_folder(folder / name); !made) return made.error();
  }
  if (auto removed = remove_file(folder / "models" / unfinished_model); !removed)
    return removed.error();
  const auto plans = files_in(folder / "plans");
  if (!plans) return plans.error();
  for (const fs::path& path : *plans) {
    if (!path.filename().string().ends_with(offered_suffix)) continue;
    if (auto removed = remove_file(path); !removed) return removed.error();
  }
  return Store(folder);
}

fs::path Store::plan_path(const Digest& plan) const {
  return folder_ / "plans" / (plan.hex() + ".json");
}

fs::path Store::offered_plan_path(const std::string& by, const Digest& plan) const {
  return folder_ / "plans" / (by + "-" + plan.hex() + std::string(offered_suffix));
}

fs::path Store::model_path(const Digest& model) const {
  return folder_ / "models" / (model.hex() + std::string(model_suffix));
}

fs::path Store::update_path(const std::string& participant, const Digest& update) const {
  return folder_ / "spool" / (participant + "-" + update.hex() + std::string(model_suffix));
}

Result<plan::Plan> Store::plan(const Digest& digest) const {
  auto text = read_text(plan_path(digest), plan::plan_max_bytes);
  if (!text) return text.error();
  auto plan = plan::parse_plan(*text);
  if (!plan) return in_context(plan_path(digest).string(), plan.error());
  if (plan->digest != digest) {
    return Error{Errc::corrupt,
                 plan_path(digest).string() + ": its bytes have the digest " + plan->digest.hex()};
  }
  return plan;
}

Result<fs::path> Store::find(const Digest& digest) const {
  for (const fs::path& path : {model_path(digest), plan_path(digest)}) {
    std::error_code failed;
    const fs::file_status status = fs::status(path, failed);
    if (fs::is_regular_file(status)) return path;
    if (failed && status.type() != fs::file_type::not_found) return cannot(path, "look at", failed);
  }
  return Error{Errc::not_found, "no plan or model " + digest.hex()};
}

Result<void> Store::sweep(const std::set<Digest>& needed_updates, bool keep_parts,
                          const std::set<Digest>& needed_models, std::size_t models_kept) const {
  const auto updates = files_in(folder_ / "spool");
  if (!updates) return updates.error();
  for (const fs::path& path : *updates) {
    const auto digest = digest_in(path.filename().string());
    if (!keep_parts && (!digest || !needed_updates.contains(*digest))) {
      if (auto removed = remove_file(path); !removed) return removed;
    }
  }
  const auto models = files_in(folder_ / "models");
  if (!models) return models.error();
  std::vector<ModelFile> spare;
  for (const fs::path& path : *models) {
    const auto digest = digest_in(path.filename().string());
    if (!digest || needed_models.contains(*digest)) continue;
    std::error_code failed;
    const auto written = fs::last_write_time(path, failed);
    if (failed) return cannot(path, "look at", failed);
    spare.push_back(ModelFile{written, path});
  }
  std::ranges::sort(spare, std::ranges::greater{}, &ModelFile::written);
  for (std::size_t i = models_kept; i < spare.size(); ++i) {
    if (auto removed = remove_file(spare[i].path); !removed) return removed;
  }
  return ok();
}

Result<void> Store::keep_one_part(const std::string& participant, const Digest& update) const {
  const auto updates = files_in(folder_ / "spool");
  if (!updates) return updates.error();
  for (const fs::path& path : *updates) {
    const std::string name = path.filename().string();
    const auto digest = digest_in(name);
    if (!digest || *digest == update || !name.ends_with(part_suffix)) continue;
    if (name != update_path(participant, *digest).filename().string() + std::string(part_suffix)) {
      continue;
    }
    if (auto removed = remove_file(path); !removed) return removed;
  }
  return ok();
}

Result<Digest> digest_of_file(const fs::path& path) {
  auto file = File::open(path, File::Mode::read);
  if (!file) return file.error();
  auto size = file->size_bytes();
  if (!size) return size.error();
  crypto::Sha256 hash;
  Bytes block(block_bytes);
  for (std::uint64_t at = 0; at < *size; at += block_bytes) {
    const auto part = std::span(block).first(std::min<std::uint64_t>(block_bytes, *size - at));
    if (auto read = file->read_at(at, part); !read) return read.error();
    hash.update(part);
  }
  return hash.finish();
}

Result<ModelWriter> ModelWriter::begin(const Store& store, const tensor::ParameterLayout& layout) {
  auto file = File::open(store.folder() / "models" / unfinished_model, File::Mode::write_new);
  if (!file) return file.error();
  ModelWriter writer(store, std::move(*file), tensor::safetensors_size_bytes(layout));
  const Bytes prefix = tensor::safetensors_prefix(layout);
  if (auto written = writer.file_.append(prefix); !written) return written.error();
  writer.hash_.update(prefix);
  writer.written_bytes_ = prefix.size();
  return writer;
}

Result<void> ModelWriter::append(std::span<const float> values) {
  const ByteView bytes = std::as_bytes(values);
  if (auto written = file_.append(bytes); !written) return written;
  hash_.update(bytes);
  written_bytes_ += bytes.size();
  return ok();
}

Result<Digest> ModelWriter::finish() {
  ENTENTE_ASSERT(written_bytes_ == expected_bytes_, "a model of another size than its layout says");
  if (auto synced = file_.sync(); !synced) return synced.error();
  const Digest digest = hash_.finish();
  if (auto named = rename_file(file_.path(), store_->model_path(digest)); !named)
    return named.error();
  finished_ = true;
  return digest;
}

ModelWriter::~ModelWriter() {
  if (store_ != nullptr && !finished_ && !file_.path().empty())
    static_cast<void>(remove_file(file_.path()));
}

}  // namespace entente::coordinator
