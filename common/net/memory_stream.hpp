// SPDX-License-Identifier: Apache-2.0
//
// Two streams that are connected in memory, with the troubles of a network drawn from a seed:
// delays, pieces of any size, a window that fills up, a break or a silence at a chosen byte. In
// order; delivered by Timers, so a simulation owns the time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "common/net/stream.hpp"

namespace entente::net {

// One direction.
struct MemoryLink {
  std::uint64_t seed = 1;
  std::chrono::nanoseconds delay_min{0};
  std::chrono::nanoseconds delay_max{0};
  // What is written arrives in pieces of 1 to piece_max bytes (of exactly piece_max when `whole`).
  std::size_t piece_max = std::size_t{64} << 10U;
  bool whole = true;
  // Bytes on their way or not yet read; a writer waits when there are so many.
  std::size_t window_bytes = std::size_t{256} << 10U;
  // After that many bytes of this direction the connection breaks, both ways; or (`silent`) they
  // are the last to arrive and nobody is told.
  std::optional<std::uint64_t> cut_after_bytes;
  bool silent = false;
};

// The two ends; what the first writes goes by `forth`. `first` is whom the first end is: its peer()
// is `second`.
std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> memory_streams(Executor executor,
                                                                           Identity first,
                                                                           Identity second,
                                                                           MemoryLink forth = {},
                                                                           MemoryLink back = {});

}  // namespace entente::net
