// SPDX-License-Identifier: Apache-2.0
//
// A folder of append-only and replaced files, as an interface: the ledger and the participant's
// journal write through it, so that the simulator can stand in for the disk and tear, lose and
// refuse what was not synced.
//
// Names are plain file names (no '/', no '.' in front). One thread at a time.
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
  // File names, sorted; none when the folder is missing. Errors: io.
  virtual Result<std::vector<std::string>> list() = 0;
  // Errors: not_found; io.
  virtual Result<std::uint64_t> size_bytes(const std::string& name) = 0;
  // `size` bytes from `offset`. Errors: not_found; malformed - the file ends before; io.
  virtual Result<Bytes> read(const std::string& name, std::uint64_t offset, std::uint64_t size) = 0;
  // Adds to the end; creates a missing file. Durable only after sync.
  // Errors: io - a part may have been added: truncate before going on.
  virtual Result<void> append(const std::string& name, ByteView content) = 0;
  // Makes content, size and name durable. Errors: not_found; io - what was appended may be lost.
  virtual Result<void> sync(const std::string& name) = 0;
  // Cuts the file to `size` bytes. Durable only after sync. Errors: not_found; io.
  virtual Result<void> truncate(const std::string& name, std::uint64_t size) = 0;
  // Durable and in one step; creates a missing file. Errors: io.
  virtual Result<void> replace(const std::string& name, ByteView content) = 0;
};

// The real thing: a folder, made when missing by the first write. Keeps the file appended to last
// open. Names that begin with '.' are write_file's temporaries: never listed, and what a crash left
// of them is removed before the first write.
std::unique_ptr<Storage> open_storage(const std::filesystem::path& folder);

}  // namespace entente
