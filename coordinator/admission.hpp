// SPDX-License-Identifier: Apache-2.0
//
// What members hand in, checked before the round core sees it: signatures over plans, the plan
// itself, whether an announced update can be one at all. Pure but for reading stored plans; any
// thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "common/base/digest.hpp"
#include "common/base/identity.hpp"
#include "common/base/result.hpp"
#include "common/tensor/layout.hpp"
#include "coordinator/round/event.hpp"
#include "coordinator/store.hpp"
#include "protocol/messages.hpp"

namespace entente::coordinator {

// A peer as its certificate shows it.
struct Member {
  Identity identity;
  Bytes certificate;  // DER of the leaf
};

// A plan that arrived whole: its canonical bytes parsed, the operator's signature verified.
// Errors: malformed - not a plan, or of another digest than was announced; unauthenticated - the
// signature.
Result<round::PlanSubmitted> admit_plan(const Member& by, const protocol::OfferPlan& offer,
                                        std::string_view canonical);

// A participant's consent or refusal, the signature over a consent verified. Errors:
// unauthenticated.
Result<round::PlanAnswered> admit_consent(const Member& by, const protocol::AnswerPlan& answer);

// The layout that every update of a plan must have. Remembers the latest plans asked for; any
// thread.
class Layouts {
 public:
  explicit Layouts(const Store& store) : store_(store) {}
  // Errors: not_found - no such plan is stored; those of reading and compiling it.
  Result<std::shared_ptr<const tensor::ParameterLayout>> of_plan(const Digest& plan);

 private:
  const Store& store_;
  std::mutex mutex_;
  std::unordered_map<Digest, std::shared_ptr<const tensor::ParameterLayout>> known_;
};

}  // namespace entente::coordinator
