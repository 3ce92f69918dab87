// SPDX-License-Identifier: Apache-2.0
#include "participant/prepared.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/folders.hpp"

namespace entente::participant {
namespace {

const std::filesystem::path example = tests_folder().parent_path() / "examples" / "breast-cancer";

PreparedRef prepared() {
  data::Source source;
  source.table = example / "participant-1.csv";
  auto plan = std::make_shared<const plan::Plan>(plan::read_plan(example / "plan.toml").value());
  auto made = prepare(std::move(plan), source, "alice", std::uint64_t{1} << 30U, data::Cells::told);
  BOOST_REQUIRE_MESSAGE(made, made.error().detail);
  return *made;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(participant_prepared)

BOOST_AUTO_TEST_CASE(work_that_finds_no_memory_says_how_much_it_needs_and_what_helps) {
  const PreparedRef rows = prepared();
  const auto failed = within_memory(*rows, []() -> Result<int> { throw std::bad_alloc(); });
  BOOST_REQUIRE(!failed.has_value());
  BOOST_TEST((failed.error().code == Errc::rejected));
  const std::string& text = failed.error().detail;
  BOOST_TEST(text.starts_with("needs "), text);
  for (const std::string words : {"KiB of memory (workspace ", "micro_batch", "recompute"}) {
    BOOST_TEST(text.find(words) != std::string::npos, text);
  }
  BOOST_TEST(within_memory(*rows, []() -> Result<int> { return 7; }).value() == 7);
}

BOOST_AUTO_TEST_CASE(bytes_are_told_in_units_that_show_them) {
  BOOST_TEST(in_units(0) == "0.0 KiB");
  BOOST_TEST(in_units(1'536) == "1.5 KiB");
  BOOST_TEST(in_units(50'000) == "48.8 KiB");
  BOOST_TEST(in_units(3U << 20U) == "3.0 MiB");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant
