// SPDX-License-Identifier: Apache-2.0
#include "common/net/tls_words.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <string>

#include "common/crypto/tls.hpp"
#include "common/net/tls_stream.hpp"

namespace entente::net {
namespace {

// The alert that the peer sent (RFC 8446, 6), or -1: OpenSSL keeps alerts as reasons from 1000 on.
int alert_of(const boost::system::error_code& failure) {
  if (failure.category() != boost::asio::error::get_ssl_category()) return -1;
  const int reason =
      ERR_GET_REASON(static_cast<unsigned long>(static_cast<unsigned>(failure.value())));
  return reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256
             ? reason - SSL_AD_REASON_OFFSET
             : -1;
}

int reason_of(const boost::system::error_code& failure) {
  if (failure.category() != boost::asio::error::get_ssl_category()) return -1;
  return ERR_GET_REASON(static_cast<unsigned long>(static_cast<unsigned>(failure.value())));
}

// What an alert says about us; empty for those that do not speak of certificates and protocols.
std::string_view words_for_alert(int alert) {
  switch (alert) {
    case SSL_AD_HANDSHAKE_FAILURE:
      return "no common cipher, group or signature (TLS 1.3 is required)";
    case SSL_AD_BAD_CERTIFICATE:
      return "our certificate is bad";
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
      return "our certificate is of the wrong kind";
    case SSL_AD_CERTIFICATE_REVOKED:
      return "our certificate was revoked";
    case SSL_AD_CERTIFICATE_EXPIRED:
      return "our certificate has expired or is not valid yet";
    case SSL_AD_CERTIFICATE_UNKNOWN:
      return "our certificate was not accepted";
    case SSL_AD_UNKNOWN_CA:
      return "our certificate is from an unknown CA";
    case SSL_AD_ACCESS_DENIED:
      return "access denied";
    case SSL_AD_PROTOCOL_VERSION:
      return "the TLS version (1.3 is required)";
    case SSL_AD_CERTIFICATE_REQUIRED:
      return "we showed no certificate";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
      return "the application protocol (entente/1 is required)";
    default:
      return {};
  }
}

// What we ourselves refused, for OpenSSL's most frequent reasons.
std::string own_words(const boost::system::error_code& failure) {
  switch (reason_of(failure)) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "the peer showed no certificate";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_WRONG_SSL_VERSION:
      return "the peer does not speak TLS 1.3";
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return "the peer does not speak entente/1";
    case SSL_R_HTTP_REQUEST:
      return "the peer speaks HTTP";
    default:
      return "TLS: " + failure.message();
  }
}

}  // namespace

Error stream_error(std::string_view doing, const boost::system::error_code& failure) {
  if (const std::string_view words = words_for_alert(alert_of(failure)); !words.empty()) {
    return {Errc::unauthenticated, "the peer refused the connection: " + std::string(words)};
  }
  const std::string context(doing);
  if (failure == boost::asio::error::eof || failure == boost::asio::ssl::error::stream_truncated) {
    return {Errc::closed, context + ": the peer closed the connection"};
  }
  if (failure == boost::asio::error::operation_aborted ||
      failure == boost::asio::error::bad_descriptor) {
    return {Errc::closed, context + ": the connection was closed here"};
  }
  return {Errc::closed, context + ": " + failure.message()};
}

Error handshake_error(const boost::system::error_code& failure, ssl_st* connection) {
  constexpr std::string_view doing = "TLS handshake";
  if (failure.category() != boost::asio::error::get_ssl_category())
    return stream_error(doing, failure);
  const std::string refusal = crypto::certificate_refusal(connection);
  if (!refusal.empty())
    return {Errc::unauthenticated, "TLS handshake: the peer's certificate: " + refusal};
  if (alert_of(failure) >= 0) {
    const Error told = stream_error(doing, failure);
    return {Errc::unauthenticated, "TLS handshake: " + told.detail};
  }
  return {Errc::unauthenticated, "TLS handshake: " + own_words(failure)};
}

Result<void> check_peer(const Identity& peer, const PeerRule& expected) {
  if (peer.federation != expected.federation) {
    return Error{Errc::unauthenticated,
                 "expected a member of " + expected.federation + ", saw " + peer.uri()};
  }
  if (std::find(expected.roles.begin(), expected.roles.end(), peer.role) == expected.roles.end()) {
    std::string roles;
    for (const Role role : expected.roles) {
      roles += (roles.empty() ? "" : " or ") + std::string(to_string(role));
    }
    return Error{Errc::unauthenticated, "expected the role " + roles + ", saw " + peer.uri()};
  }
  return ok();
}

}  // namespace entente::net
