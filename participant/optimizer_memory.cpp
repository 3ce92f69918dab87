// SPDX-License-Identifier: Apache-2.0
#include "participant/optimizer_memory.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "common/base/file.hpp"
#include "common/base/log.hpp"
#include "common/crypto/hash.hpp"

namespace entente::participant {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view magic = "entente-optimizer 1\n";
constexpr std::size_t plan_at = 24, model_at = 56, round_at = 88, steps_at = 96, count_at = 104;
constexpr std::size_t digest_at = 112, header_bytes = digest_at + Digest::size_bytes;
constexpr unsigned owner_only_folder = 0700, owner_only_file = 0600;

struct Header {
  TrainedRound of;
  std::uint64_t steps = 0;
  std::uint64_t count = 0;  // values
  Digest digest;
};

Bytes bytes_of(const Header& header) {
  Bytes bytes(header_bytes);
  std::ranges::copy(as_bytes(magic), bytes.begin());
  std::ranges::copy(header.of.plan.bytes, bytes.begin() + plan_at);
  std::ranges::copy(header.of.model.bytes, bytes.begin() + model_at);
  store_little_endian(header.of.round, bytes.data() + round_at);
  store_little_endian(header.steps, bytes.data() + steps_at);
  store_little_endian(header.count, bytes.data() + count_at);
  std::ranges::copy(header.digest.bytes, bytes.begin() + digest_at);
  return bytes;
}

Header header_in(const Bytes& bytes) {
  Header header;
  const auto digest = [&](std::size_t at) {
    Digest read;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), Digest::size_bytes,
                read.bytes.begin());
    return read;
  };
  header.of.plan = digest(plan_at);
  header.of.model = digest(model_at);
  header.of.round = load_little_endian<std::uint64_t>(bytes.data() + round_at);
  header.steps = load_little_endian<std::uint64_t>(bytes.data() + steps_at);
  header.count = load_little_endian<std::uint64_t>(bytes.data() + count_at);
  header.digest = digest(digest_at);
  return header;
}

Digest digest_of(const Bytes& header, std::span<const float> values) {
  crypto::Sha256 hash;
  hash.update(std::span(header).first(digest_at));
  hash.update(std::as_bytes(values));
  return hash.finish();
}

Error damaged(const fs::path& path) {
  return {Errc::malformed, path.string() + ": damaged"};
}

struct Stored {
  Header header;
  tensor::ParameterBuffer values;
};

// Errors: malformed - not such a file, or its digest differs; io; not_found.
Result<Stored> read(const fs::path& path, std::uint64_t value_count) {
  const auto file = File::open(path, File::Mode::read);
  if (!file) return file.error();
  const auto size = file->size_bytes();
  if (!size) return size.error();
  Bytes bytes(header_bytes);
  if (auto done = file->read_at(0, bytes); !done) return done.error();
  const Header header = header_in(bytes);
  const bool known = std::ranges::equal(as_bytes(magic), std::span(bytes).first(magic.size()));
  if (!known || header.count != value_count ||
      *size != header_bytes + value_count * sizeof(float)) {
    return damaged(path);
  }
  Stored stored{header, tensor::ParameterBuffer(static_cast<std::size_t>(value_count))};
  const auto values = std::as_writable_bytes(stored.values.values());
  if (auto done = file->read_at(header_bytes, values); !done) return done.error();
  if (digest_of(bytes, stored.values.values()) != header.digest) return damaged(path);
  return stored;
}

// What lies in `folder`; nothing when there is none. Errors: io.
Result<std::vector<fs::path>> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failed;
  fs::directory_iterator entry(folder, failed);
  if (failed == std::errc::no_such_file_or_directory) return files;
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    files.push_back(entry->path());
  }
  if (!failed) return files;
  return Error{Errc::io, folder.string() + ": cannot list the folder: " + failed.message()};
}

// The rounds of which a state of the plan is among `files`, in order.
std::vector<std::uint64_t> rounds_in(const std::vector<fs::path>& files, const Digest& plan) {
  std::vector<std::uint64_t> rounds;
  const std::string before = plan.hex() + "-";
  for (const fs::path& path : files) {
    const std::string name = path.filename().string();
    if (!name.starts_with(before)) continue;
    std::uint64_t round = 0;
    const char* end = name.data() + name.size();
    const auto read = std::from_chars(name.data() + before.size(), end, round);
    if (read.ec == std::errc() && read.ptr == end) rounds.push_back(round);
  }
  std::ranges::sort(rounds);
  return rounds;
}

