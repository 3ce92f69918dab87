// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "common/base/assert.hpp"
#include "common/base/text.hpp"
#include "common/tensor/safetensors.hpp"

namespace entente::tensor {

namespace {

constexpr std::size_t block_bytes = 1U << 20U;

std::filesystem::path partial_path(const std::filesystem::path& path) {
  return std::filesystem::path(path.string() + ".partial");
}

std::string describe(const TensorEntry& entry) {
  std::string text = in_quotes(entry.name, tensor_name_max_bytes) + " [";
  for (std::size_t i = 0; i < entry.shape.size(); ++i) {
    text += (i == 0 ? "" : ",") + std::to_string(entry.shape[i]);
  }
  return text + "]";
}

// In what a file's layout differs from the expected one.
Error another_layout(const ParameterLayout& expected, const ParameterLayout& seen) {
  const auto& want = expected.tensors();
  const auto& have = seen.tensors();
  for (std::size_t i = 0; i < std::max(want.size(), have.size()); ++i) {
    if (i < want.size() && i < have.size() && want[i] == have[i]) continue;
    return Error{Errc::malformed, "tensor " + std::to_string(i + 1) + ": expected " +
                                      (i < want.size() ? describe(want[i]) : "no more tensors") +
                                      ", saw " +
                                      (i < have.size() ? describe(have[i]) : "no more tensors")};
  }
  return Error{Errc::malformed, "the header is not in canonical form"};
}

Result<ParameterLayout> layout_of(const File& file) {
  const auto size_bytes = file.size_bytes();
  if (!size_bytes) return size_bytes.error();
  Bytes head(std::min<std::uint64_t>(*size_bytes, sizeof(std::uint64_t)));
  if (auto done = file.read_at(0, head); !done) return done.error();
  if (head.size() == sizeof(std::uint64_t)) {
    const auto header = std::min(load_little_endian<std::uint64_t>(head.data()), header_max_bytes);
    head.resize(std::min(*size_bytes, header + sizeof(std::uint64_t)));
    if (auto done = file.read_at(0, head); !done) return done.error();
  }
  std::uint64_t prefix_size_bytes = 0;
  return parse_safetensors_header(head, *size_bytes, prefix_size_bytes);
}

}  // namespace

Result<ParameterLayout> read_safetensors_layout(const std::filesystem::path& path) {
  const auto file = File::open(path, File::Mode::read);
  if (!file) return file.error();
  auto layout = layout_of(*file);
  if (!layout) return in_context(path.string(), layout.error());
  return layout;
}

Result<SafetensorsWriter> SafetensorsWriter::open(const std::filesystem::path& path,
                                                  const ParameterLayout& layout) {
  auto file = File::open(partial_path(path), File::Mode::write_new);
  if (!file) return file.error();
  SafetensorsWriter writer(std::move(*file), path, layout.parameter_count());
  const Bytes prefix = safetensors_prefix(layout);
  writer.hash_.update(prefix);
  if (auto done = writer.file_.append(prefix); !done) return done.error();
  return writer;
}

SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&& other) noexcept
    : file_(std::move(other.file_)),
      path_(std::move(other.path_)),
      left_(other.left_),
      hash_(std::move(other.hash_)),
      finished_(other.finished_),
      owns_partial_(std::exchange(other.owns_partial_, false)) {}

SafetensorsWriter::~SafetensorsWriter() {
  if (!owns_partial_) return;
  // What is left over is overwritten by the next writer of this path.
  [[maybe_unused]] const auto removed = remove_file(partial_path(path_));
}

Result<void> SafetensorsWriter::append(std::span<const float> values) {
  if (values.size() > left_) {
    return Error{Errc::invalid_argument, path_.string() + ": " + std::to_string(values.size()) +
                                             " more values, expected at most " +
                                             std::to_string(left_)};
  }
  left_ -= values.size();
  ByteView bytes = std::as_bytes(values);
  while (!bytes.empty()) {  // by blocks, so that hashing finds them in the cache
    const ByteView block = bytes.first(std::min(bytes.size(), block_bytes));
    hash_.update(block);
    if (auto done = file_.append(block); !done) return done;
    bytes = bytes.subspan(block.size());
  }
  return ok();
}

