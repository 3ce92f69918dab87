// SPDX-License-Identifier: Apache-2.0
#include "protocol/transfer.hpp"

#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <csignal>

#include "common/base/random.hpp"
#include "tests/common/base/folder.hpp"
#include "tests/common/net/running.hpp"

namespace entente::protocol {
namespace {

using test::Folder;

Bytes noise(std::size_t size, std::uint64_t seed = 1) {
  Random random(seed);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next32());
  return bytes;
}

struct Bench {
  net::SimulatedTime time;
  net::BufferPool pool{time.executor(), 2, 1000};
  Folder folder;
  std::filesystem::path path = folder / "file";
  Bytes content = noise(5000);
  Digest digest = crypto::sha256(content);

  Result<Receiver> open(std::uint64_t size = 5000, Inspection inspect = {}) {
    Expected expected(path, digest, size);
    expected.inspect = std::move(inspect);
    return net::run(time, Receiver::open(std::move(expected), pool));
  }
  ByteView piece(std::size_t from, std::size_t to) const {
    return ByteView(content).subspan(from, to - from);
  }
  bool has_part() const { return std::filesystem::exists(part_path(path)); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(protocol_transfer)

BOOST_AUTO_TEST_CASE(a_file_received_in_pieces_is_put_in_its_place_at_the_end) {
  Bench bench;
  auto receiver = std::move(bench.open().value());
  for (std::size_t at = 0; at < 5000; at += 700) {
    BOOST_TEST(
        receiver.accept(at, bench.piece(at, std::min<std::size_t>(5000, at + 700))).has_value());
    BOOST_TEST(!std::filesystem::exists(bench.path));
  }
  const auto received = receiver.finish(5000, bench.digest);
  BOOST_REQUIRE(received.has_value());
  BOOST_TEST((received->digest == bench.digest));
  BOOST_TEST((read_file(bench.path, 5000).value() == bench.content));
  BOOST_TEST(!bench.has_part());
}

BOOST_AUTO_TEST_CASE(an_empty_file_is_a_file) {
  Bench bench;
  bench.digest = crypto::sha256(ByteView());
  auto receiver = std::move(bench.open(0).value());
  BOOST_TEST(receiver.finish(0, bench.digest).has_value());
  BOOST_TEST(std::filesystem::file_size(bench.path) == 0U);
}

BOOST_AUTO_TEST_CASE(what_was_received_before_a_break_is_not_asked_for_again) {
  for (const std::size_t cut : {1U, 999U, 1000U, 1001U, 4999U, 5000U}) {
    Bench bench;
    {
      auto receiver = std::move(bench.open().value());
      BOOST_TEST(receiver.accept(0, bench.piece(0, cut)).has_value());
    }
    auto receiver = std::move(bench.open().value());
    BOOST_TEST(receiver.position() == cut);
    if (cut < 5000) BOOST_TEST(receiver.accept(cut, bench.piece(cut, 5000)).has_value());
    BOOST_TEST(receiver.finish(5000, bench.digest).has_value());
    BOOST_TEST((read_file(bench.path, 5000).value() == bench.content));
  }
}

BOOST_AUTO_TEST_CASE(bytes_out_of_order_or_beyond_the_announced_size_are_refused) {
  Bench bench;
  auto receiver = std::move(bench.open().value());
  BOOST_TEST((receiver.accept(1, bench.piece(0, 10)).error().code == Errc::malformed));
  BOOST_TEST(receiver.accept(0, bench.piece(0, 10)).has_value());
  BOOST_TEST((receiver.accept(0, bench.piece(0, 10)).error().code == Errc::malformed));
  BOOST_TEST((receiver.accept(11, bench.piece(0, 10)).error().code == Errc::malformed));
  BOOST_TEST(receiver.accept(10, bench.piece(10, 5000)).has_value());
  BOOST_TEST((receiver.accept(5000, bench.piece(0, 1)).error().code == Errc::malformed));
  BOOST_TEST(receiver.finish(5000, bench.digest).has_value());
}

BOOST_AUTO_TEST_CASE(a_wrong_digest_discards_everything) {
  for (const bool wrong_bytes : {true, false}) {
    Bench bench;
    auto receiver = std::move(bench.open().value());
    Bytes bytes = bench.content;
    if (wrong_bytes) bytes[2500] ^= std::byte{1};
    BOOST_TEST(receiver.accept(0, bytes).has_value());
    const Digest said = wrong_bytes ? bench.digest : crypto::sha256(std::string_view("other"));
    BOOST_TEST((receiver.finish(5000, said).error().code == Errc::corrupt));
    BOOST_TEST(!bench.has_part());
    BOOST_TEST(!std::filesystem::exists(bench.path));
    BOOST_TEST(bench.open()->position() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(an_end_of_another_length_discards_everything) {
  for (const std::uint64_t length : {4999U, 5001U, 3000U}) {
    Bench bench;
    auto receiver = std::move(bench.open().value());
    BOOST_TEST(receiver.accept(0, bench.piece(0, 3000)).has_value());
    BOOST_TEST((receiver.finish(length, bench.digest).error().code == Errc::malformed));
    BOOST_TEST(!bench.has_part());
  }
}

BOOST_AUTO_TEST_CASE(a_part_damaged_on_disk_is_found_at_the_end) {
  Bench bench;
  {
    auto receiver = std::move(bench.open().value());
    BOOST_TEST(receiver.accept(0, bench.piece(0, 3000)).has_value());
  }
  {
    auto part = std::move(File::open(part_path(bench.path), File::Mode::write).value());
    const Bytes damage(1, bench.content[100] ^ std::byte{1});
    BOOST_TEST(part.write_at(100, damage).has_value());
  }
  auto receiver = std::move(bench.open().value());
  BOOST_TEST(receiver.accept(3000, bench.piece(3000, 5000)).has_value());
  BOOST_TEST((receiver.finish(5000, bench.digest).error().code == Errc::corrupt));
  BOOST_TEST(!bench.has_part());
}

BOOST_AUTO_TEST_CASE(a_part_longer_than_the_file_is_begun_anew) {
  Bench bench;
  BOOST_TEST(write_file(part_path(bench.path), noise(6000), Durability::cached).has_value());
  BOOST_TEST(bench.open(5000)->position() == 0U);
  BOOST_TEST(write_file(part_path(bench.path), noise(6000), Durability::cached).has_value());
  auto receiver = std::move(bench.open(10'000).value());
  BOOST_TEST(receiver.position() == 6000U);
  BOOST_TEST(receiver.announce(5000).has_value());
  BOOST_TEST(receiver.position() == 0U);
  BOOST_TEST(receiver.accept(0, bench.content).has_value());
  BOOST_TEST(receiver.finish(5000, bench.digest).has_value());
}

BOOST_AUTO_TEST_CASE(more_than_the_limit_may_not_be_announced) {
  Bench bench;
  auto receiver = std::move(bench.open(5000).value());
  BOOST_TEST((receiver.announce(5001).error().code == Errc::malformed));
  BOOST_TEST(receiver.announce(5000).has_value());
}

BOOST_AUTO_TEST_CASE(an_inspection_sees_every_byte_in_order_also_those_of_an_earlier_part) {
  Bench bench;
  {
    auto receiver = std::move(bench.open().value());
    BOOST_TEST(receiver.accept(0, bench.piece(0, 2345)).has_value());
  }
  Bytes seen;
  const auto look = [&seen](ByteView bytes) -> Result<void> {
    seen.insert(seen.end(), bytes.begin(), bytes.end());
    return ok();
  };
  auto receiver = std::move(bench.open(5000, look).value());
  BOOST_TEST(receiver.accept(2345, bench.piece(2345, 5000)).has_value());
  BOOST_TEST((seen == bench.content));
}

BOOST_AUTO_TEST_CASE(what_an_inspection_refuses_is_discarded) {
  Bench bench;
  const auto refuse = [](ByteView) -> Result<void> {
    return Error{Errc::rejected, "not a number"};
  };
  {
    auto receiver = std::move(bench.open(5000, refuse).value());
    BOOST_TEST((receiver.accept(0, bench.piece(0, 10)).error().code == Errc::rejected));
    BOOST_TEST(!bench.has_part());
  }
  {
    auto receiver = std::move(bench.open().value());
    BOOST_TEST(receiver.accept(0, bench.piece(0, 10)).has_value());
  }
  BOOST_TEST((bench.open(5000, refuse).error().code == Errc::rejected));
  BOOST_TEST(!bench.has_part());
}

// The limit on file sizes stands in for a full disk.
BOOST_AUTO_TEST_CASE(a_full_disk_is_an_io_error_and_the_part_is_good_afterwards) {
  Bench bench;
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  {
    auto receiver = std::move(bench.open().value());
    BOOST_TEST(receiver.accept(0, bench.piece(0, 2000)).has_value());
    rlimit tight = before;
    tight.rlim_cur = 2500;
    ::setrlimit(RLIMIT_FSIZE, &tight);
    const auto refused = receiver.accept(2000, bench.piece(2000, 3000));
    ::setrlimit(RLIMIT_FSIZE, &before);
    BOOST_TEST((refused.error().code == Errc::io));
  }
  auto receiver = std::move(bench.open().value());
  BOOST_TEST(receiver.position() == 2000U);
  BOOST_TEST(receiver.accept(2000, bench.piece(2000, 5000)).has_value());
  BOOST_TEST(receiver.finish(5000, bench.digest).has_value());
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_not_there_is_an_io_error_or_not_found) {
  Bench bench;
  bench.path = bench.folder / "no-such-folder" / "file";
  BOOST_TEST(!bench.open().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::protocol
