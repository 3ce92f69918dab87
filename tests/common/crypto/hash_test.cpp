// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/hash.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>
#include <vector>

namespace entente::crypto {

BOOST_AUTO_TEST_SUITE(hash)

// FIPS 180-4 examples, and the two that every implementation gets wrong first: nothing, and a
// million.
BOOST_AUTO_TEST_CASE(sha256_gives_the_digests_of_the_standard) {
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmn"
       "opqrs"
       "mnopqrstnopqrstu",
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
      {std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
  for (const auto& [text, hex] : vectors) {
    BOOST_TEST(sha256(text).hex() == hex);
    Sha256 stream;
    for (std::size_t at = 0; at < text.size(); at += 977) {
      stream.update(as_bytes(std::string_view(text).substr(at, 977)));
    }
    BOOST_TEST(stream.finish().hex() == hex);
  }
}

BOOST_AUTO_TEST_CASE(a_finished_stream_begins_again_from_nothing) {
  Sha256 stream;
  stream.update(as_bytes("abc"));
  static_cast<void>(stream.finish());
  BOOST_TEST((stream.finish() == sha256("")));
}

BOOST_AUTO_TEST_CASE(a_copy_goes_its_own_way) {
  Sha256 stream;
  stream.update(as_bytes("ab"));
  Sha256 fork = stream.copy();
  stream.update(as_bytes("c"));
  fork.update(as_bytes("x"));
  Sha256 moved = std::move(stream);
  BOOST_TEST((moved.finish() == sha256("abc")));
  BOOST_TEST((fork.finish() == sha256("abx")));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::crypto
