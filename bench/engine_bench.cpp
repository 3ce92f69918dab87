// SPDX-License-Identifier: Apache-2.0
//
// entente-bench-engine: whole training steps (forward, backward, update) of a few models, in
// samples a second, next to what this machine gives for one large matrix product (Eigen's) in the
// same run.
//
//     entente-bench-engine [--seconds N] [--isa v2|v3|v4|generic] [--model TEXT]
//
// One line for each model, batch size and number of threads. The best of several stretches: what
// disturbs only slows.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/parallel.hpp"
#include "common/base/random.hpp"
#include "common/engine/initial.hpp"
#include "common/engine/network.hpp"
#include "common/engine/optimizer.hpp"

// Defined by eigen_product.cpp, once in each build of it.
namespace roof_generic {
void multiply(const float* a, const float* b, float* c, std::size_t side);
}
#ifdef ENTENTE_X86_ROOFS
namespace roof_v3 {
void multiply(const float* a, const float* b, float* c, std::size_t side);
}
namespace roof_v4 {
void multiply(const float* a, const float* b, float* c, std::size_t side);
}
#endif

namespace {

using namespace entente;
using namespace entente::engine;
using Clock = std::chrono::steady_clock;

constexpr int stretches = 7;

struct Options {
  double seconds = 0.4;  // of each stretch
  Isa isa = Isa::generic;
  std::string model;  // only those whose name contains it
};

struct Model {
  std::string name;
  Shape input;
  std::vector<LayerSpec> layers;
  double multiply_adds;  // of one example forward; a training step is three times that, less the
                         // input's gradient
  double first_layer;    // the share without an input gradient
};

LayerSpec dense(std::string name, std::uint64_t units, Activation activation) {
  Dense layer;
  layer.units = units;
  layer.activation = activation;
  return {std::move(name), layer};
}

LayerSpec convolution(std::string name, std::uint64_t filters, std::uint64_t size) {
  Conv2D layer;
  layer.filters = filters;
  layer.kernel_size = {size, size};
  layer.padding = Padding::same;
  layer.activation = Activation::relu;
  return {std::move(name), layer};
}

LayerSpec pool() {
  return {"pool", MaxPooling2D{}};
}

std::vector<Model> models() {
  const auto conv = [](double pixels, double size, double from, double to) {
    return pixels * size * size * from * to;
  };
  std::vector<Model> all;
  all.push_back({"mlp 784-200-200-10",
                 {784},
                 {dense("a", 200, Activation::relu), dense("b", 200, Activation::relu),
                  dense("c", 10, Activation::softmax)},
                 784.0 * 200 + 200 * 200 + 200 * 10,
                 784.0 * 200});
  all.push_back({"cnn 16-32-fc64",
                 {28, 28, 1},
                 {convolution("a", 16, 3),
                  pool(),
                  convolution("b", 32, 3),
                  pool(),
                  {"flat", Flatten{}},
                  dense("c", 64, Activation::relu),
                  dense("d", 10, Activation::softmax)},
                 conv(784, 3, 1, 16) + conv(196, 3, 16, 32) + 1568.0 * 64 + 640,
                 conv(784, 3, 1, 16)});
  all.push_back({"cnn fedavg 32-64-fc512",
                 {28, 28, 1},
                 {convolution("a", 32, 5),
                  pool(),
                  convolution("b", 64, 5),
                  pool(),
                  {"flat", Flatten{}},
                  dense("c", 512, Activation::relu),
                  dense("d", 10, Activation::softmax)},
                 conv(784, 5, 1, 32) + conv(196, 5, 32, 64) + 3136.0 * 512 + 5120,
                 conv(784, 5, 1, 32)});
  all.push_back({"cnn 32x32x3 32-32-64-64-fc512",
                 {32, 32, 3},
                 {convolution("a", 32, 3),
                  convolution("b", 32, 3),
                  pool(),
                  convolution("c", 64, 3),
                  convolution("d", 64, 3),
                  pool(),
                  {"flat", Flatten{}},
                  dense("e", 512, Activation::relu),
                  dense("f", 10, Activation::softmax)},
                 conv(1024, 3, 3, 32) + conv(1024, 3, 32, 32) + conv(256, 3, 32, 64) +
                     conv(256, 3, 64, 64) + 4096.0 * 512 + 5120,
                 conv(1024, 3, 3, 32)});
  return all;
}

// Calls a second of the clock, and a second of this process's time on its cores.
struct Rate {
  double wall = 0, core = 0;
};

// Calls `step` for `seconds`, several times over; the best of each rate.
template <class Step>
Rate rate(double seconds, const Step& step) {
  Rate best;
  step();
  for (int stretch = 0; stretch < stretches; ++stretch) {
    const auto begin = Clock::now();
    const std::clock_t core_begin = std::clock();
    double calls = 0, passed = 0;
    while (passed < seconds) {
      step();
      ++calls;
      passed = std::chrono::duration<double>(Clock::now() - begin).count();
    }
    const double core = static_cast<double>(std::clock() - core_begin) / CLOCKS_PER_SEC;
    best.wall = std::max(best.wall, calls / passed);
    best.core = std::max(best.core, calls / core);
  }
  return best;
}

// GFLOP/s of Eigen's product of two large matrices on one core: the best of its builds.
double roof(double seconds) {
  constexpr std::size_t side = 768;
  const std::vector<float> a(side * side, 0.5F), b(side * side, 0.25F);
  std::vector<float> c(side * side);
  const auto gflops = [&](auto multiply) {
    return rate(seconds, [&] { multiply(a.data(), b.data(), c.data(), side); }).core * 2.0 * side *
           side * side / 1e9;
  };
  double best = gflops(&roof_generic::multiply);
#ifdef ENTENTE_X86_ROOFS
  if (supported(Isa::v3)) best = std::max(best, gflops(&roof_v3::multiply));
  if (supported(Isa::v4)) best = std::max(best, gflops(&roof_v4::multiply));
#endif
  return best;
}

void measure(const Model& model, std::size_t rows, std::size_t threads, const Options& options,
             double roof_gflops) {
  set_thread_count(threads);
  const Network network = Network::compile(model.input, model.layers, options.isa).value();
  tensor::ParameterBuffer parameters(network.parameter_count()),
      gradient(network.parameter_count());
  initial_values(network, 1, 0, parameters.values());
  Random random(2);
  std::vector<float> features(rows * network.input_count());
  for (float& value : features) value = static_cast<float>(random.uniform());
  std::vector<std::uint32_t> labels(rows);
  for (auto& label : labels)
    label = static_cast<std::uint32_t>(random.below(network.output_count()));
  Workspace workspace = network.make_workspace(rows, Purpose::training);
  Optimizer optimizer =
      Optimizer::make(Sgd{1e-4, 0, false}, network.parameter_count(), options.isa).value();
  const Rate steps = rate(options.seconds, [&] {
    network.loss_and_gradient(parameters.values(), {features, labels}, gradient.values(), workspace)
        .value();
    optimizer.step(gradient.values(), parameters.values());
  });
  const double flop =
      2.0 * static_cast<double>(rows) * (3.0 * model.multiply_adds - model.first_layer);
  std::printf(
      "%-30s batch %4zu threads %zu %9.0f samples/s %7.1f GFLOP/s | a core-second %8.0f samples, "
      "%4.0f %% of the product\n",
      model.name.c_str(), rows, threads, steps.wall * static_cast<double>(rows),
      steps.wall * flop / 1e9, steps.core * static_cast<double>(rows),
      100.0 * steps.core * flop / 1e9 / roof_gflops);
  std::fflush(stdout);
}

int run(const Options& options) {
  const double roof_gflops = roof(options.seconds);
  std::printf("kernels %s; Eigen's product of 768 x 768 matrices, one core: %.1f GFLOP/s\n",
              std::string(to_string(options.isa)).c_str(), roof_gflops);
  const std::size_t cores = std::max<std::size_t>(thread_count(), 1);
  for (const Model& model : models()) {
    if (model.name.find(options.model) == std::string::npos) continue;
    for (const std::size_t rows : {10U, 32U, 50U, 128U, 256U}) {
      measure(model, rows, 1, options, roof_gflops);
      if (cores > 1) measure(model, rows, cores, options, roof_gflops);
    }
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  const auto chosen = chosen_isa();
  auto isa = chosen;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = arguments[i];
    if (name == "--seconds") options.seconds = std::atof(arguments[i + 1]);
    if (name == "--isa") isa = choose_isa(arguments[i + 1]);
    if (name == "--model") options.model = arguments[i + 1];
  }
  if (!isa) {
    std::fprintf(stderr, "%s\n", isa.error().detail.c_str());
    return 2;
  }
  options.isa = *isa;
  return run(options);
}
