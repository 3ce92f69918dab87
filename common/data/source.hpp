// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a data file, from first to last, in pieces: as they lie on disk, or unpacked where
// the file begins as gzip does. Constant memory. One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/file.hpp"
#include "common/base/result.hpp"

namespace entente::data {

// What some programs put in front of UTF-8; no part of the text.
inline constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

class ByteSource {
 public:
  // Errors: not_found; io.
  static Result<ByteSource> open(const std::filesystem::path& path);
  ByteSource(ByteSource&&) noexcept;
  ByteSource& operator=(ByteSource&&) = delete;
  ~ByteSource();

  // Fills `into` as far as the file goes; gives how many bytes: fewer than asked for only at the
  // end. Errors: malformed - gzip data cut short, damaged, or followed by something else; io.
  Result<std::size_t> read(std::span<std::byte> into);
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  struct Inflater;
  ByteSource(File file, std::uint64_t size_bytes);
  // The next bytes of the file itself, in input_[0, left).
  Result<void> refill();
  Result<std::size_t> read_packed(std::span<std::byte> into);

  File file_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t position_ = 0;
  Bytes input_;
  std::unique_ptr<Inflater> inflater_;  // only for gzip
};

}  // namespace entente::data
