// SPDX-License-Identifier: Apache-2.0
#include "common/data/csv.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/common/data/folder.hpp"

namespace entente::data {
namespace {

using Records = std::vector<std::vector<std::string>>;

Result<Records> read_all(const std::filesystem::path& path) {
  auto csv = CsvReader::open(path);
  if (!csv) return csv.error();
  Records records;
  for (;;) {
    const auto there = csv->next();
    if (!there) return there.error();
    if (!*there) return records;
    records.emplace_back();
    for (std::size_t i = 0; i < csv->cell_count(); ++i) records.back().emplace_back(csv->cell(i));
  }
}

BOOST_AUTO_TEST_SUITE(csv)

BOOST_AUTO_TEST_CASE(cells_are_read_as_written) {
  const Folder folder;
  const auto reads = [&](std::string_view text, const Records& expected) {
    return read_all(folder.write("t.csv", text)).value() == expected;
  };
  BOOST_TEST(reads("", {}));
  BOOST_TEST(reads("a,b\n1,2\n", {{"a", "b"}, {"1", "2"}}));
  BOOST_TEST(reads("a,b\r\n1,2\r\n", {{"a", "b"}, {"1", "2"}}));
  BOOST_TEST(reads("a,b\n1,2", {{"a", "b"}, {"1", "2"}}));
  BOOST_TEST(
      reads("\xef\xbb\xbf"
            "a,b\n",
            {{"a", "b"}}));
  BOOST_TEST(reads("\xef\xbb\xbf", {}));
  BOOST_TEST(reads(",\n", {{"", ""}}));
  BOOST_TEST(reads("a,", {{"a", ""}}));
  BOOST_TEST(reads("\"a,b\",c\n", {{"a,b", "c"}}));
  BOOST_TEST(reads("\"say \"\"yes\"\"\"\n", {{"say \"yes\""}}));
  BOOST_TEST(reads("\"two\r\nlines\",x\n", {{"two\r\nlines", "x"}}));
  BOOST_TEST(reads("\"\"\n", {{""}}));
  BOOST_TEST(reads("\"\",\"\"\n", {{"", ""}}));
  BOOST_TEST(reads("\n\r\na\n\n\nb\n\n", {{"a"}, {"b"}}));
  BOOST_TEST(reads(" a , b \n", {{" a ", " b "}}));
  BOOST_TEST(reads("\"quoted at the end\"", {{"quoted at the end"}}));
}

BOOST_AUTO_TEST_CASE(a_record_knows_the_line_it_begins_on) {
  const Folder folder;
  auto csv = CsvReader::open(folder.write("t.csv", "a\n\n\"x\ny\"\nb\r\nc")).value();
  std::vector<std::uint64_t> lines;
  while (csv.next().value()) lines.push_back(csv.line());
  BOOST_TEST(lines == (std::vector<std::uint64_t>{1, 3, 5, 6}));
}

BOOST_AUTO_TEST_CASE(what_is_no_csv_is_refused_with_its_line) {
  const Folder folder;
  const auto refused = [&](std::string_view text, std::string_view part) {
    return fails(read_all(folder.write("t.csv", text)), Errc::malformed, part);
  };
  BOOST_TEST(refused("a\nb\"c\n", "t.csv:2: a quote inside a cell"));
  BOOST_TEST(refused("a\n\"b\"c\n", "t.csv:2: expected a comma or the end of the line behind"));
  BOOST_TEST(refused("a\n\"b\nc\nd", "t.csv:2: a quoted cell has no closing quote"));
  BOOST_TEST(refused("a\nb\rc\n", "t.csv:2: a carriage return"));
  BOOST_TEST(refused("a\nb\r", "t.csv:2: a carriage return"));
  BOOST_TEST(fails(CsvReader::open(folder / "none.csv"), Errc::not_found, "none.csv"));
}

BOOST_AUTO_TEST_CASE(cells_and_records_have_limits) {
  const Folder folder;
  const std::string longest(cell_max_bytes, 'x');
  BOOST_TEST(read_all(folder.write("t.csv", "a," + longest + "\n")).has_value());
  BOOST_TEST(fails(read_all(folder.write("t.csv", "a,x" + longest + "\n")), Errc::malformed,
                   "t.csv:1: a cell of more"));
  BOOST_TEST(
      fails(read_all(folder.write("t.csv", "\"x" + longest)), Errc::malformed, "a cell of more"));
  const std::string widest(cells_max - 1, ',');
  BOOST_TEST(read_all(folder.write("t.csv", widest + "\n")).has_value());
  BOOST_TEST(fails(read_all(folder.write("t.csv", widest + ",\n")), Errc::malformed,
                   "cells in one record"));
}

BOOST_AUTO_TEST_CASE(records_that_cross_the_reading_blocks_stay_whole) {
  const Folder folder;
  std::string text;
  Records expected;
  for (int i = 0; text.size() < (1U << 20U); ++i) {
    const std::string number = std::to_string(i);
    text += number + ",\"" + number + "\"\"\n" + number + "\",x\r\n";
    expected.push_back({number, number + "\"\n" + number, "x"});
  }
  BOOST_TEST((read_all(folder.write("t.csv", text)).value() == expected));
  BOOST_TEST((read_all(folder.write_gzip("t.csv.gz", text)).value() == expected));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(source)

BOOST_AUTO_TEST_CASE(gzip_data_cut_anywhere_are_refused) {
  const Folder folder;
  folder.write_gzip("whole.gz", "a,b\n1,2\n3,4\n");
  const std::string packed = read_text(folder / "whole.gz", 1U << 20U).value();
  for (std::size_t size = 3; size < packed.size(); ++size) {
    const auto path = folder.write("cut.gz", packed.substr(0, size));
    BOOST_REQUIRE(fails(read_all(path), Errc::malformed, "cut short"));
  }
}

BOOST_AUTO_TEST_CASE(damaged_gzip_data_and_what_follows_them_are_refused) {
  const Folder folder;
  folder.write_gzip("whole.gz", "a,b\n1,2\n3,4\n");
  const std::string packed = read_text(folder / "whole.gz", 1U << 20U).value();
  std::string damaged = packed;
  damaged[packed.size() - 6] =
      static_cast<char>(damaged[packed.size() - 6] ^ 1);  // in the checksum
  BOOST_TEST(fails(read_all(folder.write("bad.gz", damaged)), Errc::malformed, "damaged"));
  BOOST_TEST(fails(read_all(folder.write("bad.gz", packed + "more")), Errc::malformed, "damaged"));
}

BOOST_AUTO_TEST_CASE(gzip_members_one_behind_the_other_are_one_file) {
  const Folder folder;
  folder.write_gzip("one.gz", "a\n");
  const std::string one = read_text(folder / "one.gz", 1U << 20U).value();
  const auto records = read_all(folder.write("two.gz", one + one));
  BOOST_TEST((records.value() == Records{{"a"}, {"a"}}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::data
