// SPDX-License-Identifier: Apache-2.0
#include "common/model/functional.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "common/model/fields.hpp"
#include "common/model/layer_reader.hpp"
#include "common/model/model.hpp"

namespace entente::model {
namespace {

// What one call of a layer says.
struct Call {
  std::vector<std::string> inputs;
  std::vector<std::string> first;  // the first argument's, where it is named
  std::string value, key;          // MultiHeadAttention's, where they are named
  bool causal = false;
};

Error wrong(const std::string& path, const std::string& what) {
  return Error{Errc::malformed, path + ": " + what};
}

// ["name", 0, 0], perhaps with more behind it.
Result<std::string> read_history(const json::value& value, const std::string& path) {
  const json::array* list = value.if_array();
  const bool fine = list != nullptr && list->size() >= 3 && (*list)[0].is_string() &&
                    (*list)[1].if_int64() != nullptr && (*list)[2].if_int64() != nullptr;
  if (!fine) return wrong(path, "expected [layer, node, tensor], saw " + describe(value));
  if (*(*list)[1].if_int64() != 0 || *(*list)[2].if_int64() != 0)
    return wrong(path, "only the first output of a layer's only call may be read");
  return std::string((*list)[0].get_string());
}

// Keras 3: {"class_name": "__keras_tensor__", "config": {"keras_history": [...]}}; nullptr: none.
const json::value* history_of(const json::value& value) {
  const json::object* object = value.if_object();
  const json::value* class_name = object == nullptr ? nullptr : object->if_contains("class_name");
  if (class_name == nullptr || !class_name->is_string() ||
      class_name->get_string() != "__keras_tensor__")
    return nullptr;
  const json::value* config = object->if_contains("config");
  const json::object* members = config == nullptr ? nullptr : config->if_object();
  return members == nullptr ? nullptr : members->if_contains("keras_history");
}

class CallReader {
 public:
  CallReader(const std::set<std::string, std::less<>>& masks) : masks_(masks) {}

  // The layer's only entry of inbound_nodes.
  Result<Call> read(const json::value& node, const std::string& path) {
    call_ = {};
    auto done = node.is_array() ? read_list(node.get_array(), path) : read_object(node, path);
    if (!done) return done.error();
    call_.inputs.insert(call_.inputs.begin(), call_.first.begin(), call_.first.end());
    if (!call_.value.empty()) call_.inputs.push_back(call_.value);
    if (!call_.key.empty()) call_.inputs.push_back(call_.key);
    return call_;
  }

 private:
  // Keras 2: [["name", 0, 0, {...}], ...].
  Result<void> read_list(const json::array& list, const std::string& path) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string place = path + "[" + std::to_string(i) + "]";
      auto name = read_history(list[i], place);
      if (!name) return name.error();
      call_.inputs.push_back(std::move(*name));
      const json::array& entry = list[i].get_array();
      if (entry.size() < 4) continue;
      if (auto done = read_arguments(entry[3], place + "[3]"); !done) return done.error();
    }
    return ok();
  }

  // Keras 3: {"args": [tensor or list of tensors ...], "kwargs": {...}}.
  Result<void> read_object(const json::value& node, const std::string& path) {
    JsonReader reader(node, path);
    const json::array& arguments = reader.array("args", 0, 1000);
    const json::value* named = reader.find("kwargs");
    if (auto done = reader.finish(); !done) return done.error();
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const std::string place = reader.path_of("args") + "[" + std::to_string(i) + "]";
      if (auto done = read_tensors(arguments[i], place, call_.inputs); !done) return done.error();
    }
    return named == nullptr ? ok() : read_arguments(*named, reader.path_of("kwargs"));
  }

  static Result<void> read_tensors(const json::value& value, const std::string& path,
                                   std::vector<std::string>& names) {
    if (const json::array* list = value.if_array()) {
      for (std::size_t i = 0; i < list->size(); ++i) {
        auto done = read_tensors((*list)[i], path + "[" + std::to_string(i) + "]", names);
        if (!done) return done.error();
      }
      return ok();
    }
    const json::value* history = history_of(value);
    if (history == nullptr)
      return wrong(path, "expected the output of a layer, saw " + describe(value));
    auto name = read_history(*history, path);
    if (!name) return name.error();
    names.push_back(std::move(*name));
    return ok();
  }

  Result<void> read_arguments(const json::value& value, const std::string& path) {
    const json::object* members = value.if_object();
    if (members == nullptr) return wrong(path, "expected an object, saw " + describe(value));
    for (const auto& [key, argument] : *members) {
      auto done = read_argument(std::string(key), argument, path + "." + std::string(key));
      if (!done) return done.error();
    }
    return ok();
  }

  Result<void> read_argument(const std::string& name, const json::value& value,
                             const std::string& path) {
    if (value.is_null() || (value.is_bool() && !value.get_bool())) return ok();
    if (name == "use_causal_mask" && value.is_bool()) {
      call_.causal = true;
      return ok();
    }
    // What Keras 3 calls the first argument of its layers; Keras 2 never names it.
    if (name == "inputs" || name == "query" || name == "sequences")
      return read_tensors(value, path, call_.first);
    const json::value* history = value.is_array() ? &value : history_of(value);
    if (history == nullptr) return wrong(path, "is not supported; expected null or false");
    auto source = read_history(*history, path);
    if (!source) return source.error();
    if (name == "value") {
      call_.value = *source;
    } else if (name == "key") {
      call_.key = *source;
    } else if (!name.ends_with("mask") || masks_.count(*source) == 0) {
      return wrong(path, "is not supported; masks come from Embedding's mask_zero alone");
    }
    return ok();
  }

  const std::set<std::string, std::less<>>& masks_;
  Call call_;
};

