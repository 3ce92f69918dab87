// SPDX-License-Identifier: Apache-2.0
#include "common/data/schema.hpp"

#include <set>

#include "common/base/text.hpp"

namespace entente::data {

namespace {

constexpr double statistic_max = 1e30;
constexpr double deviation_least = 1e-30;
constexpr std::int64_t side_max = 65'536;
constexpr std::int64_t channels_max = 1'024;

// The distinct, non-empty texts of array `key`.
std::vector<std::string> read_names(JsonReader& reader, std::string_view key, std::size_t least,
                                    std::size_t most) {
  std::vector<std::string> names;
  std::set<std::string_view> seen;
  for (const json::value& item : reader.array(key, least, most)) {
    if (!item.is_string() || item.get_string().empty() ||
        item.get_string().size() > name_max_bytes) {
      reader.fail(key, "expected texts of 1 to " + std::to_string(name_max_bytes) + " bytes");
      return names;
    }
    if (!seen.insert(item.get_string()).second) {
      reader.fail(key, "expected each text once, saw " + in_quotes(item.get_string()) + " twice");
      return names;
    }
    names.emplace_back(item.get_string());
  }
  return names;
}

Numeric read_numeric(JsonReader& reader) {
  Numeric numeric;
  numeric.mean = reader.number_or("mean", 0, -statistic_max, statistic_max);
  numeric.deviation = reader.number_or("deviation", 1, deviation_least, statistic_max);
  if (reader.find("missing") != nullptr) {
    numeric.missing = reader.number("missing", -statistic_max, statistic_max);
  }
  return numeric;
}

Categorical read_categorical(JsonReader& reader) {
  Categorical categorical;
  categorical.categories = read_names(reader, "categories", 1, categories_max);
  const std::string unknown = reader.text_or("unknown", "error");
  if (unknown != "error" && unknown != "zero") {
    reader.fail("unknown", "expected \"error\" or \"zero\", saw " + in_quotes(unknown));
  }
  categorical.unknown_is_zero = unknown == "zero";
  return categorical;
}

Result<Column> parse_column(const json::value& value, std::string path) {
  JsonReader reader(value, std::move(path));
  Column column;
  column.name = reader.text("name", name_max_bytes);
  const std::string type = reader.text("type");
  if (type == "numeric") {
    column.type = read_numeric(reader);
  } else if (type == "categorical") {
    column.type = read_categorical(reader);
  } else {
    reader.fail("type", "expected \"numeric\" or \"categorical\", saw " + in_quotes(type));
  }
  if (auto done = reader.finish(); !done) return done.error();
  return column;
}

Table read_table(JsonReader& reader, Error& column_error) {
  Table table;
  table.label = reader.text("label", name_max_bytes);
  table.ignore_other_columns = reader.boolean_or("ignore_other_columns", false);
  const json::array& columns = reader.array("columns", 1, columns_max);
  std::set<std::string> names{table.label};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string at = reader.path_of("columns") + "[" + std::to_string(i) + "]";
    auto column = parse_column(columns[i], at);
    if (!column) {
      column_error = column.error();
      return table;
    }
    if (!names.insert(column->name).second) {
      reader.fail("columns", "expected each column once and the label apart, saw " +
                                 in_quotes(column->name) + " again");
      return table;
    }
    table.columns.push_back(std::move(*column));
  }
  return table;
}

Image read_image(JsonReader& reader) {
  Image image;
  const json::value& shape = reader.child("shape");
  const auto side = [&shape](std::size_t i, std::int64_t most) -> std::uint32_t {
    const auto* number = shape.get_array()[i].if_int64();
    return number != nullptr && *number >= 1 && *number <= most
               ? static_cast<std::uint32_t>(*number)
               : 0;
  };
  if (shape.is_array() && shape.get_array().size() == 3) {
    image.height = side(0, side_max);
    image.width = side(1, side_max);
    image.channels = side(2, channels_max);
  }
  if (image.height == 0 || image.width == 0 || image.channels == 0) {
    reader.fail("shape", "expected [height, width, channels], each at least 1");
  }
  image.mean = reader.number_or("mean", 0, -statistic_max, statistic_max);
  image.deviation = reader.number_or("deviation", 1, deviation_least, statistic_max);
  return image;
}

}  // namespace

std::size_t Schema::feature_count() const {
  if (const auto* image = std::get_if<Image>(&kind)) {
    return std::size_t{image->height} * image->width * image->channels;
  }
  std::size_t count = 0;
  for (const Column& column : std::get<Table>(kind).columns) {
    const auto* categorical = std::get_if<Categorical>(&column.type);
    count += categorical == nullptr ? 1 : categorical->categories.size();
  }
  return count;
}

Target Schema::target() const {
  return {Target::Kind::classes, 1, classes.size()};
}

std::vector<std::uint64_t> Schema::input_shape() const {
  if (const auto* image = std::get_if<Image>(&kind)) {
    return {image->height, image->width, image->channels};
  }
  return {feature_count()};
}

Result<Schema> parse_schema(const json::value& value, std::string path) {
  JsonReader reader(value, path);
  Schema schema;
  Error column_error;
  const std::string kind = reader.text("kind");
  if (kind == "table") {
    schema.kind = read_table(reader, column_error);
  } else if (kind == "image") {
    schema.kind = read_image(reader);
  } else {
    reader.fail("kind", "expected \"table\" or \"image\", saw " + in_quotes(kind));
  }
  schema.classes = read_names(reader, "classes", 2, classes_max);
  if (!column_error.detail.empty()) return column_error;
  if (auto done = reader.finish(); !done) return done.error();
  if (schema.feature_count() > features_max) {
    return Error{Errc::malformed, path + ": expected at most " + std::to_string(features_max) +
                                      " features in a row, saw " +
                                      std::to_string(schema.feature_count())};
  }
  return schema;
}

}  // namespace entente::data
