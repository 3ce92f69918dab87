// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/walk.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "common/base/assert.hpp"
#include "common/ledger/merkle.hpp"

namespace entente::ledger {
namespace {

constexpr std::size_t chunk_bytes = 256U << 10U;
constexpr std::uint32_t segments_max = 1'000'000;
static_assert(chunk_bytes > line_max_bytes);

// Cuts the segments, one after the other, into lines.
class LineReader {
 public:
  LineReader(Storage& storage, std::uint32_t segments) : storage_(storage), segments_(segments) {}

  // The next line without its newline, which lasts until the next call; nothing at the end.
  // Errors: malformed - the line is longer than allowed or has no end; io.
  Result<std::optional<std::string_view>> next() {
    while (place_.segment < segments_) {
      const std::size_t begin = consumed_;
      const std::size_t end = buffer_.find('\n', begin);
      if (end != buffer_.npos) return take(begin, end);
      if (buffer_.size() - begin > line_max_bytes) {
        return Error{Errc::malformed,
                     "a line of more than " + std::to_string(line_max_bytes) + " bytes"};
      }
      auto more = fill();
      if (!more) return more.error();
      if (*more) continue;
      if (!buffer_.empty()) return Error{Errc::malformed, "an unfinished line"};
      if (place_.segment + 1 == segments_) break;
      begin_segment(place_.segment + 1);
    }
    return std::optional<std::string_view>();
  }

  // Of the line that next() gave last.
  const Place& place() const { return line_place_; }
  // Where the next line begins.
  const Place& end() const { return place_; }
  // "entries-000000.jsonl:17", the number of the line that next() gave, or failed to give.
  std::string where(bool given) const {
    return segment_name(given ? line_place_.segment : place_.segment) + ":" +
           std::to_string(given ? line_number_ : line_number_ + 1);
  }

 private:
  std::optional<std::string_view> take(std::size_t begin, std::size_t end) {
    const std::size_t size = end - begin;
    line_place_ = place_;
    line_place_.size_bytes = static_cast<std::uint32_t>(size);
    place_.offset += size + 1;
    consumed_ = end + 1;
    ++line_number_;
    return std::string_view(buffer_).substr(begin, size);
  }

  // Whether there was more of the segment to read.
  Result<bool> fill() {
    const std::string name = segment_name(place_.segment);
    const auto size = storage_.size_bytes(name);
    if (!size) return Error{Errc::io, size.error().detail};
    buffer_.erase(0, std::exchange(consumed_, 0));
    const std::uint64_t from = place_.offset + buffer_.size();
    if (from >= *size) return false;
    const auto chunk =
        storage_.read(name, from, std::min<std::uint64_t>(chunk_bytes, *size - from));
    if (!chunk) return Error{Errc::io, chunk.error().detail};
    buffer_ += as_text(*chunk);
    return true;
  }

  void begin_segment(std::uint32_t segment) {
    place_ = {.offset = 0, .segment = segment, .size_bytes = 0};
    buffer_.clear();
    consumed_ = 0;
    line_number_ = 0;
  }

  Storage& storage_;
  std::uint32_t segments_;
  Place place_;
  Place line_place_;
  std::uint64_t line_number_ = 0;
  std::string buffer_;  // of the segment, from place_.offset - consumed_
  std::size_t consumed_ = 0;
};

// Whether `entry` may follow the `entries` ones before it.
Result<void> check_order(const Entry& entry, const Walk& before, std::string_view origin) {
  const auto refuse = [](std::string what) { return Error{Errc::malformed, std::move(what)}; };
  if (entry.sequence != before.entries) {
    return refuse("out of sequence: expected entry " + std::to_string(before.entries) + ", saw " +
                  std::to_string(entry.sequence));
  }
  if (entry.time < before.last_time && before.entries > 0) {
    return refuse("time goes back: " + to_rfc3339(entry.time) + " after " +
                  to_rfc3339(before.last_time));
  }
  if (ledger_origin(entry.federation) != origin) {
    return refuse("an entry of " + ledger_origin(entry.federation) + " in " + std::string(origin));
  }
  return ok();
}

Error wrong_root(std::uint64_t size) {
  return {Errc::corrupt,
          "the entries up to " + std::to_string(size) + " do not lead to the signed root"};
}

Error too_short(std::uint64_t entries, const Checkpoint& head) {
  return {Errc::corrupt, "the ledger ends after " + std::to_string(entries) +
                             " entries, its signed head covers " + std::to_string(head.size)};
}

}  // namespace

std::string segment_name(std::uint32_t segment) {
  ENTENTE_ASSERT(segment < segments_max, "a ledger has at most a million segments");
  std::string digits = std::to_string(segment);
  return "entries-" + std::string(6 - digits.size(), '0') + digits + ".jsonl";
}

Result<std::uint32_t> count_segments(Storage& storage) {
  const auto names = storage.list();
  if (!names) return names.error();
  std::uint32_t segments = 0;
  const std::size_t name_size = segment_name(0).size();
  for (const std::string& name : *names) {
    if (!name.starts_with("entries-") || !name.ends_with(".jsonl") || name.size() != name_size)
      continue;
    if (segments == segments_max) return Error{Errc::corrupt, "more than a million segments"};
    if (name != segment_name(segments)) {
      return Error{Errc::corrupt,
                   segment_name(segments) + " is missing, but " + name + " is there"};
    }
    ++segments;
  }
  return segments;
}

Result<std::string> read_small(Storage& storage, std::string_view name,
                               std::size_t size_max_bytes) {
  const std::string file(name);
  const auto size = storage.size_bytes(file);
  if (!size) return size.error();
  if (*size > size_max_bytes) {
    return Error{Errc::malformed, file + ": " + std::to_string(*size) + " bytes, at most " +
                                      std::to_string(size_max_bytes)};
  }
  const auto content = storage.read(file, 0, *size);
  if (!content) return content.error();
  return std::string(as_text(*content));
}

Result<Walk> walk_ledger(Storage& storage, const Checkpoint& head, const Visit& visit) {
  const auto segments = count_segments(storage);
  if (!segments) return segments.error();
  Walk walk;
  walk.segments = *segments;
  MerkleFrontier frontier;
  if (head.size == 0 && head.root != frontier.root()) return wrong_root(0);
  LineReader reader(storage, *segments);
  while (true) {
    walk.end = reader.end();
    const auto line = reader.next();
    if (!line && line.error().code != Errc::malformed) return line.error();
    if (line && !*line) break;
    auto entry = line ? decode_entry(**line) : Result<Entry>(line.error());
    auto wrong = entry ? check_order(*entry, walk, head.origin) : Result<void>(entry.error());
    if (!wrong) {
      Error placed = in_context(reader.where(line.has_value()), wrong.error());
      if (walk.entries < head.size) return Error{Errc::corrupt, std::move(placed.detail)};
      walk.broken = std::move(placed);
      return walk;
    }
    const Digest leaf = leaf_hash(**line);
    frontier.append(leaf);
    ++walk.entries;
    walk.last_time = entry->time;
    if (walk.entries == head.size && frontier.root() != head.root) return wrong_root(head.size);
    const auto visited = visit({*entry, **line, leaf, reader.place()});
    if (!visited) return in_context(reader.where(true), visited.error());
  }
  walk.end = reader.end();
  if (walk.entries < head.size) return too_short(walk.entries, head);
  return walk;
}

}  // namespace entente::ledger
