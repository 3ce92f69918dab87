// SPDX-License-Identifier: Apache-2.0
//
// The federation's one tensor format, on the wire and on disk: safetensors in canonical form.
//
//     file := N:u64 little-endian, header:byte[N], data        8 + N a multiple of 64
//     header: JSON as RFC 8785 orders it,
//     {"layer/weight":{"data_offsets":[a,b],"dtype":"F32","shape":[...]},...},
//             no __metadata__, padded with spaces; data in layer order without gaps, float32
//             little-endian
//
// So equal tensors have equal bytes and equal digests, and a model, an update and an export of one
// layout differ only in data. Files may be larger than memory: SafetensorsWriter and
// SafetensorsReader work by blocks.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "common/base/bytes.hpp"
#include "common/base/digest.hpp"
#include "common/base/file.hpp"
#include "common/base/result.hpp"
#include "common/crypto/hash.hpp"
#include "common/tensor/layout.hpp"

namespace entente::tensor {

inline constexpr std::uint64_t header_max_bytes = 16U << 20U;

// The first bytes of every file of this layout: N, header and padding.
Bytes safetensors_prefix(const ParameterLayout& layout);
// Size of every file of this layout.
std::uint64_t safetensors_size_bytes(const ParameterLayout& layout);

// The layout in the first bytes of a file, whose whole size is `file_size_bytes`. Accepts any valid
// safetensors file whose tensors are all F32 and lie without gaps or overlap (not only the
// canonical form); gives the tensors in data order. `prefix_size_bytes` receives where the data
// begin. Errors: malformed - what is wrong, with the tensor's name; more is needed when `bytes` is
// shorter than 8 + N.
Result<ParameterLayout> parse_safetensors_header(ByteView bytes, std::uint64_t file_size_bytes,
                                                 std::uint64_t& prefix_size_bytes);

// Writes `values` as a canonical file in one step; gives its digest.
// Errors: io; invalid_argument - the count differs from the layout's.
Result<Digest> write_safetensors(const std::filesystem::path& path, const ParameterLayout& layout,
                                 std::span<const float> values,
                                 Durability durability = Durability::durable);

// Reads a whole file of exactly this layout (canonical form) into `values`; gives the digest of its
// bytes. Errors: not_found; malformed - another layout (names the first tensor that differs); io.
Result<Digest> read_safetensors(const std::filesystem::path& path, const ParameterLayout& layout,
                                std::span<float> values);

// The layout of a file on disk, canonical or not.
// Errors: not_found; malformed; io.
Result<ParameterLayout> read_safetensors_layout(const std::filesystem::path& path);

// Writes one canonical file block by block, without holding it. What is not committed leaves no
// file behind. Move-only; one thread at a time.
class SafetensorsWriter {
 public:
  // Opens `path` + ".partial" (an older one is overwritten) and writes the header. Errors: io.
  static Result<SafetensorsWriter> open(const std::filesystem::path& path,
                                        const ParameterLayout& layout);
  SafetensorsWriter(SafetensorsWriter&& other) noexcept;
  SafetensorsWriter& operator=(SafetensorsWriter&&) = delete;
  ~SafetensorsWriter();
  // The next values, in layout order. Errors: io; invalid_argument - more than the layout holds.
  Result<void> append(std::span<const float> values);
  // Syncs when durable, hashes what was written, gives the digest. The file is still ".partial".
  // Errors: io; invalid_argument - fewer values than the layout holds.
  Result<Digest> finish(Durability durability);
  // Renames to the path given at opening, or to `to` in the same file system (a name that holds the
  // digest). Precondition: finish() succeeded. Errors: io.
  Result<void> commit(Durability durability);
  Result<void> commit(Durability durability, const std::filesystem::path& to);

 private:
  SafetensorsWriter(File file, std::filesystem::path path, std::uint64_t count)
      : file_(std::move(file)), path_(std::move(path)), left_(count) {}
  File file_;
  std::filesystem::path path_;
  std::uint64_t left_ = 0;  // in floats
  crypto::Sha256 hash_;
  bool finished_ = false;
  bool owns_partial_ = true;
};

// Reads blocks of one canonical file. Move-only; read() may be called from any thread.
class SafetensorsReader {
 public:
  // Checks header and size; not the values (they are named by their digest).
  // Errors: not_found; malformed - another layout (names the first tensor that differs), another
  // size; io.
  static Result<SafetensorsReader> open(const std::filesystem::path& path,
                                        const ParameterLayout& layout);
  // Fills `into` with the values from `offset` (in floats) on.
  // Errors: invalid_argument - beyond the end; malformed - the file was cut since; io.
  Result<void> read(std::uint64_t offset, std::span<float> into) const;

 private:
  friend Result<Digest> read_safetensors(const std::filesystem::path& path,
                                         const ParameterLayout& layout, std::span<float> values);
  SafetensorsReader(File file, Bytes prefix, std::uint64_t count)
      : file_(std::move(file)), prefix_(std::move(prefix)), count_(count) {}
  File file_;
  Bytes prefix_;
  std::uint64_t count_ = 0;
};

// Checks a stream of file bytes as it arrives: that the prefix is the layout's to the byte, and
// every value finite; sums the squares in double, in an order that depends on a value's place
// alone, never on how the stream was cut. Constant memory (and the prefix). After an error the
// check is over.
class StreamCheck {
 public:
  explicit StreamCheck(const ParameterLayout& layout);
  // The next bytes of the file, in pieces of any size.
  // Errors: malformed - the header is not this layout's, or more bytes than its file has; rejected
  // - NaN or infinity (names the tensor and index).
  Result<void> update(ByteView bytes);
  // Errors: malformed - shorter than the layout's file.
  Result<void> finish() const;
  // Euclidean norm of all values so far.
  double norm() const;

 private:
  Result<void> add(const std::byte* bytes, std::size_t count);

  ParameterLayout layout_;
  Bytes prefix_;
  std::uint64_t position_ = 0;  // in bytes of the file
  std::uint64_t values_ = 0;    // already summed
  std::array<std::byte, sizeof(float)> partial_{};
  std::size_t partial_size_ = 0;
  std::array<double, 8> squares_{};  // value i is added to squares_[i % 8]
};

}  // namespace entente::tensor
