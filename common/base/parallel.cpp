// SPDX-License-Identifier: Apache-2.0
#include "common/base/parallel.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "common/base/assert.hpp"

#ifndef ENTENTE_PARALLEL_STD_THREAD
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#endif

namespace entente {
namespace {

void run_in_order(std::size_t count, TaskRef task) {
  for (std::size_t i = 0; i < count; ++i) task(i);
}

// 0: as many as the machine has.
std::atomic<std::size_t> threads_set{0};

#ifdef ENTENTE_PARALLEL_STD_THREAD

thread_local bool inside_a_loop = false;

std::size_t core_count() {
  return std::max(1U, std::thread::hardware_concurrency());
}

// Threads are started for each loop; an inner loop stays on the thread that it is on.
void run_on_threads(std::size_t count, TaskRef task) {
  if (inside_a_loop) return run_in_order(count, task);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    inside_a_loop = true;
    for (std::size_t i = next++; i < count; i = next++) task(i);
    inside_a_loop = false;
  };
  std::vector<std::thread> others(std::min(thread_count(), count) - 1);
  for (std::thread& other : others) other = std::thread(work);
  work();
  for (std::thread& other : others) other.join();
}

void use_threads(std::size_t threads) {
  threads_set = threads;
}

#else

std::size_t core_count() {
  return static_cast<std::size_t>(std::max(1, tbb::info::default_concurrency()));
}

// The tasks of one loop, in as many runs of neighbours as threads. A thread takes its own run's
// from the front, so that loops over the same data find it where they left it, then the others'
// from the back.
class Runs {
 public:
  Runs(std::size_t count, std::size_t threads) : size_(std::min({threads, count, runs_max})) {
    for (std::size_t i = 0; i < size_; ++i) {
      runs_[i].first = count * i / size_;
      runs_[i].left = count * (i + 1) / size_ - runs_[i].first;
    }
  }
  std::size_t size() const { return size_; }
  void work(std::size_t own, TaskRef task) {
    for (std::size_t i = 0; i < size_; ++i) {
      Run& run = runs_[(own + i) % size_];
      while (const auto taken = take(run, i == 0)) task(*taken);
    }
  }

 private:
  static constexpr std::size_t runs_max = 64;
  struct alignas(64) Run {
    std::size_t first = 0;
    // How many tasks are left; and above that, how many were taken from the front.
    std::atomic<std::uint64_t> left{0};
  };
  static std::optional<std::size_t> take(Run& run, bool front) {
    constexpr std::uint64_t one_from_front = std::uint64_t{1} << 32U;
    std::uint64_t seen = run.left.load(std::memory_order_relaxed);
    while (true) {
      const std::uint64_t left = seen % one_from_front, taken = seen / one_from_front;
      if (left == 0) return std::nullopt;
      if (run.left.compare_exchange_weak(seen, seen - 1 + (front ? one_from_front : 0)))
        return run.first + static_cast<std::size_t>(front ? taken : taken + left - 1);
    }
  }
  std::size_t size_;
  std::array<Run, runs_max> runs_;
};

// oneTBB's threads: as many as are asked for, even where the machine has fewer cores.
class Pool {
 public:
  explicit Pool(std::size_t threads)
      : allowed_(tbb::global_control::max_allowed_parallelism, threads),
        arena_(static_cast<int>(threads)),
        threads_(threads) {}

  void run(std::size_t count, TaskRef task) {
    arena_.execute([&] {
      // A thread that waits for an inner loop must not begin an outer task meanwhile: the one it
      // is in may be using this thread's own memory.
      tbb::this_task_arena::isolate([&] {
        Runs runs(count, threads_);
        const auto work = [&](std::size_t) {
          const int slot = tbb::this_task_arena::current_thread_index();
          runs.work(static_cast<std::size_t>(std::max(slot, 0)), task);
        };
        tbb::parallel_for(std::size_t{0}, runs.size(), work, tbb::simple_partitioner());
      });
    });
  }

 private:
  tbb::global_control allowed_;
  tbb::task_arena arena_;
  std::size_t threads_;
};

std::mutex pool_change;
std::unique_ptr<Pool> pool;  // made by the first loop that needs it
std::atomic<Pool*> pool_in_use{nullptr};

Pool& current_pool() {
  if (Pool* made = pool_in_use.load(std::memory_order_acquire)) return *made;
  const std::scoped_lock lock(pool_change);
  if (!pool) pool = std::make_unique<Pool>(thread_count());
  pool_in_use.store(pool.get(), std::memory_order_release);
  return *pool;
}

void run_on_threads(std::size_t count, TaskRef task) {
  current_pool().run(count, task);
}

void use_threads(std::size_t threads) {
  const std::scoped_lock lock(pool_change);
  pool_in_use = nullptr;
  pool.reset();
  threads_set = threads;
}

#endif

}  // namespace

void parallel_for(std::size_t count, TaskRef task) {
  ENTENTE_ASSERT(count <= std::numeric_limits<std::uint32_t>::max(), "a loop of too many tasks");
  if (count <= 1 || thread_count() == 1) return run_in_order(count, task);
  run_on_threads(count, task);
}

std::size_t thread_count() {
  static const std::size_t cores = std::min(core_count(), threads_max);
  const std::size_t set = threads_set.load(std::memory_order_relaxed);
  return set == 0 ? cores : set;
}

void set_thread_count(std::size_t threads) {
  use_threads(std::min(threads, threads_max));
}

}  // namespace entente
