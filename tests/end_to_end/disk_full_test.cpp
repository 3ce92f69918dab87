// SPDX-License-Identifier: Apache-2.0
//
// A coordinator whose disk fills up: no round commits on it, `status` says why, and when there is
// room again the run goes on to its end. Its state folder is a small file system of its own, which
// the test fills from outside; the third participant is the test itself, so that each moment is the
// one meant.
#include "tests/end_to_end/insider.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>
#include <regex>

#include "common/base/file.hpp"

using namespace entente;
using namespace entente::test;

namespace {

constexpr std::uint64_t mebibyte = 1U << 20U;

// Takes up room beside the coordinator's files.
class Filler {
 public:
  explicit Filler(const std::filesystem::path& folder)
      : folder_(folder),
        path_(folder / "filler"),
        descriptor_(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    BOOST_REQUIRE(descriptor_ >= 0);
  }
  ~Filler() {
    ::close(descriptor_);
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  Filler(const Filler&) = delete;
  Filler& operator=(const Filler&) = delete;

  // Leaves `bytes` free, to the page. The coordinator may take some of the room while it is
  // measured.
  void leave(std::uint64_t bytes) {
    bool filled = false;
    for (int i = 0; i < 100 && !filled; ++i) {
      free_all();
      const std::uint64_t room = must(free_space_bytes(folder_));
      BOOST_REQUIRE(room > bytes);
      filled = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(room - bytes)) == 0;
    }
    BOOST_REQUIRE(filled);
  }
  void free_all() { BOOST_REQUIRE(::ftruncate(descriptor_, 0) == 0); }

 private:
  std::filesystem::path folder_;
  std::filesystem::path path_;
  int descriptor_;
};

struct SmallDisk {
  SmallDisk() : federation(options()) {
    // 1024 units instead of 16, twice: a model of more than 4 MiB.
    const auto file = federation.folder() / "plan" / "model.json";
    std::string model = read_whole(file);
    model = std::regex_replace(model, std::regex("\"units\": 16"), "\"units\": 1024");
    const std::size_t first = model.find("\"module\": \"keras.layers\"", model.find("InputLayer"));
    const std::size_t second = model.find("\"module\": \"keras.layers\"", first + 1);
    std::string layer = model.substr(first, second - first);
    layer = std::regex_replace(layer, std::regex("\"name\": \"dense\""), "\"name\": \"wide\"");
    layer = std::regex_replace(layer, std::regex("30"), "1024");
    model.insert(second, layer);
    write_whole(file, model);
    federation.start_coordinator();
    federation.start_participant("alice");
    federation.start_participant("bob");
    BOOST_REQUIRE(carol.connect().has_value());
  }
  static FederationOptions options() {
    FederationOptions options;
    options.rounds = 2;
    options.grace = "1h";
    options.state_size = "160m";
    return options;
  }
  std::string problem() const {
    const CommandResult status = federation.operate("status", {"--json"});
    BOOST_REQUIRE_MESSAGE(status.exit_code == 0, status.error);
    return boost::json::parse(status.out).at("problem").as_string().c_str();
  }
  // Should: say `words` in `status`.
  void says(const std::string& words) const {
    const std::string seen = problem();
    BOOST_TEST(seen.find(words) != std::string::npos, "the problem: '" << seen << "'");
  }
  std::size_t committed() {
    std::size_t rounds = 0;
    for (const ledger::Entry& entry : federation.verified_entries())
      rounds += entry.kind == "round.committed" ? 1 : 0;
    return rounds;
  }

  Federation federation;
  Insider carol{federation, kit_of(federation, "carol")};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_full)

BOOST_AUTO_TEST_CASE(a_full_disk_commits_nothing_says_why_and_the_run_goes_on_when_there_is_room) {
  if (!Federation::can_mount()) {
    BOOST_TEST_MESSAGE("SKIPPED: this machine lets no test mount a file system");
    return;
  }
  SmallDisk disk;
  Insider& carol = disk.carol;
  Process& coordinator = disk.federation.coordinator();
  Filler filler(disk.federation.state_folder());

  // Not enough for a round: none is opened.
  filler.leave(40 * mebibyte);
  const Digest plan = must(parse_digest(disk.federation.submit()));
  BOOST_REQUIRE((must(carol.consent(plan)).verdict == Verdict::accepted));
  BOOST_REQUIRE(coordinator.wait_for({"\"no round is opened\""}) != Process::npos);
  disk.says("disk full: a round needs");
  BOOST_TEST(coordinator.all().find("\"round.opened\"") == std::string::npos);
  filler.free_all();

  // Full in the middle of a round, but for what the ledger needs: the update has no place.
  const protocol::Train first = carol.training(1);
  const ModelBytes update = carol.model(first.model).filled(1e-5F);
  const std::uint64_t size = update.bytes().size();
  BOOST_TEST(size > 4 * mebibyte);
  for (const char* name : {"alice", "bob"}) {
    BOOST_REQUIRE(coordinator.wait_for({"\"update.accepted\"", name}) != Process::npos);
  }
  filler.leave(mebibyte);
  const auto busy = must(carol.send(first, update));
  BOOST_TEST((busy.verdict == Verdict::busy));
  BOOST_TEST(busy.reason.find("No space left") != std::string::npos, busy.reason);
  disk.says("disk full: a round needs");
  BOOST_TEST(disk.committed() == 0u);

  // Room for the update, none for the average.
  filler.free_all();
  filler.leave(size + size / 2);
  BOOST_TEST((must(carol.send(first, update)).verdict == Verdict::accepted));
  BOOST_REQUIRE(coordinator.wait_for({"\"work in the background failed"}) != Process::npos);
  disk.says("No space left");
  BOOST_TEST(disk.committed() == 0u);
  filler.free_all();
  BOOST_TEST((must(carol.evaluate(1)).verdict == Verdict::accepted));

  // No room for an entry of the ledger: nothing is decided at all.
  const protocol::Train second = carol.training(2);
  // The head over the first round follows in a moment; a full disk would let it wait.
  for (int i = 0; i < 1000 && disk.committed() == 0; ++i) continue;
  filler.leave(0);
  bool refused = false;
  for (int i = 0; i < 100 && !refused; ++i) {
    refused = disk.federation.operate(i % 2 == 0 ? "suspend" : "resume", {"dora"}).exit_code != 0;
  }
  BOOST_TEST(refused);
  disk.says("the ledger cannot be written");
  const auto unheard = must(carol.send(second, update));
  BOOST_TEST((unheard.verdict == Verdict::busy));
  BOOST_TEST(unheard.reason.find("ledger") != std::string::npos, unheard.reason);
  BOOST_TEST(disk.problem().find("No space left") != std::string::npos, disk.problem());
  BOOST_TEST(disk.committed() == 1u);
  filler.free_all();
  BOOST_REQUIRE(coordinator.wait_for({"\"the ledger is open again\""}) != Process::npos);

  BOOST_TEST((must(carol.send(second, update)).verdict == Verdict::accepted));
  BOOST_TEST((must(carol.evaluate(2)).verdict == Verdict::accepted));
  disk.federation.finished_model();
  BOOST_TEST(disk.committed() == 2u);
  BOOST_TEST(disk.problem() == "");
}

BOOST_AUTO_TEST_SUITE_END()
