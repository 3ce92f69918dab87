// SPDX-License-Identifier: Apache-2.0
#include "common/net/buffer_pool.hpp"

#include <utility>

#include "common/base/assert.hpp"

namespace entente::net {

struct Buffer::Shelf {
  Shelf(Executor executor, std::size_t count, std::size_t size)
      : permits(std::move(executor), count), buffer_bytes(size) {}
  Permits permits;
  std::size_t buffer_bytes;
  std::vector<std::vector<std::byte>> idle;
};

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  shelf_ = std::move(other.shelf_);
  memory_ = std::move(other.memory_);
  size_ = std::exchange(other.size_, 0);
  permit_ = std::move(other.permit_);
  return *this;
}

Buffer::~Buffer() {
  give_back();
}

void Buffer::give_back() {
  if (!shelf_) return;
  shelf_->idle.push_back(std::move(memory_));
  shelf_.reset();
  permit_.give_back();
}

void Buffer::resize(std::size_t bytes) {
  ENTENTE_ASSERT(bytes <= memory_.size(), "a buffer does not grow");
  size_ = bytes;
}

BufferPool::BufferPool(Executor executor, std::size_t count, std::size_t buffer_bytes)
    : shelf_(std::make_shared<Buffer::Shelf>(std::move(executor), count, buffer_bytes)) {}

std::size_t BufferPool::free() const {
  return shelf_->permits.free();
}

Async<Buffer> BufferPool::take_from(std::shared_ptr<Buffer::Shelf> shelf,
                                    std::chrono::milliseconds limit) {
  Async<Permit> taking = shelf->permits.take();
  if (shelf->permits.free() == 0) taking = with_deadline(limit, std::move(taking));
  Result<Permit> permit = co_await std::move(taking);
  if (!permit) co_return permit.error();
  Buffer buffer;
  buffer.permit_ = std::move(*permit);
  buffer.shelf_ = shelf;
  if (shelf->idle.empty()) {
    buffer.memory_.resize(shelf->buffer_bytes);
  } else {
    buffer.memory_ = std::move(shelf->idle.back());
    shelf->idle.pop_back();
  }
  co_return buffer;
}

}  // namespace entente::net
