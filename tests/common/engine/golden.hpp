// SPDX-License-Identifier: Apache-2.0
//
// The files in tests/golden: what an independent implementation computed, made by the scripts
// beside them.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/base/json.hpp"
#include "tests/folders.hpp"

namespace entente::engine {

// What both sides draw their inputs from (tests/golden/engine_curves.py).
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : state_(seed) {}
  double unit() { return static_cast<double>(next() >> 40U) / 8'388'608.0 - 1; }
  std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>((next() >> 33U) % bound);
  }

  std::vector<double> units(std::size_t count) {
    std::vector<double> values(count);
    for (double& value : values) value = unit();
    return values;
  }

 private:
  std::uint64_t next() {
    return state_ = state_ * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
  }
  std::uint64_t state_;
};

inline json::value golden_file(const std::string& name) {
  std::ifstream file(tests_folder().string() + "/golden/" + name);
  BOOST_TEST_REQUIRE(file.good(), name);
  std::stringstream text;
  text << file.rdbuf();
  return parse_json(text.str(), std::size_t{1} << 24U).value();
}

inline std::vector<double> numbers(const json::value& value) {
  std::vector<double> result;
  for (const json::value& number : value.as_array()) result.push_back(number.to_number<double>());
  return result;
}

}  // namespace entente::engine
