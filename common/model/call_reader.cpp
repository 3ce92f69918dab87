// SPDX-License-Identifier: Apache-2.0
#include "common/model/call_reader.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace entente::model {
namespace {

Error wrong(const std::string& path, const std::string& what) {
  return Error{Errc::malformed, path + ": " + what};
}

// The masks that a call may name, and of which input each is.
struct MaskName {
  std::string_view name;
  std::size_t of;
};
constexpr std::array<MaskName, 4> mask_names{
    {{"mask", 0}, {"query_mask", 0}, {"value_mask", 1}, {"key_mask", 2}}};

class CallReader {
 public:
  explicit CallReader(const Masks& masks) : masks_(masks) {}

  // The layer's only entry of inbound_nodes.
  Result<Call> read(const json::value& node, const std::string& path) {
    call_.keras_3 = !node.is_array();
    auto done = node.is_array() ? read_list(node.get_array(), path) : read_object(node, path);
    if (!done) return done.error();
    std::vector<std::string>& inputs = call_.inputs;
    inputs.insert(inputs.begin(), first_.begin(), first_.end());
    if (!value_.empty()) inputs.push_back(value_);
    if (!key_.empty()) inputs.push_back(key_);
    // Where no key is given the value is the key, and so is its mask.
    for (engine::MaskSpec& mask : call_.masks) mask.of = std::min(mask.of, inputs.size() - 1);
    return std::move(call_);
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
    if (name == "training" && value.is_bool() && !value.get_bool()) call_.inference = path;
    if (value.is_null() || (value.is_bool() && !value.get_bool())) return ok();
    if (name == "use_causal_mask" && value.is_bool()) {
      call_.causal = true;
      return ok();
    }
    // What Keras 3 calls the first argument of its layers; Keras 2 never names it.
    if (name == "inputs" || name == "query" || name == "sequences")
      return read_tensors(value, path, first_);
    const json::value* history = value.is_array() ? &value : history_of(value);
    if (history == nullptr) return wrong(path, "is not supported; expected null or false");
    auto source = read_history(*history, path);
    if (!source) return source.error();
    if (name == "value") {
      value_ = std::move(*source);
      return ok();
    }
    if (name == "key") {
      key_ = std::move(*source);
      return ok();
    }
    return read_mask(name, *source, path);
  }

  Result<void> read_mask(const std::string& name, const std::string& source,
                         const std::string& path) {
    const auto* const known = std::ranges::find(mask_names, name, &MaskName::name);
    if (known == mask_names.end()) return wrong(path, "is not supported; expected null");
    const auto tokens = masks_.find(source);
    if (tokens == masks_.end())
      return wrong(path, "is not supported; masks come from Embedding's mask_zero alone");
    call_.masks.push_back({known->of, tokens->second});
    return ok();
  }

  const Masks& masks_;
  Call call_;
  std::vector<std::string> first_;  // the first argument's, where it is named
  std::string value_, key_;         // MultiHeadAttention's, where they are named
};

}  // namespace

Result<std::string> read_history(const json::value& value, const std::string& path) {
  const json::array* list = value.if_array();
  const bool fine = list != nullptr && list->size() >= 3 && (*list)[0].is_string() &&
                    (*list)[1].if_int64() != nullptr && (*list)[2].if_int64() != nullptr;
  if (!fine) return wrong(path, "expected [layer, node, tensor], saw " + describe(value));
  if (*(*list)[1].if_int64() != 0 || *(*list)[2].if_int64() != 0)
    return wrong(path, "only the first output of a layer's only call may be read");
  return std::string((*list)[0].get_string());
}

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

Result<Call> read_call(const json::value& node, const std::string& path, const Masks& masks) {
  return CallReader(masks).read(node, path);
}

}  // namespace entente::model
