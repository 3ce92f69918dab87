// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/disk.hpp"

#include <algorithm>

namespace entente::simulation {
namespace {

// The first bytes that two texts share.
std::size_t common_prefix(const std::string& one, const std::string& other) {
  const std::size_t size = std::min(one.size(), other.size());
  const auto differs =
      std::mismatch(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(size), other.begin());
  return static_cast<std::size_t>(differs.first - one.begin());
}

void fill_with_zeros(std::string& text, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < std::min(end, text.size()); ++i) text[i] = '\0';
}

}  // namespace

Error SimulatedDisk::broken(const std::string& name, const char* why) {
  return {Errc::io, name + ": " + why};
}

SimulatedDisk::Fate SimulatedDisk::fate_of(double trouble) {
  if (dead_) return Fate::fails;
  if (dies_in_) {
    if (*dies_in_ == 0) {
      dies_in_.reset();
      dead_ = true;
      return Fate::dies;
    }
    --*dies_in_;
  }
  return trouble > 0 && random_.chance(trouble) ? Fate::fails : Fate::works;
}

// What reached the platter: all of it but the ranges that an earlier failed sync forgot.
void SimulatedDisk::make_durable(File& file) {
  file.durable = file.content;
  for (const auto& [begin, end] : file.forgotten) fill_with_zeros(file.durable, begin, end);
  file.least = file.content.size();
  file.named = true;
}

void SimulatedDisk::lose_power(File& file) {
  const bool was_cut = file.least < file.durable.size();
  if (was_cut && random_.chance(0.5)) {  // the cut itself was lost
    file.content = file.durable;
  } else {
    const std::size_t base = was_cut ? file.least : common_prefix(file.durable, file.content);
    std::string rest = file.content.substr(std::min(base, file.content.size()));
    for (const auto& [begin, end] : file.forgotten) {
      if (end > base) fill_with_zeros(rest, begin > base ? begin - base : 0, end - base);
    }
    const double luck = random_.uniform();
    const std::size_t keep = luck < 0.25 ? 0
                             : luck < 0.45
                                 ? rest.size()
                                 : static_cast<std::size_t>(random_.below(rest.size() + 1));
    if (keep > 0 && keep < rest.size()) ++torn_;
    rest.resize(keep);
    if (keep > 1 && random_.chance(0.2)) {  // a page that never came
      const std::size_t hole = random_.below(keep);
      fill_with_zeros(rest, hole, hole + 1 + random_.below(keep - hole));
      ++torn_;
    }
    file.content = file.durable.substr(0, base) + rest;
  }
  file.durable = file.content;
  file.least = file.content.size();
  file.forgotten.clear();
  file.named = true;
}

// The lies of the last sync come true.
void SimulatedDisk::confess() {
  for (auto& [name, content] : promised_) {
    File& file = files_[name];
    file.durable = std::move(content);
    file.named = true;
  }
  promised_.clear();
}

void SimulatedDisk::restart(bool power_failed) {
  dead_ = false;
  dies_in_.reset();
  if (!power_failed) return;
  promised_.clear();
  for (auto at = files_.begin(); at != files_.end();) {
    File& file = at->second;
    if (lying_) file.content = file.durable;
    if (!file.named && (lying_ || random_.chance(0.5))) {
      at = files_.erase(at);
      continue;
    }
    if (file.content != file.durable || !file.forgotten.empty()) lose_power(file);
    ++at;
  }
}

std::string_view SimulatedDisk::content(const std::string& name) const {
  const auto found = files_.find(name);
  return found == files_.end() ? std::string_view() : std::string_view(found->second.content);
}

std::string_view SimulatedDisk::durable(const std::string& name) const {
  const auto found = files_.find(name);
  return found == files_.end() ? std::string_view() : std::string_view(found->second.durable);
}

Result<std::vector<std::string>> SimulatedDisk::list() {
  if (dead_) return broken("the folder", "the machine is off");
  std::vector<std::string> names;
  for (const auto& [name, file] : files_) names.push_back(name);
  return names;
}

Result<std::uint64_t> SimulatedDisk::size_bytes(const std::string& name) {
  if (dead_) return broken(name, "the machine is off");
  const auto found = files_.find(name);
  if (found == files_.end()) return Error{Errc::not_found, name + ": no such file"};
  return found->second.content.size();
}

Result<Bytes> SimulatedDisk::read(const std::string& name, std::uint64_t offset,
                                  std::uint64_t size) {
  if (dead_) return broken(name, "the machine is off");
  if (trouble_.read > 0 && random_.chance(trouble_.read)) return broken(name, "input/output error");
  const auto found = files_.find(name);
  if (found == files_.end()) return Error{Errc::not_found, name + ": no such file"};
  const std::string& content = found->second.content;
  if (offset > content.size() || size > content.size() - offset) {
    return Error{Errc::malformed, name + ": ends before"};
  }
  return to_bytes(std::string_view(content).substr(offset, size));
}

Result<void> SimulatedDisk::append(const std::string& name, ByteView content) {
  const Fate fate = fate_of(full_ ? 1 : trouble_.write);
  if (fate == Fate::fails && dead_) return broken(name, "the machine is off");
  File& file = files_[name];
  std::size_t part = content.size();
  if (fate != Fate::works) part = static_cast<std::size_t>(random_.below(content.size() + 1));
  file.content += as_text(content.first(part));
  if (fate != Fate::works) return broken(name, "no space left on device");
  return ok();
}

Result<void> SimulatedDisk::sync(const std::string& name) {
  const auto found = files_.find(name);
  if (found == files_.end()) return Error{Errc::not_found, name + ": no such file"};
  File& file = found->second;
  const Fate fate = fate_of(trouble_.sync);
  if (fate == Fate::works) {
    if (lying_) {
      confess();
      promised_[name] = file.content;
    } else {
      make_durable(file);
    }
    return ok();
  }
  // As some systems do: the bytes are still read back, and taken for clean from now on.
  if (fate == Fate::fails && !dead_ && random_.chance(0.5)) {
    const std::size_t begin = std::min(file.least, common_prefix(file.durable, file.content));
    if (begin < file.content.size()) file.forgotten.emplace_back(begin, file.content.size());
  }
  return broken(name, "input/output error");
}

Result<void> SimulatedDisk::truncate(const std::string& name, std::uint64_t size) {
  const auto found = files_.find(name);
  if (found == files_.end()) return Error{Errc::not_found, name + ": no such file"};
  const Fate fate = fate_of(trouble_.write);
  if (fate == Fate::fails || (fate == Fate::dies && random_.chance(0.5))) {
    return broken(name, "input/output error");
  }
  File& file = found->second;
  file.content.resize(size);
  file.least = std::min<std::size_t>(file.least, size);
  std::erase_if(file.forgotten, [&](const auto& range) { return range.first >= size; });
  for (auto& [begin, end] : file.forgotten) end = std::min<std::size_t>(end, size);
  if (fate == Fate::dies) return broken(name, "the machine is off");
  return ok();
}

Result<void> SimulatedDisk::replace(const std::string& name, ByteView content) {
  const Fate fate = fate_of(full_ ? 1 : trouble_.write);
  if (fate == Fate::fails || (fate == Fate::dies && random_.chance(0.5))) {
    return broken(name, "no space left on device");
  }
  File& file = files_[name];
  file.content = as_text(content);
  file.forgotten.clear();
  if (lying_) {
    promised_[name] = file.content;
  } else {
    make_durable(file);
  }
  if (fate == Fate::dies) return broken(name, "the machine is off");
  return ok();
}

}  // namespace entente::simulation
