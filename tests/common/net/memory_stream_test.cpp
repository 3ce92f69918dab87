// SPDX-License-Identifier: Apache-2.0
#include "common/net/memory_stream.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <string>

#include "common/base/random.hpp"
#include "common/net/buffer_pool.hpp"
#include "tests/common/net/running.hpp"

using namespace std::chrono_literals;

namespace entente::net {
namespace {

const Identity charite{"hospitals.example", Role::participant, "charite"};
const Identity main_one{"hospitals.example", Role::coordinator, "main"};

Bytes noise(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next32());
  return bytes;
}

Async<void> write_all(Stream* stream, Bytes bytes) {
  const ByteView view(bytes);
  const std::array<ByteView, 2> parts{view.first(bytes.size() / 3), view.subspan(bytes.size() / 3)};
  const Result<void> written = co_await stream->write(parts, 1h);
  stream->finish_writing();
  co_return written;
}

// Everything up to the end, and how often it came.
struct Reading {
  Bytes bytes;
  std::size_t pieces = 0;
};
Async<Reading> read_all(Stream* stream) {
  Reading reading;
  Bytes into(1000);
  for (;;) {
    const Result<std::size_t> size = co_await stream->read_some(into, 1h);
    if (!size) co_return reading;
    ++reading.pieces;
    reading.bytes.insert(reading.bytes.end(), into.begin(),
                         into.begin() + static_cast<std::ptrdiff_t>(*size));
  }
}

struct Outcome {
  Reading reading;
  std::chrono::nanoseconds took{0};
};
Outcome transfer(const MemoryLink& link, std::size_t size) {
  SimulatedTime time;
  auto [writer, reader] = memory_streams(time.executor(), charite, main_one, link);
  TaskGroup tasks(time.executor());
  const Instant began = time.now();
  tasks.spawn("writer", write_all(writer.get(), noise(size, 7)));
  Outcome outcome;
  outcome.reading = run(time, read_all(reader.get())).value();
  outcome.took = time.now() - began;
  return outcome;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_memory_stream)

BOOST_AUTO_TEST_CASE(each_end_knows_who_the_other_is) {
  SimulatedTime time;
  auto [one, other] = memory_streams(time.executor(), charite, main_one);
  BOOST_TEST((one->peer() == main_one));
  BOOST_TEST((other->peer() == charite));
}

BOOST_AUTO_TEST_CASE(bytes_arrive_whole_and_in_order_whatever_the_pieces_and_delays) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    MemoryLink link;
    link.seed = seed;
    link.delay_max = 10ms;
    link.piece_max = 777;
    link.whole = false;
    link.window_bytes = 5000;
    const Outcome outcome = transfer(link, 100'000);
    BOOST_TEST((outcome.reading.bytes == noise(100'000, 7)));
  }
}

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_pieces_at_the_same_instants) {
  MemoryLink link;
  link.delay_min = 1ms;
  link.delay_max = 10ms;
  link.piece_max = 777;
  link.whole = false;
  const Outcome once = transfer(link, 100'000);
  const Outcome again = transfer(link, 100'000);
  BOOST_TEST(once.reading.pieces == again.reading.pieces);
  BOOST_TEST((once.took == again.took));
  link.seed = 2;
  BOOST_TEST((transfer(link, 100'000).took != once.took));
}

BOOST_AUTO_TEST_CASE(a_cut_lets_exactly_so_many_bytes_through_and_both_ends_hear_of_it) {
  SimulatedTime time;
  MemoryLink link;
  link.cut_after_bytes = 4321;
  auto [writer, reader] = memory_streams(time.executor(), charite, main_one, link);
  TaskGroup tasks(time.executor());
  std::optional<Result<void>> written;
  auto keep_result = [](Async<void> operation, std::optional<Result<void>>* into) -> Async<void> {
    into->emplace(co_await std::move(operation));
    co_return ok();
  };
  tasks.spawn("writer", keep_result(write_all(writer.get(), noise(10'000, 7)), &written));
  const Reading reading = run(time, read_all(reader.get())).value();
  BOOST_TEST(reading.bytes.size() == 4321U);
  BOOST_REQUIRE(written.has_value());
  BOOST_TEST((written->error().code == Errc::closed));
  Bytes into(1);
  BOOST_TEST((run(time, writer->read_some(into, 1h)).error().code == Errc::closed));
}

BOOST_AUTO_TEST_CASE(a_silent_cut_is_told_to_nobody) {
  SimulatedTime time;
  MemoryLink link;
  link.cut_after_bytes = 100;
  link.silent = true;
  auto [writer, reader] = memory_streams(time.executor(), charite, main_one, link);
  BOOST_TEST(run(time, with_deadline(1h, write_all(writer.get(), noise(90, 1)))).has_value());
  Bytes into(1000);
  BOOST_TEST(run(time, reader->read_some(into, 1h)).has_value());
}

BOOST_AUTO_TEST_CASE(a_reader_that_does_not_read_makes_the_writer_wait) {
  SimulatedTime time;
  MemoryLink link;
  link.window_bytes = 1000;
  auto [writer, reader] = memory_streams(time.executor(), charite, main_one, link);
  BOOST_TEST(
      (run(time, with_deadline(1min, write_all(writer.get(), noise(1001, 1)))).error().code ==
       Errc::timed_out));
}

BOOST_AUTO_TEST_CASE(closing_wakes_a_reader_and_a_writer_at_either_end) {
  for (const bool own : {true, false}) {
    SimulatedTime time;
    MemoryLink link;
    link.window_bytes = 10;
    auto streams = memory_streams(time.executor(), charite, main_one, link);
    TaskGroup tasks(time.executor());
    tasks.spawn("writer", write_all(streams.first.get(), noise(100, 1)));
    auto reading = [](Stream* stream) -> Async<void> {
      Bytes into(1);
      const Result<std::size_t> size = co_await stream->read_some(into, 1h);
      if (!size) co_return size.error();
      co_return ok();
    };
    tasks.spawn("reader", reading(streams.first.get()));
    time.run_for(1min);
    BOOST_TEST(tasks.size() == 2U);
    (own ? streams.first : streams.second)->close();
    time.run();
    BOOST_TEST(tasks.size() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(nobody_reads_or_writes_longer_than_the_limit) {
  SimulatedTime time;
  MemoryLink link;
  link.window_bytes = 10;
  auto [writer, reader] = memory_streams(time.executor(), charite, main_one, link);
  const Instant began = time.now();
  Bytes into(1), much(100);
  BOOST_TEST((run(time, writer->read_some(into, 250ms)).error().code == Errc::timed_out));
  BOOST_TEST((time.now() - began == 250ms));
  const std::array<ByteView, 1> parts{ByteView(much)};
  BOOST_TEST((run(time, writer->write(parts, 250ms)).error().code == Errc::timed_out));
  BOOST_TEST((time.now() - began == 500ms));
}

BOOST_AUTO_TEST_CASE(buffers_are_bounded_and_come_back) {
  SimulatedTime time;
  BufferPool pool(time.executor(), 2, 100);
  {
    Buffer one = run(time, pool.take(1min)).value();
    const Buffer two = run(time, pool.take(1min)).value();
    BOOST_TEST(one.capacity() == 100U);
    BOOST_TEST(one.view().size() == 0U);
    BOOST_TEST((run(time, pool.take(1min)).error().code == Errc::timed_out));
    one = Buffer();
    BOOST_TEST(run(time, pool.take(1min)).has_value());
    BOOST_TEST(pool.free() == 1U);
  }
  BOOST_TEST(pool.free() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::net
