// SPDX-License-Identifier: Apache-2.0
#include "common/base/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "common/base/assert.hpp"
#include "common/base/text.hpp"

namespace entente {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t read_block_bytes = 1U << 20U;
constexpr int temporary_names_max = 10'000;
constexpr std::uint64_t state_text_size_max_bytes = 4096;

// The last system call's failure, in words.
Error failure(const fs::path& path, std::string_view doing) {
  const int reason = errno;
  return {reason == ENOENT ? Errc::not_found : Errc::io,
          path.string() + ": cannot " + std::string(doing) + ": " +
              std::generic_category().message(reason)};
}

// Where a missing file is as bad as any other failure.
Error io_failure(const fs::path& path, std::string_view doing) {
  Error error = failure(path, doing);
  error.code = Errc::io;
  return error;
}

// Repeats a system call that a signal interrupted.
template <class Call>
auto uninterrupted(Call call) {
  auto answer = call();
  while (answer < 0 && errno == EINTR) answer = call();
  return answer;
}

fs::path folder_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

int flags_of(File::Mode mode) {
  switch (mode) {
    case File::Mode::read:
      return O_RDONLY;
    case File::Mode::write:
      return O_RDWR | O_CREAT;
    case File::Mode::write_new:
      return O_RDWR | O_CREAT | O_TRUNC;
    case File::Mode::append:
      return O_RDWR | O_CREAT | O_APPEND;
  }
  return O_RDONLY;
}

int open_descriptor(const fs::path& path, int flags, unsigned permissions = 0) {
  return uninterrupted(
      [&] { return ::open(path.c_str(), flags | O_CLOEXEC, static_cast<mode_t>(permissions)); });
}

// Closes a descriptor that is not a File's.
struct Descriptor {
  int value;
  explicit Descriptor(int descriptor) : value(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

template <class Container>
Result<Container> read_whole(const fs::path& path, std::uint64_t size_max_bytes) {
  const Descriptor file(open_descriptor(path, O_RDONLY));
  if (file.value < 0) return failure(path, "open");
  struct ::stat status {};
  if (::fstat(file.value, &status) != 0) return io_failure(path, "look at");

  // The size is a hint: a pipe has none, and a file may grow. One byte more shows the end.
  const auto hint = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
  Container content(std::min(hint, size_max_bytes) + 1, typename Container::value_type{});
  std::size_t filled = 0;
  for (;;) {
    if (filled > size_max_bytes) {
      return Error{Errc::malformed, path.string() + ": expected at most " +
                                        std::to_string(size_max_bytes) + " bytes, saw more"};
    }
    if (filled == content.size()) {
      content.resize(std::min<std::uint64_t>(filled + read_block_bytes, size_max_bytes + 1));
    }
    const auto got = uninterrupted(
        [&] { return ::read(file.value, content.data() + filled, content.size() - filled); });
    if (got < 0) return io_failure(path, "read");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  content.resize(filled);
  return content;
}

// A file beside `path` that did not exist before; `name` says which.
Result<int> open_temporary(const fs::path& path, unsigned mode, fs::path& name) {
  static std::atomic<unsigned> next{0};
  // A crash may have left names behind, and process ids come again.
  for (int attempt = 0; attempt < temporary_names_max; ++attempt) {
    name = folder_of(path) / ("." + path.filename().string() + ".tmp-" +
                              std::to_string(::getpid()) + "-" + std::to_string(next++));
    const int descriptor = open_descriptor(name, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (descriptor >= 0) return descriptor;
    if (errno != EEXIST) break;
  }
  return io_failure(path, "create a file beside it");
}

Result<void> write_all(int descriptor, const fs::path& path, ByteView content) {
  while (!content.empty()) {
    const auto put =
        uninterrupted([&] { return ::write(descriptor, content.data(), content.size()); });
    if (put < 0) return io_failure(path, "write");
    content = content.subspan(static_cast<std::size_t>(put));
  }
  return ok();
}

// Fills the temporary file and puts it in the place of `path`.
Result<void> write_and_rename(int descriptor, const fs::path& temporary, const fs::path& path,
                              ByteView content, Durability durability) {
  if (auto written = write_all(descriptor, path, content); !written) return written.error();
  if (durability == Durability::durable &&
      uninterrupted([&] { return ::fsync(descriptor); }) != 0) {
    return io_failure(path, "make durable");
  }
  return rename_file(temporary, path, durability);
}

Result<void> make_one_folder(const fs::path& path, unsigned mode) {
  if (::mkdir(path.c_str(), static_cast<mode_t>(mode)) == 0) return sync_folder(folder_of(path));
  const int reason = errno;
  struct ::stat status {};
  if (reason == EEXIST && ::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return ok();
    errno = ENOTDIR;
  } else {
    errno = reason;
  }
  return failure(path, "make the folder");
}

// "process 4711", as the lock file says.
std::string owner_of(const fs::path& lock_path) {
  auto text = read_text(lock_path, state_text_size_max_bytes);
  if (!text || text->empty()) return "another process";
  return "process " + escaped(text->substr(0, text->find('\n')), 20);
}

// Whether the file says `format`; a missing one is written.
Result<void> check_version(const fs::path& path, std::string_view format) {
  const std::string expected = std::string(format) + "\n";
  auto version = read_text(path, state_text_size_max_bytes);
  if (!version && version.error().code == Errc::not_found) {
    return write_file(path, as_bytes(expected));
  }
  if (!version) return version.error();
  if (*version == expected) return ok();
  const std::string saw = version->substr(0, version->find('\n'));
  return Error{Errc::rejected, path.string() + ": expected " + in_quotes(format) + ", saw " +
                                   in_quotes(saw) + "; another program's folder, or a newer one's"};
}

}  // namespace

Result<Bytes> read_file(const fs::path& path, std::uint64_t size_max_bytes) {
  return read_whole<Bytes>(path, size_max_bytes);
}

Result<std::string> read_text(const fs::path& path, std::uint64_t size_max_bytes) {
  return read_whole<std::string>(path, size_max_bytes);
}

Result<void> write_file(const fs::path& path, ByteView content, Durability durability,
                        unsigned mode) {
  fs::path temporary;
  auto opened = open_temporary(path, mode, temporary);
  if (!opened) return opened.error();
  const Descriptor file(*opened);
  auto written = write_and_rename(file.value, temporary, path, content, durability);
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<void> make_folder(const fs::path& path, unsigned mode) {
  fs::path made;
  for (const fs::path& part : path) {
    made /= part;
    struct ::stat status {};
    if (::stat(made.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) continue;
    if (auto one = make_one_folder(made, mode); !one) {
      return Error{Errc::io, one.error().detail};
    }
  }
  return ok();
}

Result<void> sync_folder(const fs::path& path) {
  const Descriptor folder(open_descriptor(path, O_RDONLY | O_DIRECTORY));
  if (folder.value < 0) return io_failure(path, "open the folder");
  if (uninterrupted([&] { return ::fsync(folder.value); }) != 0) {
    return io_failure(path, "make the folder durable");
  }
  return ok();
}

Result<void> remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return io_failure(path, "remove");
  return ok();
}

Result<void> rename_file(const fs::path& from, const fs::path& to, Durability durability) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return failure(to, "take the place by renaming " + from.filename().string());
  }
  if (durability == Durability::cached) return ok();
  return sync_folder(folder_of(to));
}

Result<std::uint64_t> free_space_bytes(const fs::path& path) {
  struct ::statvfs status {};
  if (uninterrupted([&] { return ::statvfs(path.c_str(), &status); }) != 0) {
    return io_failure(path, "find its file system's free space");
  }
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

Result<File> File::open(const fs::path& path, Mode mode, unsigned permissions) {
  const int descriptor = open_descriptor(path, flags_of(mode), permissions);
  if (descriptor < 0) return failure(path, "open");
  return File(descriptor, path, mode);
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      mode_(other.mode_),
      path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(mode_, other.mode_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::uint64_t> File::size_bytes() const {
  struct ::stat status {};
  if (::fstat(descriptor_, &status) != 0) return io_failure(path_, "look at");
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> File::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const auto got = uninterrupted(
        [&] { return ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset)); });
    if (got < 0) return io_failure(path_, "read");
    if (got == 0) {
      return Error{Errc::malformed, path_.string() + ": ends at byte " + std::to_string(offset) +
                                        ", expected " + std::to_string(into.size()) +
                                        " bytes more"};
    }
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return ok();
}

Result<void> File::write_at(std::uint64_t offset, ByteView content) {
  ENTENTE_ASSERT(mode_ != Mode::append, "the system ignores the offset when it appends");
  while (!content.empty()) {
    const auto put = uninterrupted([&] {
      return ::pwrite(descriptor_, content.data(), content.size(), static_cast<off_t>(offset));
    });
    if (put < 0) return io_failure(path_, "write");
    content = content.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return ok();
}

Result<void> File::append(ByteView content) {
  if (mode_ != Mode::append && ::lseek(descriptor_, 0, SEEK_END) < 0) {
    return io_failure(path_, "find the end");
  }
  return write_all(descriptor_, path_, content);
}

Result<void> File::truncate(std::uint64_t size_bytes) {
  if (uninterrupted([&] { return ::ftruncate(descriptor_, static_cast<off_t>(size_bytes)); }) !=
      0) {
    return io_failure(path_, "cut");
  }
  return ok();
}

Result<void> File::sync() {
  if (uninterrupted([&] { return ::fsync(descriptor_); }) != 0) {
    return io_failure(path_, "make durable");
  }
  return ok();
}

Result<bool> File::lock() {
  if (uninterrupted([&] { return ::flock(descriptor_, LOCK_EX | LOCK_NB); }) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return io_failure(path_, "lock");
}

Result<FolderLock> FolderLock::take(const fs::path& folder, std::string_view format) {
  const fs::path parent = (folder.has_filename() ? folder : folder.parent_path()).parent_path();
  if (auto made = make_folder(parent); !made) return made.error();
  if (auto made = make_folder(folder, 0700); !made) return made.error();
  auto file = File::open(folder / "lock", File::Mode::write, 0600);
  if (!file) return file.error();

  auto locked = file->lock();
  if (!locked) return locked.error();
  if (!*locked) {
    return Error{Errc::rejected, folder.string() + ": in use by " + owner_of(file->path()) +
                                     "; stop it first, or name another folder"};
  }
  if (auto emptied = file->truncate(0); !emptied) return emptied.error();
  const std::string owner = std::to_string(::getpid()) + "\n";
  if (auto written = file->write_at(0, as_bytes(owner)); !written) return written.error();
  if (auto same = check_version(folder / "VERSION", format); !same) return same.error();
  return FolderLock(std::move(*file));
}

}  // namespace entente
