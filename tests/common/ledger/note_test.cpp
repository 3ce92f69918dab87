// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/note.hpp"

#include <boost/test/unit_test.hpp>

#include "common/crypto/hash.hpp"
#include "tests/common/ledger/ledger_fixture.hpp"

namespace entente::ledger {
namespace {

using test::failed_with;

const std::string dash = "\xe2\x80\x94 ";

// The example of the C2SP signed-note specification.
const std::string example_key =
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const std::string example_signature = dash +
                                      "example.com/foo "
                                      "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZ"
                                      "XsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
const std::string example_text = "This is an example message.\n";
const std::string example_note = example_text + "\n" + example_signature;

// The example of golang.org/x/mod/sumdb/note.
const std::string go_key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const std::string go_text =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your "
    "problem is.\n";
const std::string go_signature =
    dash +
    "PeterNeumann "
    "x08go/ZJkuBS9UG/"
    "SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

VerifierKey key(const std::string& text) {
  return parse_verifier_key(text).value();
}

struct Head {
  crypto::PrivateKey private_key = test::key_of(7);
  Checkpoint checkpoint{"hospitals.example/ledger", 5, crypto::sha256("root")};
  VerifierKey verifier{checkpoint.origin, private_key.public_key()};
  std::string note = sign_checkpoint(checkpoint, private_key).value();
  // The text of the note with `from` replaced by `to`, signed anew.
  std::string resigned(const std::string& from, const std::string& to) const {
    std::string text = note.substr(0, note.find("\n\n") + 1);
    text.replace(text.find(from), from.size(), to);
    Bytes blob = from_hex(verifier.text().substr(verifier.name.size() + 1, 8)).value();
    const Bytes signature = private_key.sign(as_bytes(text)).value();
    blob.insert(blob.end(), signature.begin(), signature.end());
    return text + "\n" + dash + verifier.name + " " + to_base64(blob) + "\n";
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(note)

BOOST_AUTO_TEST_CASE(the_example_of_the_specification_opens) {
  BOOST_TEST(open_note(example_note, key(example_key)).value() == example_text);
  BOOST_TEST(key(example_key).text() == example_key);
}

BOOST_AUTO_TEST_CASE(the_example_of_the_go_checksum_database_opens) {
  BOOST_TEST(open_note(go_text + "\n" + go_signature, key(go_key)).value() == go_text);
  BOOST_TEST(key(go_key).text() == go_key);
}

BOOST_AUTO_TEST_CASE(every_flipped_bit_of_a_note_is_refused) {
  for (std::size_t i = 0; i < example_note.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string altered = example_note;
      altered[i] = static_cast<char>(static_cast<unsigned char>(altered[i]) ^ (1U << bit));
      BOOST_REQUIRE(!open_note(altered, key(example_key)));
    }
  }
}

BOOST_AUTO_TEST_CASE(signatures_of_unknown_keys_are_passed_over) {
  const std::string unknown = dash + "witness.example AAAAAAAA\n";
  const std::string same_name_other_id = dash + "example.com/foo AAAAAAAA\n";
  BOOST_TEST(
      open_note(example_text + "\n" + unknown + example_signature, key(example_key)).has_value());
  BOOST_TEST(open_note(example_note + same_name_other_id, key(example_key)).has_value());
  BOOST_TEST(failed_with(open_note(example_text + "\n" + unknown, key(example_key)),
                         Errc::unauthenticated, "no signature by example.com/foo"));
}

BOOST_AUTO_TEST_CASE(a_false_signature_of_the_key_spoils_a_true_one) {
  std::string false_one = example_signature;
  false_one[false_one.size() - 6] = 'A';
  BOOST_TEST(failed_with(open_note(example_note + false_one, key(example_key)),
                         Errc::unauthenticated, "is false"));
  BOOST_TEST(
      failed_with(open_note(example_text + "\n" + false_one + example_signature, key(example_key)),
                  Errc::unauthenticated, "is false"));
  const std::string short_one = dash + "example.com/foo Uw2QOkn8\n";
  BOOST_TEST(failed_with(open_note(example_note + short_one, key(example_key)),
                         Errc::unauthenticated, "is false"));
}

BOOST_AUTO_TEST_CASE(text_and_signatures_part_at_the_last_blank_line) {
  const std::string two_paragraphs = "first\n\n" + example_text;
  const auto opened = open_note(two_paragraphs + "\n" + example_signature, key(example_key));
  BOOST_TEST(failed_with(opened, Errc::unauthenticated, "is false"));  // the first paragraph counts
}

BOOST_AUTO_TEST_CASE(what_is_not_a_note_is_malformed) {
  const std::string too_many(checkpoint_max_bytes, 'x');
  std::string many_signatures = example_note;
  for (std::size_t i = 0; i < note_signatures_max; ++i)
    many_signatures += dash + "w.example AAAAAAAA\n";
  const std::vector<std::string> wrong{
      "",
      "\n\n",
      example_text,
      example_text + example_signature,
      example_text + "\n",
      example_note.substr(0, example_note.size() - 1),
      example_note + "\n",
      example_note + "garbage\n",
      example_note + dash + "no-signature\n",
      example_note + dash + " AAAAAAAA\n",
      example_note + dash + "a+b AAAAAAAA\n",
      example_note + dash +
          "a\xc2\xa0"
          "b AAAAAAAA\n",
      example_note + dash + "short AAAA\n",
      example_note + dash + "not.base64 AAAAAA*A\n",
      "a\tb\n" + example_note,
      "a\r\n" + example_note,
      std::string("a\0b\n", 4) + example_note,
      "\xff\n" + example_note,
      "\xc0\x8a\n" + example_note,
      too_many + example_note,
      many_signatures,
  };
  for (const std::string& text : wrong) {
    BOOST_TEST(failed_with(open_note(text, key(example_key)), Errc::malformed, "not a signed note"),
               text);
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_a_verifier_key_is_malformed) {
  const std::string data = "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
  const std::vector<std::string> wrong{
      "",
      "example.com/foo",
      "example.com/foo+530d903a",
      "+530d903a+" + data,
      "example.com/foo+530d903b+" + data,
      "example.com/fop+530d903a+" + data,
      "example.com/foo+530D903A+" + data,
      "example.com/foo+530d90+" + data,
      "example.com/foo+530d903a+" + data.substr(4),
      "example.com/foo+530d903a+B" + data.substr(1),
      "example.com/foo+530d903a+" + data + "\n\n",
      " example.com/foo+530d903a+" + data,
      "example.com/\xe2\x80\x83"
      "foo+530d903a+" +
          data,
      std::string(verifier_key_max_bytes, 'x') + "+530d903a+" + data,
  };
  for (const std::string& text : wrong) {
    BOOST_TEST(failed_with(parse_verifier_key(text), Errc::malformed, "not a verifier key"), text);
  }
  BOOST_TEST(parse_verifier_key(example_key + "\n").has_value());
}

BOOST_FIXTURE_TEST_CASE(a_signed_head_opens_with_its_key_and_says_what_was_signed, Head) {
  BOOST_TEST((open_checkpoint(note, verifier).value() == checkpoint));
  BOOST_TEST((parse_checkpoint(note).value() == checkpoint));
  BOOST_TEST(parse_verifier_key(verifier.text()).value().text() == verifier.text());
  BOOST_TEST(ledger_origin("hospitals.example") == checkpoint.origin);
}

// Ed25519 signatures are deterministic: these bytes never change.
BOOST_FIXTURE_TEST_CASE(a_signed_head_has_these_bytes, Head) {
  BOOST_TEST(note ==
             "hospitals.example/ledger\n"
             "5\n"
             "SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n"
             "\n" +
                 dash +
                 "hospitals.example/ledger "
                 "GUsY8mUSmE/YYqEWsgB+YibxL2G1VS88jzr6hQSJbyjR2sW6DVkbrnZVAjP1NMQJ7nul4J66/"
                 "K87wfuOZ47aLAexwgM=\n");
  BOOST_TEST(verifier.text() ==
             "hospitals.example/ledger+194b18f2+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs");
}

BOOST_FIXTURE_TEST_CASE(a_head_of_another_key_or_of_another_ledger_is_unauthenticated, Head) {
  const VerifierKey other_key{checkpoint.origin, test::key_of(8).public_key()};
  BOOST_TEST(
      failed_with(open_checkpoint(note, other_key), Errc::unauthenticated, "no signature by"));
  const VerifierKey other_name{"banks.example/ledger", private_key.public_key()};
  BOOST_TEST(
      failed_with(open_checkpoint(note, other_name), Errc::unauthenticated, "no signature by"));
  const std::string other_origin = resigned("hospitals.example/ledger", "banks.example/ledger");
  BOOST_TEST(failed_with(open_checkpoint(other_origin, verifier), Errc::unauthenticated,
                         "the head is of banks.example/ledger"));
}

BOOST_FIXTURE_TEST_CASE(a_signed_text_that_is_not_a_checkpoint_is_malformed, Head) {
  const std::string root = to_base64(checkpoint.root.bytes);
  const std::vector<std::pair<std::string, std::string>> replacements{
      {"\n5\n", "\n05\n"},
      {"\n5\n", "\n-5\n"},
      {"\n5\n", "\n+5\n"},
      {"\n5\n", "\n\n"},
      {"\n5\n", "\n5 \n"},
      {"\n5\n", "\n18446744073709551616\n"},
      {"\n5\n", "\n"},
      {root, ""},
      {root, root.substr(4)},
      {root, root + "AAAA"},
      {"hospitals.example/ledger\n", "\n"},
      {"hospitals.example/ledger\n", "hospitals example\n"},
      {root + "\n", root + "\n\nextension\n"},
  };
  for (const auto& [from, to] : replacements) {
    BOOST_TEST(failed_with(open_checkpoint(resigned(from, to), verifier), Errc::malformed,
                           "not a checkpoint"),
               to);
  }
  const std::string extended = resigned(root + "\n", root + "\nextension\n");
  BOOST_TEST((open_checkpoint(extended, verifier).value() == checkpoint));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::ledger
