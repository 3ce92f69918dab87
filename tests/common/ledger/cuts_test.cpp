// SPDX-License-Identifier: Apache-2.0
//
// A ledger of several files, each of them cut and altered at every byte: it recovers, or says what
// is wrong and where. damage_test.cpp does the same to a ledger of one file, line by line.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "common/ledger/verify.hpp"
#include "common/ledger/walk.hpp"
#include "tests/common/ledger/ledger_fixture.hpp"

namespace entente::ledger {
namespace {

using test::entries_from;
using test::failed_with;
using test::line_at;

constexpr std::uint64_t entries = 6;
constexpr std::uint64_t in_a_segment = 2;
constexpr std::uint32_t segments = 3;

// Six entries in three files, all under the head.
struct Segments : test::LedgerFixture {
  test::MemoryStorage whole;

  Segments() {
    segment_bytes = in_a_segment * (line_at(0).size() + 1);
    found(entries);
    whole = storage;
    BOOST_REQUIRE(!whole.content(segment_name(segments - 1)).empty());
  }
  const std::string& content(std::uint32_t segment) { return whole.content(segment_name(segment)); }

  // The whole ledger, but for one file.
  void with(const std::string& name, std::string changed) {
    storage = whole;
    storage.put(name, std::move(changed));
  }
  // Puts the head over the first `covered` entries into the whole ledger.
  void cover(std::uint64_t covered) {
    MerkleTree tree;
    for (std::uint64_t i = 0; i < covered; ++i) tree.append(leaf_hash(line_at(i)));
    const Checkpoint head{ledger_origin(test::federation), covered, tree.root()};
    whole.put("checkpoint", sign_checkpoint(head, key).value());
  }
  // Opening and verifying must both say `text`, and repair nothing.
  void corrupt(std::string_view text) {
    const auto before = storage.writes;
    BOOST_REQUIRE(failed_with(verify(), Errc::corrupt, text));
    BOOST_REQUIRE(failed_with(open(), Errc::corrupt, text));
    BOOST_REQUIRE(storage.writes == before);
  }
};

std::uint64_t lines_in(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

std::string flipped(std::string text, std::size_t at, int bits) {
  text[at] = static_cast<char>(text[at] ^ bits);
  return text;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(cuts, Segments)

// Should: name the unfinished line; or the first that is missing when the cut fell between two.
BOOST_AUTO_TEST_CASE(a_segment_cut_at_any_byte_under_the_head_is_corrupt_with_its_place) {
  for (std::uint32_t segment = 0; segment < segments; ++segment) {
    for (std::size_t cut = 0; cut < content(segment).size(); ++cut) {
      const std::string left = content(segment).substr(0, cut);
      const std::uint64_t lines = lines_in(left);
      with(segment_name(segment), left);
      if (!left.empty() && left.back() != '\n') {
        corrupt(segment_name(segment) + ":" + std::to_string(lines + 1) + ": an unfinished line");
      } else if (segment + 1 < segments) {
        corrupt(segment_name(segment + 1) + ":1: out of sequence: expected entry " +
                std::to_string(segment * in_a_segment + lines));
      } else {
        corrupt("the ledger ends after " + std::to_string(segment * in_a_segment + lines) +
                " entries, its signed head covers 6");
      }
    }
  }
}

// Should: keep what is whole up to the cut, empty the rest in every file, and go on.
BOOST_AUTO_TEST_CASE(a_segment_cut_at_any_byte_behind_the_head_recovers_what_is_before_it) {
  cover(1);
  for (std::uint32_t segment = 0; segment < segments; ++segment) {
    const std::size_t least = segment == 0 ? line_at(0).size() + 1 : 0;
    for (std::size_t cut = least; cut < content(segment).size(); ++cut) {
      const std::string left = content(segment).substr(0, cut);
      const std::uint64_t standing = segment * in_a_segment + lines_in(left);
      with(segment_name(segment), left);
      BOOST_REQUIRE(verify().value().entries_behind_head == standing - 1);
      {
        Log log = open().value();
        BOOST_REQUIRE((seen == entries_from(0, standing)));
        BOOST_REQUIRE(log.size() == standing);
        log.append(entries_from(standing, 3)).value();
      }
      const auto found_then = verify().value();
      BOOST_REQUIRE(found_then.entries == standing + 3);
      BOOST_REQUIRE(!found_then.torn_tail);
      BOOST_REQUIRE((seen == entries_from(0, standing + 3)));
      BOOST_REQUIRE(open().value().size() == standing + 3);
    }
  }
}

// A changed line that no longer reads as an entry is named; one that does is found by the root.
BOOST_AUTO_TEST_CASE(every_flipped_byte_of_every_segment_under_the_head_is_found) {
  for (std::uint32_t segment = 0; segment < segments; ++segment) {
    for (std::size_t i = 0; i < content(segment).size(); ++i) {
      const std::string line = std::to_string(lines_in(content(segment).substr(0, i)) + 1);
      with(segment_name(segment), flipped(content(segment), i, 0x80));  // no UTF-8 any more
      corrupt(segment_name(segment) + ":" + line + ": ");
      with(segment_name(segment), flipped(content(segment), i, 0x01));
      BOOST_REQUIRE(failed_with(verify(), Errc::corrupt, ""));
      const Error said = verify().error();
      const bool placed = said.detail.find("entries-00000") == 0;
      const bool by_root = said.detail == "the entries up to 6 do not lead to the signed root";
      BOOST_REQUIRE_MESSAGE(placed || by_root, said.detail);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_head_cut_at_any_byte_is_refused_and_nothing_is_begun_anew) {
  const std::string head = whole.content("checkpoint");
  for (std::size_t cut = 0; cut < head.size(); ++cut) {
    with("checkpoint", head.substr(0, cut));
    const auto before = storage.writes;
    const auto verified = verify();
    const auto opened = open();
    BOOST_REQUIRE(!verified);
    BOOST_REQUIRE(!opened);
    BOOST_REQUIRE(opened.error().detail.find("checkpoint") == 0);
    BOOST_REQUIRE(opened.error().code == verified.error().code);
    BOOST_REQUIRE(storage.writes == before);
  }
}

BOOST_AUTO_TEST_CASE(a_key_file_cut_or_altered_at_any_byte_is_refused) {
  const std::string text = whole.content("key");
  for (std::size_t i = 0; i < text.size(); ++i) {
    with("key", text.substr(0, i));
    BOOST_REQUIRE(failed_with(open(), Errc::unauthenticated, "'key'"));
    with("key", flipped(text, i, 0x01));
    BOOST_REQUIRE(failed_with(open(), Errc::unauthenticated, "'key'"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::ledger