Result<Digest> SafetensorsWriter::finish(Durability durability) {
  if (left_ != 0) {
    return Error{Errc::invalid_argument,
                 path_.string() + ": " + std::to_string(left_) + " values were not written"};
  }
  if (durability == Durability::durable) {
    if (auto synced = file_.sync(); !synced) return synced.error();
  }
  finished_ = true;
  return hash_.finish();
}

Result<void> SafetensorsWriter::commit(Durability durability) {
  return commit(durability, path_);
}

Result<void> SafetensorsWriter::commit(Durability durability, const std::filesystem::path& to) {
  ENTENTE_ASSERT(finished_ && owns_partial_, "commit comes once, after finish");
  auto renamed = rename_file(partial_path(path_), to, durability);
  if (renamed) owns_partial_ = false;
  return renamed;
}

Result<SafetensorsReader> SafetensorsReader::open(const std::filesystem::path& path,
                                                  const ParameterLayout& layout) {
  auto file = File::open(path, File::Mode::read);
  if (!file) return file.error();
  const auto size_bytes = file->size_bytes();
  if (!size_bytes) return size_bytes.error();
  Bytes prefix = safetensors_prefix(layout);
  Bytes seen(std::min<std::uint64_t>(prefix.size(), *size_bytes));
  if (auto done = file->read_at(0, seen); !done) return done.error();
  const std::uint64_t expected_bytes = prefix.size() + layout.parameter_count() * sizeof(float);
  if (seen != prefix || *size_bytes != expected_bytes) {
    const auto other = layout_of(*file);
    return in_context(path.string(), other ? another_layout(layout, *other) : other.error());
  }
  return SafetensorsReader(std::move(*file), std::move(prefix), layout.parameter_count());
}

Result<void> SafetensorsReader::read(std::uint64_t offset, std::span<float> into) const {
  if (offset > count_ || into.size() > count_ - offset) {
    return Error{Errc::invalid_argument, file_.path().string() + ": values " +
                                             std::to_string(offset) + " and on: expected at most " +
                                             std::to_string(count_) + " values in all"};
  }
  return file_.read_at(prefix_.size() + offset * sizeof(float), std::as_writable_bytes(into));
}

Result<Digest> write_safetensors(const std::filesystem::path& path, const ParameterLayout& layout,
                                 std::span<const float> values, Durability durability) {
  auto writer = SafetensorsWriter::open(path, layout);
  if (!writer) return writer.error();
  if (auto done = writer->append(values); !done) return done.error();
  auto digest = writer->finish(durability);
  if (!digest) return digest;
  if (auto done = writer->commit(durability); !done) return done.error();
  return digest;
}

Result<Digest> read_safetensors(const std::filesystem::path& path, const ParameterLayout& layout,
                                std::span<float> values) {
  if (values.size() != layout.parameter_count()) {
    return Error{Errc::invalid_argument, "a buffer of " + std::to_string(values.size()) +
                                             " values, expected " +
                                             std::to_string(layout.parameter_count())};
  }
  const auto reader = SafetensorsReader::open(path, layout);
  if (!reader) return reader.error();
  crypto::Sha256 hash;
  hash.update(reader->prefix_);
  constexpr std::size_t block = block_bytes / sizeof(float);
  for (std::size_t from = 0; from < values.size(); from += block) {
    const auto into = values.subspan(from, std::min(block, values.size() - from));
    if (auto done = reader->read(from, into); !done) return done.error();
    hash.update(std::as_bytes(into));
  }
  return hash.finish();
}

}  // namespace entente::tensor
