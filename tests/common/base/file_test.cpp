// SPDX-License-Identifier: Apache-2.0
#include "common/base/file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <vector>

#include "tests/common/base/folder.hpp"

namespace {

using namespace entente;

struct Fixture {
  test::Folder folder;

  std::string content_of(const std::string& name) {
    return read_text(folder / name, 1U << 20U).value();
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      found.push_back(entry.path().filename().string());
    }
    return found;
  }
};

unsigned permissions_of(const std::filesystem::path& path) {
  struct ::stat status {};
  BOOST_REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

// While it lives, no file of this process grows beyond `size_bytes`: a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t size_bytes) : old_signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_limit_);
    const rlimit limit{size_bytes, old_limit_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_signal_);
  }

 private:
  rlimit old_limit_{};
  void (*old_signal_)(int);
};

// Whether `text` has `part` in it.
bool says(const Error& error, const std::string& part) {
  return error.detail.find(part) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(file, Fixture)

BOOST_AUTO_TEST_CASE(what_was_written_is_read_back_up_to_the_limit_and_not_one_byte_past_it) {
  BOOST_REQUIRE(write_file(folder / "a", as_bytes("12345")).has_value());
  BOOST_TEST(read_text(folder / "a", 5).value() == "12345");
  const auto read = read_text(folder / "a", 4);
  BOOST_REQUIRE(!read.has_value());
  BOOST_TEST((read.error().code == Errc::malformed));
  BOOST_TEST(says(read.error(), "/a: expected at most 4 bytes"));
  BOOST_TEST(read_file(folder / "a", 5).value().size() == 5U);
}

BOOST_AUTO_TEST_CASE(an_empty_file_and_one_without_a_size_are_read_whole) {
  BOOST_REQUIRE(write_file(folder / "empty", {}).has_value());
  BOOST_TEST(read_text(folder / "empty", 0).value() == "");
  BOOST_TEST(!read_text("/proc/self/status", 1U << 20U).value().empty());
  BOOST_TEST(!read_text("/dev/zero", 3'000'000).has_value());
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_not_found_and_a_folder_is_no_file) {
  const auto read = read_file(folder / "missing", 10);
  BOOST_REQUIRE(!read.has_value());
  BOOST_TEST((read.error().code == Errc::not_found));
  BOOST_TEST(read.error().detail ==
             (folder / "missing").string() + ": cannot open: No such file or directory");
  BOOST_TEST((read_file(folder.path(), 10).error().code == Errc::io));
  BOOST_TEST((File::open(folder / "missing", File::Mode::read).error().code == Errc::not_found));
}

BOOST_AUTO_TEST_CASE(writing_replaces_the_whole_content_and_leaves_nothing_else) {
  BOOST_REQUIRE(write_file(folder / "a", as_bytes("a longer content")).has_value());
  BOOST_REQUIRE(write_file(folder / "a", as_bytes("short"), Durability::cached).has_value());
  BOOST_TEST(content_of("a") == "short");
  BOOST_TEST(names() == std::vector<std::string>{"a"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_secret_file_is_its_owners_alone_from_the_start) {
  BOOST_REQUIRE(write_file(folder / "key", as_bytes("k"), Durability::durable, 0600).has_value());
  BOOST_TEST(permissions_of(folder / "key") == 0600U);
}

// Should: leave the old content. Should not: leave a part of the new one anywhere.
BOOST_AUTO_TEST_CASE(a_full_disk_leaves_the_old_content_and_no_temporary) {
  BOOST_REQUIRE(write_file(folder / "a", as_bytes("old")).has_value());
  const Bytes large(100'000);
  Result<void> written;
  {
    const FullDisk full(4096);
    written = write_file(folder / "a", large);
  }
  BOOST_REQUIRE(!written.has_value());
  BOOST_TEST((written.error().code == Errc::io));
  BOOST_TEST(says(written.error(), "/a: cannot write: "));
  BOOST_TEST(content_of("a") == "old");
  BOOST_TEST(names() == std::vector<std::string>{"a"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_systems_reason_is_in_the_text) {
  auto file = File::open("/dev/full", File::Mode::write);
  BOOST_REQUIRE(file.has_value());
  const auto written = file->append(as_bytes("x"));
  BOOST_REQUIRE(!written.has_value());
  BOOST_TEST(written.error().detail == "/dev/full: cannot write: No space left on device");
}

BOOST_AUTO_TEST_CASE(writing_into_a_missing_folder_is_an_io_error) {
  const auto written = write_file(folder / "none/a", as_bytes("x"));
  BOOST_REQUIRE(!written.has_value());
  BOOST_TEST((written.error().code == Errc::io));
}

BOOST_AUTO_TEST_CASE(left_over_temporary_names_are_stepped_over) {
  // The names that this process would take next, whatever it took before.
  for (int n = 0; n < 200; ++n) {
    const std::string name = ".a.tmp-" + std::to_string(::getpid()) + "-" + std::to_string(n);
    BOOST_REQUIRE(File::open(folder / name, File::Mode::write).has_value());
  }
  BOOST_REQUIRE(write_file(folder / "a", as_bytes("x")).has_value());
  BOOST_TEST(content_of("a") == "x");
}

BOOST_AUTO_TEST_CASE(folders_are_made_with_their_parents_and_may_be_there) {
  BOOST_REQUIRE(make_folder(folder / "x/y/z").has_value());
  BOOST_REQUIRE(make_folder(folder / "x/y/z/").has_value());
  BOOST_TEST(std::filesystem::is_directory(folder / "x/y/z"));
  BOOST_REQUIRE(write_file(folder / "file", as_bytes("x")).has_value());
  for (const std::string name : {"file", "file/below"}) {
    const auto made = make_folder(folder / name);
    BOOST_REQUIRE(!made.has_value());
    BOOST_TEST((made.error().code == Errc::io));
    BOOST_TEST(says(made.error(), "Not a directory"));
  }
}

BOOST_AUTO_TEST_CASE(removing_and_renaming_say_what_is_missing) {
  BOOST_REQUIRE(write_file(folder / "a", as_bytes("x")).has_value());
  BOOST_REQUIRE(rename_file(folder / "a", folder / "b").has_value());
  BOOST_TEST(content_of("b") == "x");
  BOOST_TEST((rename_file(folder / "a", folder / "b").error().code == Errc::not_found));
  BOOST_TEST(remove_file(folder / "b").has_value());
  BOOST_TEST(remove_file(folder / "b").has_value());
  BOOST_TEST(names().empty());
  BOOST_TEST(free_space_bytes(folder.path()).value() > 0U);
  BOOST_TEST(!free_space_bytes(folder / "missing").has_value());
}

BOOST_AUTO_TEST_CASE(a_file_is_read_and_written_at_any_place) {
  auto file = File::open(folder / "a", File::Mode::write).value();
  BOOST_REQUIRE(file.write_at(3, as_bytes("defg")).has_value());
  BOOST_REQUIRE(file.write_at(0, as_bytes("abc")).has_value());
  BOOST_REQUIRE(file.append(as_bytes("hi")).has_value());
  BOOST_TEST(file.size_bytes().value() == 9U);
  BOOST_TEST(content_of("a") == "abcdefghi");
  Bytes part(4);
  BOOST_REQUIRE(file.read_at(2, part).has_value());
  BOOST_TEST(as_text(part) == "cdef");
  const auto beyond = file.read_at(6, part);
  BOOST_REQUIRE(!beyond.has_value());
  BOOST_TEST((beyond.error().code == Errc::malformed));
  BOOST_TEST(says(beyond.error(), "ends at byte 9, expected 1 bytes more"));
  BOOST_REQUIRE(file.truncate(2).has_value());
  BOOST_REQUIRE(file.sync().has_value());
  BOOST_TEST(content_of("a") == "ab");
}

BOOST_AUTO_TEST_CASE(places_beyond_four_gigabytes_are_no_special_case) {
  auto file = File::open(folder / "sparse", File::Mode::write).value();
  constexpr std::uint64_t far = (std::uint64_t{5} << 32U) + 1;
  BOOST_REQUIRE(file.write_at(far, as_bytes("x")).has_value());
  BOOST_TEST(file.size_bytes().value() == far + 1);
  Bytes one(1);
  BOOST_REQUIRE(file.read_at(far, one).has_value());
  BOOST_TEST(as_text(one) == "x");
  BOOST_TEST((file.read_at(~std::uint64_t{0}, one).error().code == Errc::io));
}

BOOST_AUTO_TEST_CASE(each_mode_opens_as_it_says) {
  BOOST_REQUIRE(File::open(folder / "a", File::Mode::append)->append(as_bytes("one")).has_value());
  BOOST_REQUIRE(File::open(folder / "a", File::Mode::append)->append(as_bytes("two")).has_value());
  BOOST_TEST(content_of("a") == "onetwo");
  BOOST_REQUIRE(
      File::open(folder / "a", File::Mode::write)->write_at(0, as_bytes("ONE")).has_value());
  BOOST_TEST(content_of("a") == "ONEtwo");
  BOOST_REQUIRE(File::open(folder / "a", File::Mode::write_new).has_value());
  BOOST_TEST(content_of("a") == "");
  auto reading = File::open(folder / "a", File::Mode::read).value();
  BOOST_TEST(!reading.append(as_bytes("x")).has_value());
}

BOOST_AUTO_TEST_CASE(a_moved_file_stays_open_and_is_closed_once) {
  auto first = File::open(folder / "a", File::Mode::write).value();
  File second = std::move(first);
  BOOST_REQUIRE(second.append(as_bytes("x")).has_value());
  auto third = File::open(folder / "b", File::Mode::write).value();
  third = std::move(second);
  BOOST_REQUIRE(third.append(as_bytes("y")).has_value());
  BOOST_TEST(content_of("a") == "xy");
  BOOST_TEST(third.path() == folder / "a");
}

BOOST_AUTO_TEST_CASE(descriptors_are_not_inherited_by_programs_started_later) {
  const auto file = File::open(folder / "a", File::Mode::write).value();
  bool found = false;
  for (int descriptor = 3; descriptor < 256; ++descriptor) {
    std::error_code missing;
    const auto link = "/proc/self/fd/" + std::to_string(descriptor);
    if (std::filesystem::read_symlink(link, missing) != folder / "a") continue;
    found = true;
    BOOST_TEST((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
  }
  BOOST_TEST(found);
}

BOOST_AUTO_TEST_CASE(a_state_folder_has_one_owner_until_he_lets_go) {
  {
    auto lock = FolderLock::take(folder / "up/state", "entente-test 1");
    BOOST_REQUIRE(lock.has_value());
    BOOST_TEST(permissions_of(folder / "up/state") == 0700U);
    const auto second = FolderLock::take(folder / "up/state", "entente-test 1");
    BOOST_REQUIRE(!second.has_value());
    BOOST_TEST((second.error().code == Errc::rejected));
    BOOST_TEST(says(second.error(), "in use by process " + std::to_string(::getpid()) + ";"));
  }
  BOOST_TEST(FolderLock::take(folder / "up/state", "entente-test 1").has_value());
}

BOOST_AUTO_TEST_CASE(a_state_folder_is_free_again_when_its_owner_was_killed) {
  std::array<int, 2> pipe_ends{};
  BOOST_REQUIRE(::pipe(pipe_ends.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = FolderLock::take(folder / "state", "entente-test 1");
    const char taken = lock.has_value() ? 'y' : 'n';
    if (::write(pipe_ends[1], &taken, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char taken = 'n';
  BOOST_REQUIRE(::read(pipe_ends[0], &taken, 1) == 1);
  BOOST_TEST(taken == 'y');
  const auto refused = FolderLock::take(folder / "state", "entente-test 1");
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(says(refused.error(), "process " + std::to_string(child) + ";"));
  ::kill(child, SIGKILL);
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(FolderLock::take(folder / "state", "entente-test 1").has_value());
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

BOOST_AUTO_TEST_CASE(a_state_folder_of_another_format_is_refused) {
  BOOST_REQUIRE(FolderLock::take(folder / "state", "entente-test 1").has_value());
  BOOST_TEST(content_of("state/VERSION") == "entente-test 1\n");
  const auto taken = FolderLock::take(folder / "state", "entente-test 2");
  BOOST_REQUIRE(!taken.has_value());
  BOOST_TEST((taken.error().code == Errc::rejected));
  BOOST_TEST(says(taken.error(), "expected 'entente-test 2', saw 'entente-test 1'"));
  BOOST_TEST(FolderLock::take(folder / "state", "entente-test 1").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
