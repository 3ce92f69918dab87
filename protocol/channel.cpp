// SPDX-License-Identifier: Apache-2.0
#include "protocol/channel.hpp"

#include <array>
#include <utility>

#include "common/base/assert.hpp"
#include "protocol/codec.hpp"

namespace entente::protocol {

using net::Async;

Channel::Channel(std::unique_ptr<net::Stream> stream, net::BufferPool pool, Timing timing)
    : stream_(std::move(stream)),
      pool_(std::move(pool)),
      timing_(timing),
      writing_(stream_->executor(), 1),
      heartbeat_(stream_->executor()),
      last_sent_(net::now()) {}

void Channel::close() {
  closed_ = true;
  stream_->close();
  heartbeat_.cancel();
}

// All of it within `limit`, however many pieces it comes in.
Async<void> Channel::read_exactly(std::span<std::byte> into, std::size_t* so_far,
                                  std::chrono::milliseconds limit) {
  const net::Instant end = net::now() + limit;
  std::chrono::milliseconds left = limit;
  while (*so_far < into.size() && left.count() > 0) {
    const std::span<std::byte> rest = into.subspan(*so_far);
    const Result<std::size_t> bytes = co_await stream_->read_some(rest, left);
    if (!bytes && bytes.error().code != Errc::timed_out) co_return bytes.error();
    if (bytes) *so_far += *bytes;
    left = std::chrono::ceil<std::chrono::milliseconds>(end - net::now());
  }
  if (*so_far == into.size()) co_return ok();
  co_return Error{Errc::timed_out, "no answer within " + std::to_string(limit.count()) + " ms"};
}

Async<FrameHeader> Channel::read_header(std::chrono::milliseconds limit) {
  std::array<std::byte, frame_header_bytes> bytes{};
  std::size_t got = 0;
  const Result<void> read = co_await read_exactly(bytes, &got, limit);
  if (!read) co_return read.error();
  co_return decode_frame_header(bytes);
}

Async<Message> Channel::receive_message(FrameHeader header, std::chrono::milliseconds limit) {
  Bytes body(header.size_bytes);
  std::size_t got = 0;
  const Result<void> read = co_await read_exactly(body, &got, limit);
  if (!read) co_return read.error();
  co_return decode(body);
}

Async<Incoming> Channel::receive_body(FrameHeader header) {
  std::size_t got = 0;
  if (header.type == FrameType::control) {
    Result<Message> message = co_await receive_message(header, timing_.silence_max);
    if (!message) co_return message.error();
    co_return Incoming(std::move(*message));
  }
  if (header.type == FrameType::end) {
    StreamEnd end;
    end.stream = header.stream;
    end.length = header.offset;
    const Result<void> read = co_await read_exactly(end.digest.bytes, &got, timing_.silence_max);
    if (!read) co_return read.error();
    co_return Incoming(end);
  }
  Result<net::Buffer> buffer = co_await pool_.take(timing_.buffer_max);
  if (!buffer) co_return in_context("waiting for a buffer", buffer.error());
  DataFrame data;
  data.stream = header.stream;
  data.offset = header.offset;
  data.bytes = std::move(*buffer);
  data.bytes.resize(header.size_bytes);
  const std::span<std::byte> body = data.bytes.bytes();
  const Result<void> read = co_await read_exactly(body, &got, timing_.silence_max);
  if (!read && got == 0) co_return read.error();
  if (!read) broken_off_ = read.error();
  data.bytes.resize(got);
  co_return Incoming(std::move(data));
}

// What cannot be understood does not keep us from saying so.
Error Channel::receive_failed(std::string_view doing, const Error& error) {
  if (error.code != Errc::malformed && error.code != Errc::timed_out) close();
  return in_context(doing, error);
}

Async<void> Channel::drain() {
  std::array<std::byte, 4096> scrap;
  while (!closed_) {
    const Result<std::size_t> bytes = co_await stream_->read_some(scrap, timing_.silence_max);
    if (!bytes && bytes.error().code == Errc::cancelled) co_return bytes.error();
    if (!bytes) co_return ok();
  }
  co_return ok();
}

Async<Incoming> Channel::receive() {
  for (;;) {
    if (broken_off_) co_return receive_failed("receiving", *broken_off_);
    const Result<FrameHeader> header = co_await read_header(timing_.silence_max);
    if (!header) co_return receive_failed("receiving", header.error());
    Result<Incoming> incoming = co_await receive_body(*header);
    if (!incoming) co_return receive_failed("receiving", incoming.error());
    if (const Message* message = std::get_if<Message>(&*incoming)) {
      if (const Ping* ping = std::get_if<Ping>(message)) {
        pong_due_ = ping->nonce;  // of several, the last is answered
        heartbeat_.cancel();
        continue;
      }
      if (std::holds_alternative<Pong>(*message)) continue;
    }
    co_return std::move(*incoming);
  }
}

Async<Message> Channel::receive_first() {
  const net::Instant end = net::now() + timing_.first_frame_max;
  Result<FrameHeader> header = co_await read_header(timing_.first_frame_max);
  if (header && header->type != FrameType::control) {
    header = Error{Errc::malformed, "expected a message first, saw bulk data"};
  }
  if (!header) co_return receive_failed("receiving the first frame", header.error());
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - net::now());
  Result<Message> message = co_await receive_message(*header, left);
  if (!message) co_return receive_failed("receiving the first frame", message.error());
  co_return std::move(*message);
}

