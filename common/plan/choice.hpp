// SPDX-License-Identifier: Apache-2.0
//
// One of a few words, as a plan's fields have them.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "common/base/json.hpp"

namespace entente::plan {

// Text `key`, which must be one of `allowed`; the first of them when absent.
// Fails the reader otherwise, with the words and what was seen.
std::string choice_or_first(JsonReader& reader, std::string_view key,
                            std::initializer_list<std::string_view> allowed);

}  // namespace entente::plan
