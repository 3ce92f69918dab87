// SPDX-License-Identifier: Apache-2.0
//
// The bounded pool that all bulk bytes of one I/O thread pass through: no buffer, no read. Buffers
// are given out in the order in which they were asked for and come back when they are destroyed;
// their memory is kept for the next. Threads: one (that of `executor`).
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/net/async.hpp"
#include "common/net/permits.hpp"

namespace entente::net {

// Move-only. Its first size() bytes are what it holds.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  std::size_t capacity() const { return memory_.size(); }
  // Precondition: bytes <= capacity().
  void resize(std::size_t bytes);
  std::span<std::byte> bytes() { return std::span(memory_).first(size_); }
  ByteView view() const { return std::span(memory_).first(size_); }

 private:
  friend class BufferPool;
  struct Shelf;
  void give_back();
  std::shared_ptr<Shelf> shelf_;
  std::vector<std::byte> memory_;
  std::size_t size_ = 0;
  Permit permit_;
};

class BufferPool {
 public:
  // At most `count` buffers of `buffer_bytes` each; memory is taken when first needed.
  BufferPool(Executor executor, std::size_t count,
             std::size_t buffer_bytes = std::size_t{256} << 10U);
  // A buffer of size 0. Errors: timed_out - none came free within `limit`; cancelled - the caller
  // is being stopped.
  Async<Buffer> take(std::chrono::milliseconds limit) { return take_from(shelf_, limit); }
  std::size_t free() const;

 private:
  static Async<Buffer> take_from(std::shared_ptr<Buffer::Shelf> shelf,
                                 std::chrono::milliseconds limit);
  std::shared_ptr<Buffer::Shelf> shelf_;
};

}  // namespace entente::net
