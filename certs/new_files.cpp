// SPDX-License-Identifier: Apache-2.0
#include "certs/new_files.hpp"

#include <system_error>

#include "common/base/bytes.hpp"
#include "common/base/file.hpp"

namespace entente::certs {

namespace {

Result<void> check_absent(const std::filesystem::path& path) {
  std::error_code failure;
  const auto status = std::filesystem::symlink_status(path, failure);
  if (status.type() == std::filesystem::file_type::not_found) return ok();
  if (failure) return Error{Errc::io, path.string() + ": " + failure.message()};
  return Error{Errc::rejected, path.string() +
                                   ": exists already and is not overwritten; choose another "
                                   "folder, or move the file away first"};
}

Result<void> make_file(const NewFile& file) {
  const auto folder = file.path.parent_path();
  if (!folder.empty()) {
    if (auto made = make_folder(folder, 0700); !made) return made;
  }
  if (file.key) return file.key->save(file.path);
  return write_file(file.path, as_bytes(file.content));
}

}  // namespace

Result<void> make_files(const std::vector<NewFile>& files) {
  for (const NewFile& file : files) {
    if (auto absent = check_absent(file.path); !absent) return absent;
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto made = make_file(files[i]);
    if (made) continue;
    for (std::size_t before = 0; before < i; ++before) {
      static_cast<void>(remove_file(files[before].path));  // the first failure is the one to tell
    }
    return made;
  }
  return ok();
}

}  // namespace entente::certs
