// SPDX-License-Identifier: Apache-2.0
//
// The models that entente-bench-engine measures, the same as bench/engine_peer.py makes in PyTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/engine/layers.hpp"
#include "common/engine/optimizer.hpp"

namespace entente::bench {

struct BenchModel {
  std::string name;  // in the peer too
  std::string text;
  engine::GraphSpec graph;
  engine::OptimizerSpec optimizer;
  std::vector<std::size_t> batches;
  std::uint64_t vocabulary = 0;  // of features that are tokens; 0: numbers
  // Multiplications and additions (as one) of an example forward, and those of the layers that need
  // no gradient by what they read. A training step has three times the first less the second.
  double multiply_adds = 0, first_layer = 0;

  double flop_of_step(std::size_t rows) const {
    return 2.0 * static_cast<double>(rows) * (3.0 * multiply_adds - first_layer);
  }
};

std::vector<BenchModel> bench_models();
// GPT-2 small's shape with a head of its own (Keras' graphs share no weights), context 256, AdamW.
BenchModel large_model();

}  // namespace entente::bench
