// SPDX-License-Identifier: Apache-2.0
//
// entente-bench-engine: whole training steps, as a participant makes them (loss and gradient,
// optimiser, state), of the models in engine_models.cpp, in samples a second.
//
// Next to each row, turn by turn in the same run: the same step in the peer (PyTorch, by
// engine_peer.py), where there is one, with the best of its settings for as many threads or fewer.
// Roof: a large matrix product, the best of Eigen's builds and the peer's. All figures are of the
// median step.
//
// script/bench engine calls it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "bench/engine_models.hpp"
#include "bench/peer.hpp"
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
using bench::BenchModel;
using bench::Peer;
using Clock = std::chrono::steady_clock;

struct Options {
  double seconds = 1;  // of each turn
  int turns = 5;
  Isa isa = Isa::generic;
  std::string isa_name, model, json, peer;
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Of the calls of `step` for `seconds`, three at least.
template <class Step>
std::vector<double> times_of(double seconds, const Step& step) {
  std::vector<double> times;
  const auto begin = Clock::now();
  auto before = begin;
  while (times.size() < 3 || std::chrono::duration<double>(before - begin).count() < seconds) {
    step();
    const auto now = Clock::now();
    times.push_back(std::chrono::duration<double>(now - before).count());
    before = now;
  }
  return times;
}

// A network, its optimiser and a batch, ready to step.
class Training {
 public:
  Training(const BenchModel& model, std::size_t rows, Isa isa)
      : network_(Network::compile(model.graph, isa).value()),
        parameters_(network_.parameter_count()),
        gradient_(network_.parameter_count()),
        features_(rows * network_.input_count()),
        labels_(rows * network_.position_count()),
        workspace_(network_.make_workspace(rows, Purpose::training)),
        optimizer_(Optimizer::make(model.optimizer, network_.layout(), isa).value()) {
    initial_values(network_, 1, 0, parameters_.values());
    Random random(2);
    for (float& value : features_) {
      value = model.vocabulary == 0 ? static_cast<float>(random.uniform())
                                    : static_cast<float>(random.below(model.vocabulary));
    }
    for (auto& label : labels_)
      label = static_cast<std::uint32_t>(random.below(network_.output_count()));
  }
  void step() {
    network_
        .loss_and_gradient(parameters_.values(), {features_, labels_}, gradient_.values(),
                           workspace_)
        .value();
    optimizer_.step(gradient_.values(), parameters_.values());
    network_.write_state(parameters_.values(), workspace_);
  }

 private:
  Network network_;
  tensor::ParameterBuffer parameters_, gradient_;
  std::vector<float> features_;
  std::vector<std::uint32_t> labels_;
  Workspace workspace_;
  Optimizer optimizer_;
};

class Bench {
 public:
  explicit Bench(Options options) : options_(std::move(options)) {
    if (!options_.json.empty()) json_.open(options_.json);
    if (options_.peer.empty()) return;
    // The libraries' own choice of kernels, and what this processor has whatever they think of it.
    std::vector<std::vector<std::string>> environments{{}};
    if (supported(Isa::v4)) {
      environments.push_back({"OPENBLAS_CORETYPE=SKYLAKEX", "ATEN_CPU_CAPABILITY=avx512"});
    } else if (supported(Isa::v3)) {
      environments.push_back({"OPENBLAS_CORETYPE=HASWELL", "ATEN_CPU_CAPABILITY=avx2"});
    }
    for (const auto& environment : environments) {
      if (auto peer = Peer::start(options_.peer, environment)) peers_.push_back(std::move(*peer));
    }
    if (peers_.empty()) std::fprintf(stderr, "%s does not run\n", options_.peer.c_str());
  }

  void run() {
    const std::size_t cores = std::max<std::size_t>(thread_count(), 1);
    std::vector<std::size_t> threads{1};
    if (cores > 1) threads.push_back(2);
    for (const std::size_t count : threads) {
      roofs_.push_back(roof(count));
      std::printf("roof, %zu thread%s: %.0f GFLOP/s\n", count, count == 1 ? "" : "s",
                  roofs_.back());
    }
    std::printf("kernels %s\n%-50s %5s %7s %9s %9s %6s %8s %5s\n",
                std::string(to_string(options_.isa)).c_str(), "model", "batch", "threads", "ours",
                "peer", "ratio", "GFLOP/s", "roof");
    for (const BenchModel& model : bench::bench_models()) {
      if (("," + options_.model + ",").find("," + model.name + ",") == std::string::npos &&
          !options_.model.empty())
        continue;
      for (const std::size_t rows : model.batches) {
        for (const std::size_t count : threads) measure(model, rows, count);
      }
    }
  }

