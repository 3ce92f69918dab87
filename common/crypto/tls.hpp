// SPDX-License-Identifier: Apache-2.0
//
// The one TLS configuration of the federation, and who is at the other end.
//
// TLS 1.3 alone, both sides with a certificate, AES-256-GCM first, X25519 or P-256, ALPN
// "entente/1"; no resumption, no early data, no compression; only the given authorities are
// trusted. A handshake refuses what breaks these rules, a peer that Certificate::identity() refuses
// included. A client knows of its own refusal only by its first read (TLS 1.3), and that its server
// spoke ALPN only by peer_identity: ask it before the first byte is sent.
//
// Used through net::TlsEngine.
//
// Reload: make a new context from new Credentials and use it for the connections to come.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/identity.hpp"
#include "common/base/result.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/credentials.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace entente::crypto {

inline constexpr std::string_view alpn_protocol = "entente/1";

enum class TlsEnd { client, server };

// Immutable once made; connections of any thread may share it. Host names are not looked at: the
// caller compares peer_identity with whom it meant to reach. Errors: invalid_argument - no root
// among the authorities, a key that is not the leaf's, or OpenSSL's reason.
Result<std::shared_ptr<ssl_ctx_st>> tls_context(TlsEnd end, const Credentials& credentials);

// After the handshake, on both sides: who the peer is. Federation and role are the caller's to
// check. Errors: unauthenticated - the handshake is not complete or not one of ours (no
// certificate, not verified, other protocol), or the certificate breaks the leaf rules.
Result<Identity> peer_identity(ssl_st* connection);

// The peer's leaf, for its dates, its key and its fingerprint. Errors: as peer_identity.
Result<Certificate> peer_certificate(ssl_st* connection);

// After a failed handshake: what was wrong with the peer's certificate, in words; empty when it was
// not the certificate.
std::string certificate_refusal(ssl_st* connection);

}  // namespace entente::crypto
