// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/credentials.hpp"

namespace entente::crypto {

Result<Credentials> load_credentials(const CredentialFiles& files, TimePoint now) {
  auto chain = Certificate::load(files.certificate);
  if (!chain) return chain.error();
  auto key = PrivateKey::load(files.key);
  if (!key) return key.error();
  auto authorities = Certificate::load(files.authorities);
  if (!authorities) return authorities.error();

  const Certificate& leaf = chain->front();
  auto identity = leaf.identity();
  if (!identity) return in_context(files.certificate.string(), identity.error());
  if (leaf.public_key().der() != key->public_key().der()) {
    return Error{Errc::rejected, files.key.string() + ": not the key of the certificate in " +
                                     files.certificate.string()};
  }
  if (auto trusted = verify_chain(leaf, *authorities, now); !trusted) {
    return in_context(files.certificate.string() + " against " + files.authorities.string(),
                      trusted.error());
  }
  return Credentials{std::move(*identity), std::move(*chain), std::move(*key),
                     std::move(*authorities)};
}

}  // namespace entente::crypto
