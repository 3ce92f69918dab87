// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/tls.hpp"

#include <boost/test/unit_test.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/crypto/openssl.hpp"
#include "tests/common/crypto/federation.hpp"

namespace entente::crypto {

using testing::Federation;
using testing::must;
using testing::year;

namespace {

enum class Progress { open, waiting, failed };

// A client and a server joined in memory, driven until neither gets any further.
struct Handshake {
  OwnedSsl client;
  OwnedSsl server;
  Progress client_end = Progress::waiting;
  Progress server_end = Progress::waiting;

  Handshake(SSL_CTX* client_context, SSL_CTX* server_context)
      : client(SSL_new(client_context)), server(SSL_new(server_context)) {
    BIO* near = nullptr;
    BIO* far = nullptr;
    BOOST_REQUIRE(BIO_new_bio_pair(&near, 64 * 1024, &far, 64 * 1024) == 1);
    SSL_set_bio(client.get(), near, near);
    SSL_set_bio(server.get(), far, far);
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
    for (int turn = 0; turn < 16; ++turn) {
      client_end = step(client.get(), client_end);
      server_end = step(server.get(), server_end);
    }
    // Under TLS 1.3 a client learns of its refusal with its first read.
    if (client_end == Progress::open && server_end == Progress::failed) {
      char byte = 0;
      if (SSL_read(client.get(), &byte, 1) <= 0) client_end = Progress::failed;
    }
    openssl_reason();
  }
  Handshake(const std::shared_ptr<SSL_CTX>& client_context,
            const std::shared_ptr<SSL_CTX>& server_context)
      : Handshake(client_context.get(), server_context.get()) {}

