// SPDX-License-Identifier: Apache-2.0
//
// A participant that fetches and uploads over a network which breaks again and again at random
// bytes, reconnecting each time: in the end everything has arrived whole, and nothing that was
// received is sent again from the beginning.
#include "protocol/client.hpp"
#include "protocol/server.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "tests/protocol/session.hpp"

using namespace std::chrono_literals;

namespace entente::protocol {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t breaks_default = 100;
#else
constexpr std::uint64_t breaks_default = 1000;
#endif

struct Work {
  Digest model;
  std::size_t model_size = 0;
  OfferUpdate offer;
  std::filesystem::path update;
  std::filesystem::path destination;
};

// One session's work: what is not done yet. Ends with the first failure.
net::Async<void> work_once(Stage* stage, Stage::Session* session, const Work* work, bool* fetched) {
  ClientSettings settings = settings_of_tests();
  Result<std::unique_ptr<Client>> client = co_await Client::connect(
      std::move(session->client_stream), stage->client_pool, std::move(settings));
  if (!client) co_return client.error();
  if (!*fetched) {
    const Result<Received> received =
        co_await (*client)->fetch(work->model, work->destination, work->model_size);
    if (!received) co_return received.error();
    *fetched = true;
  }
  Message offer = work->offer;
  const Result<Answer> answer = co_await (*client)->upload(std::move(offer), work->update);
  if (!answer) co_return answer.error();
  BOOST_TEST((answer->verdict == Verdict::accepted));
  co_return co_await (*client)->close("done");
}

net::MemoryLink link_of(Random& random) {
  net::MemoryLink link;
  link.seed = random.next64();
  link.delay_min = 1ms;
  link.delay_max = std::chrono::milliseconds(1 + random.below(100));
  link.piece_max = 1000 + random.below(60'000);
  link.whole = false;
  link.window_bytes = 10'000 + random.below(300'000);
  return link;
}

struct Story {
  std::size_t breaks = 0;
  std::chrono::nanoseconds took{0};
  friend bool operator==(const Story&, const Story&) = default;
};

// A whole story; the same seed tells the same.
Story live_through(std::uint64_t seed) {
  Random random(seed);
  Stage stage;
  const Bytes model = noise(1 + random.below(400'000), random.next64());
  const Bytes update = noise(1 + random.below(400'000), random.next64());
  Work work;
  work.model = stage.desk.put(model);
  work.model_size = model.size();
  work.offer = stage.offer(update);
  work.update = stage.write("update", update);
  work.destination = stage.folder / "model";
  const net::Instant began = stage.time.now();
  Story story;
  bool fetched = false;
  // Every session gets some bytes further; after twenty the network is good.
  for (int attempt = 0; attempt < 40; ++attempt) {
    net::MemoryLink up = link_of(random);
    net::MemoryLink down = link_of(random);
    if (attempt < 20) {
      (random.chance(0.5) ? up : down).cut_after_bytes = random.below(60'000);
      up.silent = down.silent = random.chance(0.2);
    }
    auto session = stage.open(up, down);
    const Result<void> done = net::run(stage.time, work_once(&stage, &session, &work, &fetched));
    const Error end = stage.end_of(session);
    BOOST_TEST((end.code == Errc::closed || end.code == Errc::timed_out), end.detail);
    if (done) break;
    ++story.breaks;
    BOOST_TEST((done.error().code == Errc::closed || done.error().code == Errc::timed_out),
               done.error().detail);
  }
  story.took = stage.time.now() - began;
  BOOST_TEST((read_file(work.destination, model.size()).value() == model));
  BOOST_TEST((stage.desk.uploaded(work.offer.update) == update));
  stage.time.run();
  BOOST_TEST(stage.tasks.size() == 0U);
  BOOST_TEST(stage.server_pool.free() == 4U);
  BOOST_TEST(stage.client_pool.free() == 4U);
  return story;
}

// More with ENTENTE_CUTS=100000; one alone with ENTENTE_CUTS_SEED=123.
std::uint64_t number_of(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(protocol_cuts)

BOOST_AUTO_TEST_CASE(random_breaks_lose_nothing) {
  const std::uint64_t wanted = number_of("ENTENTE_CUTS", breaks_default);
  const std::uint64_t only = number_of("ENTENTE_CUTS_SEED", 0);
  std::size_t breaks = 0;
  for (std::uint64_t seed = only == 0 ? 1 : only; breaks < wanted; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      breaks += live_through(seed).breaks;
    }
    if (only != 0) break;
  }
}

BOOST_AUTO_TEST_CASE(the_same_seed_tells_the_same_story) {
  for (const std::uint64_t seed : {11U, 12U, 13U}) {
    BOOST_TEST((live_through(seed) == live_through(seed)));
  }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::protocol
