// SPDX-License-Identifier: Apache-2.0
//
// A connection to one known peer, as bytes. Over TLS in production (tls_stream.hpp), in memory in
// simulations and tests (memory_stream.hpp). Frames and messages: protocol/channel.hpp.
//
// At most one read and one write at a time. What can be done at once is done without a wait: a
// deadline's machinery costs more than a small read. Threads: that of the stream's executor alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>

#include "common/base/bytes.hpp"
#include "common/base/identity.hpp"
#include "common/net/async.hpp"

namespace entente::net {

class Stream {
 public:
  virtual ~Stream() = default;

  // At least one byte into `into`, which must stay alive and not be empty; gives how many.
  // Errors: closed - by the peer, by close(), or the connection broke; unauthenticated - the peer
  // refused our certificate (TLS 1.3 says so at the first read); timed_out - nothing came within
  // `limit`; cancelled.
  virtual Async<std::size_t> read_some(std::span<std::byte> into,
                                       std::chrono::milliseconds limit) = 0;

  // All of `parts`, one after another, within `limit`; both the span and what it names must stay
  // alive. Errors: closed; timed_out; cancelled. After an error the stream is lost: nothing may be
  // written any more.
  virtual Async<void> write(std::span<const ByteView> parts, std::chrono::milliseconds limit) = 0;

  // Nothing more will be written: the peer reads the end after what was written. Reading goes on.
  // Precondition: no write is outstanding.
  virtual void finish_writing() = 0;

  // Ends both directions at once; whoever waits hears Errc::closed. May be called at any time, and
  // again.
  virtual void close() = 0;

  // Who the peer is, as its certificate says.
  virtual const Identity& peer() const = 0;
  // Its leaf certificate, DER. Empty in memory streams that were given none.
  virtual ByteView peer_certificate() const = 0;

  virtual Executor executor() const = 0;
};

}  // namespace entente::net
