// SPDX-License-Identifier: Apache-2.0
#include "common/model/functional.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "common/model/call_reader.hpp"
#include "common/model/fields.hpp"
#include "common/model/layer_reader.hpp"
#include "common/model/model.hpp"

namespace entente::model {
namespace {

Error wrong(const std::string& path, const std::string& what) {
  return Error{Errc::malformed, path + ": " + what};
}

struct Entry {
  LayerEntry layer;
  std::string path;
};

// What argument `index` of an operation on masks is, and its place.
struct Argument {
  const json::value* value = nullptr;
  std::string path;
};
Argument argument_of(const Entry& entry, std::size_t index) {
  const std::string at = "/0/args/" + std::to_string(index);
  boost::system::error_code failure;
  const json::value* nodes = entry.layer.nodes;
  return {nodes == nullptr ? nullptr : nodes->find_pointer(at, failure),
          entry.path + ".inbound_nodes[0].args[" + std::to_string(index) + "]"};
}

// Only a comparison with 0 is what mask_zero means: {"args": [tensor, 0], ...}.
Result<std::string> read_comparison(const Entry& entry) {
  const Argument tokens = argument_of(entry, 0), with = argument_of(entry, 1);
  const json::value* history = tokens.value == nullptr ? nullptr : history_of(*tokens.value);
  if (history == nullptr || with.value == nullptr || !with.value->is_number() ||
      with.value->to_number<double>() != 0)
    return wrong(entry.path + ".inbound_nodes", "only tokens compared with 0 make a mask");
  return read_history(*history, tokens.path);
}

// Of two masks, either of which counts, only a mask and itself are one that the engine has.
// Nothing yet: one of them is not known so far.
Result<std::optional<std::string>> read_either(const Entry& entry, const Masks& known) {
  std::optional<std::string> tokens;
  for (const std::size_t index : {0U, 1U}) {
    const Argument side = argument_of(entry, index);
    const json::value* history = side.value == nullptr ? nullptr : history_of(*side.value);
    if (history == nullptr) return wrong(side.path, "expected a mask");
    const auto name = read_history(*history, side.path);
    if (!name) return name.error();
    const auto found = known.find(*name);
    if (found == known.end()) return std::optional<std::string>();
    if (tokens && *tokens != found->second) {
      return wrong(entry.path + ".inbound_nodes", "joins a mask of '" + *tokens + "' and one of '" +
                                                      found->second + "', which is not supported");
    }
    tokens = found->second;
  }
  return tokens;
}

// All operations on masks, in whatever order they stand.
Result<Masks> find_masks(const std::vector<Entry>& entries) {
  Masks masks;
  for (const Entry& entry : entries) {
    if (entry.layer.mask != MaskOperation::comparison) continue;
    auto tokens = read_comparison(entry);
    if (!tokens) return tokens.error();
    masks.emplace(entry.layer.name, std::move(*tokens));
  }
  for (bool more = true; more;) {
    more = false;
    for (const Entry& entry : entries) {
      if (entry.layer.mask != MaskOperation::either || masks.count(entry.layer.name) != 0) continue;
      auto tokens = read_either(entry, masks);
      if (!tokens) return tokens.error();
      if (!*tokens) continue;
      masks.emplace(entry.layer.name, std::move(**tokens));
      more = true;
    }
  }
  return masks;
}

// Keras 3 writes training=False for every Dropout (its default); for BatchNormalization, and in
// Keras 2 for both, only a caller does who wants no training of it.
bool stays_in_inference(const Call& call, const engine::LayerKind& kind) {
  if (call.inference.empty()) return false;
  return std::holds_alternative<engine::BatchNormalization>(kind) ||
         (!call.keras_3 && std::holds_alternative<engine::Dropout>(kind));
}

bool is_operation_on_masks(const std::vector<Entry>& entries, const std::string& name) {
  return std::ranges::any_of(entries, [&](const Entry& entry) {
    return entry.layer.name == name && entry.layer.mask != MaskOperation::none;
  });
}

// Which mask a layer that joins values gives on is told by what has written the file.
void take_merge_mask(engine::MergeMask rule, engine::LayerKind& kind) {
  if (auto* add = std::get_if<engine::Add>(&kind)) add->mask = rule;
  if (auto* multiply = std::get_if<engine::Multiply>(&kind)) multiply->mask = rule;
  if (auto* concatenate = std::get_if<engine::Concatenate>(&kind)) concatenate->mask = rule;
}

// Into the entry's layer.
Result<void> take_call(Call call, const std::string& place, LayerEntry& entry) {
  engine::LayerSpec& layer = *entry.layer;
  if (call.inputs.empty()) return wrong(place, "the layer reads nothing");
  auto* attention = std::get_if<engine::MultiHeadAttention>(&layer.kind);
  if (call.causal && attention == nullptr)
    return wrong(place, "use_causal_mask is MultiHeadAttention's");
  if (attention != nullptr) attention->causal = call.causal;
  if (!call.masks.empty() && std::holds_alternative<engine::ActivationLayer>(layer.kind))
    return wrong(place, "a mask within a softmax is not supported");
  if (stays_in_inference(call, layer.kind)) {
    return wrong(call.inference,
                 "a layer that works in training as in inference is not supported; expected null");
  }
  using engine::MergeMask;
  take_merge_mask(entry.operation ? MergeMask::none
                  : call.keras_3  ? MergeMask::all
                                  : MergeMask::any,
                  layer.kind);
  layer.inputs = std::move(call.inputs);
  layer.masks = std::move(call.masks);
  return ok();
}

Result<std::vector<Entry>> read_entries(JsonReader& config, const json::array& layers,
                                        const engine::Shape* example) {
  std::vector<Entry> entries;
  std::set<std::string, std::less<>> names;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string path = config.path_of("layers") + "[" + std::to_string(i) + "]";
    auto entry = read_layer(layers[i], path, example);
    if (!entry) return entry.error();
    if (!names.insert(entry->name).second)
      return wrong(path, "the name '" + entry->name + "' stands twice");
    entries.push_back({std::move(*entry), path});
  }
  const auto masks = find_masks(entries);
  if (!masks) return masks.error();
  for (auto& [entry, path] : entries) {
    if (!entry.layer) continue;
    const std::string place = path + ".inbound_nodes";
    const json::array* nodes = entry.nodes == nullptr ? nullptr : entry.nodes->if_array();
    if (nodes == nullptr || nodes->size() != 1) {
      return wrong(place, "expected one call of the layer, saw " +
                              std::to_string(nodes == nullptr ? 0 : nodes->size()) +
                              "; layers that are shared are not supported");
    }
    auto call = read_call((*nodes)[0], place + "[0]", *masks);
    if (!call) return call.error();
    for (const std::string& name : call->inputs) {
      const std::string reads = "reads '" + name + "', which is ";
      if (is_operation_on_masks(entries, name))
        return wrong(place, reads + "a mask; only a layer's mask arguments may be one");
      if (names.count(name) == 0) return wrong(place, reads + "no layer");
    }
    if (auto done = take_call(std::move(*call), place, entry); !done) return done.error();
  }
  return entries;
}

// Keras 3's {"key": ["name", 0, 0], ...}: in the order of the keys, as its models take them.
Result<std::vector<std::string>> read_named_ends(const json::object& members,
                                                 const std::string& path) {
  std::map<std::string, std::string, std::less<>> by_key;
  for (const auto& [key, value] : members) {
    auto name = read_history(value, path + "." + std::string(key));
    if (!name) return name.error();
    by_key.emplace(key, std::move(*name));
  }
  std::vector<std::string> names;
  for (auto& [key, name] : by_key) names.push_back(std::move(name));
  return names;
}

// [["name", 0, 0], ...], or ["name", 0, 0] alone, or an object of these.
Result<std::vector<std::string>> read_ends(const json::value& value, const std::string& path) {
  if (const json::object* members = value.if_object(); members != nullptr && !members->empty())
    return read_named_ends(*members, path);
  const json::array* list = value.if_array();
  if (list == nullptr || list->empty())
    return wrong(path, "expected a list of layers, saw " + describe(value));
  std::vector<std::string> names;
  if ((*list)[0].is_string()) {
    auto name = read_history(value, path);
    if (!name) return name.error();
    names.push_back(std::move(*name));
    return names;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto name = read_history((*list)[i], path + "[" + std::to_string(i) + "]");
    if (!name) return name.error();
    names.push_back(std::move(*name));
  }
  return names;
}

// Layers whose inputs are there, in the file's order, again and again.
Result<void> sort_layers(std::vector<Entry>& entries, const std::string& output,
                         engine::GraphSpec& graph) {
  std::set<std::string, std::less<>> there;
  for (const engine::InputSpec& input : graph.inputs) there.insert(input.name);
  std::size_t waiting = 0;
  for (const Entry& entry : entries) waiting += entry.layer.layer ? 1 : 0;
  while (waiting > 0) {
    const std::size_t before = waiting;
    for (auto& [entry, path] : entries) {
      if (!entry.layer || (entry.name == output && waiting > 1)) continue;
      const bool ready = std::ranges::all_of(
          entry.layer->inputs, [&](const std::string& name) { return there.count(name) != 0; });
      if (!ready) continue;
      graph.layers.push_back(std::move(*entry.layer));
      entry.layer.reset();
      there.insert(entry.name);
      --waiting;
    }
    if (waiting < before) continue;
    const auto stuck =
        std::ranges::find_if(entries, [](const Entry& e) { return e.layer.layer.has_value(); });
    return wrong(stuck->path + ".inbound_nodes",
                 "the layer waits for itself, for the output or for what is no input");
  }
  return ok();
}

}  // namespace

