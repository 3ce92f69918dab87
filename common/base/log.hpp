// SPDX-License-Identifier: Apache-2.0
//
// What the daemons say while they run: one line an event, as text for people or JSON for machines,
// on stderr.
//
//     log_info("update accepted", {{"participant", name}, {"round", round}});
//
// Never a secret, never a datum, never a path chosen by a peer. Any thread.
#pragma once

#include <boost/json/value.hpp>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "common/base/result.hpp"

namespace entente {

enum class LogFormat { text, json };
enum class LogLevel { debug, info, warning, error, off };

using LogFields = std::initializer_list<std::pair<std::string_view, boost::json::value>>;

// Call once, before the first thread. Until then: text, warning and above.
void start_logging(LogFormat format, LogLevel least);
// Errors: malformed - names what is allowed.
Result<LogFormat> parse_log_format(std::string_view text);
Result<LogLevel> parse_log_level(std::string_view text);

void log_debug(std::string_view event, LogFields fields = {});
void log_info(std::string_view event, LogFields fields = {});
void log_warning(std::string_view event, LogFields fields = {});
void log_error(std::string_view event, LogFields fields = {});

}  // namespace entente
