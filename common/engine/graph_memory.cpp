// SPDX-License-Identifier: Apache-2.0
//
// Where a graph's numbers lie in a workspace, and what shares memory where activations are computed
// again.
#include <algorithm>

#include "common/engine/graph.hpp"

namespace entente::engine {
namespace {

constexpr std::size_t stretches_max = 64;

std::size_t aligned(std::size_t size) {
  return (size + row_alignment - 1) / row_alignment * row_alignment;
}

}  // namespace

// Scalars that a row has in a buffer that rows have a part of.
template <class S>
std::size_t Graph<S>::row_size(std::size_t buffer, Purpose purpose) const {
  const std::size_t shared = activation_rows_.size(), steps = operations_.size();
  if (buffer < shared) {
    return activation_rows_[buffer] + (purpose == Purpose::training ? gradient_rows_[buffer] : 0);
  }
  if (buffer < shared + steps) return 0;
  const std::size_t own = operations_[buffer - shared - steps]->row_scratch(purpose);
  return own == 0 ? 0 : row_distance(own);
}

template <class S>
std::vector<typename Graph<S>::Use> Graph<S>::find_uses() const {
  const std::size_t shared = activation_rows_.size(), steps = operations_.size();
  std::vector<Use> uses(shared + 2 * steps, Use{steps, 0});
  const auto use = [&uses](std::size_t buffer, std::size_t operation) {
    uses[buffer].first = std::min(uses[buffer].first, operation);
    uses[buffer].last = std::max(uses[buffer].last, operation);
  };
  for (std::size_t i = 0; i < steps; ++i) {
    for (const auto* values : {&bindings_[i].inputs, &bindings_[i].outputs}) {
      for (const Value& value : *values) {
        use(value.activation_buffer, i);
        use(value.gradient_buffer, i);
      }
    }
    use(bindings_[i].step_buffer, i);
    use(bindings_[i].row_buffer, i);
  }
  return uses;
}

// Cuts where one value crosses, as soon as a stretch would be larger than `limit` without.
template <class S>
std::vector<std::size_t> Graph<S>::cuts_below(const std::vector<Use>& uses,
                                              std::size_t limit) const {
  const std::size_t shared = activation_rows_.size(), steps = operations_.size();
  std::vector<std::size_t> crossing(steps + 1), size(steps + 1);
  for (std::size_t buffer = 1; buffer < uses.size(); ++buffer) {
    const Use& use = uses[buffer];
    if (use.first > use.last) continue;
    if (buffer < shared && activation_rows_[buffer] > 0) {
      for (std::size_t i = use.first + 1; i <= use.last; ++i) ++crossing[i];
    }
    size[use.first] += row_size(buffer, Purpose::training);
  }
  std::vector<std::size_t> cuts;
  std::size_t together = 0, since_narrow = 0, narrow = 0;
  for (std::size_t i = 0; i < steps; ++i) {
    if (i > 0 && crossing[i] == 1 && !operations_[i]->meets()) {
      narrow = i;
      since_narrow = 0;
    }
    together += size[i];
    since_narrow += size[i];
    if (together <= limit || narrow == 0 || (!cuts.empty() && cuts.back() == narrow)) continue;
    cuts.push_back(narrow);
    together = since_narrow;
  }
  return cuts;
}

// What a row takes with these cuts: what crosses one, and the largest stretch.
template <class S>
std::size_t Graph<S>::row_total(const std::vector<Use>& uses,
                                const std::vector<std::size_t>& cuts) const {
  std::size_t kept = 0;
  std::vector<std::size_t> stretches(cuts.size() + 1);
  for (std::size_t buffer = 1; buffer < uses.size(); ++buffer) {
    const auto first = std::ranges::upper_bound(cuts, uses[buffer].first);
    const bool crosses = first != cuts.end() && *first <= uses[buffer].last;
    std::size_t& sum = crosses ? kept : stretches[static_cast<std::size_t>(first - cuts.begin())];
    sum += row_size(buffer, Purpose::training);
  }
  return kept + *std::ranges::max_element(stretches);
}

template <class S>
std::vector<std::size_t> Graph<S>::choose_cuts(const std::vector<Use>& uses) const {
  std::vector<std::size_t> best;
  std::size_t least = row_total(uses, best);
  const std::size_t all = least;
  for (std::size_t count = 2; count <= stretches_max; ++count) {
    auto cuts = cuts_below(uses, all / count);
    const std::size_t total = row_total(uses, cuts);
    if (total >= least) continue;
    least = total;
    best = std::move(cuts);
  }
  return best;
}

template <class S>
void Graph<S>::cut_stages(MemoryPlan& plan, const std::vector<std::size_t>& cuts) const {
  plan.stretches.push_back({0, 0, {}});
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const bool cut = std::ranges::binary_search(cuts, i);
    if (cut) plan.stretches.push_back({plan.stages.size(), 0, {}});
    if (i == 0 || cut) plan.stages.push_back({i, i, false});
    if (operations_[i]->meets()) plan.stages.push_back({i, i, true});
    plan.stages.back().last = i + 1;
    plan.stretches.back().last = plan.stages.size();
  }
}

