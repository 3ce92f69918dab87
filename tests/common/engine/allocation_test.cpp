// SPDX-License-Identifier: Apache-2.0
//
// A training step allocates nothing: every way to the heap of this program is counted while one
// runs.
#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "common/engine/initial.hpp"
#include "common/engine/loss.hpp"
#include "common/engine/network.hpp"
#include "common/engine/optimizer.hpp"
#include "tests/common/engine/checks.hpp"

// The C library's allocator under its own name; sanitizers have one of their own.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ENTENTE_COUNT_ALLOCATIONS
#endif

namespace entente::engine {
namespace {
std::atomic<bool> counting{false};
std::atomic<std::size_t> allocations{0};
#ifdef ENTENTE_COUNT_ALLOCATIONS
void count() {
  if (counting) ++allocations;
}
#endif
}  // namespace
}  // namespace entente::engine

#ifdef ENTENTE_COUNT_ALLOCATIONS
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  entente::engine::count();
  return __libc_malloc(size);
}
void* calloc(std::size_t items, std::size_t size) {
  entente::engine::count();
  return __libc_calloc(items, size);
}
void* realloc(void* memory, std::size_t size) {
  entente::engine::count();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  entente::engine::count();
  return __libc_memalign(alignment, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  entente::engine::count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  entente::engine::count();
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? 12 : 0;
}
}
#endif

namespace entente::engine {
namespace {

// Allocations of `steps` steps and predictions, after one of each that may make threads.
std::size_t allocations_of_steps(const GraphSpec& graph, std::size_t threads) {
  const Threads set(threads);
  const Network network = Network::compile(graph).value();
  const std::size_t positions = network.position_count();
  std::vector<float> parameters(network.parameter_count()), gradient(parameters.size()),
      probabilities(50 * 10 * positions);
  initial_values(network, 1, 0, parameters);
  const std::vector<double> random = random_features(graph, 50, 1);
  const std::vector<float> features(random.begin(), random.end());
  const auto labels = random_labels(50 * positions, 10, 1);
  Workspace workspace = network.make_workspace(50, Purpose::training);
  Optimizer optimizer =
      Optimizer::make(Sgd{0.01, 0.9, false}, parameters.size(), network.isa()).value();
  const auto step = [&](std::size_t rows) {
    const Batch batch{std::span(features).first(rows * network.input_count()),
                      std::span(labels).first(rows * positions), rows};
    const bool fine =
        network.loss_and_gradient(parameters, batch, gradient, workspace).has_value() &&
        network.predict(parameters, features, probabilities, workspace).has_value();
    optimizer.step(gradient, parameters);
    network.write_state(parameters, workspace);
    return fine;
  };
  BOOST_TEST_REQUIRE(step(50));
  allocations = 0;
  counting = true;
  bool fine = true;
  for (const std::size_t rows : {50U, 50U, 13U, 1U, 50U}) fine &= step(rows);
  counting = false;
  BOOST_TEST(fine);
  return allocations;
}

// Allocations of steps of an optimiser alone.
std::size_t allocations_of_updates(OptimizerSpec spec) {
  const Threads set(1);
  spec.clipping = {Clipping::Kind::global_norm, 1};
  spec.schedule = {CosineDecay{10, 0}, 2};
  std::vector<float> parameters(100'000), gradient(100'000, 0.5F);
  Optimizer optimizer = Optimizer::make(spec, parameters.size(), chosen_isa().value()).value();
  optimizer.step(gradient, parameters);  // the first loop asks how many cores there are
  allocations = 0;
  counting = true;
  for (int step = 0; step < 3; ++step) optimizer.step(gradient, parameters);
  counting = false;
  return allocations;
}

const GraphSpec mlp = graph_of({784}, mlp_layers());
const GraphSpec cnn = graph_of({28, 28, 1}, cnn_layers());

}  // namespace

BOOST_AUTO_TEST_SUITE(allocations_of_a_step)

BOOST_AUTO_TEST_CASE(no_optimiser_allocates_in_a_step) {
  BOOST_TEST(allocations_of_updates(Sgd{0.1, 0.9, true}) == 0U);
  BOOST_TEST(allocations_of_updates(Adam{}) == 0U);
  BOOST_TEST(allocations_of_updates(Adagrad{}) == 0U);
  BOOST_TEST(allocations_of_updates(RmsProp{0.1, 0.9, 0.5, 1e-7, true}) == 0U);
}

BOOST_AUTO_TEST_CASE(the_counter_counts) {
#ifdef ENTENTE_COUNT_ALLOCATIONS
  allocations = 0;
  counting = true;
  std::free(std::malloc(10));
  const std::vector<int> values(3);
  counting = false;
  BOOST_TEST(allocations == 2U);
#endif
}

BOOST_AUTO_TEST_CASE(a_step_allocates_nothing_on_one_thread) {
  for (const GraphSpec& graph : {mlp, cnn, tagger(), decoder(), residual_network()})
    BOOST_TEST(allocations_of_steps(graph, 1) == 0U);
}

BOOST_AUTO_TEST_CASE(no_loss_allocates) {
  const Threads set(1);
  const auto outputs = random_values<float>(100 * 5, 1), targets = random_values<float>(100 * 5, 2);
  const auto labels = random_labels(100, 5, 3);
  std::vector<float> gradient(outputs.size()), losses(100);
  const Isa isa = chosen_isa().value();
  const Loss entropy = Loss::make(CategoricalCrossEntropy{0.1, {1, 2, 3, 4, 5}}, 5, isa).value();
  const Loss huber = Loss::make(Huber{}, 5, isa).value();
  const auto both = [&] {
    return entropy.mean_and_gradient(outputs, {labels, {}}, {}, gradient, losses).has_value() &&
           huber.mean_and_gradient(outputs, {{}, targets}, {}, gradient, losses).has_value();
  };
  BOOST_TEST(both());
  allocations = 0;
  counting = true;
  const bool fine = both();
  counting = false;
  BOOST_TEST(fine);
  BOOST_TEST(allocations == 0U);
}

// The engine itself allocates nothing there either; the thread pool keeps its few tasks in blocks
// that it takes at times.
BOOST_AUTO_TEST_CASE(on_two_threads_only_the_pool_allocates_and_hardly_ever) {
#ifndef ENTENTE_PARALLEL_STD_THREAD
  for (const GraphSpec& graph : {mlp, cnn, tagger(), decoder(), residual_network()}) {
    const std::size_t seen = allocations_of_steps(graph, 2);
    BOOST_TEST(seen <= 10U);
  }
#endif
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
