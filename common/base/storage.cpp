// SPDX-License-Identifier: Apache-2.0
#include "common/base/storage.hpp"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "common/base/assert.hpp"

namespace entente {
namespace {

namespace fs = std::filesystem;

bool is_plain_name(std::string_view name) {
  return !name.empty() && !name.starts_with('.') && name.find('/') == name.npos;
}

Error listing_failed(const fs::path& folder, const std::error_code& reason) {
  return {Errc::io, folder.string() + ": cannot list the folder: " + reason.message()};
}

// The names in `folder` of files, hidden ones included.
Result<std::vector<std::string>> file_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code failed;
  fs::directory_iterator entry(folder, failed);
  if (failed == std::errc::no_such_file_or_directory) return names;
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    if (entry->is_regular_file(failed)) names.push_back(entry->path().filename().string());
  }
  if (failed) return listing_failed(folder, failed);
  return names;
}

class FolderStorage : public Storage {
 public:
  explicit FolderStorage(fs::path folder) : folder_(std::move(folder)) {}

  Result<std::vector<std::string>> list() override {
    auto names = file_names(folder_);
    if (!names) return names;
    std::erase_if(*names, [](const std::string& name) { return !is_plain_name(name); });
    std::sort(names->begin(), names->end());
    return names;
  }

  Result<std::uint64_t> size_bytes(const std::string& name) override {
    auto file = File::open(path_of(name), File::Mode::read);
    if (!file) return file.error();
    return file->size_bytes();
  }

  Result<Bytes> read(const std::string& name, std::uint64_t offset, std::uint64_t size) override {
    auto file = File::open(path_of(name), File::Mode::read);
    if (!file) return file.error();
    auto there = file->size_bytes();
    if (!there) return there.error();
    // Before the memory is taken: a size from a damaged file may be absurd.
    if (offset > *there || size > *there - offset) {
      return Error{Errc::malformed, path_of(name).string() + ": expected " + std::to_string(size) +
                                        " bytes from byte " + std::to_string(offset) +
                                        ", saw a file of " + std::to_string(*there)};
    }
    Bytes content(size);
    if (auto filled = file->read_at(offset, content); !filled) return filled.error();
    return content;
  }

  Result<void> append(const std::string& name, ByteView content) override {
    if (auto ready = open_for_writing(name); !ready) return ready;
    return open_->append(content);
  }

  Result<void> sync(const std::string& name) override {
    if (auto ready = open_existing(name); !ready) return ready;
    if (auto synced = open_->sync(); !synced || !name_may_be_new_) return synced;
    auto named = sync_folder(folder_);
    name_may_be_new_ = !named;
    return named;
  }

  Result<void> truncate(const std::string& name, std::uint64_t size) override {
    if (auto ready = open_existing(name); !ready) return ready;
    return open_->truncate(size);
  }

  Result<void> replace(const std::string& name, ByteView content) override {
    if (auto ready = prepare(); !ready) return ready;
    if (open_name_ == name) close();
    return write_file(path_of(name), content);
  }

 private:
  fs::path path_of(const std::string& name) const {
    ENTENTE_ASSERT(is_plain_name(name), "a storage name has no '/' and no leading '.'");
    return folder_ / name;
  }

  // Once, before the first write: makes the folder and removes what a crash left of write_file.
  Result<void> prepare() {
    if (prepared_) return ok();
    if (auto made = make_folder(folder_); !made) return made;
    auto names = file_names(folder_);
    if (!names) return names.error();
    for (const std::string& name : *names) {
      if (!name.starts_with('.') || name.find(".tmp-") == name.npos) continue;
      if (auto removed = remove_file(folder_ / name); !removed) return removed;
    }
    prepared_ = true;
    return ok();
  }

  Result<void> open_for_writing(const std::string& name) {
    if (open_ && open_name_ == name) return ok();
    if (auto ready = prepare(); !ready) return ready;
    close();
    auto file = File::open(path_of(name), File::Mode::append);
    if (!file) return Error{Errc::io, file.error().detail};
    open_.emplace(std::move(*file));
    open_name_ = name;
    name_may_be_new_ = true;
    return ok();
  }

  Result<void> open_existing(const std::string& name) {
    if (open_ && open_name_ == name) return ok();
    if (auto there = size_bytes(name); !there) return there.error();
    return open_for_writing(name);
  }

  void close() {
    open_.reset();
    open_name_.clear();
  }

  fs::path folder_;
  bool prepared_ = false;
  std::optional<File> open_;
  std::string open_name_;
  // The open file's name may not be durable yet.
  bool name_may_be_new_ = false;
};

}  // namespace

std::unique_ptr<Storage> open_storage(const fs::path& folder) {
  return std::make_unique<FolderStorage>(folder);
}

}  // namespace entente
