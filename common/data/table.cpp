// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "common/base/text.hpp"
#include "common/data/builder.hpp"
#include "common/data/csv.hpp"

namespace entente::data {

namespace {

using Index = std::unordered_map<std::string_view, std::size_t>;

Index index_of(const std::vector<std::string>& names) {
  Index index;
  for (std::size_t i = 0; i < names.size(); ++i) index.emplace(names[i], i);
  return index;
}

// Where the schema's columns are in the file's records.
struct Header {
  std::size_t cell_count = 0;
  std::vector<std::size_t> columns;  // by the schema's order
  std::size_t label = 0;
};

Result<Header> read_header(CsvReader& csv, const Table& table) {
  const auto there = csv.next();
  if (!there) return there.error();
  if (!*there) return csv.error("expected a line with the columns' names, saw an empty file");
  Header header;
  header.cell_count = csv.cell_count();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < csv.cell_count(); ++i) names.emplace_back(csv.cell(i));
  const Index index = index_of(names);
  if (index.size() < names.size()) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (index.at(names[i]) == i) continue;
      return csv.error("column " + in_quotes(names[i]) + " occurs twice");
    }
  }
  Index wanted;
  const auto find = [&](const std::string& name) -> Result<std::size_t> {
    wanted.emplace(name, 0);
    if (const auto at = index.find(name); at != index.end()) return at->second;
    const std::string_view near = nearest(name, names);
    return csv.error("expected a column " + in_quotes(name) + ", saw none" +
                     (near.empty() ? "" : " (nearest: " + in_quotes(near) + ")"));
  };
  for (const Column& column : table.columns) {
    const auto at = find(column.name);
    if (!at) return at.error();
    header.columns.push_back(*at);
  }
  const auto label = find(table.label);
  if (!label) return label.error();
  header.label = *label;
  if (!table.ignore_other_columns) {
    for (const std::string& name : names) {
      if (wanted.contains(name)) continue;
      return csv.error("column " + in_quotes(name) +
                       " is not in the plan; name it there, or set ignore_other_columns = true");
    }
  }
  return header;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// What is wrong with a cell; empty when nothing is.
std::string read_numeric(const Numeric& numeric, std::string_view cell, float& feature) {
  const std::string_view text = trimmed(cell);
  double value = 0;
  if (text.empty()) {
    if (!numeric.missing)
      return "expected a number, saw an empty cell (the plan gives no `missing`)";
    value = *numeric.missing;
  } else {
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end != text.data() + text.size() || status == std::errc::invalid_argument) {
      return "expected a number, saw " + in_quotes(cell);
    }
    if (status == std::errc::result_out_of_range || !std::isfinite(value)) {
      return "expected a finite number, saw " + in_quotes(cell);
    }
  }
  feature = static_cast<float>((value - numeric.mean) / numeric.deviation);
  if (!std::isfinite(feature)) return "too large after scaling, saw " + in_quotes(cell);
  return {};
}

std::string read_categorical(const Index& categories, bool unknown_is_zero, std::string_view cell,
                             std::span<float> features) {
  if (const auto at = categories.find(cell); at != categories.end()) {
    features[at->second] = 1;
  } else if (!unknown_is_zero) {
    return "expected one of the plan's categories, saw " +
           (cell.empty() ? std::string("an empty cell") : in_quotes(cell));
  }
  return {};
}

class TableReader {
 public:
  TableReader(const Schema& schema, Header header)
      : schema_(schema),
        table_(std::get<Table>(schema.kind)),
        header_(std::move(header)),
        classes_(index_of(schema.classes)),
        features_(schema.feature_count()) {
    for (const Column& column : table_.columns) {
      const auto* categorical = std::get_if<Categorical>(&column.type);
      categories_.push_back(categorical == nullptr ? Index{} : index_of(categorical->categories));
    }
  }

  // Adds the record that `csv` stands at.
  Result<void> read(const CsvReader& csv, DatasetBuilder& builder) {
    if (csv.cell_count() != header_.cell_count) {
      return csv.error("expected " + std::to_string(header_.cell_count) + " cells, saw " +
                       std::to_string(csv.cell_count()));
    }
    std::fill(features_.begin(), features_.end(), 0.0F);
    std::size_t feature = 0;
    for (std::size_t i = 0; i < table_.columns.size(); ++i) {
      const Column& column = table_.columns[i];
      const std::string_view cell = csv.cell(header_.columns[i]);
      std::string problem;
      if (const auto* numeric = std::get_if<Numeric>(&column.type)) {
        problem = read_numeric(*numeric, cell, features_[feature]);
        feature += 1;
      } else {
        problem =
            read_categorical(categories_[i], std::get<Categorical>(column.type).unknown_is_zero,
                             cell, std::span(features_).subspan(feature));
        feature += categories_[i].size();
      }
      if (!problem.empty()) return csv.error("column " + in_quotes(column.name) + ": " + problem);
    }
    const std::string_view label = csv.cell(header_.label);
    const auto at = classes_.find(label);
    if (at == classes_.end()) {
      return csv.error("column " + in_quotes(table_.label) + ": expected one of the plan's " +
                       std::to_string(schema_.classes.size()) + " classes, saw " +
                       (label.empty() ? std::string("an empty cell") : in_quotes(label)));
    }
    builder.labels().push_back(static_cast<std::uint32_t>(at->second));
    builder.values().insert(builder.values().end(), features_.begin(), features_.end());
    return ok();
  }

 private:
  const Schema& schema_;
  const Table& table_;
  Header header_;
  Index classes_;
  std::vector<Index> categories_;  // by column; empty for a numeric one
  std::vector<float> features_;    // of one row
};

}  // namespace

Result<Dataset> load_table(const Schema& schema, const std::filesystem::path& path,
                           const Limits& limits) {
  auto csv = CsvReader::open(path);
  if (!csv) return csv.error();
  auto header = read_header(*csv, std::get<Table>(schema.kind));
  if (!header) return header.error();
  TableReader reader(schema, std::move(*header));
  DatasetBuilder builder(schema);
  const std::uint64_t row_bytes = schema.feature_count() * sizeof(float) + sizeof(std::uint32_t);
  for (;;) {
    const auto there = csv->next();
    if (!there) return there.error();
    if (!*there) break;
    if (auto fits = check_limits(builder.labels().size() + 1, row_bytes, limits); !fits) {
      return csv->error(fits.error().detail);
    }
    if (auto read = reader.read(*csv, builder); !read) return read.error();
  }
  if (builder.labels().empty()) return csv->error("expected rows behind the header, saw none");
  return builder.finish();
}

}  // namespace entente::data
