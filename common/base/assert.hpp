// SPDX-License-Identifier: Apache-2.0
//
// ENTENTE_ASSERT: a programmer's error, never reachable by input. Compiled into every build; prints
// the condition, the message and the place on stderr, then aborts.
#pragma once

#include <string_view>

namespace entente {
[[noreturn]] void assertion_failed(const char* condition, std::string_view message,
                                   const char* file, int line);
}  // namespace entente

#define ENTENTE_ASSERT(condition, message) \
  ((condition) ? static_cast<void>(0)      \
               : ::entente::assertion_failed(#condition, (message), __FILE__, __LINE__))