// Which values' buffers have zeros between or around their elements.
template <class S>
std::vector<bool> Graph<S>::find_spread() const {
  std::vector<bool> spread(activation_rows_.size());
  for (const Binding& binding : bindings_) {
    for (const auto* values : {&binding.inputs, &binding.outputs}) {
      for (const Value& value : *values) {
        if (!value.activation.is_contiguous()) spread[value.activation_buffer] = true;
        if (value.wants_gradient && !value.gradient.is_contiguous())
          spread[value.gradient_buffer] = true;
      }
    }
  }
  spread[features_buffer] = false;
  return spread;
}

template <class S>
void Graph<S>::place_buffers(MemoryPlan& plan, const std::vector<Use>& uses,
                             const std::vector<std::size_t>& cuts) const {
  const std::size_t shared = activation_rows_.size(), steps = operations_.size();
  const std::vector<bool> spread = find_spread();
  const bool training = plan.purpose == Purpose::training;
  plan.buffers.resize(uses.size());
  const auto stretch_of = [&cuts](std::size_t operation) {
    return static_cast<std::size_t>(std::ranges::upper_bound(cuts, operation) - cuts.begin());
  };
  std::vector<std::size_t> local(cuts.size() + 1);
  for (const bool stays : {true, false}) {
    const std::size_t base = plan.total;
    for (std::size_t buffer = 0; buffer < uses.size(); ++buffer) {
      const Use& use = uses[buffer];
      const bool of_step = buffer >= shared && buffer < shared + steps;
      const bool crosses = use.first > use.last || stretch_of(use.first) != stretch_of(use.last);
      if ((of_step || crosses || cuts.empty()) != stays) continue;
      const std::size_t own_step =
          of_step && training ? operations_[buffer - shared]->step_scratch(plan.rows_max) : 0;
      const std::size_t size = aligned(plan.rows_max * row_size(buffer, plan.purpose) + own_step);
      std::size_t& end = stays ? plan.total : local[stretch_of(use.first)];
      plan.buffers[buffer] = stays ? end : base + end;
      end += size;
      if (!stays && buffer < shared && spread[buffer])
        plan.stretches[stretch_of(use.first)].cleared.push_back(buffer);
    }
  }
  plan.total += *std::ranges::max_element(local);
}

template <class S>
MemoryPlan Graph<S>::plan(std::size_t rows_max, Purpose purpose, const Saving& saving) const {
  MemoryPlan plan;
  plan.rows_max = rows_max;
  plan.purpose = purpose;
  const bool training = purpose == Purpose::training;
  const std::vector<Use> uses = find_uses();
  const auto cuts = training && saving.recompute ? choose_cuts(uses) : std::vector<std::size_t>();
  cut_stages(plan, cuts);
  place_buffers(plan, uses, cuts);
  for (const auto& operation : operations_)
    plan.scratch_size = std::max(plan.scratch_size, aligned(operation->block_scratch()));
  plan.scratch = plan.total;
  plan.total += block_count(rows_max) * plan.scratch_size;
  plan.micro_batches = training && saving.micro_batches;
  plan.part_gradient = plan.total;
  if (plan.micro_batches) plan.total += aligned(parameter_count_);
  return plan;
}

template MemoryPlan Graph<float>::plan(std::size_t, Purpose, const Saving&) const;
template MemoryPlan Graph<double>::plan(std::size_t, Purpose, const Saving&) const;
template std::size_t Graph<float>::row_size(std::size_t, Purpose) const;
template std::size_t Graph<double>::row_size(std::size_t, Purpose) const;

}  // namespace entente::engine
