// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <set>
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
  std::vector<std::size_t> answers;  // the label, or the targets
};

// A file without a header has a row in its place: its names are withheld as cells are.
Result<Header> read_header(CsvReader& csv, const Table& table, Cells cells) {
  const auto there = csv.next();
  if (!there) return there.error();
  if (!*there) return csv.error("expected a line with the columns' names, saw an empty file");
  Header header;
  header.cell_count = csv.cell_count();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < csv.cell_count(); ++i) names.emplace_back(csv.cell(i));
  const Index index = index_of(names);
  const auto column = [&](std::size_t i) {
    return "column " + (cells == Cells::told ? in_quotes(names[i]) : std::to_string(i + 1));
  };
  if (index.size() < names.size()) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (index.at(names[i]) == i) continue;
      return csv.error(column(i) + " occurs twice");
    }
  }
  std::set<std::string, std::less<>> wanted;
  const auto find = [&](const std::string& name) -> Result<std::size_t> {
    wanted.insert(name);
    if (const auto at = index.find(name); at != index.end()) return at->second;
    const std::string_view near = cells == Cells::told ? nearest(name, names) : "";
    return csv.error("expected a column " + in_quotes(name) + ", saw none" +
                     (near.empty() ? "" : " (nearest: " + in_quotes(near) + ")"));
  };
  for (const Column& each : table.columns) {
    const auto at = find(each.name);
    if (!at) return at.error();
    header.columns.push_back(*at);
  }
  std::vector<std::string> answers;
  for (const TargetColumn& target : table.targets) answers.push_back(target.name);
  if (answers.empty()) answers.push_back(table.label);
  for (const std::string& name : answers) {
    const auto at = find(name);
    if (!at) return at.error();
    header.answers.push_back(*at);
  }
  if (!table.ignore_other_columns) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (wanted.contains(names[i])) continue;
      return csv.error(column(i) +
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

// Of a number that no double holds: whether it is too small, not too large.
bool is_below_one(std::string_view text) {
  return std::abs(std::strtod(std::string(text).c_str(), nullptr)) < 1;
}

// These give what is wrong with a cell.

Fault read_number(std::string_view cell, double mean, double deviation,
                  std::optional<double> missing, float& scaled) {
  const std::string_view text = trimmed(cell);
  double value = 0;
  if (text.empty()) {
    if (!missing) return {"expected a number", "an empty cell (the plan gives no `missing`)"};
    value = *missing;
  } else {
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end != text.data() + text.size() || status == std::errc::invalid_argument) {
      return {"expected a number", in_quotes(cell)};
    }
    if (status == std::errc::result_out_of_range && is_below_one(text)) {
      return {"too small a number for a double (0 may be meant)", in_quotes(cell)};
    }
    if (status == std::errc::result_out_of_range || !std::isfinite(value)) {
      return {"expected a finite number", in_quotes(cell)};
    }
  }
  scaled = static_cast<float>((value - mean) / deviation);
  if (!std::isfinite(scaled)) return {"too large after scaling", in_quotes(cell)};
  return {};
}

Fault read_numeric(const Numeric& numeric, std::string_view cell, std::span<float> features) {
  if (numeric.missing_indicator && trimmed(cell).empty()) features[1] = 1;
  return read_number(cell, numeric.mean, numeric.deviation, numeric.missing, features[0]);
}

std::string shown(std::string_view cell) {
  return cell.empty() ? "an empty cell" : in_quotes(cell);
}

Fault read_categorical(const Categorical& categorical, const Index& categories,
                       std::string_view cell, std::span<float> features) {
  using Unknown = Categorical::Unknown;
  const auto at = categories.find(cell);
  if (at == categories.end() && categorical.unknown == Unknown::error) {
    return {"expected one of the plan's categories", shown(cell)};
  }
  if (at == categories.end() && categorical.unknown == Unknown::zero) return {};
  const std::size_t category = at == categories.end() ? categories.size() : at->second;
  if (categorical.encoding == Categorical::Encoding::index) {
    features[0] = static_cast<float>(category);
  } else {
    features[category] = 1;
  }
  return {};
}

// Where `count` things of a cell stand among the sequence's places: those from `from` on at `to`
// and behind.
struct Fitted {
  std::size_t from = 0;
  std::size_t to = 0;
  std::size_t count = 0;
};

Fitted fit(const Sequence& sequence, std::size_t count) {
  const std::size_t kept = std::min<std::size_t>(count, sequence.length);
  return {sequence.truncation == Sequence::End::before ? count - kept : 0,
          sequence.padding == Sequence::End::before ? sequence.length - kept : 0, kept};
}

class TableReader {
 public:
  TableReader(const Schema& schema, Header header, Cells cells)
      : cells_(cells),
        schema_(schema),
        table_(std::get<Table>(schema.kind)),
        header_(std::move(header)),
        classes_(index_of(schema.classes)),
        features_(schema.feature_count()) {
    for (const Column& column : table_.columns) {
      const auto* categorical = std::get_if<Categorical>(&column.type);
      const auto* sequence = std::get_if<Sequence>(&column.type);
      categories_.push_back(categorical == nullptr ? Index{} : index_of(categorical->categories));
      vocabularies_.emplace_back(sequence == nullptr ? no_vocabulary_ : sequence->vocabulary);
    }
  }

