// SPDX-License-Identifier: Apache-2.0
//
// TLS without a socket: what the network brought goes in, what it is to take comes out. For
// tls_stream.cpp, which moves both with as few system calls and as little memory as it can: many
// records go out at once, and an idle connection holds no buffer.
//
// Threads: one at a time.
#pragma once

#include <boost/system/error_code.hpp>
#include <cstddef>
#include <memory>
#include <span>

#include "common/base/bytes.hpp"
#include "common/crypto/tls.hpp"

namespace entente::net {

class TlsEngine {
 public:
  // `context` from crypto::tls_context.
  TlsEngine(ssl_ctx_st* context, crypto::TlsEnd end);
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;
  ~TlsEngine() = default;

  // What a step came to. `wants_input`: bring more from the network and ask again.
  enum class Step { done, wants_input, failed };

  // --- in: must stay where it is until it is used up or kept
  void bring(ByteView ciphertext) { in_ = ciphertext; }
  // The network brings nothing more.
  void bring_end() { in_ended_ = true; }
  // Copies what is not used up yet, so that its memory may be used for other things.
  void keep_rest();

  // --- out: append-only until taken
  Bytes& out() { return out_; }

  Step shake_hands();
  // As much as there is, up to all of `into`; `bytes` says how much. `done`: at least one byte.
  Step read(std::span<std::byte> into, std::size_t* bytes);
  // All of it, into out(). Never wants input.
  Step write(ByteView plaintext);

  // Why a step failed, of Asio's TLS or miscellaneous category: every later read fails with it,
  // too.
  const boost::system::error_code& failure() const { return failure_; }
  ssl_st* native() const { return connection_.get(); }

 private:
  struct Bridge;
  struct Free {
    void operator()(ssl_st* connection) const;
  };
  Step after(int outcome);

  ByteView in_;
  Bytes kept_;
  bool in_ended_ = false;
  Bytes out_;
  boost::system::error_code failure_;
  std::unique_ptr<ssl_st, Free> connection_;
};

}  // namespace entente::net
