// SPDX-License-Identifier: Apache-2.0
//
// A job in a process of its own, under strace: its system calls counted, or one of them made to
// fail, or to be the last. The process is traced from the first call of the job on, so that what a
// program's start costs (libraries, locales) stands in no count.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace entente::crash {

// What happens at the call. `once`: at that one; `onwards`: at it and at all of its kind behind it,
// as on a disk that is full, or gone.
enum class Harm { killed, io_once, io_onwards, full_once, full_onwards, interrupted };
inline constexpr Harm harms[] = {Harm::killed,    Harm::io_once,      Harm::io_onwards,
                                 Harm::full_once, Harm::full_onwards, Harm::interrupted};
std::string_view to_string(Harm harm);

struct Fault {
  std::string call;          // "openat"
  std::uint64_t number = 1;  // which one of its kind, from 1
  Harm harm = Harm::killed;
  std::string text() const;  // "openat 17 killed"
};

// One system call of a job, in order.
struct Call {
  std::string name;
  std::uint64_t number = 1;  // of its kind
  std::string line;          // as strace prints it
};

struct Ending {
  int exit_code = -1;   // of the job
  int signal = 0;       // that ended it
  bool harmed = false;  // the fault was met
  std::string met;      // the call that met it first
  bool well(int code) const { return signal == 0 && exit_code == code; }
  std::string text() const;
};

using Job = std::function<int()>;

// Why no process may be traced here; empty when one may.
std::string why_not_traced(const std::filesystem::path& folder);

// Without strace.
Ending run(const Job& job);
// `folder`: for strace's own file. Throws when strace does not trace.
Ending run(const Job& job, const Fault& fault, const std::filesystem::path& folder);
// The calls to files and folders that the job makes; it must end with 0.
std::vector<Call> calls_of(const Job& job, const std::filesystem::path& folder);

}  // namespace entente::crash
