// SPDX-License-Identifier: Apache-2.0
//
// The daemon's tally as /metrics and /healthz show it. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/net/health.hpp"
#include "participant/daemon.hpp"

namespace entente::participant {

std::vector<net::Metric> metrics_of(const Tally& tally);
// Empty when all is well.
std::string problem_of(const Tally& tally);

}  // namespace entente::participant