  // Adds the record that `csv` stands at.
  Result<void> read(const CsvReader& csv, DatasetBuilder& builder) {
    if (csv.cell_count() != header_.cell_count) {
      return csv.error("expected " + std::to_string(header_.cell_count) + " cells, saw " +
                       std::to_string(csv.cell_count()));
    }
    const auto wrong = [&](const std::string& column, const Fault& fault) {
      return csv.error("column " + in_quotes(column) + ": " + fault.text(cells_));
    };
    std::fill(features_.begin(), features_.end(), 0.0F);
    std::span<float> features(features_);
    for (std::size_t i = 0; i < table_.columns.size(); ++i) {
      const Column& column = table_.columns[i];
      if (const Fault fault = read_column(i, csv.cell(header_.columns[i]), features))
        return wrong(column.name, fault);
      features = features.subspan(column.feature_count());
    }
    builder.values().append(features_);
    for (std::size_t i = 0; i < table_.targets.size(); ++i) {
      const TargetColumn& target = table_.targets[i];
      float answer = 0;
      const Fault fault =
          read_number(csv.cell(header_.answers[i]), target.mean, target.deviation, {}, answer);
      if (fault) return wrong(target.name, fault);
      builder.answers().push_back(answer);
    }
    if (!table_.targets.empty()) return ok();
    const std::string_view label = csv.cell(header_.answers.front());
    const Fault fault = table_.label_per_token ? read_labels(label, builder.labels())
                                               : read_label(label, builder.labels());
    if (fault) return wrong(table_.label, fault);
    return ok();
  }

 private:
  Fault read_column(std::size_t i, std::string_view cell, std::span<float> features) {
    const auto& type = table_.columns[i].type;
    if (const auto* numeric = std::get_if<Numeric>(&type)) {
      return read_numeric(*numeric, cell, features);
    }
    if (const auto* categorical = std::get_if<Categorical>(&type)) {
      return read_categorical(*categorical, categories_[i], cell, features);
    }
    const auto& sequence = std::get<Sequence>(type);
    tokens_.clear();
    const std::string problem = vocabularies_[i].add_numbers(cell, tokens_);
    if (!problem.empty()) return {cells_ == Cells::told ? problem : "expected UTF-8", ""};
    const Fitted fitted = fit(sequence, tokens_.size());
    std::copy_n(tokens_.data() + fitted.from, fitted.count, features.data() + fitted.to);
    if (table_.label_per_token) {
      labelled_ = &sequence;
      labelled_count_ = tokens_.size();
    }
    return {};
  }

  Fault read_label(std::string_view label, Growing<std::uint32_t>& labels) const {
    const auto at = classes_.find(label);
    if (at == classes_.end()) {
      return {"expected one of the plan's " + std::to_string(schema_.classes.size()) + " classes",
              shown(label)};
    }
    labels.push_back(static_cast<std::uint32_t>(at->second));
    return {};
  }

  // One for each token of the cell that was read last.
  Fault read_labels(std::string_view cell, Growing<std::uint32_t>& labels) {
    constexpr std::string_view spaces = " \t\r\n";
    cell_labels_.clear();
    for (;;) {
      cell.remove_prefix(std::min(cell.find_first_not_of(spaces), cell.size()));
      if (cell.empty()) break;
      const std::string_view name = cell.substr(0, cell.find_first_of(spaces));
      if (Fault fault = read_label(name, cell_labels_)) return fault;
      cell.remove_prefix(name.size());
    }
    if (cell_labels_.size() != labelled_count_) {
      return {"expected one class for each token of the text",
              std::to_string(cell_labels_.size()) + " for " + std::to_string(labelled_count_)};
    }
    const Fitted fitted = fit(*labelled_, cell_labels_.size());
    const std::size_t begin = labels.size();
    labels.resize(begin + labelled_->length, no_label);
    std::copy_n(cell_labels_.data() + fitted.from, fitted.count, labels.data() + begin + fitted.to);
    return {};
  }

  Cells cells_;
  const Schema& schema_;
  const Table& table_;
  Header header_;
  const Vocabulary no_vocabulary_;
  Index classes_;
  std::vector<Index> categories_;         // by column; empty for all but categorical ones
  std::vector<TokenIndex> vocabularies_;  // by column; empty for all but texts
  std::vector<float> features_;           // of one row
  std::vector<TokenNumber> tokens_;       // of one cell
  Growing<std::uint32_t> cell_labels_;
  const Sequence* labelled_ = nullptr;  // the column whose tokens have labels, once read
  std::size_t labelled_count_ = 0;      // and how many tokens its cell has
};

}  // namespace

Result<Dataset> load_table(const Schema& schema, const std::filesystem::path& path,
                           const Limits& limits, Cells cells) {
  auto csv = CsvReader::open(path);
  if (!csv) return csv.error();
  auto header = read_header(*csv, std::get<Table>(schema.kind), cells);
  if (!header) return header.error();
  TableReader reader(schema, std::move(*header), cells);
  DatasetBuilder builder(schema);
  const Target target = schema.target();
  const std::uint64_t answers =
      target.positions * (target.kind == Target::Kind::numbers ? target.width : 1);
  const std::uint64_t row_bytes = (schema.feature_count() + answers) * sizeof(float);
  std::size_t rows = 0;
  for (;;) {
    const auto there = csv->next();
    if (!there) return there.error();
    if (!*there) break;
    if (auto fits = check_limits(++rows, row_bytes, limits); !fits) {
      return csv->error(fits.error().detail);
    }
    if (auto read = reader.read(*csv, builder); !read) return read.error();
  }
  if (rows == 0) return csv->error("expected rows behind the header, saw none");
  builder.set_rows(rows);
  return builder.finish();
}

}  // namespace entente::data
