// SPDX-License-Identifier: Apache-2.0
#include "common/data/schema.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "common/base/text.hpp"

namespace entente::data {

namespace {

constexpr double statistic_max = 1e30;
constexpr double deviation_least = 1e-30;
constexpr std::int64_t side_max = 65'536;
constexpr std::int64_t channels_max = 1'024;
constexpr std::string_view spaces = " \t\n\v\f\r";

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

// The place of the text `key` among `choices`; 0 where it is absent or none of them, which fails.
std::size_t read_choice(JsonReader& reader, std::string_view key,
                        std::initializer_list<std::string_view> choices,
                        bool may_be_absent = true) {
  if (may_be_absent && reader.find(key) == nullptr) return 0;
  const std::string text = reader.text(key);
  const auto* const at = std::find(choices.begin(), choices.end(), text);
  if (at != choices.end()) return static_cast<std::size_t>(at - choices.begin());
  std::string expected;
  for (const std::string_view choice : choices) {
    expected += (expected.empty() ? "\"" : ", \"") + std::string(choice) + "\"";
  }
  reader.fail(key, "expected one of " + expected + ", saw " + in_quotes(text));
  return 0;
}

Vocabulary read_vocabulary(JsonReader& reader) {
  constexpr std::array kinds{TokenKind::characters, TokenKind::words, TokenKind::spaces};
  Vocabulary vocabulary;
  vocabulary.rule.kind =
      kinds[read_choice(reader, "tokens", {"characters", "words", "spaces"}, false)];
  vocabulary.rule.lowercase = reader.boolean_or("lowercase", false);
  vocabulary.entries = read_names(reader, "vocabulary", 1, vocabulary_max);
  if (const auto entry = never_found(vocabulary); !entry.empty() && !reader.failed()) {
    reader.fail("vocabulary",
                "expected entries that are one token each as `tokens` and `lowercase` cut a text "
                "(padding and unknown have their numbers without an entry), saw " +
                    in_quotes(entry));
  }
  return vocabulary;
}

std::uint32_t read_length(JsonReader& reader, std::string_view key) {
  return static_cast<std::uint32_t>(reader.integer(key, 1, length_max));
}

Numeric read_numeric(JsonReader& reader) {
  Numeric numeric;
  numeric.mean = reader.number_or("mean", 0, -statistic_max, statistic_max);
  numeric.deviation = reader.number_or("deviation", 1, deviation_least, statistic_max);
  if (reader.find("missing") != nullptr) {
    numeric.missing = reader.number("missing", -statistic_max, statistic_max);
  }
  const double scaled = (numeric.missing.value_or(numeric.mean) - numeric.mean) / numeric.deviation;
  if (!reader.failed() && !std::isfinite(static_cast<float>(scaled))) {
    reader.fail("missing", "expected a number that fits a float32 once it is scaled, saw " +
                               describe(json::value(*numeric.missing)));
  }
  numeric.missing_indicator = reader.boolean_or("missing_indicator", false);
  if (numeric.missing_indicator && !numeric.missing) {
    reader.fail("missing_indicator", "expected `missing` beside it: the number for an empty cell");
  }
  return numeric;
}

Categorical read_categorical(JsonReader& reader) {
  Categorical categorical;
  categorical.categories = read_names(reader, "categories", 1, categories_max);
  if (read_choice(reader, "encoding", {"one_hot", "index"}) == 0) {
    constexpr std::array kinds{Categorical::Unknown::error, Categorical::Unknown::zero,
                               Categorical::Unknown::extra};
    categorical.unknown = kinds[read_choice(reader, "unknown", {"error", "zero", "extra"})];
  } else {
    constexpr std::array kinds{Categorical::Unknown::error, Categorical::Unknown::extra};
    categorical.encoding = Categorical::Encoding::index;
    categorical.unknown = kinds[read_choice(reader, "unknown", {"error", "extra"})];
  }
  return categorical;
}

Sequence read_sequence(JsonReader& reader) {
  constexpr std::array ends{Sequence::End::after, Sequence::End::before};
  Sequence sequence;
  sequence.vocabulary = read_vocabulary(reader);
  sequence.length = read_length(reader, "length");
  sequence.padding = ends[read_choice(reader, "padding", {"after", "before"})];
  sequence.truncation = ends[read_choice(reader, "truncation", {"after", "before"})];
  return sequence;
}

// A column of the file's header.
std::string read_column_name(JsonReader& reader, std::string_view key) {
  std::string name = reader.text(key, name_max_bytes);
  if (name.empty()) reader.fail(key, "expected a column's name, saw an empty text");
  return name;
}

Result<Column> parse_column(const json::value& value, std::string path) {
  JsonReader reader(value, std::move(path));
  Column column;
  column.name = read_column_name(reader, "name");
  switch (read_choice(reader, "type", {"numeric", "categorical", "text"}, false)) {
    case 1:
      column.type = read_categorical(reader);
      break;
    case 2:
      column.type = read_sequence(reader);
      break;
    default:
      column.type = read_numeric(reader);
  }
  if (auto done = reader.finish(); !done) return done.error();
  return column;
}

Result<TargetColumn> parse_target(const json::value& value, std::string path) {
  JsonReader reader(value, std::move(path));
  TargetColumn target;
  target.name = read_column_name(reader, "name");
  target.mean = reader.number_or("mean", 0, -statistic_max, statistic_max);
  target.deviation = reader.number_or("deviation", 1, deviation_least, statistic_max);
  if (auto done = reader.finish(); !done) return done.error();
  return target;
}

// The items of array `key`, each read by `parse`; the first error inside of one goes to `error`.
template <class Item>
std::vector<Item> read_list(JsonReader& reader, std::string_view key, std::size_t most,
                            Result<Item> (*parse)(const json::value&, std::string), Error& error) {
  std::vector<Item> items;
  for (const json::value& value : reader.array(key, 1, most)) {
    auto item = parse(value, reader.path_of(key) + "[" + std::to_string(items.size()) + "]");
    if (!item) {
      if (error.detail.empty()) error = item.error();
      return items;
    }
    items.push_back(std::move(*item));
  }
  return items;
}

// What is to be predicted: a label's class, or numbers.
void read_answer(JsonReader& reader, Table& table, Error& error) {
  if (!reader.has("targets")) {
    reader.find("targets");  // known, for the suggestions
    table.label = read_column_name(reader, "label");
    table.label_per_token = read_choice(reader, "label_per", {"row", "token"}) == 1;
    return;
  }
  table.targets = read_list(reader, "targets", targets_max, parse_target, error);
  if (reader.find("label") != nullptr) {
    reader.fail("label", "expected either a label or targets, saw both");
  }
}

Table read_table(JsonReader& reader, Error& error) {
  Table table;
  read_answer(reader, table, error);
  table.ignore_other_columns = reader.boolean_or("ignore_other_columns", false);
  table.columns = read_list(reader, "columns", columns_max, parse_column, error);
  std::set<std::string_view> names{table.label};
  for (const TargetColumn& target : table.targets) {
    if (names.insert(target.name).second) continue;
    reader.fail("targets", "expected each column once, saw " + in_quotes(target.name) + " again");
  }
  std::size_t sequences = 0;
  for (const Column& column : table.columns) {
    sequences += std::holds_alternative<Sequence>(column.type) ? 1 : 0;
    if (names.insert(column.name).second) continue;
    reader.fail("columns", "expected each column once and what is predicted apart, saw " +
                               in_quotes(column.name) + " again");
  }
  if (table.label_per_token && sequences != 1) {
    reader.fail("label_per", "expected one column of type \"text\" for \"token\", saw " +
                                 std::to_string(sequences));
  }
  return table;
}

// A number for all channels, or an array with one for each.
std::vector<double> read_statistic(JsonReader& reader, std::string_view key, double fallback,
                                   double least, std::uint32_t channels) {
  const json::value* value = reader.find(key);
  if (value == nullptr || !value->is_array()) {
    return {reader.number_or(key, fallback, least, statistic_max)};
  }
  std::vector<double> numbers;
  for (const json::value& item : reader.array(key, channels, channels)) {
    const double number = item.is_number() ? item.to_number<double>() : std::nan("");
    if (!(number >= least && number <= statistic_max)) {
      reader.fail(key, "expected numbers from " + describe(json::value(least)) + " to " +
                           describe(json::value(statistic_max)) + ", saw " + describe(item));
      return {fallback};
    }
    numbers.push_back(number);
  }
  if (numbers.empty()) numbers.push_back(fallback);  // after an error
  return numbers;
}

Augmentation read_augmentation(JsonReader reader, const Image& image, Error& error) {
  Augmentation augmentation;
  augmentation.flip_horizontal = read_choice(reader, "flip", {"none", "horizontal"}) == 1;
  const std::int64_t crop_max = std::max(1U, std::min(image.height, image.width));
  augmentation.crop = static_cast<std::uint32_t>(reader.integer_or("crop", 0, 0, crop_max));
  if (auto done = reader.finish(); !done && error.detail.empty()) error = done.error();
  return augmentation;
}

Image read_image(JsonReader& reader, Error& error) {
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
  image.mean = read_statistic(reader, "mean", 0, -statistic_max, image.channels);
  image.deviation = read_statistic(reader, "deviation", 1, deviation_least, image.channels);
  for (std::size_t i = 0; i < std::max(image.mean.size(), image.deviation.size()); ++i) {
    const double mean = std::abs(image.mean[i % image.mean.size()]) + 1;
    if (mean / image.deviation[i % image.deviation.size()] > statistic_max) {
      reader.fail("deviation", "expected features that fit a float32, saw too small a deviation");
    }
  }
  if (reader.find("augment") != nullptr) {
    image.augmentation = read_augmentation(reader.object("augment"), image, error);
  }
  return image;
}

Text read_text(JsonReader& reader) {
  constexpr std::array kinds{Text::Predict::each, Text::Predict::last};
  Text text;
  text.vocabulary = read_vocabulary(reader);
  text.length = read_length(reader, "length");
  text.stride = reader.find("stride") == nullptr ? text.length : read_length(reader, "stride");
  text.predict = kinds[read_choice(reader, "predict", {"each", "last"})];
  return text;
}

void read_classes(JsonReader& reader, Schema& schema) {
  const Table* table = std::get_if<Table>(&schema.kind);
  const bool named =
      !std::holds_alternative<Text>(schema.kind) && (!table || table->targets.empty());
  if (!named) {
    if (reader.find("classes") == nullptr) return;
    reader.fail("classes",
                std::string("expected none, ") +
                    (table == nullptr ? "the tokens are the classes" : "the targets are numbers"));
    return;
  }
  schema.classes = read_names(reader, "classes", 2, classes_max);
  if (table == nullptr || !table->label_per_token) return;
  for (const std::string& name : schema.classes) {
    if (name.find_first_of(spaces) == std::string::npos) continue;
    reader.fail("classes",
                "expected names without spaces for a label per token, saw " + in_quotes(name));
  }
}

}  // namespace

std::size_t Column::feature_count() const {
  if (const auto* numeric = std::get_if<Numeric>(&type)) {
    return numeric->missing_indicator ? 2 : 1;
  }
  if (const auto* sequence = std::get_if<Sequence>(&type)) return sequence->length;
  const auto& categorical = std::get<Categorical>(type);
  return categorical.encoding == Categorical::Encoding::index ? 1 : categorical.category_count();
}

std::size_t Schema::feature_count() const {
  if (const auto* image = std::get_if<Image>(&kind)) {
    return std::size_t{image->height} * image->width * image->channels;
  }
  if (const auto* text = std::get_if<Text>(&kind)) return text->length;
  std::size_t count = 0;
  for (const Column& column : std::get<Table>(kind).columns) count += column.feature_count();
  return count;
}

std::vector<FeatureRange> Schema::feature_ranges() const {
  if (std::holds_alternative<Image>(kind)) return {{"the image", 0, feature_count(), 0}};
  if (const auto* text = std::get_if<Text>(&kind))
    return {{"the text", 0, text->length, text->vocabulary.width()}};
  std::vector<FeatureRange> ranges;
  std::size_t first = 0;
  for (const Column& column : std::get<Table>(kind).columns) {
    FeatureRange range{"column " + in_quotes(column.name), first, column.feature_count(), 0};
    if (const auto* sequence = std::get_if<Sequence>(&column.type)) {
      range.bound = sequence->vocabulary.width();
    } else if (const auto* categorical = std::get_if<Categorical>(&column.type)) {
      const bool index = categorical->encoding == Categorical::Encoding::index;
      range.bound = index ? categorical->category_count() : 2;
    }
    first += range.count;
    ranges.push_back(std::move(range));
  }
  return ranges;
}

Target Schema::target() const {
  if (const auto* text = std::get_if<Text>(&kind)) {
    return {Target::Kind::classes, text->predict == Text::Predict::each ? text->length : 1U,
            text->vocabulary.width()};
  }
  const Target of_row{Target::Kind::classes, 1, classes.size()};
  const auto* table = std::get_if<Table>(&kind);
  if (table == nullptr) return of_row;
  if (!table->targets.empty()) return {Target::Kind::numbers, 1, table->targets.size()};
  if (!table->label_per_token) return of_row;
  for (const Column& column : table->columns) {
    if (const auto* sequence = std::get_if<Sequence>(&column.type)) {
      return {Target::Kind::classes, sequence->length, classes.size()};
    }
  }
  return of_row;
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
  Error error;  // inside of one of its objects
  switch (read_choice(reader, "kind", {"table", "image", "text"}, false)) {
    case 1:
      schema.kind = read_image(reader, error);
      break;
    case 2:
      schema.kind = read_text(reader);
      break;
    default:
      schema.kind = read_table(reader, error);
  }
  read_classes(reader, schema);
  if (!error.detail.empty()) return error;
  if (auto done = reader.finish(); !done) return done.error();
  if (schema.feature_count() > features_max) {
    return Error{Errc::malformed, path + ": expected at most " + std::to_string(features_max) +
                                      " features in a row, saw " +
                                      std::to_string(schema.feature_count())};
  }
  return schema;
}

}  // namespace entente::data
