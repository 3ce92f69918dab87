// SPDX-License-Identifier: Apache-2.0
#include "protocol/transfer.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/assert.hpp"

namespace entente::protocol {

using net::Async;

Async<bool> send_file(Channel* channel, Outgoing what, std::shared_ptr<const bool> stopped) {
  std::uint64_t offset = what.offset;
  while (offset < what.size_bytes) {
    if (*stopped) co_return false;
    Result<net::Buffer> buffer = co_await channel->pool().take(channel->timing().buffer_max);
    if (!buffer) co_return in_context("waiting for a buffer", buffer.error());
    const std::uint64_t left = what.size_bytes - offset;
    buffer->resize(static_cast<std::size_t>(
        std::min<std::uint64_t>({left, buffer->capacity(), data_max_bytes})));
    if (const auto read = what.file.read_at(offset, buffer->bytes()); !read) {
      co_return Error{Errc::io, "reading what is sent: " + read.error().detail};
    }
    const Result<void> sent = co_await channel->send_data(what.stream, offset, buffer->view());
    if (!sent) co_return sent.error();
    offset += buffer->view().size();
  }
  co_return !*stopped;
}

std::filesystem::path part_path(const std::filesystem::path& path) {
  std::filesystem::path part = path;
  part += ".part";
  return part;
}

Async<Receiver> Receiver::open(Expected what, net::BufferPool pool) {
  Result<File> part = File::open(part_path(what.path), File::Mode::write);
  if (!part) co_return part.error();
  const Result<std::uint64_t> size = part->size_bytes();
  if (!size) co_return size.error();
  Receiver receiver(std::move(what), std::move(*part));
  if (*size > receiver.what_.size_max_bytes) {
    if (const auto cut = receiver.part_.truncate(0); !cut) co_return cut.error();
    co_return receiver;
  }
  const Result<void> read = co_await receiver.read_part(std::move(pool), *size);
  if (!read) co_return read.error();
  co_return receiver;
}

Async<void> Receiver::read_part(net::BufferPool pool, std::uint64_t size_bytes) {
  while (position_ < size_bytes) {
    Result<net::Buffer> buffer = co_await pool.take(protocol::buffer_max);
    if (!buffer) co_return in_context("waiting for a buffer", buffer.error());
    buffer->resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(size_bytes - position_, buffer->capacity())));
    if (const auto read = part_.read_at(position_, buffer->bytes()); !read) {
      co_return Error{Errc::io, "reading an earlier part: " + read.error().detail};
    }
    if (const auto fine = digest_and_inspect(buffer->view()); !fine) co_return fine.error();
    *buffer = net::Buffer();
    const Result<void> turn = co_await net::yield();
    if (!turn) co_return turn.error();
  }
  co_return ok();
}

Result<void> Receiver::digest_and_inspect(ByteView bytes) {
  if (what_.inspect) {
    if (auto fine = what_.inspect(bytes); !fine) {
      discard();
      return fine.error();
    }
  }
  hash_.update(bytes);
  position_ += bytes.size();
  return ok();
}

Result<void> Receiver::announce(std::uint64_t size_bytes) {
  if (size_bytes > what_.size_max_bytes) {
    return Error{Errc::malformed, "expected at most " + std::to_string(what_.size_max_bytes) +
                                      " bytes, saw " + std::to_string(size_bytes) + " announced"};
  }
  what_.size_max_bytes = size_bytes;
  if (position_ <= size_bytes) return ok();
  ENTENTE_ASSERT(!what_.inspect, "an inspected file is opened with its exact size");
  hash_ = crypto::Sha256();
  position_ = 0;
  return part_.truncate(0);
}

Result<void> Receiver::accept(std::uint64_t offset, ByteView bytes) {
  if (offset != position_) {
    return Error{Errc::malformed, "data: expected offset " + std::to_string(position_) + ", saw " +
                                      std::to_string(offset)};
  }
  if (bytes.size() > what_.size_max_bytes - position_) {
    return Error{Errc::malformed, "data: expected " + std::to_string(what_.size_max_bytes) +
                                      " bytes as announced, saw more"};
  }
  if (auto written = part_.write_at(position_, bytes); !written) {
    // Half a piece would be hashed twice by who resumes. When even this fails, a wrong digest will
    // say so.
    static_cast<void>(part_.truncate(position_));
    return written.error();
  }
  return digest_and_inspect(bytes);
}

Result<Received> Receiver::finish(std::uint64_t length, const Digest& digest) {
  if (length != what_.size_max_bytes || length != position_) {
    discard();
    return Error{Errc::malformed, "end of stream: expected " +
                                      std::to_string(what_.size_max_bytes) +
                                      " bytes as announced, received " + std::to_string(position_) +
                                      ", saw a length of " + std::to_string(length)};
  }
  const Digest seen = hash_.finish();
  if (seen != what_.digest || digest != what_.digest) {
    discard();
    return Error{Errc::corrupt, "expected the digest " + what_.digest.hex() +
                                    ", received bytes of " + seen.hex() + " announced as " +
                                    digest.hex()};
  }
  if (what_.durability == Durability::durable) {
    if (auto synced = part_.sync(); !synced) return synced.error();
  }
  if (auto renamed = rename_file(part_.path(), what_.path, what_.durability); !renamed) {
    return renamed.error();
  }
  return Received{what_.path, length, seen};
}

void Receiver::discard() {
  // A part that cannot be removed is emptied; failing that too, its digest will be wrong the next
  // time.
  if (!remove_file(part_.path())) static_cast<void>(part_.truncate(0));
}

}  // namespace entente::protocol
