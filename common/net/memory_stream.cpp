// SPDX-License-Identifier: Apache-2.0
#include "common/net/memory_stream.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>

#include "common/base/random.hpp"
#include "common/net/timer.hpp"

namespace entente::net {
namespace {

struct Piece {
  Instant at;
  Bytes bytes;
  std::size_t taken = 0;
};

// What is on its way in one direction.
struct Pipe {
  Pipe(const Executor& executor, MemoryLink properties)
      : link(properties), random(properties.seed), readable(executor), writable(executor) {}

  void wake() {
    readable.cancel();
    writable.cancel();
  }
  // Adds up to bytes.size() bytes as one piece, as many as the window and the cut allow.
  std::size_t put(ByteView bytes) {
    std::size_t size = std::min({bytes.size(), link.piece_max, link.window_bytes - queued});
    if (!link.whole) size = 1 + random.below(size);
    if (link.cut_after_bytes) size = std::min<std::uint64_t>(size, *link.cut_after_bytes - passed);
    if (size == 0) return 0;
    const auto spread = static_cast<std::uint64_t>((link.delay_max - link.delay_min).count());
    const std::chrono::nanoseconds delay =
        link.delay_min + std::chrono::nanoseconds(random.below(spread + 1));
    last = std::max(last + std::chrono::nanoseconds(1), now() + delay);
    pieces.push_back(
        {last, Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size))});
    queued += size;
    passed += size;
    readable.cancel();
    return size;
  }
  bool is_silent() const { return at_cut() && link.silent; }
  bool at_cut() const { return link.cut_after_bytes && passed >= *link.cut_after_bytes; }

  MemoryLink link;
  Random random;
  std::deque<Piece> pieces;
  std::size_t queued = 0;    // bytes in `pieces` not taken
  std::uint64_t passed = 0;  // bytes ever put in
  Instant last{};
  bool ended = false;          // the reader learns that nothing more will come
  bool abandoned = false;      // the writer learns that nobody takes anything out
  bool writer_closed = false;  // each at its own end
  bool reader_closed = false;
  Timer readable;
  Timer writable;
};

struct Link {
  Link(const Executor& executor, MemoryLink there, MemoryLink back)
      : forth(executor, there), reverse(executor, back) {}
  void break_both() {
    forth.ended = reverse.ended = true;
    forth.wake();
    reverse.wake();
  }
  Pipe forth;
  Pipe reverse;
};

Error closed(const char* what) {
  return {Errc::closed, what};
}

// `alive` keeps the pipe.
Async<std::size_t> read_from(std::shared_ptr<Link> alive, Pipe* pipe, std::span<std::byte> into) {
  const std::shared_ptr<Link> link = std::move(alive);
  for (;;) {
    if (pipe->reader_closed) co_return closed("reading: the connection was closed here");
    if (!pipe->pieces.empty() && pipe->pieces.front().at <= now()) {
      Piece& piece = pipe->pieces.front();
      const std::size_t size = std::min(into.size(), piece.bytes.size() - piece.taken);
      std::memcpy(into.data(), piece.bytes.data() + piece.taken, size);
      piece.taken += size;
      if (piece.taken == piece.bytes.size()) pipe->pieces.pop_front();
      pipe->queued -= size;
      pipe->writable.cancel();
      co_return size;
    }
    if (pipe->pieces.empty() && pipe->ended)
      co_return closed("reading: the peer closed the connection");
    pipe->readable.expires_at(pipe->pieces.empty() ? Timer::never : pipe->pieces.front().at);
    const Result<void> woken = co_await pipe->readable.wait();
    const auto stop = co_await asio::this_coro::cancellation_state;
    if (stop.cancelled() != asio::cancellation_type::none) {
      co_return Error{Errc::cancelled, "stopped while reading"};
    }
  }
}

Async<void> write_to(std::shared_ptr<Link> link, Pipe* pipe, std::span<const ByteView> parts) {
  for (ByteView part : parts) {
    while (!part.empty()) {
      if (pipe->writer_closed || pipe->ended || pipe->abandoned) {
        co_return closed("writing: the connection is closed");
      }
      if (pipe->is_silent()) break;
      if (pipe->queued < pipe->link.window_bytes) {
        part = part.subspan(pipe->put(part));
        if (pipe->at_cut() && !pipe->link.silent) link->break_both();
        continue;
      }
      pipe->writable.expires_at(Timer::never);
      const Result<void> woken = co_await pipe->writable.wait();
      const auto stop = co_await asio::this_coro::cancellation_state;
      if (stop.cancelled() != asio::cancellation_type::none) {
        co_return Error{Errc::cancelled, "stopped while writing"};
      }
    }
  }
  co_return ok();
}

class MemoryStream final : public Stream {
 public:
  MemoryStream(std::shared_ptr<Link> link, Pipe* in, Pipe* out, Identity peer, Executor executor)
      : link_(std::move(link)),
        in_(in),
        out_(out),
        peer_(std::move(peer)),
        executor_(std::move(executor)) {}
  ~MemoryStream() override { close(); }
  MemoryStream(const MemoryStream&) = delete;
  MemoryStream& operator=(const MemoryStream&) = delete;

  Async<std::size_t> read_some(std::span<std::byte> into,
                               std::chrono::milliseconds limit) override {
    return with_deadline(limit, read_from(link_, in_, into));
  }
  Async<void> write(std::span<const ByteView> parts, std::chrono::milliseconds limit) override {
    return with_deadline(limit, write_to(link_, out_, parts));
  }
  void finish_writing() override {
    out_->writer_closed = true;
    if (!out_->is_silent()) out_->ended = true;
    out_->wake();
  }
  void close() override {
    finish_writing();
    in_->reader_closed = true;
    if (!out_->is_silent()) in_->abandoned = true;
    in_->wake();
  }
  const Identity& peer() const override { return peer_; }
  ByteView peer_certificate() const override { return {}; }
  Executor executor() const override { return executor_; }

 private:
  std::shared_ptr<Link> link_;
  Pipe* in_;
  Pipe* out_;
  Identity peer_;
  Executor executor_;
};

}  // namespace

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> memory_streams(
    Executor executor, Identity first, Identity second, MemoryLink forth, MemoryLink back) {
  const auto link = std::make_shared<Link>(executor, forth, back);
  auto one = std::make_unique<MemoryStream>(link, &link->reverse, &link->forth, std::move(second),
                                            executor);
  auto other = std::make_unique<MemoryStream>(link, &link->forth, &link->reverse, std::move(first),
                                              executor);
  return {std::move(one), std::move(other)};
}

}  // namespace entente::net
