// SPDX-License-Identifier: Apache-2.0
//
// Frames over a stream: messages and bulk bytes, both ways, with deadlines and heartbeats. Either
// side of a session stands on one; what may be said when is the session's affair (client.hpp,
// server.hpp).
//
// One coroutine receives; any number may send, and take turns frame by frame. keep_alive() must run
// as a task of its own. Heartbeats are answered here and never seen outside. Threads: that of the
// stream. The Channel must outlive its coroutines.
//
// After nonsense or silence nothing more can be received, but the peer can still be told why; after
// any other failure of receive, and any of send, the stream is closed and every further call fails.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include "common/base/digest.hpp"
#include "common/net/buffer_pool.hpp"
#include "common/net/permits.hpp"
#include "common/net/stream.hpp"
#include "common/net/timer.hpp"
#include "protocol/frame.hpp"
#include "protocol/limits.hpp"
#include "protocol/messages.hpp"

namespace entente::protocol {

struct DataFrame {
  std::uint8_t stream = 0;
  std::uint64_t offset = 0;
  net::Buffer bytes;  // of the pool: gives it back when destroyed
};
struct StreamEnd {
  std::uint8_t stream = 0;
  std::uint64_t length = 0;
  Digest digest;
};
using Incoming = std::variant<Message, DataFrame, StreamEnd>;

// The waits of a session; tests make them shorter.
struct Timing {
  std::chrono::milliseconds silence_max = protocol::silence_max;
  std::chrono::milliseconds write_max = protocol::write_max;
  std::chrono::milliseconds buffer_max = protocol::buffer_max;
  std::chrono::milliseconds heartbeat_every = protocol::heartbeat_every;
  std::chrono::milliseconds first_frame_max = protocol::first_frame_max;
  std::chrono::milliseconds answer_max = protocol::answer_max;
  std::chrono::milliseconds goodbye_max = protocol::goodbye_max;
};

class Channel {
 public:
  Channel(std::unique_ptr<net::Stream> stream, net::BufferPool pool, Timing timing);

  // The next thing that the peer says. Of a data frame that breaks off, what came of it is given
  // before the error. Errors: malformed - nonsense; timed_out - silence, or no buffer came free;
  // closed; unauthenticated - our certificate was refused; cancelled.
  net::Async<Incoming> receive();
  // The first thing: whole within first_frame_max, and a message only.
  net::Async<Message> receive_first();

  // Reads and drops whatever still comes, until the peer closes: so that a goodbye is not lost in a
  // reset. Call it under a deadline. Errors: cancelled.
  net::Async<void> drain();

  // Each returns when the stream has taken the frame.
  // Errors: invalid_argument - not encodable (nothing was sent, the channel goes on); timed_out -
  // the peer takes nothing; closed; cancelled.
  net::Async<void> send(Message message);
  // `bytes` must stay alive until the return. Precondition: 1 <= bytes.size() <= data_max_bytes.
  net::Async<void> send_data(std::uint8_t stream, std::uint64_t offset, ByteView bytes);
  net::Async<void> send_end(std::uint8_t stream, std::uint64_t length, Digest digest);

  // Answers the peer's heartbeats and sends our own; until the channel fails or the caller is
  // stopped.
  net::Async<void> keep_alive();

  // Nothing more will be sent; the peer reads the end. Precondition: no send is outstanding.
  void finish() { stream_->finish_writing(); }
  void close();
  bool is_open() const { return !closed_; }

  const Identity& peer() const { return stream_->peer(); }
  ByteView peer_certificate() const { return stream_->peer_certificate(); }
  net::Executor executor() const { return stream_->executor(); }
  net::BufferPool& pool() { return pool_; }
  const Timing& timing() const { return timing_; }

 private:
  Error receive_failed(std::string_view doing, const Error& error);
  net::Async<void> read_exactly(std::span<std::byte> into, std::size_t* so_far,
                                std::chrono::milliseconds limit);
  net::Async<FrameHeader> read_header(std::chrono::milliseconds limit);
  net::Async<Incoming> receive_body(FrameHeader header);
  net::Async<Message> receive_message(FrameHeader header, std::chrono::milliseconds limit);
  net::Async<void> send_frame(FrameHeader header, ByteView body);

  std::unique_ptr<net::Stream> stream_;
  net::BufferPool pool_;
  Timing timing_;
  net::Permits writing_;
  net::Timer heartbeat_;
  net::Instant last_sent_;
  std::optional<std::uint64_t> pong_due_;
  std::uint64_t pings_ = 0;
  std::optional<Error> broken_off_;  // what the next receive says
  bool closed_ = false;
};

}  // namespace entente::protocol
