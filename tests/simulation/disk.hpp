// SPDX-License-Identifier: Apache-2.0
//
// A disk that behaves as badly as disks do: what was not synced may be lost or torn at any byte
// when the power fails, calls fail for a while, an fsync that failed takes its bytes with it, and
// the machine may die in the middle of a call. What was synced stays as it was. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/random.hpp"
#include "common/base/storage.hpp"

namespace entente::simulation {

class SimulatedDisk : public Storage {
 public:
  // How likely a call is to fail.
  struct Trouble {
    double write = 0;  // append, truncate, replace
    double sync = 0;
    double read = 0;
  };

  explicit SimulatedDisk(Random random) : random_(random) {}

  void set_trouble(Trouble trouble) { trouble_ = trouble; }
  void set_full(bool full) { full_ = full; }
  // A disk that calls a sync done when it has only begun it: one sync late. A planted fault.
  void set_lying(bool lying) { lying_ = lying; }
  // The machine dies in the writing call that comes `calls` calls from now.
  void die_in(std::uint64_t calls) { dies_in_ = calls; }
  void calm_down() {
    trouble_ = {};
    full_ = false;
    dies_in_.reset();
  }
  // Whether it did: every call fails until restart().
  bool dead() const { return dead_; }

  // The files as the next start finds them. A killed process leaves all that it wrote; a power
  // failure leaves what was synced, and perhaps a part of the rest.
  void restart(bool power_failed);
  // Power failures that left a part of what had not been synced.
  std::uint64_t torn() const { return torn_; }

  // What a reader sees; empty when there is no such file.
  std::string_view content(const std::string& name) const;
  // What no power failure can take.
  std::string_view durable(const std::string& name) const;

  Result<std::vector<std::string>> list() override;
  Result<std::uint64_t> size_bytes(const std::string& name) override;
  Result<Bytes> read(const std::string& name, std::uint64_t offset, std::uint64_t size) override;
  Result<void> append(const std::string& name, ByteView content) override;
  Result<void> sync(const std::string& name) override;
  Result<void> truncate(const std::string& name, std::uint64_t size) override;
  Result<void> replace(const std::string& name, ByteView content) override;

 private:
  struct File {
    std::string content;
    std::string durable;
    bool named = false;     // the name itself survives a power failure
    std::size_t least = 0;  // the shortest that the content was since the last sync
    std::vector<std::pair<std::size_t, std::size_t>>
        forgotten;  // ranges that no sync writes any more
  };
  enum class Fate { works, fails, dies };

  Fate fate_of(double trouble);
  static Error broken(const std::string& name, const char* why);
  void make_durable(File& file);
  void lose_power(File& file);
  void confess();

  Random random_;
  Trouble trouble_;
  bool full_ = false;
  bool lying_ = false;
  bool dead_ = false;
  std::optional<std::uint64_t> dies_in_;
  std::uint64_t torn_ = 0;
  std::map<std::string, File> files_;
  std::map<std::string, std::string> promised_;  // by a lying disk: durable after its next sync
};

}  // namespace entente::simulation
