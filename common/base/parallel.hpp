// SPDX-License-Identifier: Apache-2.0
//
// Loops over independent tasks on all cores: oneTBB, or std::thread under ThreadSanitizer (oneTBB's
// library is not instrumented). The only place that names either.
//
// The caller fixes the partition: task i must be the same work whatever the number of threads, and
// must write only what is its own; then the bits do not depend on that number.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace entente {

// A callable by reference: two pointers, no allocation. Must not outlive what it refers to.
class TaskRef {
 public:
  template <class Callable>
  requires(!std::is_same_v<std::remove_cvref_t<Callable>, TaskRef>)
      TaskRef(Callable&& callable)  // NOLINT(google-explicit-constructor): a view
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(callable)))),
        call_([](void* object, std::size_t index) {
          (*static_cast<std::remove_reference_t<Callable>*>(object))(index);
        }) {}
  void operator()(std::size_t index) const { call_(object_, index); }

 private:
  void* object_;
  void (*call_)(void*, std::size_t);
};

// Calls task(0) ... task(count - 1), each once, in any order, on up to thread_count() threads;
// returns when all have returned. Does not allocate when count is 1 or thread_count() is 1 (then it
// runs on the caller's thread, in order). Tasks must not throw. May be nested: an inner loop shares
// the same threads.
void parallel_for(std::size_t count, TaskRef task);

inline constexpr std::size_t threads_max = 256;

// How many threads parallel_for uses: the cores that this process may run on, until set.
// `set_thread_count(0)` returns to that; more than threads_max is threads_max. Not while a loop
// runs.
std::size_t thread_count();
void set_thread_count(std::size_t threads);

}  // namespace entente
