// SPDX-License-Identifier: Apache-2.0
//
// The memory of one training step or prediction: activations, their gradients, scratch. Made once
// for the largest batch by Network::make_workspace; smaller batches use a part of it. Nothing is
// allocated afterwards.
//
// One call at a time may use a workspace; several threads that predict have one each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

namespace entente::engine {

// Prediction needs less memory: no gradients.
enum class Purpose { training, inference };

// How training needs less memory. Both cost time.
struct Saving {
  // Activations are forgotten on the way forward, but for a few in between, from which they are
  // computed again on the way back: about the square root of the memory for one more forward pass.
  // The same bits as without.
  bool recompute = false;
  // Batches may have more rows than the workspace: they go through it in parts, whose gradients
  // are added. What holds for the whole batch (the mean, what is random in a row) stays as it is,
  // but BatchNormalization sees the parts.
  bool micro_batches = false;
};

// Operations [first, last) that run one after the other in one loop over the blocks.
struct Stage {
  std::size_t first = 0, last = 0;
  bool meets = false;  // its first operation's rows meet before it
};

// Stages [first, last) whose values share their memory with other stretches', and the buffers among
// them that must be zero where no element lies.
struct Stretch {
  std::size_t first = 0, last = 0;
  std::vector<std::size_t> cleared;
};

// Where what lies in a workspace, in scalars.
struct MemoryPlan {
  std::size_t rows_max = 0;
  Purpose purpose = Purpose::training;
  std::vector<std::size_t> buffers;
  std::size_t scratch = 0, scratch_size = 0;  // one for each block of rows
  std::size_t part_gradient = 0;
  std::size_t total = 0;
  bool micro_batches = false;
  std::vector<Stage> stages;
  std::vector<Stretch> stretches;  // one: everything stays
};

template <class S>
class BasicWorkspace {
 public:
  std::size_t rows_max() const { return plan_.rows_max; }
  Purpose purpose() const { return plan_.purpose; }

 private:
  friend class Network;
  template <class>
  friend class Graph;
  struct Free {
    void operator()(S* memory) const { std::free(memory); }
  };

  const void* network_ = nullptr;  // whose it is
  MemoryPlan plan_;
  std::unique_ptr<S[], Free> memory_;
  std::vector<S> losses_;                // of each row
  std::vector<std::uint8_t> finite_;     // of each block's features
  std::vector<std::size_t> first_task_;  // of each operation in the loop that runs
};

using Workspace = BasicWorkspace<float>;
using Workspace64 = BasicWorkspace<double>;

}  // namespace entente::engine
