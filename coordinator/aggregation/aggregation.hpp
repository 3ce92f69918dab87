// SPDX-License-Identifier: Apache-2.0
//
// Federated averaging (McMahan et al., "Communication-efficient learning of deep networks from
// decentralized data", 2017) of one block of coordinates. Pure: spans in, spans out; who reads the
// files: coordinator/work.cpp, audit.
//
//     model'[i] = model[i] + sum over participants p, in order of their names, of w[p] *
//     update_p[i],   w[p] = n[p] / sum n
//
// The sum runs in double, in that order; the result is rounded once to float32. Built for the
// baseline instruction set with -ffp-contract=off, so that the bits are the same on every
// processor.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace entente::coordinator::aggregation {

// Shares of the participants, in the order of `examples`; they sum to one but for rounding.
// Precondition: the sum of `examples` is positive.
std::vector<double> weights_of(std::span<const std::uint64_t> examples);

// sum[i] += weight * update[i]. Preconditions: equal sizes.
void add_weighted(std::span<const float> update, double weight, std::span<double> sum);

// model[i] = float(model[i] + sum[i]). Preconditions: equal sizes.
void finish(std::span<const double> sum, std::span<float> model);

}  // namespace entente::coordinator::aggregation