  static Progress step(SSL* end, Progress before) {
    if (before != Progress::waiting) return before;
    const int done = SSL_do_handshake(end);
    if (done == 1) return Progress::open;
    const int reason = SSL_get_error(end, done);
    return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE ? Progress::waiting
                                                                           : Progress::failed;
  }
  bool open() const { return client_end == Progress::open && server_end == Progress::open; }
};

std::shared_ptr<SSL_CTX> server_of(const Credentials& who) {
  return must(tls_context(TlsEnd::server, who));
}
std::shared_ptr<SSL_CTX> client_of(const Credentials& who) {
  return must(tls_context(TlsEnd::client, who));
}

// The federation of these tests, with one server and one client that are as they should be.
struct Pair {
  Federation hospitals;
  Credentials coordinator = hospitals.credentials(Role::coordinator, "main");
  Credentials participant = hospitals.credentials(Role::participant, "charite");
};

}  // namespace

BOOST_AUTO_TEST_SUITE(tls)

BOOST_AUTO_TEST_CASE(both_ends_learn_who_the_other_is) {
  for (const KeyKind kind : {KeyKind::ecdsa_p256, KeyKind::ed25519}) {
    const Federation hospitals;
    const auto coordinator =
        hospitals.credentials(Role::coordinator, "main", testing::century, kind);
    const auto participant =
        hospitals.credentials(Role::participant, "charite", testing::century, kind);
    const Handshake shake(client_of(participant), server_of(coordinator));
    BOOST_REQUIRE(shake.open());
    BOOST_TEST((must(peer_identity(shake.server.get())) == participant.identity));
    BOOST_TEST((must(peer_identity(shake.client.get())) == coordinator.identity));
    BOOST_TEST((must(peer_certificate(shake.server.get())).der() == participant.chain[0].der()));
    BOOST_TEST(certificate_refusal(shake.server.get()).empty());
  }
}

BOOST_AUTO_TEST_CASE(the_connection_is_tls_1_3_with_aes_256_and_nothing_to_resume) {
  const Pair pair;
  const Handshake shake(client_of(pair.participant), server_of(pair.coordinator));
  BOOST_REQUIRE(shake.open());
  BOOST_TEST(SSL_version(shake.client.get()) == TLS1_3_VERSION);
  BOOST_TEST(SSL_get_cipher_name(shake.client.get()) == std::string("TLS_AES_256_GCM_SHA384"));
  BOOST_TEST(SSL_get_negotiated_group(shake.client.get()) == NID_X25519);
  char byte = 0;
  BOOST_TEST(SSL_read(shake.client.get(), &byte, 1) <= 0);  // would take a ticket, if one had come
  BOOST_TEST(SSL_SESSION_is_resumable(SSL_get0_session(shake.client.get())) == 0);
  openssl_reason();
}

BOOST_AUTO_TEST_CASE(a_client_without_a_certificate_is_refused) {
  const Pair pair;
  const OwnedSslContext bare(SSL_CTX_new(TLS_client_method()));
  const auto protocol = "\x09" + std::string(alpn_protocol);
  SSL_CTX_set_alpn_protos(bare.get(), octets(as_bytes(protocol)),
                          static_cast<unsigned>(protocol.size()));
  const Handshake shake(bare.get(), server_of(pair.coordinator).get());
  BOOST_TEST((shake.server_end == Progress::failed));
  BOOST_TEST((shake.client_end == Progress::failed));
  BOOST_TEST(!peer_identity(shake.server.get()).has_value());
}

BOOST_AUTO_TEST_CASE(a_peer_of_tls_1_2_is_refused) {
  const Pair pair;
  const auto older_client = client_of(pair.participant);
  SSL_CTX_set_min_proto_version(older_client.get(), TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(older_client.get(), TLS1_2_VERSION);
  const Handshake up(older_client, server_of(pair.coordinator));
  BOOST_TEST((up.server_end == Progress::failed));

  const auto older_server = server_of(pair.coordinator);
  SSL_CTX_set_min_proto_version(older_server.get(), TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(older_server.get(), TLS1_2_VERSION);
  const Handshake down(client_of(pair.participant), older_server);
  BOOST_TEST((down.client_end == Progress::failed));
}

BOOST_AUTO_TEST_CASE(a_client_of_another_protocol_or_of_none_is_refused) {
  const Pair pair;
  for (const std::string protocols : {"", "\x02h2",
                                      "\x09"
                                      "entente/2",
                                      "\x0a"
                                      "entente/10"}) {
    const auto client = client_of(pair.participant);
    SSL_CTX_set_alpn_protos(client.get(), octets(as_bytes(protocols)),
                            static_cast<unsigned>(protocols.size()));
    const Handshake shake(client, server_of(pair.coordinator));
    BOOST_TEST((shake.server_end == Progress::failed));
    BOOST_TEST((shake.client_end == Progress::failed));
  }
  const auto several = client_of(pair.participant);
  const std::string protocols =
      "\x02h2\x09"
      "entente/1";
  SSL_CTX_set_alpn_protos(several.get(), octets(as_bytes(protocols)),
                          static_cast<unsigned>(protocols.size()));
  BOOST_TEST(Handshake(several, server_of(pair.coordinator)).open());
}

BOOST_AUTO_TEST_CASE(a_server_that_chooses_no_protocol_has_no_identity) {
  const Pair pair;
  const auto server = server_of(pair.coordinator);
  SSL_CTX_set_alpn_select_cb(server.get(), nullptr, nullptr);
  const Handshake shake(client_of(pair.participant), server);
  BOOST_REQUIRE(shake.open());
  BOOST_TEST(!peer_identity(shake.client.get()).has_value());
  BOOST_TEST(!peer_certificate(shake.client.get()).has_value());
}

BOOST_AUTO_TEST_CASE(a_certificate_of_another_authority_is_refused_on_either_side) {
  const Pair ours;
  const Pair theirs;
  const Handshake up(client_of(theirs.participant), server_of(ours.coordinator));
  BOOST_TEST((up.client_end == Progress::failed));  // it does not trust our server either
  Credentials stranger = theirs.participant;
  stranger.authorities = ours.hospitals.authorities();
  const Handshake trusting(client_of(stranger), server_of(ours.coordinator));
  BOOST_TEST((trusting.server_end == Progress::failed));
  BOOST_TEST(!certificate_refusal(trusting.server.get()).empty());
}

BOOST_AUTO_TEST_CASE(a_certificate_out_of_its_time_is_refused) {
  const Pair pair;
  for (const auto& [validity, words] :
       {std::pair(Validity{year(2000), year(2001)}, std::string("certificate has expired")),
        std::pair(Validity{year(2098), year(2099)}, std::string("certificate is not yet valid"))}) {
    const auto late = pair.hospitals.credentials(Role::participant, "late", validity);
    const Handshake up(client_of(late), server_of(pair.coordinator));
    BOOST_TEST((up.server_end == Progress::failed));
    BOOST_TEST(certificate_refusal(up.server.get()) == words);
    const auto late_server = pair.hospitals.credentials(Role::coordinator, "late", validity);
    const Handshake down(client_of(pair.participant), server_of(late_server));
    BOOST_TEST((down.client_end == Progress::failed));
    BOOST_TEST(certificate_refusal(down.client.get()) == words);
  }
}

BOOST_AUTO_TEST_CASE(a_certificate_that_speaks_for_nobody_is_refused_in_the_handshake) {
  const Pair pair;
  using Spoil = std::function<void(CertificateText&)>;
  const std::vector<Spoil> spoilt = {
      [](auto& text) { text.uris.push_back("spiffe://hospitals.example/operator/x"); },
      [](auto& text) { text.uris.clear(); },
      [](auto& text) { text.uris = {"spiffe://hospitals.example/ledger"}; },
      [](auto& text) { text.extended_usage = "clientAuth"; },
      [](auto& text) { text.usage = "critical,digitalSignature,keyCertSign"; },
      [](auto& text) {
        text.is_authority = true;
        text.usage = "critical,digitalSignature,keyCertSign";
      },
  };
  for (const auto& spoil : spoilt) {
    auto text = pair.hospitals.text("x");
    spoil(text);
    const auto bad = pair.hospitals.credentials(text);
    const Handshake up(client_of(bad), server_of(pair.coordinator));
    BOOST_TEST((up.server_end == Progress::failed));
    BOOST_TEST(!certificate_refusal(up.server.get()).empty());
    const Handshake down(client_of(pair.participant), server_of(bad));
    BOOST_TEST((down.client_end == Progress::failed));
  }
}

// Who trusts two federations' roots must still tell their members apart: that is for the caller, by
// the identity.
BOOST_AUTO_TEST_CASE(the_identity_names_the_federation_for_the_caller_to_compare) {
  const Federation hospitals;
  const Federation banks("banks.example");
  auto coordinator = hospitals.credentials(Role::coordinator, "main");
  for (const auto& one : banks.authorities()) coordinator.authorities.push_back(one);
  auto stranger = banks.credentials(Role::participant, "teller");
  stranger.authorities = hospitals.authorities();
  const Handshake shake(client_of(stranger), server_of(coordinator));
  BOOST_REQUIRE(shake.open());
  BOOST_TEST(must(peer_identity(shake.server.get())).federation == "banks.example");
}

BOOST_AUTO_TEST_CASE(nobody_is_known_before_the_handshake_is_complete) {
  const Pair pair;
  const auto context = server_of(pair.coordinator);
  const OwnedSsl fresh(SSL_new(context.get()));
  const auto identity = peer_identity(fresh.get());
  BOOST_REQUIRE(!identity.has_value());
  BOOST_TEST((identity.error().code == Errc::unauthenticated));
}

BOOST_AUTO_TEST_CASE(a_context_is_refused_without_a_root_or_with_the_wrong_key) {
  const Pair pair;
  Credentials rootless = pair.participant;
  rootless.authorities = {pair.hospitals.issuing.certificate};
  Credentials mixed = pair.participant;
  mixed.key = pair.coordinator.key;
  Credentials bare = pair.participant;
  bare.chain.clear();
  for (const auto& bad : {rootless, mixed, bare}) {
    const auto context = tls_context(TlsEnd::client, bad);
    BOOST_REQUIRE(!context.has_value());
    BOOST_TEST((context.error().code == Errc::invalid_argument), context.error().detail);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::crypto
