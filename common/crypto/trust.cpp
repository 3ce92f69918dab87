// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/trust.hpp"

#include <algorithm>

#include "common/base/assert.hpp"

namespace entente::crypto {

Result<OwnedStore> trust_store(const std::vector<Certificate>& authorities) {
  for (const Certificate& one : authorities) {
    if (one.is_authority()) continue;
    return Error{Errc::invalid_argument,
                 "expected certificates of authorities, saw " + one.describe()};
  }
  if (std::none_of(authorities.begin(), authorities.end(),
                   [](const Certificate& one) { return one.is_self_signed(); })) {
    return Error{Errc::invalid_argument, "expected a self-signed root among the " +
                                             std::to_string(authorities.size()) +
                                             " certificates of authorities, saw none"};
  }
  OwnedStore store(X509_STORE_new());
  bool done = store != nullptr;
  for (const Certificate& one : authorities) {
    done = done && X509_STORE_add_cert(store.get(), one.native()) == 1;
  }
  if (done) {
    X509_VERIFY_PARAM* rules = X509_STORE_get0_param(store.get());
    X509_VERIFY_PARAM_set_depth(rules, chain_depth_max);
    X509_VERIFY_PARAM_set_auth_level(rules, security_level);
    done = X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT) == 1;
  }
  ENTENTE_ASSERT(done, "out of memory");
  return store;
}

}  // namespace entente::crypto
