// SPDX-License-Identifier: Apache-2.0
//
// A schema from its JSON, rows from text in a file, and everything that a dataset gives of them.
#pragma once

#include <numeric>

#include "common/data/dataset.hpp"
#include "tests/common/data/folder.hpp"

namespace entente::data {

inline Result<Schema> parse(std::string_view text) {
  return parse_schema(parse_json(text, 4U << 20U).value(), "plan.data");
}

// Whether the schema is refused with a text that contains `part`.
inline bool refused(std::string_view text, std::string_view part) {
  return fails(parse(text), Errc::malformed, part);
}

struct Rows {
  std::vector<float> features;
  std::vector<std::uint32_t> labels;
  std::vector<float> values;
};

inline Rows gathered(const Dataset& dataset, std::span<const std::uint32_t> rows,
                     std::optional<std::uint64_t> seed = std::nullopt) {
  const Target& target = dataset.target();
  const bool numbers = target.kind == Target::Kind::numbers;
  const std::size_t positions = rows.size() * target.positions;
  Rows all{std::vector<float>(rows.size() * dataset.feature_count()),
           std::vector<std::uint32_t>(numbers ? 0 : positions),
           std::vector<float>(numbers ? positions * target.width : 0)};
  dataset.gather(rows, {all.features, all.labels, all.values}, seed);
  return all;
}

inline Rows all_rows(const Dataset& dataset) {
  std::vector<std::uint32_t> rows(dataset.rows());
  std::iota(rows.begin(), rows.end(), 0U);
  return gathered(dataset, rows);
}

// Reads files by schemas, both given as text.
struct Reading {
  Folder folder;
  Result<Dataset> read(std::string_view schema, std::string_view text,
                       const Limits& limits = {}) const {
    const auto parsed = parse(schema);
    BOOST_REQUIRE_MESSAGE(parsed, parsed.error().detail);
    return load(*parsed, source_of(*parsed, folder.write("rows", text)).value(), limits);
  }
  // The same error, as it may go to a log.
  std::string withheld(std::string_view schema, std::string_view text) const {
    const auto parsed = parse(schema);
    BOOST_REQUIRE_MESSAGE(parsed, parsed.error().detail);
    const Source source = source_of(*parsed, folder.write("rows", text)).value();
    const std::string detail = load(*parsed, source, {}, Cells::withheld).error().detail;
    return detail.substr(detail.rfind('/') + 1);
  }
  bool refuses(std::string_view schema, std::string_view text, std::string_view part,
               const Limits& limits = {}) const {
    return fails(read(schema, text, limits), Errc::malformed, part);
  }
};

}  // namespace entente::data
