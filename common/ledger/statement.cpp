// SPDX-License-Identifier: Apache-2.0
#include "common/ledger/statement.hpp"

namespace entente::ledger {

std::string statement(std::string_view kind, std::string_view federation, const Digest& plan) {
  std::string text = "entente/1 ";
  text += kind;
  text += '\n';
  text += federation;
  text += '\n';
  text += plan.hex();
  text += '\n';
  return text;
}

}  // namespace entente::ledger
