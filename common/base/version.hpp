// SPDX-License-Identifier: Apache-2.0
//
// The version of this software, as `--version` prints it and ledger entries record it. From CMake's
// project().
#pragma once

#include <string_view>

namespace entente {

inline constexpr std::string_view software_version = ENTENTE_VERSION;

}  // namespace entente
