// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/tls.hpp"

#include <openssl/err.h>

#include <array>

#include "common/crypto/openssl.hpp"
#include "common/crypto/trust.hpp"

namespace entente::crypto {

namespace {

constexpr const char* cipher_suites =
    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
constexpr const char* key_exchange_groups = "X25519:P-256";
constexpr const char* signature_algorithms =
    "ed25519:ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:rsa_pss_rsae_sha256";
// What a peer may send as its chain, before anything of it is checked.
constexpr long peer_chain_max_bytes = 32 * 1024;

// The protocol's name as ALPN has it on the wire: one byte of length, then the text.
constexpr auto alpn_wire = [] {
  std::array<unsigned char, 1 + alpn_protocol.size()> wire{};
  wire[0] = static_cast<unsigned char>(alpn_protocol.size());
  for (std::size_t i = 0; i < alpn_protocol.size(); ++i) {
    wire[i + 1] = static_cast<unsigned char>(alpn_protocol[i]);
  }
  return wire;
}();

// OpenSSL asks alpn_chosen only when the client sent the extension at all; this one refuses it
// without.
int client_hello_seen(SSL* connection, int* alert, void*) {
  const unsigned char* extension = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(connection, TLSEXT_TYPE_application_layer_protocol_negotiation,
                                &extension, &size) == 1) {
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

int alpn_chosen(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* found = nullptr;
  const int outcome =
      SSL_select_next_proto(&found, chosen_size, alpn_wire.data(),
                            static_cast<unsigned>(alpn_wire.size()), offered, offered_size);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<Certificate> copy_of(X509* certificate) {
  unsigned char* encoded = nullptr;
  const int size = i2d_X509(certificate, &encoded);
  if (size <= 0) return Error{Errc::unauthenticated, "the peer's certificate: " + openssl_reason()};
  auto copy = Certificate::from_der(
      {reinterpret_cast<const std::byte*>(encoded), static_cast<std::size_t>(size)});
  OPENSSL_free(encoded);
  if (!copy) return Error{Errc::unauthenticated, "the peer's certificate: " + copy.error().detail};
  return copy;
}

// OpenSSL's code for our own verdict: the peer reads the alert bad_certificate.
constexpr int not_a_member = X509_V_ERR_CERT_REJECTED;

// OpenSSL's verdict on the chain, and then our own on the leaf.
int certificate_seen(int good, X509_STORE_CTX* context) {
  if (good != 1 || X509_STORE_CTX_get_error_depth(context) != 0) return good;
  const auto leaf = copy_of(X509_STORE_CTX_get_current_cert(context));
  if (leaf && leaf->identity()) return 1;
  X509_STORE_CTX_set_error(context, not_a_member);
  return 0;
}

bool set_protocol(SSL_CTX* context) {
  SSL_CTX_set_options(
      context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, peer_chain_max_bytes);
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_ciphersuites(context, cipher_suites) == 1 &&
         SSL_CTX_set1_groups_list(context, key_exchange_groups) == 1 &&
         SSL_CTX_set1_sigalgs_list(context, signature_algorithms) == 1 &&
         SSL_CTX_set_num_tickets(context, 0) == 1 && SSL_CTX_set_max_early_data(context, 0) == 1;
}

bool set_alpn(SSL_CTX* context, TlsEnd end) {
  if (end == TlsEnd::server) {
    SSL_CTX_set_client_hello_cb(context, client_hello_seen, nullptr);
    SSL_CTX_set_alpn_select_cb(context, alpn_chosen, nullptr);
    return true;
  }
  // Returns 0 for success, unlike its neighbours.
  return SSL_CTX_set_alpn_protos(context, alpn_wire.data(),
                                 static_cast<unsigned>(alpn_wire.size())) == 0;
}

bool set_own_certificate(SSL_CTX* context, const Credentials& credentials) {
  // The chain is sent as given; OpenSSL would add the root from the store.
  SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
  bool done = SSL_CTX_use_certificate(context, credentials.chain.front().native()) == 1;
  for (std::size_t i = 1; i < credentials.chain.size(); ++i) {
    done = done && SSL_CTX_add1_chain_cert(context, credentials.chain[i].native()) == 1;
  }
  return done && SSL_CTX_use_PrivateKey(context, credentials.key.native()) == 1 &&
         SSL_CTX_check_private_key(context) == 1;
}

void set_trust(SSL_CTX* context, OwnedStore store) {
  SSL_CTX_set_cert_store(context, store.release());
  SSL_CTX_set_security_level(context, security_level);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, certificate_seen);
  // A connection takes its rules from here, not from the store.
  X509_VERIFY_PARAM* rules = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_depth(rules, chain_depth_max);
  X509_VERIFY_PARAM_set_auth_level(rules, security_level);
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT);
}

}  // namespace

Result<std::shared_ptr<ssl_ctx_st>> tls_context(TlsEnd end, const Credentials& credentials) {
  if (credentials.chain.empty()) {
    return Error{Errc::invalid_argument, "TLS: expected a certificate, saw none"};
  }
  auto store = trust_store(credentials.authorities);
  if (!store) return in_context("TLS", store.error());
  OwnedSslContext context(
      SSL_CTX_new(end == TlsEnd::server ? TLS_server_method() : TLS_client_method()));
  if (context == nullptr || !set_protocol(context.get()) || !set_alpn(context.get(), end) ||
      !set_own_certificate(context.get(), credentials)) {
    return Error{Errc::invalid_argument, "TLS: " + openssl_reason()};
  }
  set_trust(context.get(), std::move(*store));
  return std::shared_ptr<ssl_ctx_st>(context.release(), SSL_CTX_free);
}

Result<Certificate> peer_certificate(ssl_st* connection) {
  const auto refused = [](std::string what) {
    return Error{Errc::unauthenticated, std::move(what)};
  };
  if (SSL_is_init_finished(connection) != 1) return refused("the TLS handshake is not complete");
  if (SSL_version(connection) != TLS1_3_VERSION) {
    return refused(std::string("expected TLS 1.3, saw ") + SSL_get_version(connection));
  }
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(connection, &protocol, &size);
  if (std::string_view(reinterpret_cast<const char*>(protocol), size) != alpn_protocol) {
    return refused("the peer does not speak " + std::string(alpn_protocol));
  }
  X509* certificate = SSL_get0_peer_certificate(connection);
  if (certificate == nullptr) return refused("the peer has no certificate");
  if (auto why = certificate_refusal(connection); !why.empty()) return refused(std::move(why));
  return copy_of(certificate);
}

Result<Identity> peer_identity(ssl_st* connection) {
  const auto certificate = peer_certificate(connection);
  if (!certificate) return certificate.error();
  return certificate->identity();
}

std::string certificate_refusal(ssl_st* connection) {
  const long verdict = SSL_get_verify_result(connection);
  if (verdict == X509_V_OK) return {};
  if (verdict == not_a_member) {
    return "the certificate is not one of a member of a federation (docs/identity.md)";
  }
  return X509_verify_cert_error_string(verdict);
}

}  // namespace entente::crypto
