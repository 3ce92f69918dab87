// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/receipt.hpp"

#include <charconv>

namespace entente::ledger {
namespace {

constexpr std::string_view form_line = "c2sp.org/tlog-proof@v1";
constexpr std::string_view extra_prefix = "extra ";
constexpr std::string_view index_prefix = "index ";

// One hash in base64 and its newline, 65 times; the entry's line in base64; the note; the other
// words.
static_assert(receipt_max_bytes >=
              proof_length_max * 45 + (line_max_bytes + 2) / 3 * 4 + checkpoint_max_bytes + 128);

Error no_receipt(std::string_view what) {
  return {Errc::malformed, "not a receipt: " + std::string(what)};
}

// The line at the front of `text` without its newline; `text` goes on behind it.
Result<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == text.npos) return no_receipt("cut short");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

Result<std::uint64_t> parse_index(std::string_view text) {
  std::uint64_t index = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), index);
  const bool whole = failure == std::errc() && end == text.data() + text.size();
  if (!whole || std::to_string(index) != text)
    return no_receipt("the index is not a decimal number");
  return index;
}

Result<Proof> take_proof(std::string_view& text) {
  Proof proof;
  while (true) {
    const auto line = take_line(text);
    if (!line) return line.error();
    if (line->empty()) return proof;
    if (proof.size() == proof_length_max) return no_receipt("too many hashes");
    const auto bytes = from_base64(*line);
    if (!bytes) return no_receipt("a hash that is not base64");
    const auto hash = digest_from(*bytes);
    if (!hash) return no_receipt("a hash that is not 32 bytes");
    proof.push_back(*hash);
  }
}

}  // namespace

Result<Entry> check_receipt(const Receipt& receipt, const VerifierKey& key) {
  const auto head = open_checkpoint(receipt.checkpoint, key);
  if (!head) return in_context("receipt", head.error());
  const auto included = check_inclusion(receipt.index, head->size, leaf_hash(receipt.line),
                                        receipt.proof, head->root);
  if (!included) return in_context("receipt", included.error());
  auto entry = decode_entry(receipt.line);
  if (!entry) return in_context("receipt", entry.error());
  if (entry->sequence != receipt.index || ledger_origin(entry->federation) != head->origin) {
    return Error{Errc::malformed, "receipt: entry " + std::to_string(entry->sequence) + " of " +
                                      ledger_origin(entry->federation) + " stands at " +
                                      std::to_string(receipt.index) + " of " + head->origin};
  }
  return entry;
}

std::string receipt_text(const Receipt& receipt) {
  std::string text(form_line);
  text += "\n" + std::string(extra_prefix) + to_base64(as_bytes(receipt.line)) + "\n";
  text += std::string(index_prefix) + std::to_string(receipt.index) + "\n";
  for (const Digest& hash : receipt.proof) text += to_base64(hash.bytes) + "\n";
  text += "\n" + receipt.checkpoint;
  return text;
}

Result<Receipt> parse_receipt(std::string_view text) {
  if (text.size() > receipt_max_bytes) return no_receipt("too long");
  const auto form = take_line(text);
  if (!form || *form != form_line)
    return no_receipt("the first line is not " + std::string(form_line));
  const auto extra = take_line(text);
  if (!extra || !extra->starts_with(extra_prefix)) return no_receipt("no line 'extra'");
  const auto line = from_base64(extra->substr(extra_prefix.size()));
  if (!line) return no_receipt("the entry is not base64");
  const auto numbered = take_line(text);
  if (!numbered || !numbered->starts_with(index_prefix)) return no_receipt("no line 'index'");
  const auto index = parse_index(numbered->substr(index_prefix.size()));
  if (!index) return index.error();
  auto proof = take_proof(text);
  if (!proof) return proof.error();
  return Receipt{std::string(as_text(*line)), *index, std::move(*proof), std::string(text)};
}

}  // namespace entente::ledger
