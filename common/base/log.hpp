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
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "common/base/clock.hpp"
#include "common/base/result.hpp"

namespace entente {

enum class LogFormat { text, json };
enum class LogLevel { debug, info, warning, error, off };

// A name and anything that has a JSON form; texts of every kind.
struct LogField : std::pair<std::string_view, boost::json::value> {
  template <class Value>
  LogField(std::string_view key, const Value& value) : pair(key, json_of(value)) {}

 private:
  template <class Value>
  static boost::json::value json_of(const Value& value) {
    if constexpr (std::is_convertible_v<const Value&, std::string_view>) {
      const std::string_view text(value);
      return boost::json::value(boost::json::string_view(text.data(), text.size()));
    } else {
      return boost::json::value(value);
    }
  }
};
using LogFields = std::initializer_list<LogField>;

// Call once, before the first thread. Until then: text, warning and above.
void start_logging(LogFormat format, LogLevel least);
// Errors: malformed - names what is allowed.
Result<LogFormat> parse_log_format(std::string_view text);
Result<LogLevel> parse_log_level(std::string_view text);

// One line without its end: what the functions below write at `time`.
//     text  2026-11-23T16:00:00.123456Z info    update accepted participant=charite round=7
//     json  {"time":"2026-...Z","level":"info","event":"update accepted","round":7}
// Control characters and what is not UTF-8 are escaped: a value never begins a line of its own.
// Fields are not named time, level or event.
std::string log_line(LogFormat format, LogLevel level, TimePoint time, std::string_view event,
                     LogFields fields);

void log_debug(std::string_view event, LogFields fields = {});
void log_info(std::string_view event, LogFields fields = {});
void log_warning(std::string_view event, LogFields fields = {});
void log_error(std::string_view event, LogFields fields = {});

}  // namespace entente