// Removes every file but those named, as far as it can.
void remove_others(const std::vector<fs::path>& files, const std::vector<fs::path>& kept) {
  for (const fs::path& path : files) {
    if (std::ranges::find(kept, path) != kept.end()) continue;
    if (auto removed = remove_file(path); !removed) {
      log_warning("an old optimiser's state cannot be removed",
                  {{"reason", removed.error().detail}});
    }
  }
}

}  // namespace

fs::path OptimizerMemory::path_of(const Digest& plan, std::uint64_t round) const {
  return folder_ / (plan.hex() + "-" + std::to_string(round));
}

Result<std::optional<training::Remembered>> OptimizerMemory::before(
    const TrainedRound& next, std::uint64_t value_count) const {
  using Found = std::optional<training::Remembered>;
  // To begin anew because the disk fails would give other bits than were promised.
  const auto files = files_in(folder_);
  if (!files) return files.error();
  const std::vector<std::uint64_t> rounds = rounds_in(*files, next.plan);
  const auto not_before = std::ranges::lower_bound(rounds, next.round);
  bool fits = not_before == rounds.end() || rounds.back() == next.round;
  if (not_before != rounds.end() && fits) {
    const fs::path path = path_of(next.plan, next.round);
    const auto same = read(path, value_count);
    if (!same && same.error().code == Errc::io) return same.error();
    // One that is damaged says nothing of the history: what the round before left is still good.
    const bool known =
        same && same->header.of.plan == next.plan && same->header.of.round == next.round;
    if (!known) {
      log_warning("a damaged state of the optimiser is removed",
                  {{"round", std::to_string(next.round)}});
      if (auto removed = remove_file(path); !removed) return removed.error();
    }
    fits = !known || same->header.of.model == next.model;
  }
  if (!fits) {
    log_warning("the optimiser begins anew: its state is of another history of this plan",
                {{"round", std::to_string(next.round)}});
    forget();
    return Found();
  }
  if (not_before == rounds.begin()) return Found();
  const std::uint64_t last = *(not_before - 1);
  auto stored = read(path_of(next.plan, last), value_count);
  if (!stored && stored.error().code == Errc::io) return stored.error();
  if (!stored || stored->header.of.plan != next.plan || stored->header.of.round != last) {
    log_warning("the optimiser begins anew: its state is damaged",
                {{"round", std::to_string(next.round)}});
    forget();
    return Found();
  }
  return Found(training::Remembered{stored->header.steps, std::move(stored->values)});
}

Result<void> OptimizerMemory::keep(const TrainedRound& done, std::uint64_t steps,
                                   std::span<const float> values) const {
  if (auto made = make_folder(folder_, owner_only_folder); !made) return made;
  Header header{done, steps, values.size(), Digest()};
  header.digest = digest_of(bytes_of(header), values);
  const fs::path unfinished = folder_ / "unfinished";
  auto file = File::open(unfinished, File::Mode::write_new, owner_only_file);
  if (!file) return file.error();
  const Bytes beginning = bytes_of(header);
  for (const ByteView part : {ByteView(beginning), ByteView(std::as_bytes(values))}) {
    if (auto written = file->append(part); !written) return written;
  }
  if (auto synced = file->sync(); !synced) return synced;
  const fs::path path = path_of(done.plan, done.round);
  if (auto renamed = rename_file(unfinished, path); !renamed) return renamed;

  const auto files = files_in(folder_);
  if (!files) {
    log_warning("old optimiser's states are not removed", {{"reason", files.error().detail}});
    return ok();
  }
  std::vector<fs::path> kept{path};
  const std::vector<std::uint64_t> rounds = rounds_in(*files, done.plan);
  const auto not_before = std::ranges::lower_bound(rounds, done.round);
  if (not_before != rounds.begin()) kept.push_back(path_of(done.plan, *(not_before - 1)));
  remove_others(*files, kept);
  return ok();
}

void OptimizerMemory::forget() const {
  if (const auto files = files_in(folder_)) {
    remove_others(*files, {});
  } else {
    log_warning("old optimiser's states are not removed", {{"reason", files.error().detail}});
  }
}

}  // namespace entente::participant
