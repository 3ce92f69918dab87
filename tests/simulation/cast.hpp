// SPDX-License-Identifier: Apache-2.0
//
// Who plays: one federation with its authorities, its operator and five participants, made once for
// the whole process (keys from fixed bytes, Ed25519 everywhere so that signatures repeat); the
// plans that the operator writes; and what training and aggregation give, as digests of what they
// depend on.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/digest.hpp"
#include "common/base/identity.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/key.hpp"
#include "common/ledger/note.hpp"
#include "common/plan/rules.hpp"

namespace entente::simulation {

struct Player {
  Identity identity;
  crypto::PrivateKey key;
  crypto::Certificate certificate;
  std::string certificate_base64;
};

struct Cast {
  std::string federation;
  std::string coordinator_uri;
  crypto::PrivateKey ledger_key;
  ledger::VerifierKey verifier_key;
  std::vector<crypto::Certificate> authorities;
  Player op;
  std::vector<Player> participants;

  const Player& participant(std::string_view name) const;
};
// The same one each time. Any thread.
const Cast& the_cast();

inline constexpr std::size_t participants_most = 5;

// The canonical bytes of a plan with these rules; `seed` makes it another plan.
std::string write_plan(const plan::Rules& rules, std::uint64_t seed);

// What stands for the arithmetic.
Digest initial_model(const Digest& plan);
// `bits`: which machine and version did it; the same for all, as long as nothing is upgraded.
Digest trained_update(const Digest& plan, std::uint64_t round, std::string_view participant,
                      const Digest& model, std::uint64_t bits);
struct Share {
  Digest update;
  std::uint64_t examples = 0;
};
Digest aggregated_model(const Digest& model, const std::map<std::string, Share>& shares);

}  // namespace entente::simulation
