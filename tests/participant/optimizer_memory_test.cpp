// SPDX-License-Identifier: Apache-2.0
#include "participant/optimizer_memory.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "common/base/file.hpp"
#include "common/crypto/hash.hpp"
#include "tests/common/base/folder.hpp"

namespace entente::participant {
namespace {

namespace fs = std::filesystem;

const Digest plan = crypto::sha256("plan"), model = crypto::sha256("model");

struct Kept {
  test::Folder folder;
  OptimizerMemory memory{folder / "optimizer"};

  void keep(std::uint64_t round, float value, const Digest& of = plan,
            const Digest& with = model) const {
    BOOST_REQUIRE(memory.keep({of, round, with}, 10 * round, std::vector<float>(5, value)));
  }
  // The first value of what a round begins with; -1 for nothing.
  float before(std::uint64_t round, const Digest& of = plan, const Digest& with = model,
               std::uint64_t count = 5) const {
    const auto found = memory.before({of, round, with}, count);
    BOOST_REQUIRE_MESSAGE(found, found.error().detail);
    return *found ? (*found)->values.values()[0] : -1.0F;
  }
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder / "optimizer")) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  fs::path file(std::uint64_t round) const {
    return folder / "optimizer" / (plan.hex() + "-" + std::to_string(round));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(participant_optimizer_memory, Kept)

BOOST_AUTO_TEST_CASE(a_round_begins_with_what_the_latest_one_before_it_left) {
  BOOST_TEST(before(1) == -1.0F);
  keep(1, 0.5F);
  BOOST_TEST(before(2) == 0.5F);
  BOOST_TEST(before(7) == 0.5F);  // the rounds between were not this participant's
  const auto found = memory.before({plan, 2, model}, 5);
  BOOST_TEST((*found)->steps == 10u);
  BOOST_TEST((*found)->values.values().size() == 5u);
  BOOST_TEST((fs::status(file(1)).permissions() == fs::perms(0600)));
}

BOOST_AUTO_TEST_CASE(a_round_trained_again_begins_as_it_did_before) {
  keep(1, 1);
  keep(3, 3);
  BOOST_TEST(before(3) == 1.0F);
  keep(3, 3);
  BOOST_TEST(before(3) == 1.0F);
  BOOST_TEST(before(4) == 3.0F);
  keep(4, 4);
  BOOST_TEST((files() == std::set{file(3).filename().string(), file(4).filename().string()}));
}

BOOST_AUTO_TEST_CASE(what_is_of_another_plan_size_or_history_is_thrown_away) {
  const Digest other = crypto::sha256("other");
  keep(1, 1);
  keep(2, 2);
  BOOST_TEST(before(2, plan, other) == -1.0F);  // this round, begun with another model
  BOOST_TEST(files().empty());
  keep(5, 5);
  BOOST_TEST(before(4) == -1.0F);  // a later round was trained already
  BOOST_TEST(files().empty());
  keep(1, 1);
  BOOST_TEST(before(2, plan, model, 6) == -1.0F);
  BOOST_TEST(files().empty());
  keep(1, 1);
  BOOST_TEST(before(2, other) == -1.0F);
  keep(1, 7, other);
  BOOST_TEST(files().size() == 1u);  // one plan's at a time
  BOOST_TEST(before(2, other) == 7.0F);
  memory.forget();
  BOOST_TEST(files().empty());
}

BOOST_AUTO_TEST_CASE(a_file_cut_or_changed_anywhere_is_thrown_away) {
  keep(1, 1);
  const auto size = fs::file_size(file(1));
  BOOST_TEST(size == 144u + 5 * sizeof(float));
  const Bytes whole = read_file(file(1), size).value();
  for (std::size_t at = 0; at < size; ++at) {
    Bytes changed = whole;
    changed[at] ^= std::byte{1};
    BOOST_REQUIRE(write_file(file(1), changed, Durability::cached));
    BOOST_TEST(before(2) == -1.0F, "byte " << at);
    BOOST_TEST(!fs::exists(file(1)));
    BOOST_REQUIRE(write_file(file(1), std::span(whole).first(at), Durability::cached));
    BOOST_TEST(before(2) == -1.0F, "cut at byte " << at);
    BOOST_TEST(!fs::exists(file(1)));
  }
  BOOST_REQUIRE(write_file(file(1), whole, Durability::cached));
  BOOST_TEST(before(2) == 1.0F);
}

// Should not: throw away what the round begins with because what it left is damaged.
BOOST_AUTO_TEST_CASE(a_damaged_state_of_the_round_itself_goes_alone) {
  const Bytes whole = [&] {
    keep(2, 2);
    return read_file(file(2), fs::file_size(file(2))).value();
  }();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    memory.forget();
    keep(1, 1);
    Bytes changed = whole;
    changed[at] ^= std::byte{1};
    BOOST_REQUIRE(write_file(file(2), changed, Durability::cached));
    BOOST_TEST(before(2) == 1.0F, "byte " << at);
    BOOST_TEST(!fs::exists(file(2)));
    BOOST_TEST(fs::exists(file(1)));
  }
}

BOOST_AUTO_TEST_CASE(an_optimiser_that_remembers_no_values_still_counts_its_steps) {
  BOOST_REQUIRE(memory.keep({plan, 1, model}, 42, {}));
  const auto found = memory.before({plan, 2, model}, 0);
  BOOST_REQUIRE((found && *found));
  BOOST_TEST((*found)->steps == 42u);
}

// A crash between writing and renaming leaves what was there.
BOOST_AUTO_TEST_CASE(an_unfinished_file_is_not_looked_at_and_goes_with_the_next) {
  keep(1, 1);
  BOOST_REQUIRE(write_file(folder / "optimizer" / "unfinished", as_bytes("a beginning")));
  BOOST_TEST(before(2) == 1.0F);
  keep(2, 2);
  BOOST_TEST(files().size() == 2u);
}

BOOST_AUTO_TEST_CASE(where_it_cannot_be_written_that_is_told) {
  BOOST_REQUIRE(write_file(folder / "optimizer", as_bytes("no folder")));
  const auto kept = memory.keep({plan, 1, model}, 1, {});
  BOOST_REQUIRE(kept.has_error());
  BOOST_TEST((kept.error().code == Errc::io));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant
