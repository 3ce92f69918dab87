// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/key.hpp"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "common/base/file.hpp"
#include "tests/common/crypto/federation.hpp"
#include "tests/common/crypto/folder.hpp"

namespace entente::crypto {

using testing::Folder;
using testing::must;

namespace {

struct SignatureVector {
  std::string secret;
  std::string key;
  std::string message;
  std::string signature;
};

// RFC 8032 section 7.1: TEST 1, 2, 3 and SHA(abc).
const std::vector<SignatureVector> rfc8032 = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46b"
     "d25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "659"
     "4a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fee"
     "bbd"
     "454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e"
     "030"
     "3dca179c138ac17ad9bef1177331a704"},
};

Bytes hex(const std::string& text) {
  return must(from_hex(text));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(key)

BOOST_AUTO_TEST_CASE(ed25519_signs_and_verifies_the_vectors_of_rfc_8032) {
  for (const auto& vector : rfc8032) {
    const auto key = must(PrivateKey::from_ed25519(hex(vector.secret)));
    BOOST_TEST(to_hex(key.public_key().raw_ed25519()) == vector.key);
    BOOST_TEST(to_hex(must(key.sign(hex(vector.message)))) == vector.signature);
    const auto half = must(PublicKey::from_ed25519(hex(vector.key)));
    BOOST_TEST(half.verify(hex(vector.message), hex(vector.signature)));
  }
}

BOOST_AUTO_TEST_CASE(any_flipped_bit_of_a_signature_is_seen) {
  for (const KeyKind kind : {KeyKind::ecdsa_p256, KeyKind::ed25519}) {
    const auto key = must(PrivateKey::generate(kind));
    const auto half = key.public_key();
    const Bytes message = to_bytes("a plan's digest");
    const Bytes signature = must(key.sign(message));
    BOOST_TEST(half.verify(message, signature));
    BOOST_TEST(!half.verify(to_bytes("another digest"), signature));
    BOOST_TEST(!half.verify(message, {}));
    for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
      Bytes damaged = signature;
      damaged[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
      BOOST_TEST(!half.verify(message, damaged));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_key_of_the_other_kind_verifies_nothing) {
  const auto ecdsa = must(PrivateKey::generate(KeyKind::ecdsa_p256));
  const auto ed25519 = must(PrivateKey::generate(KeyKind::ed25519));
  const Bytes message = to_bytes("text");
  BOOST_TEST(!ecdsa.public_key().verify(message, must(ed25519.sign(message))));
  BOOST_TEST(!ed25519.public_key().verify(message, must(ecdsa.sign(message))));
}

BOOST_AUTO_TEST_CASE(a_public_key_survives_its_encoding) {
  for (const KeyKind kind : {KeyKind::ecdsa_p256, KeyKind::ed25519}) {
    const auto key = must(PrivateKey::generate(kind)).public_key();
    const auto again = must(PublicKey::from_der(key.der()));
    BOOST_TEST((again.kind() == kind));
    BOOST_TEST((again.der() == key.der()));
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_a_public_key_of_ours_is_malformed) {
  const Bytes good = must(PrivateKey::generate(KeyKind::ecdsa_p256)).public_key().der();
  Bytes longer = good;
  longer.push_back(std::byte{0});
  const Bytes shorter(good.begin(), good.end() - 1);
  // A P-384 key, a compressed P-256 point.
  const Bytes p384 = must(from_base64(
      "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEPgAxFAJKBOV62gzduKp/RSZG213dk4I1qsdmN62yT2paI9WlIjlFGgBmf+hH"
      "w4qbhxeDQIjcqsvTsRGxQfDtP4pP5uZ4K423nZzK8Z7LujR+MiOSLveREX92X9iCy/cE"));
  const Bytes compressed =
      hex("3039301306072a8648ce3d020106082a8648ce3d030107032200036b17d1f2e12c4247f8bce6e563a440f277"
          "037d812d"
          "eb33a0f4a13945d898c296");
  for (const Bytes& bad : {Bytes{}, longer, shorter, to_bytes("not a key"), p384, compressed}) {
    const auto key = PublicKey::from_der(bad);
    BOOST_REQUIRE(!key.has_value());
    BOOST_TEST((key.error().code == Errc::malformed), key.error().detail);
  }
  BOOST_TEST(!PublicKey::from_ed25519(Bytes(31)).has_value());
  BOOST_TEST(!PrivateKey::from_ed25519(Bytes(33)).has_value());
}

BOOST_AUTO_TEST_CASE(a_saved_key_is_read_back_and_only_by_its_owner) {
  const Folder folder;
  for (const KeyKind kind : {KeyKind::ecdsa_p256, KeyKind::ed25519}) {
    const auto path = folder / (kind == KeyKind::ed25519 ? "ed25519.pem" : "p256.pem");
    const auto key = must(PrivateKey::generate(kind));
    BOOST_REQUIRE(key.save(path).has_value());
    struct stat status {};
    BOOST_REQUIRE(::stat(path.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 07777U) == 0600U);
    BOOST_TEST(must(read_text(path, 4096)).starts_with("-----BEGIN PRIVATE KEY-----\n"));
    BOOST_TEST((must(PrivateKey::load(path)).public_key().der() == key.public_key().der()));
  }
}

BOOST_AUTO_TEST_CASE(a_key_file_is_never_overwritten) {
  const Folder folder;
  const auto key = must(PrivateKey::generate(KeyKind::ecdsa_p256));
  BOOST_REQUIRE(key.save(folder / "key.pem").has_value());
  const auto again = must(PrivateKey::generate(KeyKind::ecdsa_p256)).save(folder / "key.pem");
  BOOST_REQUIRE(!again.has_value());
  BOOST_TEST((again.error().code == Errc::rejected));
  BOOST_TEST(
      (must(PrivateKey::load(folder / "key.pem")).public_key().der() == key.public_key().der()));
}

BOOST_AUTO_TEST_CASE(a_key_that_others_may_read_is_refused_with_the_remedy) {
  const Folder folder;
  const auto path = folder / "key.pem";
  BOOST_REQUIRE(must(PrivateKey::generate(KeyKind::ecdsa_p256)).save(path).has_value());
  for (const mode_t mode : {0644U, 0640U, 0604U, 0660U, 0700U}) {
    BOOST_REQUIRE(::chmod(path.c_str(), mode) == 0);
    const auto key = PrivateKey::load(path);
    BOOST_REQUIRE(!key.has_value());
    BOOST_TEST((key.error().code == Errc::rejected));
    BOOST_TEST(key.error().detail.ends_with("chmod 600 " + path.string()));
  }
  BOOST_REQUIRE(::chmod(path.c_str(), 0400) == 0);
  BOOST_TEST(PrivateKey::load(path).has_value());
}

BOOST_AUTO_TEST_CASE(a_file_without_a_usable_key_is_malformed_and_named) {
  const Folder folder;
  // Encrypted (nobody is asked for a passphrase), and of another curve.
  const std::string encrypted =
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
      "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj4ohfqm4AK0wICCAAw\n"
      "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEG6H05V/1YY0qxUSDQXJ5GkEQGgk\n"
      "kxxoLkU9SH30HW7NEmM8UWRSzYJF8cFM+fOBm3kOciV0EwBRfTfWug/H3EfVadbR\n"
      "yxhC5OX8yr+sxuqnxNA=\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n";
  const std::string p384 =
      "-----BEGIN PRIVATE KEY-----\n"
      "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDwjo//0z+UAh5O06Vq\n"
      "5dtScUKtxF0vuqqwNAiBHd3do8vePxuZMJeJ2MfY4NF3zvehZANiAAS2LeFltnlq\n"
      "S6+m2ktDsMOnvKzHzvELac6/iIYoJTExHwmKlh3OaXIqHC72rILH23s6IbiJZ96o\n"
      "hBShD3sLqupLUCNGMBiT/s7FZrlrlchvYbc8zfYPOonT09pP2FZByw0=\n"
      "-----END PRIVATE KEY-----\n";
  for (const std::string& content :
       {std::string(), std::string("no key"), encrypted, p384, std::string(20'000, 'x')}) {
    const auto path = folder.write("bad.pem", content, 0600);
    const auto key = PrivateKey::load(path);
    BOOST_REQUIRE(!key.has_value());
    BOOST_TEST((key.error().code == Errc::malformed), key.error().detail);
    BOOST_TEST(key.error().detail.starts_with(path.string()));
  }
  const auto missing = PrivateKey::load(folder / "missing.pem");
  BOOST_REQUIRE(!missing.has_value());
  BOOST_TEST((missing.error().code == Errc::not_found));
  BOOST_TEST(!PrivateKey::load(folder.path()).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::crypto
