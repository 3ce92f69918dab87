// SPDX-License-Identifier: Apache-2.0
//
// Files as data frames: sent from any byte on, received into `PATH.part` until they are whole and
// their digest is right. Sizes are 64-bit, memory is one buffer of the pool; each byte is hashed
// once, by the receiver.
//
// The resume state is the .part file itself: what is in it was received in order, and is hashed
// again before more is added. Threads: that of the channel.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "common/base/file.hpp"
#include "common/crypto/hash.hpp"
#include "protocol/channel.hpp"

namespace entente::protocol {

// Looks at the bytes of an incoming file, in order, in pieces of any size, those of an earlier part
// included. An error ends the transfer and discards the part.
using Inspection = std::function<Result<void>(ByteView bytes)>;

// What to send: `size_bytes` is that of the whole file.
struct Outgoing {
  Outgoing(File opened, std::uint8_t stream_number, std::uint64_t first_byte, std::uint64_t size)
      : file(std::move(opened)), stream(stream_number), offset(first_byte), size_bytes(size) {}
  File file;
  std::uint8_t stream;
  std::uint64_t offset;
  std::uint64_t size_bytes;
};

// Sends what is left as data frames; the end (Channel::send_end) is the caller's. Looks at
// `*stopped` before each frame: gives whether all was sent. `channel` must outlive the call.
// Errors: those of Channel::send_data; io - the file cannot be read or became shorter (the channel
// goes on).
net::Async<bool> send_file(Channel* channel, Outgoing what, std::shared_ptr<const bool> stopped);

struct Expected {
  Expected(std::filesystem::path destination, Digest of_whole, std::uint64_t size_most)
      : path(std::move(destination)), digest(of_whole), size_max_bytes(size_most) {}
  std::filesystem::path path;    // where the whole file goes
  Digest digest;                 // what it must be
  std::uint64_t size_max_bytes;  // more is refused
  Inspection inspect;            // may be empty
  Durability durability = Durability::cached;
};

struct Received {
  std::filesystem::path path;
  std::uint64_t size_bytes = 0;
  Digest digest;
};

// Receives one file. Move-only.
class Receiver {
 public:
  // Goes on with the part that is there, if any (read and hashed again; gives other coroutines
  // their turns meanwhile). Errors: io; what the inspection says of the part (which is discarded
  // then); cancelled.
  static net::Async<Receiver> open(Expected what, net::BufferPool pool);

  // Bytes that are there already: where the sender shall go on.
  std::uint64_t position() const { return position_; }
  // The sender said how much the whole is; a longer part is discarded (which an inspection would
  // not understand: with one, open with the exact size). Errors: malformed - more than
  // size_max_bytes; io.
  Result<void> announce(std::uint64_t size_bytes);
  // The next bytes.
  // Errors: malformed - not the next ones, or more than was announced: the sender talks nonsense;
  // io - the disk (full?): what was there before stays; what the inspection says: the part is
  // discarded.
  Result<void> accept(std::uint64_t offset, ByteView bytes);
  // The end: checks length and digest, puts the file in its place.
  // Errors: malformed - the length is not what was announced or received; corrupt - the digest is
  // not the expected one; both discard the part; io.
  Result<Received> finish(std::uint64_t length, const Digest& digest);
  // Removes the part.
  void discard();

 private:
  Receiver(Expected what, File part) : what_(std::move(what)), part_(std::move(part)) {}
  net::Async<void> read_part(net::BufferPool pool, std::uint64_t size_bytes);
  Result<void> digest_and_inspect(ByteView bytes);

  Expected what_;
  File part_;
  crypto::Sha256 hash_;
  std::uint64_t position_ = 0;
};

// "PATH.part"
std::filesystem::path part_path(const std::filesystem::path& path);

}  // namespace entente::protocol
