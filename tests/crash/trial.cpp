// SPDX-License-Identifier: Apache-2.0
#include "tests/crash/trial.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <map>
#include <stdexcept>

#include "tests/crash/story.hpp"

namespace entente::crash {
namespace {

constexpr unsigned hang_seconds = 300;  // a job that lasts so long hangs

// All that a program does to files; what a machine does not know is passed over.
constexpr std::string_view file_calls =
    "?open,?openat,?openat2,?creat,?stat,?lstat,?fstat,?newfstatat,?statx,?statfs,?fstatfs,?access,"
    "?faccessat,?faccessat2,?read,?pread64,?readv,?preadv,?preadv2,?write,?pwrite64,?writev,"
    "?pwritev,?pwritev2,?lseek,?fsync,?fdatasync,?sync_file_range,?truncate,?ftruncate,?fallocate,"
    "?rename,?renameat,?renameat2,?unlink,?unlinkat,?link,?linkat,?symlink,?symlinkat,?mkdir,"
    "?mkdirat,?rmdir,?close,?flock,?fcntl,?getdents,?getdents64,?chmod,?fchmod,?fchmodat,"
    "?utimensat,?copy_file_range,?sendfile";

struct Pipe {
  int from = -1;
  int to = -1;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
    from = ends[0];
    to = ends[1];
  }
  ~Pipe() {
    close_end(from);
    close_end(to);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  static void close_end(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
};

void say_go(const Pipe& start) {
  if (::write(start.to, "g", 1) != 1) throw std::runtime_error("a story cannot be started");
}

int ended(int pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// In the child: waits until the parent says go, without a call that is counted (strace may be there
// before the first of these lines, or after the last), then does the job and ends, never to return
// into the test.
[[noreturn]] void become(const Job& job, const Pipe& start) {
  // The test framework's own handlers would take a crash for one of the test.
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM, SIGTERM}) {
    ::signal(signal, SIG_DFL);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  pollfd go{start.from, POLLIN, 0};
  while (::poll(&go, 1, -1) < 0 && errno == EINTR) {
  }
  ::alarm(hang_seconds);
  int code = threw;
  try {
    code = job();
  } catch (...) {
  }
  ::_exit(code);
}

int fork_job(const Job& job, const Pipe& start) {
  const int pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid == 0) become(job, start);
  return pid;
}

// Starts strace on the process and returns when it traces it.
int attach(int pid, const std::vector<std::string>& options, const std::filesystem::path& log) {
  std::vector<std::string> words = {"strace", "-p", std::to_string(pid), "-o", log.string()};
  words.insert(words.end(), options.begin(), options.end());
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  Pipe said;
  const int tracer = ::fork();
  if (tracer < 0) throw std::runtime_error("fork failed");
  if (tracer == 0) {
    ::dup2(said.to, STDERR_FILENO);
    ::execvp(list[0], list.data());
    ::_exit(127);
  }
  Pipe::close_end(said.to);
  std::string text;
  std::array<char, 512> block{};
  while (text.find("attached") == text.npos) {
    const ssize_t size = ::read(said.from, block.data(), block.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      ::kill(pid, SIGKILL);
      ended(pid);
      ended(tracer);
      throw std::runtime_error(text.empty() ? "there is no strace" : text);
    }
    text.append(block.data(), static_cast<std::size_t>(size));
  }
  return tracer;
}

Ending ending_of(int status) {
  Ending ending;
  if (WIFEXITED(status)) ending.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ending.signal = WTERMSIG(status);
  return ending;
}

Ending run_traced(const Job& job, const std::vector<std::string>& options,
                  const std::filesystem::path& log) {
  Pipe start;
  const int pid = fork_job(job, start);
  const int tracer = attach(pid, options, log);
  say_go(start);
  const int status = ended(pid);
  ended(tracer);
  return ending_of(status);
}

std::string injection(const Fault& fault) {
  const std::string when = ":when=" + std::to_string(fault.number);
  switch (fault.harm) {
    case Harm::killed:
      return fault.call + ":signal=KILL" + when;
    case Harm::io_once:
      return fault.call + ":error=EIO" + when;
    case Harm::io_onwards:
      return fault.call + ":error=EIO" + when + "+";
    case Harm::full_once:
      return fault.call + ":error=ENOSPC" + when;
    case Harm::full_onwards:
      return fault.call + ":error=ENOSPC" + when + "+";
    case Harm::interrupted:
      return fault.call + ":error=EINTR" + when;
  }
  return {};
}

// The name at the beginning of a line of strace's; empty when it is no call.
std::string name_in(const std::string& line) {
  const std::size_t end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_");
  return end != line.npos && end > 0 && line[end] == '(' ? line.substr(0, end) : std::string();
}

}  // namespace

std::string_view to_string(Harm harm) {
  switch (harm) {
    case Harm::killed:
      return "killed";
    case Harm::io_once:
      return "EIO";
    case Harm::io_onwards:
      return "EIO+";
    case Harm::full_once:
      return "ENOSPC";
    case Harm::full_onwards:
      return "ENOSPC+";
    case Harm::interrupted:
      return "EINTR";
  }
  return "";
}

std::string Fault::text() const {
  return call + " " + std::to_string(number) + " " + std::string(to_string(harm));
}

std::string Ending::text() const {
  if (signal != 0) return "signal " + std::to_string(signal);
  switch (exit_code) {
    case went_well:
      return "went well";
    case did_not_start:
      return "did not start";
    case gave_up:
      return "gave up";
    case broke_promise:
      return "broke a promise";
    case threw:
      return "an exception was thrown";
    default:
      return "exit code " + std::to_string(exit_code);
  }
}

std::string why_not_traced(const std::filesystem::path& folder) {
  try {
    const Ending ending =
        run([] { return ::getppid() < 0 ? 0 : 1; }, Fault{"getppid", 1, Harm::io_once}, folder);
    return ending.well(0) ? "" : "strace puts no fault into a process here";
  } catch (const std::exception& failure) {
    return failure.what();
  }
}

Ending run(const Job& job) {
  Pipe start;
  const int pid = fork_job(job, start);
  say_go(start);
  return ending_of(ended(pid));
}

Ending run(const Job& job, const Fault& fault, const std::filesystem::path& folder) {
  const std::filesystem::path log = folder / "strace";
  Ending ending =
      run_traced(job, {"-e", "trace=" + fault.call, "-e", "inject=" + injection(fault)}, log);
  std::ifstream lines(log);
  std::uint64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    if (name_in(line).empty() || ++number < fault.number) continue;
    ending.harmed = fault.harm == Harm::killed ? ending.signal == SIGKILL
                                               : line.find("(INJECTED)") != line.npos;
    ending.met = line;
    break;
  }
  return ending;
}

std::vector<Call> calls_of(const Job& job, const std::filesystem::path& folder) {
  const std::filesystem::path log = folder / "strace";
  const Ending ending = run_traced(job, {"-e", "trace=" + std::string(file_calls)}, log);
  if (!ending.well(went_well)) {
    throw std::runtime_error("without a fault the story " + ending.text());
  }
  std::vector<Call> calls;
  std::map<std::string, std::uint64_t> numbers;
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const std::string name = name_in(line);
    if (!name.empty()) calls.push_back({name, ++numbers[name], line});
  }
  return calls;
}

}  // namespace entente::crash
