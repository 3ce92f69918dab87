// SPDX-License-Identifier: Apache-2.0
#include "common/plan/choice.hpp"

#include <algorithm>

#include "common/base/text.hpp"

namespace entente::plan {

std::string choice_or_first(JsonReader& reader, std::string_view key,
                            std::initializer_list<std::string_view> allowed) {
  std::string text = reader.text_or(key, *allowed.begin());
  if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
    std::string names;
    for (const std::string_view name : allowed) {
      names += (names.empty() ? "" : " or ") + in_quotes(name);
    }
    reader.fail(key, "expected " + names + ", saw " + in_quotes(text));
  }
  return text;
}

}  // namespace entente::plan