 private:
  // GFLOP/s of a large product on each of `threads` at once.
  double roof(std::size_t threads) {
    constexpr std::size_t side = 768;
    const std::vector<float> a(side * side, 0.5F), b(side * side, 0.25F);
    std::vector<std::vector<float>> c(threads, std::vector<float>(side * side));
    set_thread_count(threads);
    const double flop = 2.0 * side * side * side;
    const auto gflops = [&](auto multiply) {
      const auto step = [&] {
        parallel_for(threads,
                     [&](std::size_t i) { multiply(a.data(), b.data(), c[i].data(), side); });
      };
      step();
      return static_cast<double>(threads) * flop / median(times_of(options_.seconds, step)) / 1e9;
    };
    double best = gflops(&roof_generic::multiply);
#ifdef ENTENTE_X86_ROOFS
    if (supported(Isa::v3)) best = std::max(best, gflops(&roof_v3::multiply));
    if (supported(Isa::v4)) best = std::max(best, gflops(&roof_v4::multiply));
#endif
    for (Peer& peer : peers_) {
      std::istringstream answer(
          peer.ask("product " + std::to_string(threads) + " " + std::to_string(options_.seconds)));
      double theirs = 0;
      if (answer >> theirs) best = std::max(best, theirs);
    }
    return best;
  }

  void measure(const BenchModel& model, std::size_t rows, std::size_t threads) {
    set_thread_count(threads);
    Training training(model, rows, options_.isa);
    training.step();
    std::vector<double> ours;
    // Of each peer and number of threads.
    std::vector<std::vector<double>> theirs(peers_.size() * threads);
    for (int turn = 0; turn < options_.turns; ++turn) {
      const auto times = times_of(options_.seconds, [&] { training.step(); });
      ours.insert(ours.end(), times.begin(), times.end());
      for (std::size_t i = 0; i < theirs.size(); ++i) {
        if (!worth_asking(theirs, i)) continue;
        std::istringstream answer(peers_[i / threads].ask(model.name + " " + std::to_string(rows) +
                                                          " " + std::to_string(i % threads + 1) +
                                                          " " + std::to_string(options_.seconds)));
        double seconds = 0;
        if (answer >> seconds) theirs[i].push_back(seconds);
      }
    }
    double peer = 0;
    for (const auto& times : theirs) {
      if (!times.empty()) peer = std::max(peer, static_cast<double>(rows) / median(times));
    }
    const double step = median(ours);
    report(model, rows, threads, static_cast<double>(rows) / step, peer,
           model.flop_of_step(rows) / step / 1e9);
  }

  // Whether the last time of `which` was near the best of all.
  static bool worth_asking(const std::vector<std::vector<double>>& times, std::size_t which) {
    constexpr double near = 1.15;
    if (times[which].empty()) return true;
    return std::all_of(times.begin(), times.end(), [&](const std::vector<double>& other) {
      return other.empty() || times[which].back() <= near * other.back();
    });
  }

  // peer: 0 where there is none.
  void report(const BenchModel& model, std::size_t rows, std::size_t threads, double ours,
              double peer, double gflops) {
    const double share = gflops / roofs_[threads - 1];
    const auto number = [](double value, int digits) {
      std::array<char, 32> text{};
      std::snprintf(text.data(), text.size(), "%.*f", digits, value);
      return std::string(text.data());
    };
    const std::string theirs = peer > 0 ? number(peer, 0) : "-";
    const std::string ratio = peer > 0 ? number(ours / peer, 2) : "-";
    std::printf("%-50s %5zu %7zu %9.0f %9s %6s %8.1f %4.0f%%\n", model.text.c_str(), rows, threads,
                ours, theirs.c_str(), ratio.c_str(), gflops, 100 * share);
    std::fflush(stdout);
    if (!json_.is_open()) return;
    json_ << "{\"model\":\"" << model.name << "\",\"batch\":" << rows << ",\"threads\":" << threads
          << ",\"ours\":" << number(ours, 1)
          << ",\"peer\":" << (peer > 0 ? number(peer, 1) : "null")
          << ",\"ratio\":" << (peer > 0 ? number(ours / peer, 3) : "null")
          << ",\"gflops\":" << number(gflops, 1) << ",\"roof_share\":" << number(share, 3) << "}\n"
          << std::flush;
  }

  Options options_;
  std::ofstream json_;
  std::vector<Peer> peers_;
  std::vector<double> roofs_;
};

}  // namespace

int main(int count, char** arguments) {
  CLI::App app{"Whole training steps of a few models, beside PyTorch's"};
  Options options;
  app.add_option("--json", options.json, "a file for a line of JSON for each row");
  app.add_option("--model", options.model, "only these, separated by commas: mlp, cnn, ...");
  app.add_option("--isa", options.isa_name, "v2, v3, v4 or generic");
  app.add_option("--seconds", options.seconds, "of each turn")->check(CLI::PositiveNumber);
  app.add_option("--turns", options.turns, "of each row")->check(CLI::PositiveNumber);
  app.add_option("--peer", options.peer, "the program that measures the same in PyTorch");
  CLI11_PARSE(app, count, arguments);
  const auto isa = options.isa_name.empty() ? chosen_isa() : choose_isa(options.isa_name);
  if (!isa) {
    std::fprintf(stderr, "%s\n", isa.error().detail.c_str());
    return 2;
  }
  options.isa = *isa;
  Bench(std::move(options)).run();
  return 0;
}
