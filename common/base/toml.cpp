// SPDX-License-Identifier: Apache-2.0
#include "common/base/toml.hpp"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <cmath>
#include <exception>
#include <utility>

#include "common/base/file.hpp"
#include "common/base/text.hpp"

namespace entente {
namespace {

// The library gives each part of a dotted key a table within the last and frees them by recursion:
// a key without end would overflow the stack. No text between two commas has as many dots either.
constexpr std::size_t dots_max = 1000;

// The line with too many dots in a row; 0 when there is none.
std::size_t endless_key_line(std::string_view text) {
  constexpr std::string_view ends_key = "\n,=[]{}#";
  std::size_t line = 1;
  std::size_t dots = 0;
  for (const char c : text) {
    if (ends_key.find(c) != ends_key.npos) dots = 0;
    if (c == '\n') ++line;
    if (c == '.' && ++dots > dots_max) return line;
  }
  return 0;
}

// Turns the library's tree into ours. False on the first thing that has no place there.
class Converter {
 public:
  bool convert(const toml::node& node, std::size_t depth, json::value& into) {
    if (depth > json_depth_max) {
      return refuse(node, "nested deeper than " + std::to_string(json_depth_max));
    }
    switch (node.type()) {
      case toml::node_type::table:
        return convert_table(*node.as_table(), depth, into);
      case toml::node_type::array:
        return convert_array(*node.as_array(), depth, into);
      case toml::node_type::string:
        into = node.as_string()->get();
        return true;
      case toml::node_type::integer:
        into = node.as_integer()->get();
        return true;
      case toml::node_type::boolean:
        into = node.as_boolean()->get();
        return true;
      case toml::node_type::floating_point:
        into = node.as_floating_point()->get();
        return std::isfinite(into.get_double()) || refuse(node, "expected a finite number");
      default:
        return refuse(node, "expected no date or time; write it as a text between quotes");
    }
  }

  toml::source_position place;
  std::string problem;

 private:
  bool refuse(const toml::node& node, std::string what) {
    place = node.source().begin;
    problem = std::move(what);
    return false;
  }

  bool convert_table(const toml::table& table, std::size_t depth, json::value& into) {
    json::object& object = into.emplace_object();
    for (const auto& [key, node] : table) {
      if (!convert(node, depth + 1, object[key.str()])) return false;
    }
    return true;
  }

  bool convert_array(const toml::array& array, std::size_t depth, json::value& into) {
    json::array& items = into.emplace_array();
    items.reserve(array.size());
    for (const toml::node& node : array) {
      if (!convert(node, depth + 1, items.emplace_back(nullptr))) return false;
    }
    return true;
  }
};

Error wrong(std::string_view source, toml::source_position place, std::string_view what) {
  return {Errc::malformed, std::string(source) + ":" + std::to_string(place.line) + ":" +
                               std::to_string(place.column) + ": " + escaped(what)};
}

}  // namespace

Result<json::value> parse_toml(std::string_view text, std::string_view source) {
  if (text.size() > toml_size_max_bytes) {
    return Error{Errc::malformed, std::string(source) + ": expected at most " +
                                      std::to_string(toml_size_max_bytes) + " bytes, saw " +
                                      std::to_string(text.size())};
  }
  if (const std::size_t line = endless_key_line(text); line != 0) {
    return Error{Errc::malformed, std::string(source) + ":" + std::to_string(line) +
                                      ": expected a key of fewer parts"};
  }
  try {
    const toml::parse_result parsed = toml::parse(text);
    if (!parsed) return wrong(source, parsed.error().source().begin, parsed.error().description());
    Converter converter;
    json::value value;
    if (converter.convert(parsed.table(), 1, value)) return value;
    return wrong(source, converter.place, converter.problem);
  } catch (const std::exception& failed) {  // a size beyond what the containers hold
    return Error{Errc::malformed, std::string(source) + ": " + failed.what()};
  }
}

Result<json::value> read_toml(const std::filesystem::path& path) {
  auto text = read_text(path, toml_size_max_bytes);
  if (!text) return text.error();
  return parse_toml(*text, path.string());
}

}  // namespace entente
