// SPDX-License-Identifier: Apache-2.0
//
// Values beside each other, as many as come: a vector of plain numbers that grows without a second
// copy of itself. realloc moves a large block's pages (on Linux) where a vector copies what is in
// them, and pages that were never written take no memory: so rows take what they are, while they
// are read too. Throws std::bad_alloc as containers do.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace entente::data {

template <class T>
class Growing {
  static_assert(std::is_trivially_copyable_v<T>, "moved by its bytes");

 public:
  Growing() = default;
  Growing(Growing&& other) noexcept
      : values_(std::move(other.values_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Growing& operator=(Growing&& other) noexcept {
    values_ = std::move(other.values_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::size_t capacity() const { return capacity_; }
  T* data() { return values_.get(); }
  const T* data() const { return values_.get(); }
  T& operator[](std::size_t i) { return values_.get()[i]; }
  operator std::span<const T>() const { return {data(), size_}; }  // NOLINT: as a vector's

  void push_back(T value) {
    if (size_ == capacity_) make_room(size_ + 1);
    values_.get()[size_++] = value;
  }
  void append(std::span<const T> values) {
    if (values.size() > capacity_ - size_) make_room(size_ + values.size());
    std::copy(values.begin(), values.end(), data() + size_);
    size_ += values.size();
  }
  // Further ones are `value`.
  void resize(std::size_t size, T value = {}) {
    if (size > capacity_) make_room(size);
    if (size > size_) std::fill_n(data() + size_, size - size_, value);
    size_ = size;
  }
  void clear() { size_ = 0; }
  void shrink_to_fit() {
    if (size_ < capacity_) set_capacity(size_);
  }

 private:
  struct Free {
    void operator()(T* values) const { std::free(values); }
  };
  static constexpr std::size_t least = 64;

  void make_room(std::size_t size) { set_capacity(std::max({size, 2 * capacity_, least})); }
  void set_capacity(std::size_t capacity) {
    if (capacity == 0) {
      values_.reset();
    } else {
      void* const moved = std::realloc(values_.get(), capacity * sizeof(T));
      if (moved == nullptr) throw std::bad_alloc();
      static_cast<void>(values_.release());
      values_.reset(static_cast<T*>(moved));
    }
    capacity_ = capacity;
  }

  std::unique_ptr<T[], Free> values_;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace entente::data
