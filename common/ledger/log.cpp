// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/log.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/assert.hpp"
#include "common/ledger/planted.hpp"
#include "common/ledger/walk.hpp"

namespace entente::ledger {

struct Log::State {
  Storage& storage;
  crypto::PrivateKey key;
  std::uint64_t segment_bytes;
  MerkleTree tree;
  std::vector<Place> index;  // tree and index may be ahead of the head: after a failed append
  Place end;                 // where the next line goes
  TimePoint last_time;
  Checkpoint head;
  std::string note;
  bool head_stored = false;
  Recovery recovery;
  std::optional<Error> failure;

  VerifierKey verifier_key() const { return {head.origin, key.public_key()}; }
  Result<void> check_or_write_key(const std::vector<std::string>& names);
  Result<void> read_or_begin_head(const std::vector<std::string>& names);
  Result<void> replay(const EntrySink& sink);
  Result<void> cut_tail(const Walk& walk);
  Result<void> settle(const Walk& walk);
  Result<void> rewrite_from(const Place& begin);
  Result<void> sign_head();
  Result<void> store_head();
  Result<void> store(std::span<const std::string> lines);
  Result<void> write_through(std::string& pending);
  Result<void> fail(const Error& error);
  Result<void> check_usable() const;
};

namespace {

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Result<void> Log::State::check_or_write_key(const std::vector<std::string>& names) {
  const std::string own = verifier_key().text() + "\n";
  if (!contains(names, key_name)) return storage.replace(std::string(key_name), as_bytes(own));
  const auto there = read_small(storage, key_name, verifier_key_max_bytes);
  if (!there) return there.error();
  if (*there == own) return ok();
  return Error{Errc::unauthenticated, "the ledger's file 'key' is not of the key given, which is " +
                                          verifier_key().text()};
}

Result<void> Log::State::read_or_begin_head(const std::vector<std::string>& names) {
  if (contains(names, checkpoint_name)) {
    auto text = read_small(storage, checkpoint_name, checkpoint_max_bytes);
    if (!text) return text.error();
    auto opened = open_checkpoint(*text, verifier_key());
    if (!opened) {
      const Error error = in_context(checkpoint_name, opened.error());
      return error.code == Errc::malformed ? Error{Errc::corrupt, error.detail} : error;
    }
    head = std::move(*opened);
    note = std::move(*text);
    head_stored = true;
    return ok();
  }
  const auto segments = count_segments(storage);
  if (!segments) return segments.error();
  for (std::uint32_t segment = 0; segment < *segments; ++segment) {
    const auto size = storage.size_bytes(segment_name(segment));
    if (!size) return size.error();
    if (*size > 0) {
      return Error{Errc::corrupt,
                   "there are entries, but the file 'checkpoint' (the signed head) is missing"};
    }
  }
  if (auto headed = sign_head(); !headed) return headed;
  return store_head();
}

// Signs a head over the whole tree.
Result<void> Log::State::sign_head() {
  Checkpoint next{head.origin, tree.size(), tree.root()};
  auto text = sign_checkpoint(next, key);
  if (!text) return text.error();
  head = std::move(next);
  note = std::move(*text);
  head_stored = false;
  return ok();
}

Result<void> Log::State::store_head() {
  if (head_stored) return ok();
  if (auto stored = storage.replace(std::string(checkpoint_name), as_bytes(note)); !stored)
    return stored;
  head_stored = true;
  return ok();
}

Result<void> Log::State::replay(const EntrySink& sink) {
  const auto walk = walk_ledger(storage, head, [&](const Visited& visited) {
    tree.append(visited.leaf);
    index.push_back(visited.place);
    return sink(visited.entry, visited.line);
  });
  if (!walk) return walk.error();
  end = walk->end;
  last_time = walk->last_time;
  return settle(*walk);
}

// Makes the disk agree with what was read: the torn tail cut, whole lines durable and under a head.
Result<void> Log::State::settle(const Walk& walk) {
  if (walk.broken && !planted(Fault::torn_tail_accepted)) {
    if (auto cut = cut_tail(walk); !cut)
      return in_context("cutting the ledger's torn tail", cut.error());
  }
  recovery.entries_kept = walk.entries - head.size;
  if (recovery.entries_kept == 0) return ok();
  if (auto kept = rewrite_from(index[head.size]); !kept) {
    return in_context("keeping the ledger's last entries", kept.error());
  }
  if (auto headed = sign_head(); !headed) return headed;
  return store_head();
}

// Writes the segments from that of `begin` to the last once more. To sync them would not do: after
// an fsync that failed, a system may take pages for clean that never reached the disk. Each in one
// step: a crash in between must lose none of these lines, since a head over them may have been
// given out.
Result<void> Log::State::rewrite_from(const Place& begin) {
  for (std::uint32_t segment = begin.segment; segment <= end.segment; ++segment) {
    const std::string name = segment_name(segment);
    const auto size = storage.size_bytes(name);
    if (!size) return size.error();
    const auto lines = storage.read(name, 0, *size);
    if (!lines) return lines.error();
    if (auto written = storage.replace(name, *lines); !written) return written;
  }
  return ok();
}

// From the last segment to the first, so that what stands after a crash in between is cut next
// time.
Result<void> Log::State::cut_tail(const Walk& walk) {
  recovery.reason = walk.broken->detail;
  for (std::uint32_t segment = walk.segments; segment-- > end.segment;) {
    const std::string name = segment_name(segment);
    const std::uint64_t keep = segment == end.segment ? end.offset : 0;
    const auto size = storage.size_bytes(name);
    if (!size) return size.error();
    if (*size <= keep) continue;
    recovery.bytes_cut += *size - keep;
    if (auto cut = storage.truncate(name, keep); !cut) return cut;
    if (auto synced = storage.sync(name); !synced) return synced;
  }
  return ok();
}

// Appends `pending` to the current segment, durably, and empties it.
Result<void> Log::State::write_through(std::string& pending) {
  const std::string name = segment_name(end.segment);
  if (auto written = storage.append(name, as_bytes(pending)); !written) return written;
  pending.clear();
  if (planted(Fault::answer_before_sync)) return ok();
  return storage.sync(name);
}

Result<void> Log::State::store(std::span<const std::string> lines) {
  std::string pending;
  for (const std::string& line : lines) {
    if (end.offset > 0 && end.offset + line.size() + 1 > segment_bytes) {
      if (!pending.empty()) {
        if (auto written = write_through(pending); !written) return written;
      }
      end = {.offset = 0, .segment = end.segment + 1, .size_bytes = 0};
    }
    index.push_back({end.offset, end.segment, static_cast<std::uint32_t>(line.size())});
    tree.append(leaf_hash(line));
    pending += line;
    pending += '\n';
    end.offset += line.size() + 1;
  }
  if (auto written = write_through(pending); !written) return written;
  return sign_head();
}

Result<Log> Log::open(Storage& storage, std::string origin, crypto::PrivateKey key, EntrySink sink,
                      std::uint64_t segment_bytes) {
  ENTENTE_ASSERT(key.kind() == crypto::KeyKind::ed25519, "the ledger's key is an Ed25519 key");
  auto state = std::make_unique<State>(
      State{storage, std::move(key), segment_bytes, {}, {}, {}, {}, {}, {}, false, {}, {}});
  state->head.origin = std::move(origin);
  const auto names = storage.list();
  if (!names) return names.error();
  if (auto keyed = state->check_or_write_key(*names); !keyed) return keyed.error();
  if (auto headed = state->read_or_begin_head(*names); !headed) return headed.error();
  if (auto replayed = state->replay(sink); !replayed) return replayed.error();
  return Log(std::move(state));
}

// What failed once is not trusted again until the ledger was opened anew.
Result<void> Log::State::fail(const Error& error) {
  failure = Error{Errc::io, error.detail};
  return in_context("appending to the ledger", *failure);
}

Result<void> Log::State::check_usable() const {
  if (!failure) return ok();
  return in_context("the ledger takes nothing more until it is opened again, since", *failure);
}

Result<void> Log::append(std::span<const Entry> entries, StoreHead head) {
  State& state = *state_;
  if (auto usable = state.check_usable(); !usable) return usable;
  if (entries.empty()) return ok();
  std::vector<std::string> lines;
  std::uint64_t sequence = size();
  TimePoint last_time = state.last_time;
  for (const Entry& entry : entries) {
    ENTENTE_ASSERT(entry.sequence == sequence, "entries are appended in sequence");
    ENTENTE_ASSERT(entry.time >= last_time || sequence == 0,
                   "an entry is not older than the one before it");
    ENTENTE_ASSERT(ledger_origin(entry.federation) == state.head.origin,
                   "an entry is of its ledger");
    auto line = encode_entry(entry);
    if (!line) return line.error();
    lines.push_back(std::move(*line));
    last_time = entry.time;
    ++sequence;
  }
  if (auto stored = state.store(lines); !stored) return state.fail(stored.error());
  state.last_time = last_time;
  if (head == StoreHead::later) return ok();
  if (auto stored = state.store_head(); !stored) return state.fail(stored.error());
  return ok();
}

Result<void> Log::store_head() {
  if (auto usable = state_->check_usable(); !usable) return usable;
  return state_->store_head();
}

bool Log::head_is_stored() const {
  return state_->head_stored;
}

std::uint64_t Log::size() const {
  return state_->head.size;
}
const std::string& Log::checkpoint() const {
  return state_->note;
}
const Checkpoint& Log::head() const {
  return state_->head;
}
VerifierKey Log::verifier_key() const {
  return state_->verifier_key();
}
const Recovery& Log::recovery() const {
  return state_->recovery;
}

Proof Log::inclusion_proof(std::uint64_t sequence) const {
  return state_->tree.inclusion_proof(sequence, size());
}

Proof Log::consistency_proof(std::uint64_t old_size) const {
  return state_->tree.consistency_proof(old_size, size());
}

Result<std::string> Log::line(std::uint64_t sequence) const {
  if (sequence >= size()) {
    return Error{Errc::not_found, "entry " + std::to_string(sequence) + " of a ledger of " +
                                      std::to_string(size()) + " entries"};
  }
  const Place& place = state_->index[sequence];
  const auto bytes =
      state_->storage.read(segment_name(place.segment), place.offset, place.size_bytes);
  if (!bytes) return bytes.error();
  std::string line(as_text(*bytes));
  if (leaf_hash(line) != state_->tree.leaf(sequence)) {
    return Error{Errc::corrupt, segment_name(place.segment) + ": entry " +
                                    std::to_string(sequence) + " is no longer what was written"};
  }
  return line;
}

Log::Log(std::unique_ptr<State> state) : state_(std::move(state)) {}
Log::Log(Log&&) noexcept = default;
Log& Log::operator=(Log&&) noexcept = default;
Log::~Log() = default;

Result<Receipt> make_receipt(const Log& log, std::uint64_t sequence) {
  auto line = log.line(sequence);
  if (!line) return line.error();
  return Receipt{std::move(*line), sequence, log.inclusion_proof(sequence), log.checkpoint()};
}

}  // namespace entente::ledger
