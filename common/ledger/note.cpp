// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/note.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "common/base/assert.hpp"
#include "common/base/bytes.hpp"
#include "common/base/text.hpp"
#include "common/crypto/hash.hpp"

namespace entente::ledger {
namespace {

constexpr std::string_view signature_prefix = "\xe2\x80\x94 ";  // U+2014 and a space
constexpr std::byte ed25519_type{0x01};
constexpr std::size_t key_id_bytes = 4;
constexpr std::size_t signature_bytes = 64;
constexpr std::size_t root_text_bytes = 44;

using KeyId = std::array<std::byte, key_id_bytes>;

// Unicode's white space beyond ASCII, in UTF-8.
constexpr std::array<std::string_view, 19> wide_spaces{
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
    "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
    "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
    "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20;
}

bool is_key_name(std::string_view name) {
  const auto contains = [name](std::string_view space) { return name.find(space) != name.npos; };
  return !name.empty() && is_utf8(name) && name.find_first_of(" +") == name.npos &&
         std::none_of(name.begin(), name.end(), is_control) &&
         std::none_of(wide_spaces.begin(), wide_spaces.end(), contains);
}

// UTF-8 without any control character but the line end.
bool is_note_text(std::string_view text) {
  return is_utf8(text) &&
         std::none_of(text.begin(), text.end(), [](char c) { return is_control(c) && c != '\n'; });
}

KeyId key_id(std::string_view name, const crypto::PublicKey& key) {
  Bytes input = to_bytes(name);
  input.push_back(std::byte{'\n'});
  input.push_back(ed25519_type);
  const Bytes raw = key.raw_ed25519();
  input.insert(input.end(), raw.begin(), raw.end());
  const Digest digest = crypto::sha256(input);
  KeyId id{};
  std::copy_n(digest.bytes.begin(), key_id_bytes, id.begin());
  return id;
}

struct Signature {
  std::string_view name;
  KeyId id{};
  Bytes bytes;
};

struct Note {
  std::string_view text;
  std::vector<Signature> signatures;
};

Error no_note(std::string_view what) {
  return {Errc::malformed, "not a signed note: " + std::string(what)};
}

// `line` without its newline.
Result<Signature> parse_signature(std::string_view line) {
  if (!line.starts_with(signature_prefix)) return no_note("a signature line without its dash");
  line.remove_prefix(signature_prefix.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return no_note("a signature line without a signature");
  Signature signature;
  signature.name = line.substr(0, space);
  if (!is_key_name(signature.name)) return no_note("a signature line with an impossible key name");
  auto blob = from_base64(line.substr(space + 1));
  if (!blob || blob->size() <= key_id_bytes) return no_note("a signature that is not base64");
  std::copy_n(blob->begin(), key_id_bytes, signature.id.begin());
  signature.bytes.assign(blob->begin() + key_id_bytes, blob->end());
  return signature;
}

Result<Note> parse_note(std::string_view note) {
  if (note.size() > checkpoint_max_bytes) {
    return no_note(std::to_string(note.size()) + " bytes, at most " +
                   std::to_string(checkpoint_max_bytes));
  }
  if (!is_note_text(note)) return no_note("not UTF-8, or a control character in it");
  const std::size_t blank = note.rfind("\n\n");
  if (blank == std::string_view::npos) return no_note("no blank line before the signatures");
  Note parsed;
  parsed.text = note.substr(0, blank + 1);
  std::string_view lines = note.substr(blank + 2);
  if (lines.empty() || lines.back() != '\n') return no_note("cut short");
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    auto signature = parse_signature(lines.substr(0, end));
    if (!signature) return signature.error();
    if (parsed.signatures.size() == note_signatures_max) return no_note("too many signatures");
    parsed.signatures.push_back(std::move(*signature));
    lines.remove_prefix(end + 1);
  }
  return parsed;
}

Error no_checkpoint(std::string_view what) {
  return {Errc::malformed, "not a checkpoint: " + std::string(what)};
}

// The next line of `text` without its newline; `text` goes on behind it.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t size = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), size);
  const bool whole = failure == std::errc() && end == text.data() + text.size();
  if (!whole || (text.size() > 1 && text.front() == '0')) {
    return no_checkpoint("the size is " + in_quotes(text, 32) + ", expected a decimal number");
  }
  return size;
}

Result<Checkpoint> parse_text(std::string_view text) {
  Checkpoint checkpoint;
  checkpoint.origin = take_line(text);
  if (!is_key_name(checkpoint.origin))
    return no_checkpoint("the origin is empty or has a space or '+'");
  auto size = parse_size(take_line(text));
  if (!size) return size.error();
  checkpoint.size = *size;
  const std::string_view root = take_line(text);
  auto bytes = from_base64(root);
  if (!bytes || root.size() != root_text_bytes)
    return no_checkpoint("the root is not 32 bytes of base64");
  auto digest = digest_from(*bytes);
  if (!digest) return no_checkpoint(digest.error().detail);
  checkpoint.root = *digest;
  while (!text.empty()) {
    if (take_line(text).empty()) return no_checkpoint("an empty line behind the root");
  }
  return checkpoint;
}

}  // namespace

