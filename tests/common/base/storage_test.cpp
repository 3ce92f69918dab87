// SPDX-License-Identifier: Apache-2.0
#include "common/base/storage.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/common/base/folder.hpp"

namespace {

using namespace entente;

struct Fixture {
  test::Folder folder;
  std::unique_ptr<Storage> storage = open_storage(folder / "ledger");

  std::string content_of(const std::string& name) {
    return as_text_copy(storage->read(name, 0, storage->size_bytes(name).value()).value());
  }
  static std::string as_text_copy(const Bytes& bytes) { return std::string(as_text(bytes)); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(storage, Fixture)

BOOST_AUTO_TEST_CASE(a_folder_that_is_not_there_lists_nothing_and_is_made_by_the_first_write) {
  BOOST_TEST(storage->list().value().empty());
  BOOST_TEST(!std::filesystem::exists(folder / "ledger"));
  BOOST_REQUIRE(storage->append("a", as_bytes("x")).has_value());
  BOOST_TEST(content_of("a") == "x");
}

BOOST_AUTO_TEST_CASE(files_grow_at_their_end_in_turns_and_are_listed_sorted) {
  for (const std::string name : {"b", "a", "b", "a"}) {
    BOOST_REQUIRE(storage->append(name, as_bytes(name + "1")).has_value());
  }
  BOOST_REQUIRE(storage->sync("b").has_value());
  BOOST_REQUIRE(storage->sync("a").has_value());
  BOOST_REQUIRE(std::filesystem::create_directory(folder / "ledger/folder"));
  BOOST_TEST(content_of("a") == "a1a1");
  BOOST_TEST(content_of("b") == "b1b1");
  const std::vector<std::string> names = {"a", "b"};
  BOOST_TEST(storage->list().value() == names, boost::test_tools::per_element());
  BOOST_TEST(open_storage(folder / "ledger")->list().value() == names,
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_part_is_read_and_what_lies_beyond_the_end_is_malformed) {
  BOOST_REQUIRE(storage->append("a", as_bytes("abcdef")).has_value());
  BOOST_TEST(as_text(storage->read("a", 2, 3).value()) == "cde");
  BOOST_TEST(storage->read("a", 6, 0).value().empty());
  BOOST_TEST((storage->read("a", 4, 3).error().code == Errc::malformed));
  BOOST_TEST((storage->read("a", 7, 0).error().code == Errc::malformed));
  BOOST_TEST((storage->read("a", 1, ~std::uint64_t{0}).error().code == Errc::malformed));
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_not_found_and_not_made) {
  BOOST_TEST((storage->size_bytes("a").error().code == Errc::not_found));
  BOOST_TEST((storage->read("a", 0, 0).error().code == Errc::not_found));
  BOOST_TEST((storage->truncate("a", 0).error().code == Errc::not_found));
  BOOST_TEST((storage->sync("a").error().code == Errc::not_found));
  BOOST_TEST(storage->list().value().empty());
}

BOOST_AUTO_TEST_CASE(a_cut_file_goes_on_at_its_new_end) {
  BOOST_REQUIRE(storage->append("a", as_bytes("whole\ntor")).has_value());
  BOOST_REQUIRE(storage->truncate("a", 6).has_value());
  BOOST_REQUIRE(storage->append("a", as_bytes("next\n")).has_value());
  BOOST_TEST(content_of("a") == "whole\nnext\n");
}

BOOST_AUTO_TEST_CASE(a_replaced_file_is_the_one_that_is_appended_to_afterwards) {
  BOOST_REQUIRE(storage->append("a", as_bytes("old")).has_value());
  BOOST_REQUIRE(storage->replace("a", as_bytes("new")).has_value());
  BOOST_TEST(content_of("a") == "new");
  BOOST_REQUIRE(storage->append("a", as_bytes("er")).has_value());
  BOOST_TEST(content_of("a") == "newer");
}

BOOST_AUTO_TEST_CASE(what_a_crash_left_of_a_replacement_is_unseen_and_then_removed) {
  BOOST_REQUIRE(storage->append("a", as_bytes("x")).has_value());
  BOOST_REQUIRE(write_file(folder / "ledger/.a.tmp-1-1", as_bytes("part")).has_value());
  storage = open_storage(folder / "ledger");
  BOOST_TEST(storage->list().value() == std::vector<std::string>{"a"},
             boost::test_tools::per_element());
  BOOST_TEST(std::filesystem::exists(folder / "ledger/.a.tmp-1-1"));
  BOOST_REQUIRE(storage->append("a", as_bytes("y")).has_value());
  BOOST_TEST(!std::filesystem::exists(folder / "ledger/.a.tmp-1-1"));
  BOOST_TEST(content_of("a") == "xy");
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_made_is_an_io_error) {
  BOOST_REQUIRE(write_file(folder / "ledger", as_bytes("a file")).has_value());
  BOOST_TEST((storage->append("a", as_bytes("x")).error().code == Errc::io));
  BOOST_TEST((storage->replace("a", as_bytes("x")).error().code == Errc::io));
  BOOST_TEST((storage->list().error().code == Errc::io));
}

BOOST_AUTO_TEST_SUITE_END()
