// SPDX-License-Identifier: Apache-2.0
//
// The status as text for people: what `entente-coordinator status` prints and `--watch` redraws.
// Pure.
#pragma once

#include <cstddef>
#include <string>

#include <boost/json/object.hpp>

#include "protocol/messages.hpp"

namespace entente::coordinator {

struct ScreenSize {
  std::size_t columns = 80;  // at least 40 are used
  std::size_t rows = 24;     // older rounds are left out when they do not fit; 0: no limit
};

// Lines without a trailing newline's worth of padding; no line is wider than the screen.
std::string render_status(const protocol::Status& status, ScreenSize size);

// The same for programs: every field of the status, by its name.
boost::json::object status_json(const protocol::Status& status);

// "1:05", "2:03:04"
std::string minutes_text(std::chrono::milliseconds time);
// "412 B", "1.4 MB"
std::string bytes_text(std::uint64_t bytes);

}  // namespace entente::coordinator