Async<void> Channel::send_frame(FrameHeader header, ByteView body) {
  const Result<net::Permit> turn = co_await writing_.take();
  if (!turn) co_return turn.error();
  if (closed_) co_return Error{Errc::closed, "sending: the connection is closed"};
  const std::array<std::byte, frame_header_bytes> head = encode_frame_header(header);
  const std::array<ByteView, 2> parts{ByteView(head), body};
  const Result<void> written = co_await stream_->write(parts, timing_.write_max);
  last_sent_ = net::now();
  if (written) co_return ok();
  close();  // a frame cut short: the stream has lost its place
  co_return in_context("sending", written.error());
}

Async<void> Channel::send(Message message) {
  const Result<Bytes> body = encode(message);
  if (!body) co_return body.error();
  FrameHeader header;
  header.size_bytes = static_cast<std::uint32_t>(body->size());
  co_return co_await send_frame(header, *body);
}

Async<void> Channel::send_data(std::uint8_t stream, std::uint64_t offset, ByteView bytes) {
  ENTENTE_ASSERT(!bytes.empty() && bytes.size() <= data_max_bytes, "a data frame within its limit");
  FrameHeader header;
  header.size_bytes = static_cast<std::uint32_t>(bytes.size());
  header.type = FrameType::data;
  header.stream = stream;
  header.offset = offset;
  co_return co_await send_frame(header, bytes);
}

Async<void> Channel::send_end(std::uint8_t stream, std::uint64_t length, Digest digest) {
  FrameHeader header;
  header.size_bytes = Digest::size_bytes;
  header.type = FrameType::end;
  header.stream = stream;
  header.offset = length;
  co_return co_await send_frame(header, digest.bytes);
}

Async<void> Channel::keep_alive() {
  while (!closed_) {
    Message message;
    if (pong_due_) {
      message = Pong{*std::exchange(pong_due_, std::nullopt)};
    } else if (net::now() - last_sent_ >= timing_.heartbeat_every) {
      message = Ping{++pings_};
    } else {
      heartbeat_.expires_at(last_sent_ + timing_.heartbeat_every);
      const Result<void> waited = co_await heartbeat_.wait();
      const auto stop = co_await net::asio::this_coro::cancellation_state;
      if (stop.cancelled() != net::asio::cancellation_type::none) co_return waited.error();
      continue;
    }
    const Result<void> sent = co_await send(std::move(message));
    if (!sent) co_return sent.error();
  }
  co_return ok();
}

}  // namespace entente::protocol