std::string VerifierKey::text() const {
  Bytes typed{ed25519_type};
  const Bytes raw = key.raw_ed25519();
  typed.insert(typed.end(), raw.begin(), raw.end());
  return name + "+" + to_hex(key_id(name, key)) + "+" + to_base64(typed);
}

Result<VerifierKey> parse_verifier_key(std::string_view text) {
  const auto wrong = [](std::string_view what) {
    return Error{Errc::malformed, "not a verifier key (name+id+key): " + std::string(what)};
  };
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.size() > verifier_key_max_bytes) return wrong("too long");
  const std::size_t first = text.find('+');
  const std::size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos) return wrong("fewer than two '+'");
  const std::string_view name = text.substr(0, first);
  if (!is_key_name(name)) return wrong("the name is empty or has a space");
  const auto id = from_hex(text.substr(first + 1, second - first - 1));
  if (!id || id->size() != key_id_bytes)
    return wrong("the key id is not 8 lower-case hexadecimal digits");
  const auto typed = from_base64(text.substr(second + 1));
  if (!typed) return wrong("the key is not base64");
  if (typed->size() != 33 || typed->front() != ed25519_type) return wrong("the key is not Ed25519");
  auto key = crypto::PublicKey::from_ed25519(ByteView(*typed).subspan(1));
  if (!key) return wrong(key.error().detail);
  const KeyId expected = key_id(name, *key);
  if (!std::equal(id->begin(), id->end(), expected.begin())) {
    return wrong("the key id is " + to_hex(*id) + ", expected " + to_hex(expected));
  }
  return VerifierKey{std::string(name), std::move(*key)};
}

std::string ledger_origin(std::string_view federation) {
  return std::string(federation) + "/ledger";
}

Result<std::string> sign_checkpoint(const Checkpoint& checkpoint, const crypto::PrivateKey& key) {
  ENTENTE_ASSERT(key.kind() == crypto::KeyKind::ed25519, "the ledger's key is an Ed25519 key");
  ENTENTE_ASSERT(is_key_name(checkpoint.origin), "an origin has no white space and no '+'");
  const std::string text = checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" +
                           to_base64(checkpoint.root.bytes) + "\n";
  const auto signature = key.sign(as_bytes(text));
  if (!signature) return in_context("signing the ledger's head", signature.error());
  const KeyId id = key_id(checkpoint.origin, key.public_key());
  Bytes blob(id.begin(), id.end());
  blob.insert(blob.end(), signature->begin(), signature->end());
  return text + "\n" + std::string(signature_prefix) + checkpoint.origin + " " + to_base64(blob) +
         "\n";
}

Result<std::string_view> open_note(std::string_view note, const VerifierKey& key) {
  const auto parsed = parse_note(note);
  if (!parsed) return parsed.error();
  const KeyId id = key_id(key.name, key.key);
  bool signed_by_key = false;
  for (const Signature& signature : parsed->signatures) {
    if (signature.name != key.name || signature.id != id) continue;
    if (signature.bytes.size() != signature_bytes ||
        !key.key.verify(as_bytes(parsed->text), signature.bytes)) {
      return Error{Errc::unauthenticated, "the signature by " + key.text() + " is false"};
    }
    signed_by_key = true;
  }
  if (!signed_by_key) return Error{Errc::unauthenticated, "no signature by " + key.text()};
  return parsed->text;
}

Result<Checkpoint> open_checkpoint(std::string_view note, const VerifierKey& key) {
  const auto text = open_note(note, key);
  if (!text) return text.error();
  auto checkpoint = parse_text(*text);
  if (!checkpoint) return checkpoint.error();
  if (checkpoint->origin != key.name) {
    return Error{Errc::unauthenticated,
                 "the head is of " + checkpoint->origin + ", expected " + key.name};
  }
  return checkpoint;
}

Result<Checkpoint> parse_checkpoint(std::string_view note) {
  const auto parsed = parse_note(note);
  if (!parsed) return parsed.error();
  return parse_text(parsed->text);
}

}  // namespace entente::ledger
