// SPDX-License-Identifier: Apache-2.0
//
// entente-bench-aggregation: the average of a round's updates by itself, out of cached files,
// beside plain reading of the same files on all cores in the same run. Prints one line of JSON.
//
// script/bench federation calls it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/file.hpp"
#include "common/base/program.hpp"
#include "common/base/random.hpp"
#include "common/tensor/safetensors.hpp"
#include "coordinator/store.hpp"
#include "coordinator/work.hpp"

namespace {

using namespace entente;
using std::chrono::steady_clock;

constexpr std::size_t turns = 5;
constexpr std::size_t read_bytes = 1U << 20U;

struct Options {
  std::string folder;
  std::uint64_t model_bytes = 100'000'000;
  std::size_t updates = 10;
};

Result<void> write_tensors(const std::filesystem::path& path, const tensor::ParameterLayout& layout,
                           std::uint64_t seed) {
  auto file = File::open(path, File::Mode::write_new);
  if (!file) return file.error();
  if (auto written = file->append(tensor::safetensors_prefix(layout)); !written) return written;
  Random random(seed);
  std::vector<float> block;
  for (std::uint64_t left = layout.parameter_count(); left > 0; left -= block.size()) {
    block.resize(std::min<std::uint64_t>(left, 1U << 18U));
    for (float& value : block) value = static_cast<float>(random.next32()) * 1e-16F;
    if (auto written = file->append(std::as_bytes(std::span(block))); !written) return written;
  }
  return ok();
}

// The shortest of some turns.
Result<double> seconds(const std::function<Result<void>()>& work) {
  double best = 1e9;
  for (std::size_t turn = 0; turn < turns; ++turn) {
    const auto began = steady_clock::now();
    if (auto done = work(); !done) return done.error();
    best = std::min(best, std::chrono::duration<double>(steady_clock::now() - began).count());
  }
  return best;
}

// Every file from its begin to its end, the files dealt out to the threads piece by piece.
Result<void> read_all(const std::vector<File>& files, std::uint64_t size) {
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> failed{false};
  const std::uint64_t pieces = (size + read_bytes - 1) / read_bytes;
  const auto work = [&] {
    Bytes bytes(read_bytes);
    for (std::uint64_t i = next++; i < pieces * files.size(); i = next++) {
      const std::uint64_t at = i % pieces * read_bytes;
      const auto part = std::span(bytes).first(std::min<std::uint64_t>(read_bytes, size - at));
      if (!files[i / pieces].read_at(at, part)) failed = true;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i)
    threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  if (failed) return Error{Errc::io, "reading failed"};
  return ok();
}

Result<ExitCode> measure(const Options& options) {
  auto store = coordinator::Store::open(options.folder);
  if (!store) return store.error();
  auto layout = tensor::ParameterLayout::make(
      {{"one/kernel", {std::max<std::uint64_t>(options.model_bytes / 4, 1)}}});
  if (!layout) return layout.error();
  coordinator::round::Aggregate task;
  task.round = 1;
  if (auto written = write_tensors(store->model_path(task.model), *layout, 0); !written)
    return written.error();
  std::vector<File> files;
  for (std::size_t i = 0; i < options.updates; ++i) {
    const std::string name = "member-" + std::to_string(i);
    coordinator::round::Acceptance acceptance;
    acceptance.examples = i + 1;
    const auto path = store->update_path(name, acceptance.update);
    if (auto written = write_tensors(path, *layout, i + 1); !written) return written.error();
    auto file = File::open(path, File::Mode::read);
    if (!file) return file.error();
    files.push_back(std::move(*file));
    task.updates.emplace(name, acceptance);
  }
  const std::uint64_t size = tensor::safetensors_size_bytes(*layout);
  const auto reading = seconds([&] { return read_all(files, size); });
  if (!reading) return reading.error();
  const auto averaging = seconds([&] {
    return coordinator::average(*store, *layout, task,
                                [](std::span<const float>) -> Result<void> { return ok(); });
  });
  if (!averaging) return averaging.error();
  const auto storing = seconds([&]() -> Result<void> {
    auto stored = coordinator::aggregate(*store, *layout, task);
    if (!stored) return stored.error();
    return ok();
  });
  if (!storing) return storing.error();
  const double bytes = static_cast<double>(size) * static_cast<double>(options.updates);
  std::printf(
      "{\"case\":\"aggregation\",\"updates\":%zu,\"model_bytes\":%llu,\"input_mb_per_s\":%.0f,"
      "\"pread_mb_per_s\":%.0f,\"share\":%.2f,\"stored_input_mb_per_s\":%.0f}\n",
      options.updates, static_cast<unsigned long long>(size), bytes / *averaging / 1e6,
      bytes / *reading / 1e6, *reading / *averaging, bytes / *storing / 1e6);
  return ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) {
  Program program("entente-bench-aggregation", "Averages updates out of cached files.");
  Options options;
  CLI::App& command = program.command("run", "Measures.", [&] { return measure(options); });
  command.add_option("--folder", options.folder, "an empty folder for the files")->required();
  command.add_option("--model-bytes", options.model_bytes, "of each update")
      ->check(CLI::Range(4ULL, 1ULL << 40U));
  command.add_option("--updates", options.updates, "how many")->check(CLI::Range(1, 10'000));
  return program.run(argc, argv);
}
