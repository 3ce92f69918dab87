// SPDX-License-Identifier: Apache-2.0
//
// Files that survive a crash: whole reads with a limit, atomic replacement, appending, positional
// access, one owner of a state folder. Everything reports the path and the system's reason.
//
// Durable means: fsync of the file, and of the folder where a name changed. No exception leaves
// this room.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/result.hpp"

namespace entente {

// The whole file.
// Errors: not_found; malformed - larger than `size_max_bytes`; io.
Result<Bytes> read_file(const std::filesystem::path& path, std::uint64_t size_max_bytes);
Result<std::string> read_text(const std::filesystem::path& path, std::uint64_t size_max_bytes);

// Whether the file's content must survive a power loss before the call returns.
enum class Durability { durable, cached };

// Replaces `path` in one step (temporary file in the same folder, then rename): a reader or a crash
// sees the old content or the new, never a part. `mode` is the new file's permissions, less the
// process's umask.
// Errors: io (a full disk included); then the old content stands and nothing is left beside it.
Result<void> write_file(const std::filesystem::path& path, ByteView content,
                        Durability durability = Durability::durable, unsigned mode = 0644);

// Makes folder `path` and its missing parents, durably. Errors: io.
Result<void> make_folder(const std::filesystem::path& path, unsigned mode = 0755);
// Makes the names in folder `path` durable. Errors: io.
Result<void> sync_folder(const std::filesystem::path& path);
// Removes a file; one that is not there is no error. Errors: io.
Result<void> remove_file(const std::filesystem::path& path);
// Renames within one file system; with Durability::durable the target's folder is synced. Errors:
// io, not_found.
Result<void> rename_file(const std::filesystem::path& from, const std::filesystem::path& to,
                         Durability durability = Durability::durable);

// Bytes an unprivileged process may still write where `path` lies. Errors: io.
Result<std::uint64_t> free_space_bytes(const std::filesystem::path& path);

// An open file, closed when destroyed. Move-only. One thread at a time, except read_at, which any
// may call.
class File {
 public:
  enum class Mode {
    read,       // must exist
    write,      // created when missing, content kept
    write_new,  // created; an existing one is emptied
    append,     // created when missing; writes go to the end
  };
  // Errors: not_found; io.
  static Result<File> open(const std::filesystem::path& path, Mode mode,
                           unsigned permissions = 0644);

  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  Result<std::uint64_t> size_bytes() const;
  // Fills `into` completely from `offset`. Errors: malformed - the file ends before; io.
  Result<void> read_at(std::uint64_t offset, std::span<std::byte> into) const;
  // Writes all of `content`; not for Mode::append.
  // Errors: io - the reason ("No space left on device") is in the text; a part may be written.
  Result<void> write_at(std::uint64_t offset, ByteView content);
  // Writes all of `content` behind the end, in every mode. Errors: io, as write_at.
  Result<void> append(ByteView content);
  // Cuts the file, or lengthens it with zeros. Errors: io.
  Result<void> truncate(std::uint64_t size_bytes);
  // Makes the content durable; a new file's name needs sync_folder too. Errors: io.
  Result<void> sync();
  const std::filesystem::path& path() const { return path_; }

 private:
  friend class FolderLock;
  File(int descriptor, std::filesystem::path path, Mode mode)
      : descriptor_(descriptor), mode_(mode), path_(std::move(path)) {}
  // Takes the exclusive lock on the file; false when another process holds it.
  Result<bool> lock();

  int descriptor_ = -1;
  Mode mode_ = Mode::read;
  std::filesystem::path path_;
};

// A state folder held by this process alone: makes the folder (for its owner only), takes an
// exclusive lock on DIR/lock and checks or writes DIR/VERSION. Released when destroyed, and by the
// kernel when the process dies.
class FolderLock {
 public:
  // `format`: what VERSION must say, e.g. "entente-coordinator 1".
  // Errors: rejected - another process (its id is in the text) holds it, or VERSION differs; io.
  static Result<FolderLock> take(const std::filesystem::path& folder, std::string_view format);

 private:
  explicit FolderLock(File file) : file_(std::move(file)) {}
  File file_;
};

}  // namespace entente
