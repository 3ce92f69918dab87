// SPDX-License-Identifier: Apache-2.0
#include "common/base/verdict.hpp"

#include <array>
#include <string>
#include <utility>

namespace entente {
namespace {

constexpr std::array<std::pair<Verdict, std::string_view>, 16> texts{{
    {Verdict::accepted, "accepted"},
    {Verdict::repeated, "repeated"},
    {Verdict::not_now, "not now"},
    {Verdict::not_allowed, "not allowed"},
    {Verdict::not_in_cohort, "not in the cohort"},
    {Verdict::too_late, "too late"},
    {Verdict::already_received, "another update was accepted before"},
    {Verdict::malformed, "malformed"},
    {Verdict::not_finite, "not finite"},
    {Verdict::norm_over_limit, "norm over the limit"},
    {Verdict::examples_over_limit, "example count over the limit"},
    {Verdict::digest_mismatch, "digest mismatch"},
    {Verdict::unknown, "unknown"},
    {Verdict::busy, "busy"},
    {Verdict::bad_signature, "bad signature"},
    {Verdict::suspended, "suspended"},
}};

}  // namespace

std::string_view to_string(Verdict verdict) {
  for (const auto& [value, text] : texts) {
    if (value == verdict) return text;
  }
  return "unknown verdict";
}

Result<Verdict> parse_verdict(std::string_view text) {
  for (const auto& [value, known] : texts) {
    if (known == text) return value;
  }
  return Error{Errc::malformed, "unknown verdict '" + std::string(text) + "'"};
}

}  // namespace entente
