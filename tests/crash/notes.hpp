// SPDX-License-Identifier: Apache-2.0
//
// What a story's process was promised, seen by the process that started it even when it is killed
// the moment after: lines in memory that both share. Writing one is no system call, so that notes
// never stand in the way of a count.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace entente::crash {

class Notes {
 public:
  Notes();
  ~Notes();
  Notes(const Notes&) = delete;
  Notes& operator=(const Notes&) = delete;

  // Something that must be so from now on, whatever happens: "entry 7 5dc9...".
  void promise(std::string_view line) { add('+', line); }
  // Why the story stopped, or what is wrong with what it left.
  void problem(std::string_view line) { add('!', line); }
  // What a finished story looks like; the same whatever went wrong on the way.
  void outcome(std::string_view line) { add('=', line); }

  std::vector<std::string> promises() const { return lines('+'); }
  std::vector<std::string> problems() const { return lines('!'); }
  std::vector<std::string> outcomes() const { return lines('='); }

  // Forgets everything; or all but the promises.
  void clear();
  void keep_promises();

 private:
  struct Page;
  void add(char kind, std::string_view line);
  std::vector<std::string> lines(char kind) const;
  Page* page_;
};

}  // namespace entente::crash
