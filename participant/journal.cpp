// SPDX-License-Identifier: Apache-2.0
#include "participant/journal.hpp"

#include <algorithm>
#include <utility>

#include "common/base/json.hpp"

namespace entente::participant {
namespace {

constexpr std::int64_t record_version = 1;
constexpr std::uint64_t block_bytes = 1U << 20U;
constexpr double figure_max = 1e300;

json::value number_of(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

void put_work(json::object& line, const WorkName& work) {
  line["plan"] = work.plan.hex();
  line["round"] = number_of(work.round);
  line["model"] = work.model.hex();
}

std::string_view put(json::object& line, const Consent& record) {
  line["plan"] = record.plan.hex();
  line["bytes"] = number_of(record.size_bytes);
  line["name"] = record.plan_name;
  line["operator"] = record.operator_name;
  line["signature"] = to_base64(record.signature);
  return "consent";
}

std::string_view put(json::object& line, const Decline& record) {
  line["plan"] = record.plan.hex();
  if (record.round) line["round"] = number_of(*record.round);
  line["reason"] = record.reason;
  return "decline";
}

std::string_view put(json::object& line, const FinishedUpdate& record) {
  put_work(line, record.work);
  line["update"] = record.update.hex();
  line["bytes"] = number_of(record.size_bytes);
  if (record.examples) line["examples"] = number_of(*record.examples);
  line["norm"] = record.norm;
  line["tensors"] = number_of(record.tensors);
  return "update";
}

std::string_view put(json::object& line, const FinishedEvaluation& record) {
  put_work(line, record.work);
  if (record.examples) line["examples"] = number_of(*record.examples);
  json::object metrics;
  for (const auto& [name, value] : record.metrics) metrics[name] = value;
  line["metrics"] = std::move(metrics);
  return "evaluation";
}

std::string_view put(json::object& line, const ReceiptKept& record) {
  line["plan"] = record.plan.hex();
  if (record.round) line["round"] = number_of(*record.round);
  if (record.update) line["update"] = record.update->hex();
  line["index"] = number_of(record.index);
  line["file"] = record.file;
  return "receipt";
}

// --- reading

std::uint64_t read_count(JsonReader& reader, std::string_view key) {
  return static_cast<std::uint64_t>(reader.integer(key, 0, json_integer_max));
}

std::optional<std::uint64_t> read_optional_count(JsonReader& reader, std::string_view key) {
  if (reader.find(key) == nullptr) return std::nullopt;
  return read_count(reader, key);
}

Digest read_digest(JsonReader& reader, std::string_view key) {
  const auto digest = parse_digest(reader.text(key));
  if (!digest) reader.fail(key, digest.error().detail);
  return digest ? *digest : Digest{};
}

WorkName read_work(JsonReader& reader) {
  return {read_digest(reader, "plan"), read_count(reader, "round"), read_digest(reader, "model")};
}

Record read_consent(JsonReader& reader) {
  Consent record;
  record.plan = read_digest(reader, "plan");
  record.size_bytes = read_count(reader, "bytes");
  record.plan_name = reader.text("name");
  record.operator_name = reader.text("operator");
  auto signature = from_base64(reader.text("signature"));
  if (!signature) {
    reader.fail("signature", signature.error().detail);
  } else {
    record.signature = std::move(*signature);
  }
  return record;
}

Record read_decline(JsonReader& reader) {
  Decline record;
  record.plan = read_digest(reader, "plan");
  record.round = read_optional_count(reader, "round");
  record.reason = reader.text("reason");
  return record;
}

Record read_update(JsonReader& reader) {
  FinishedUpdate record;
  record.work = read_work(reader);
  record.update = read_digest(reader, "update");
  record.size_bytes = read_count(reader, "bytes");
  record.examples = read_optional_count(reader, "examples");
  record.norm = reader.number("norm", 0, figure_max);
  record.tensors = read_count(reader, "tensors");
  return record;
}

Record read_evaluation(JsonReader& reader) {
  FinishedEvaluation record;
  record.work = read_work(reader);
  record.examples = read_optional_count(reader, "examples");
  JsonReader metrics = reader.object("metrics");
  if (const json::value* object = reader.find("metrics"); object != nullptr && !reader.failed()) {
    for (const auto& metric : object->get_object()) {
      record.metrics[std::string(metric.key())] =
          metrics.number(metric.key(), -figure_max, figure_max);
    }
  }
  if (auto done = metrics.finish(); !done) reader.fail("metrics", done.error().detail);
  return record;
}

Record read_receipt(JsonReader& reader) {
  ReceiptKept record;
  record.plan = read_digest(reader, "plan");
  record.round = read_optional_count(reader, "round");
  if (reader.find("update") != nullptr) record.update = read_digest(reader, "update");
  record.index = read_count(reader, "index");
  record.file = reader.text("file");
  return record;
}

template <class T>
void keep_latest(std::deque<T>& kept, T item) {
  kept.push_back(std::move(item));
  if (kept.size() > finished_kept_max) kept.pop_front();
}

// The latest of `kept` that is about `work`.
template <class T>
const T* latest(const std::deque<T>& kept, const WorkName& work) {
  const auto found =
      std::find_if(kept.rbegin(), kept.rend(), [&](const T& item) { return item.work == work; });
  return found == kept.rend() ? nullptr : &*found;
}

}  // namespace

Result<std::string> encode_record(const Record& record, TimePoint time) {
  json::object line;
  const std::string_view kind =
      std::visit([&](const auto& known) { return put(line, known); }, record);
  line["kind"] = kind;
  line["v"] = record_version;
  line["time"] = to_rfc3339(time);
  auto text = canonical_json(line);
  if (text && text->size() > journal_line_max_bytes) {
    return Error{Errc::invalid_argument, "a journal line of " + std::to_string(text->size()) +
                                             " bytes, expected at most " +
                                             std::to_string(journal_line_max_bytes)};
  }
  return text;
}

Result<Record> decode_record(std::string_view line) {
  const auto value = parse_canonical_json(line, journal_line_max_bytes);
  if (!value) return value.error();
  JsonReader reader(*value, "");
  reader.integer("v", record_version, record_version);
  if (const auto time = parse_rfc3339(reader.text("time")); !time) {
    reader.fail("time", time.error().detail);
  }
  const std::string kind = reader.text("kind");
  using Read = Record (*)(JsonReader&);
  constexpr std::pair<std::string_view, Read> readers[] = {
      {"consent", read_consent},       {"decline", read_decline}, {"update", read_update},
      {"evaluation", read_evaluation}, {"receipt", read_receipt},
  };
  for (const auto& [name, read] : readers) {
    if (name != kind) continue;
    Record record = read(reader);
    if (auto done = reader.finish(); !done) return done.error();
    return record;
  }
  reader.fail("kind", "unknown");
  return reader.finish().error();
}

Result<Journal> Journal::open(Storage& storage) {
  Journal journal(storage);
  if (auto read = journal.read_back(); !read) return read.error();
  return journal;
}

Result<void> Journal::read_back() {
  const std::string name(journal_file);
  const auto size = storage_->size_bytes(name);
  if (!size && size.error().code == Errc::not_found) return ok();
  if (!size) return size.error();
  std::string waiting;  // bytes behind the last whole line that was read
  std::optional<Error> bad;
  for (std::uint64_t offset = 0; offset < *size;) {
    const std::uint64_t length = std::min(block_bytes, *size - offset);
    const auto block = storage_->read(name, offset, length);
    if (!block) return block.error();
    offset += length;
    waiting += as_text(*block);
    std::size_t begin = 0;
    for (std::size_t end = waiting.find('\n'); end != waiting.npos;
         begin = end + 1, end = waiting.find('\n', begin)) {
      // A bad line is torn when it is the last, and damage when another follows.
      if (bad) return *bad;
      const auto record = decode_record(std::string_view(waiting).substr(begin, end - begin));
      if (!record) {
        bad = Error{Errc::corrupt,
                    name + ":" + std::to_string(records_ + 1) + ": " + record.error().detail};
        continue;
      }
      remember(*record);
      good_bytes_ += end - begin + 1;
    }
    waiting.erase(0, begin);
    if (bad && !waiting.empty()) return *bad;
    if (waiting.size() > journal_line_max_bytes && offset < *size) {
      return Error{Errc::corrupt,
                   name + ":" + std::to_string(records_ + 1) + ": a line without end"};
    }
  }
  return settle(*size);
}

// Nothing is sent on the word of a line that a power failure could take back: the process before
// this one may have ended between writing its last line and syncing it, and after a sync that
// failed another one proves nothing. So the whole lines replace the file in one step.
Result<void> Journal::settle(std::uint64_t file_bytes) {
  bytes_cut_ = file_bytes - good_bytes_;
  if (file_bytes == 0) return ok();
  const std::string name(journal_file);
  const auto lines = storage_->read(name, 0, good_bytes_);
  if (!lines) return lines.error();
  return storage_->replace(name, *lines);
}

Result<void> Journal::append(const Record& record, TimePoint now) {
  auto line = encode_record(record, now);
  if (!line) return line.error();
  line->push_back('\n');
  const std::string name(journal_file);
  if (tail_unknown_) {
    auto cut = storage_->truncate(name, good_bytes_);
    if (!cut && cut.error().code != Errc::not_found) return in_context("journal", cut.error());
    tail_unknown_ = false;
  }
  auto written = storage_->append(name, as_bytes(*line));
  if (written) written = storage_->sync(name);
  if (!written) {
    tail_unknown_ = true;
    return in_context("journal", written.error());
  }
  good_bytes_ += line->size();
  remember(record);
  return ok();
}

void Journal::remember(const Record& record) {
  ++records_;
  if (const auto* consent = std::get_if<Consent>(&record)) {
    consents_.insert_or_assign(consent->plan, *consent);
  } else if (const auto* finished = std::get_if<FinishedUpdate>(&record)) {
    keep_latest(updates_, *finished);
  } else if (const auto* told = std::get_if<FinishedEvaluation>(&record)) {
    keep_latest(evaluations_, *told);
  } else if (const auto* receipt = std::get_if<ReceiptKept>(&record); receipt && receipt->update) {
    keep_latest(receipts_, *receipt->update);
  }
}

const Consent* Journal::consent(const Digest& plan) const {
  const auto found = consents_.find(plan);
  return found == consents_.end() ? nullptr : &found->second;
}
const FinishedUpdate* Journal::update(const WorkName& work) const {
  return latest(updates_, work);
}
const FinishedEvaluation* Journal::evaluation(const WorkName& work) const {
  return latest(evaluations_, work);
}
bool Journal::has_receipt(const Digest& update) const {
  return std::find(receipts_.begin(), receipts_.end(), update) != receipts_.end();
}

}  // namespace entente::participant