Result<void> read_functional(JsonReader& config, const engine::Shape* example,
                             engine::GraphSpec& graph) {
  const json::array& layers = config.array("layers", 1, layers_max);
  const json::value& first = config.child("input_layers");
  const json::value& last = config.child("output_layers");
  if (auto done = config.finish(); !done) return done.error();
  const auto inputs = read_ends(first, config.path_of("input_layers"));
  if (!inputs) return inputs.error();
  const auto outputs = read_ends(last, config.path_of("output_layers"));
  if (!outputs) return outputs.error();
  if (outputs->size() != 1) {
    return wrong(config.path_of("output_layers"),
                 "expected one output, saw " + std::to_string(outputs->size()));
  }
  auto entries = read_entries(config, layers, inputs->size() == 1 ? example : nullptr);
  if (!entries) return entries.error();
  for (const std::string& name : *inputs) {
    const auto found = std::ranges::find_if(
        *entries, [&](const Entry& entry) { return entry.layer.name == name; });
    if (found == entries->end() || !found->layer.input || found->layer.layer) {
      return wrong(config.path_of("input_layers"), "'" + name + "' is no InputLayer");
    }
    graph.inputs.push_back({name, *found->layer.input});
  }
  const bool known = std::ranges::any_of(*entries, [&](const Entry& entry) {
    return entry.layer.name == outputs->front() && entry.layer.layer;
  });
  if (!known) {
    return wrong(config.path_of("output_layers"),
                 "'" + outputs->front() + "' is no layer whose output could be the model's");
  }
  return sort_layers(*entries, outputs->front(), graph);
}

}  // namespace entente::model
