// SPDX-License-Identifier: Apache-2.0
//
// A disk in memory that forgets what was not synced and fails when told to: the ledger's tests
// break it.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/storage.hpp"

namespace entente::ledger::test {

class MemoryStorage : public Storage {
 public:
  // What a power loss leaves of the bytes that were appended and not synced.
  enum class Loss { all, half, nothing };

  struct File {
    std::string content;
    std::string durable;
  };

  std::map<std::string, File> files;
  std::uint64_t writes = 0;  // calls so far of append, sync, truncate and replace
  std::optional<std::uint64_t>
      failing_write;  // the one that fails; an append has then written half

  // Writes a file as it should stand, durably.
  void put(const std::string& name, std::string content) { files[name] = {content, content}; }
  const std::string& content(const std::string& name) { return files[name].content; }

  void crash(Loss loss) {
    failing_write.reset();
    for (auto& [name, file] : files) {
      if (loss == Loss::nothing) file.durable = file.content;
      const bool longer = file.content.size() > file.durable.size();
      if (loss == Loss::half && longer && file.content.starts_with(file.durable)) {
        const std::size_t unsynced = file.content.size() - file.durable.size();
        file.durable = file.content.substr(0, file.durable.size() + unsynced / 2);
      }
      file.content = file.durable;
    }
  }

  Result<std::vector<std::string>> list() override {
    std::vector<std::string> names;
    for (const auto& [name, file] : files) names.push_back(name);
    return names;
  }
  Result<std::uint64_t> size_bytes(const std::string& name) override {
    if (!files.contains(name)) return Error{Errc::not_found, name + ": no such file"};
    return files[name].content.size();
  }
  Result<Bytes> read(const std::string& name, std::uint64_t offset, std::uint64_t size) override {
    if (!files.contains(name)) return Error{Errc::not_found, name + ": no such file"};
    const std::string& content = files[name].content;
    if (offset > content.size() || size > content.size() - offset) {
      return Error{Errc::malformed, name + ": ends before"};
    }
    return to_bytes(std::string_view(content).substr(offset, size));
  }
  Result<void> append(const std::string& name, ByteView content) override {
    if (fails()) {
      files[name].content += as_text(content.first(content.size() / 2));
      return Error{Errc::io, name + ": no space left on device"};
    }
    files[name].content += as_text(content);
    return ok();
  }
  Result<void> sync(const std::string& name) override {
    if (fails()) return Error{Errc::io, name + ": input/output error"};
    files[name].durable = files[name].content;
    return ok();
  }
  Result<void> truncate(const std::string& name, std::uint64_t size) override {
    if (fails()) return Error{Errc::io, name + ": input/output error"};
    files[name].content.resize(size);
    return ok();
  }
  Result<void> replace(const std::string& name, ByteView content) override {
    if (fails()) return Error{Errc::io, name + ": no space left on device"};
    put(name, std::string(as_text(content)));
    return ok();
  }

 private:
  bool fails() { return failing_write == writes++; }
};

}  // namespace entente::ledger::test
