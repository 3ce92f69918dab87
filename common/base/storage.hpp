// SPDX-License-Identifier: Apache-2.0
//
// A folder of append-only and replaced files, as an interface: the ledger and the participant's
// journal write through it, so that the simulator can stand in for the disk and tear, lose and
// refuse what was not synced.
//
// Names are plain file names (no '/'). One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/file.hpp"
#include "common/base/result.hpp"

namespace entente {

class Storage {
 public:
  virtual ~Storage() = default;
  // File names, sorted.
  virtual Result<std::vector<std::string>> list() = 0;
  virtual Result<std::uint64_t> size_bytes(const std::string& name) = 0;
  // `size` bytes from `offset`. Errors: not_found; malformed - the file ends before; io.
  virtual Result<Bytes> read(const std::string& name, std::uint64_t offset, std::uint64_t size) = 0;
  // Adds to the end; creates a missing file. Durable only after sync. Errors: io.
  virtual Result<void> append(const std::string& name, ByteView content) = 0;
  virtual Result<void> sync(const std::string& name) = 0;
  virtual Result<void> truncate(const std::string& name, std::uint64_t size) = 0;
  // Durable and in one step. Errors: io.
  virtual Result<void> replace(const std::string& name, ByteView content) = 0;
};

// The real thing: a folder, made when missing. Keeps the file appended to last open.
std::unique_ptr<Storage> open_storage(const std::filesystem::path& folder);

}  // namespace entente
