// SPDX-License-Identifier: Apache-2.0
//
// entente-bench-memory: one training step of a large model as a participant makes it, in less and
// less memory, each in a process of its own: what the engine says it takes, and what the system
// saw (VmHWM).
//
// script/bench memory calls it.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "bench/engine_models.hpp"
#include "common/base/random.hpp"
#include "common/engine/initial.hpp"
#include "common/engine/network.hpp"

namespace {

using namespace entente;
using namespace entente::engine;

constexpr double mebi = 1U << 20U;

struct Variant {
  const char* name;
  std::size_t rows, at_once;
  bool recompute;
};

// A step and a second one, which is measured; the first has touched all memory.
void run(const bench::BenchModel& model, const Variant& variant) {
  const Network network = Network::compile(model.graph).value();
  const std::uint64_t count = network.parameter_count();
  const Saving saving{variant.recompute, variant.at_once < variant.rows};
  const double workspace =
      static_cast<double>(network.workspace_bytes(variant.at_once, Purpose::training, saving)) /
      mebi;
  tensor::ParameterBuffer global(count), parameters(count), gradient(count);
  initial_values(network, 1, 0, global.values());
  std::ranges::copy(global.values(), parameters.values().begin());
  auto optimizer = Optimizer::make(model.optimizer, network.layout(), network.isa()).value();
  auto memory = network.make_workspace(variant.at_once, Purpose::training, saving);
  Random random(2);
  std::vector<float> features(variant.rows * network.input_count());
  for (float& token : features) token = static_cast<float>(random.below(model.vocabulary));
  std::vector<std::uint32_t> labels(variant.rows * network.position_count());
  for (auto& label : labels)
    label = static_cast<std::uint32_t>(random.below(network.output_count()));
  double seconds = 0;
  for (int step = 0; step < 2; ++step) {
    const auto begin = std::chrono::steady_clock::now();
    network.loss_and_gradient(parameters.values(), {features, labels}, gradient.values(), memory)
        .value();
    optimizer.step(gradient.values(), parameters.values());
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%-34s %5zu %12.1f %12.1f %12.1f %9.2f\n", variant.name, variant.rows,
              4.0 * static_cast<double>(count) / mebi, workspace,
              static_cast<double>(usage.ru_maxrss) / 1024, seconds);
}

}  // namespace

int main(int count, char** arguments) {
  CLI::App app{"One training step of GPT-2 small's shape: how much memory it takes"};
  CLI11_PARSE(app, count, arguments);
  const bench::BenchModel model = bench::large_model();
  std::printf("%s\n%-34s %5s %12s %12s %12s %9s\n", model.text.c_str(), "", "rows", "model MiB",
              "workspace", "peak MiB", "s a step");
  for (const Variant& variant :
       {Variant{"everything kept", 1, 1, false}, Variant{"activations computed again", 1, 1, true},
        Variant{"four rows, one at a time, again", 4, 1, true}}) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      run(model, variant);
      return 0;
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) return 1;
  }
  return 0;
}