struct Entry {
  LayerEntry layer;
  std::string path;
};

// Only a comparison with 0 is what mask_zero means: {"args": [tensor, 0], ...}.
Result<void> check_comparison(const LayerEntry& entry, const std::string& path) {
  const json::value* with = nullptr;
  if (entry.nodes != nullptr) {
    boost::system::error_code failure;
    with = entry.nodes->find_pointer("/0/args/1", failure);
  }
  if (with != nullptr && with->is_number() && with->to_number<double>() == 0) return ok();
  return wrong(path + ".inbound_nodes", "only tokens compared with 0 make a mask");
}

Result<std::vector<Entry>> read_entries(JsonReader& config, const json::array& layers) {
  std::vector<Entry> entries;
  std::set<std::string, std::less<>> names, masks;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string path = config.path_of("layers") + "[" + std::to_string(i) + "]";
    auto entry = read_layer(layers[i], path);
    if (!entry) return entry.error();
    if (!names.insert(entry->name).second)
      return wrong(path, "the name '" + entry->name + "' stands twice");
    if (entry->mask == MaskOperation::comparison) {
      if (auto fine = check_comparison(*entry, path); !fine) return fine.error();
    }
    if (entry->mask != MaskOperation::none) masks.insert(entry->name);
    entries.push_back({std::move(*entry), path});
  }
  CallReader reader(masks);
  for (auto& [entry, path] : entries) {
    if (!entry.layer) continue;
    const std::string place = path + ".inbound_nodes";
    const json::array* nodes = entry.nodes == nullptr ? nullptr : entry.nodes->if_array();
    if (nodes == nullptr || nodes->size() != 1) {
      return wrong(place, "expected one call of the layer, saw " +
                              std::to_string(nodes == nullptr ? 0 : nodes->size()) +
                              "; layers that are shared are not supported");
    }
    const auto call = reader.read((*nodes)[0], place + "[0]");
    if (!call) return call.error();
    if (call->inputs.empty()) return wrong(place, "the layer reads nothing");
    auto* attention = std::get_if<engine::MultiHeadAttention>(&entry.layer->kind);
    if (call->causal && attention == nullptr)
      return wrong(place, "use_causal_mask is MultiHeadAttention's");
    if (attention != nullptr) attention->causal = call->causal;
    for (const std::string& name : call->inputs) {
      if (names.count(name) == 0) return wrong(place, "reads '" + name + "', which is no layer");
    }
    entry.layer->inputs = call->inputs;
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

Result<void> read_functional(JsonReader& config, engine::GraphSpec& graph) {
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
  auto entries = read_entries(config, layers);
  if (!entries) return entries.error();
  for (const std::string& name : *inputs) {
    const auto found = std::ranges::find_if(
        *entries, [&](const Entry& entry) { return entry.layer.name == name; });
    if (found == entries->end() || !found->layer.input || found->layer.layer) {
      return wrong(config.path_of("input_layers"), "'" + name + "' is no InputLayer");
    }
    graph.inputs.push_back({name, *found->layer.input});
  }
  return sort_layers(*entries, outputs->front(), graph);
}

}  // namespace entente::model
