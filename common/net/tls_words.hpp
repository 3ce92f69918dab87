// SPDX-License-Identifier: Apache-2.0
//
// What went wrong with a TLS connection, as an Error in words. For tls_stream.cpp; the tests of
// refusals read the words.
#pragma once

#include <boost/system/error_code.hpp>
#include <string_view>

#include "common/base/identity.hpp"
#include "common/base/result.hpp"

struct ssl_st;

namespace entente::net {

struct PeerRule;

// During the handshake: unauthenticated for everything that TLS itself refuses (ours or the
// peer's), else as stream_error.
Error handshake_error(const boost::system::error_code& failure, ssl_st* connection);

// Afterwards: unauthenticated - the peer refused our certificate; closed - everything else.
Error stream_error(std::string_view doing, const boost::system::error_code& failure);

// Errors: unauthenticated - another federation, or a role that the rule does not have.
Result<void> check_peer(const Identity& peer, const PeerRule& expected);

}  // namespace entente::net
