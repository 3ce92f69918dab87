// SPDX-License-Identifier: Apache-2.0
//
// Two engines, joined by hand: no sockets.
#include "common/net/tls_engine.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "common/base/random.hpp"
#include "tests/common/crypto/federation.hpp"

namespace entente::net {
namespace {

using crypto::TlsEnd;
using crypto::testing::must;
using Step = TlsEngine::Step;

struct Pair {
  crypto::testing::Federation hospitals;
  std::shared_ptr<ssl_ctx_st> server_context =
      must(crypto::tls_context(TlsEnd::server, hospitals.credentials(Role::coordinator, "main")));
  std::shared_ptr<ssl_ctx_st> client_context = must(
      crypto::tls_context(TlsEnd::client, hospitals.credentials(Role::participant, "charite")));
  TlsEngine server{server_context.get(), TlsEnd::server};
  TlsEngine client{client_context.get(), TlsEnd::client};
};

// What `from` has for the network, `most` bytes at a time, each time asking `to` by `step`.
template <class Ask>
void carry(TlsEngine& from, TlsEngine& to, std::size_t most, Ask step) {
  const Bytes all = std::move(from.out());
  from.out() = Bytes();
  for (ByteView left = all; !left.empty();) {
    const ByteView piece = left.first(std::min(most, left.size()));
    left = left.subspan(piece.size());
    to.bring(piece);
    step();
    to.keep_rest();
  }
}

void shake_hands(Pair& pair, std::size_t most) {
  Step client = pair.client.shake_hands(), server = Step::wants_input;
  for (int turn = 0; turn < 4; ++turn) {
    carry(pair.client, pair.server, most, [&] { server = pair.server.shake_hands(); });
    carry(pair.server, pair.client, most, [&] { client = pair.client.shake_hands(); });
  }
  BOOST_REQUIRE((client == Step::done));
  BOOST_REQUIRE((server == Step::done));
}

Bytes noise(std::size_t size) {
  Random random(7);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next32());
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_tls_engine)

BOOST_AUTO_TEST_CASE(what_goes_in_comes_out_however_the_network_cuts_it) {
  const Bytes bytes = noise(300'000);
  for (const std::size_t most :
       {std::size_t{1}, std::size_t{7}, std::size_t{5'000}, bytes.size()}) {
    Pair pair;
    shake_hands(pair, most);
    BOOST_REQUIRE((pair.client.write(bytes) == Step::done));
    Bytes seen(bytes.size());
    std::size_t at = 0;
    carry(pair.client, pair.server, most, [&] {
      std::size_t got = 0;
      const Step step = pair.server.read(std::span(seen).subspan(at), &got);
      BOOST_REQUIRE((step == (got > 0 ? Step::done : Step::wants_input) || at == seen.size()));
      at += got;
    });
    BOOST_TEST(at == bytes.size());
    BOOST_TEST((seen == bytes), "in pieces of " << most);
  }
}

BOOST_AUTO_TEST_CASE(a_reader_may_take_less_than_has_come) {
  Pair pair;
  shake_hands(pair, 100'000);
  const Bytes bytes = noise(50'000);
  BOOST_REQUIRE((pair.server.write(bytes) == Step::done));
  Bytes landing = std::move(pair.server.out());
  pair.client.bring(landing);
  Bytes seen;
  Bytes piece(3'000);
  for (std::size_t got = 0; seen.size() < bytes.size();
       seen.insert(seen.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(got))) {
    BOOST_REQUIRE((pair.client.read(piece, &got) == Step::done));
    pair.client.keep_rest();
    std::ranges::fill(landing, std::byte{0});  // its memory is used for other things
  }
  BOOST_TEST((seen == bytes));
}

BOOST_AUTO_TEST_CASE(a_record_that_was_changed_or_cut_off_is_an_error) {
  for (const bool cut : {false, true}) {
    Pair pair;
    shake_hands(pair, 100'000);
    BOOST_REQUIRE((pair.client.write(noise(1'000)) == Step::done));
    Bytes record = std::move(pair.client.out());
    if (cut) {
      record.pop_back();
    } else {
      record.back() ^= std::byte{1};
    }
    pair.server.bring(record);
    if (cut) pair.server.bring_end();
    Bytes seen(1'000);
    std::size_t got = 1;
    BOOST_TEST((pair.server.read(seen, &got) == Step::failed));
    BOOST_TEST(got == 0U);
    BOOST_TEST(pair.server.failure().failed());
  }
}

BOOST_AUTO_TEST_CASE(what_came_before_an_error_is_read_and_the_error_stays) {
  Pair pair;
  shake_hands(pair, 100'000);
  const Bytes good = noise(1'000);
  BOOST_REQUIRE((pair.client.write(good) == Step::done));
  BOOST_REQUIRE((pair.client.write(good) == Step::done));
  Bytes records = std::move(pair.client.out());
  records.back() ^= std::byte{1};
  pair.server.bring(records);
  Bytes seen(2'000);
  std::size_t got = 0;
  BOOST_REQUIRE((pair.server.read(seen, &got) == Step::done));
  seen.resize(got);
  BOOST_TEST((seen == good));
  for (int again = 0; again < 2; ++again) {
    BOOST_TEST((pair.server.read(seen, &got) == Step::failed));
    BOOST_TEST(pair.server.failure().failed());
    BOOST_TEST(pair.server.failure().message().find("mac") != std::string::npos,
               pair.server.failure().message());
  }
}

BOOST_AUTO_TEST_CASE(nonsense_instead_of_a_handshake_is_an_error) {
  Pair pair;
  const Bytes nonsense = noise(200);
  pair.server.bring(nonsense);
  BOOST_TEST((pair.server.shake_hands() == Step::failed));
  BOOST_TEST(pair.server.failure().failed());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::net
