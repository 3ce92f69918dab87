// SPDX-License-Identifier: Apache-2.0
//
// Signing keys: ECDSA P-256 (SHA-256, DER signatures) for members, Ed25519 (RFC 8032) for the
// ledger, and for members who choose it. PEM and DER forms are PKCS#8 and SubjectPublicKeyInfo.
//
// Keys are cheap to copy (shared, immutable) and may be used from several threads. Memory of
// private keys is wiped by OpenSSL.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/result.hpp"

struct evp_pkey_st;

namespace entente::crypto {

enum class KeyKind { ecdsa_p256, ed25519 };

class PublicKey {
 public:
  // Errors: malformed - not SubjectPublicKeyInfo, or not one of KeyKind.
  static Result<PublicKey> from_der(ByteView der);
  // Errors: malformed - not 32 bytes.
  static Result<PublicKey> from_ed25519(ByteView raw);
  KeyKind kind() const;
  Bytes der() const;
  // The 32 raw bytes. Precondition: kind() == KeyKind::ed25519.
  Bytes raw_ed25519() const;
  // Whether `signature` over `message` was made with this key's private half.
  bool verify(ByteView message, ByteView signature) const;

  // For common/crypto and the TLS stream only.
  explicit PublicKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  evp_pkey_st* native() const { return key_.get(); }

 private:
  std::shared_ptr<evp_pkey_st> key_;
};

class PrivateKey {
 public:
  static Result<PrivateKey> generate(KeyKind kind);
  // From the PEM file `path`, which nobody but its owner may read.
  // Errors: not_found; rejected - its mode grants more than 0600 (the text says chmod 600);
  // malformed; io.
  static Result<PrivateKey> load(const std::filesystem::path& path);
  // A new key from the 32 raw Ed25519 bytes (tests with public vectors).
  static Result<PrivateKey> from_ed25519(ByteView raw);
  KeyKind kind() const;
  // Made once: does not keep the private half in memory.
  const PublicKey& public_key() const { return public_; }
  // Errors: io - OpenSSL's own reason.
  Result<Bytes> sign(ByteView message) const;
  // Writes PKCS#8 PEM with mode 0600, durable; refuses to overwrite. Errors: rejected - exists; io.
  Result<void> save(const std::filesystem::path& path) const;

  explicit PrivateKey(std::shared_ptr<evp_pkey_st> key);
  evp_pkey_st* native() const { return key_.get(); }

 private:
  std::shared_ptr<evp_pkey_st> key_;
  PublicKey public_;
};

}  // namespace entente::crypto
