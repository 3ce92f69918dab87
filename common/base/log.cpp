// SPDX-License-Identifier: Apache-2.0
#include "common/base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <memory>

#include "common/base/json.hpp"
#include "common/base/text.hpp"

namespace entente {
namespace {

constexpr std::size_t value_size_max_bytes = 4096;

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
    case LogLevel::off:
      return "off";
  }
  return "off";
}

spdlog::level::level_enum library_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

struct Output {
  LogFormat format = LogFormat::text;
  spdlog::logger logger{"", std::make_shared<spdlog::sinks::stderr_sink_mt>()};

  Output() {
    logger.set_pattern("%v");
    logger.set_level(library_level(LogLevel::warning));
    logger.flush_on(spdlog::level::trace);
  }
};

Output& output() {
  static Output only;
  return only;
}

void log(LogLevel level, std::string_view event, LogFields fields) {
  Output& out = output();
  if (!out.logger.should_log(library_level(level))) return;
  const auto now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  // A view, not a format: braces in a value stay braces.
  out.logger.log(library_level(level),
                 spdlog::string_view_t(log_line(out.format, level, now, event, fields)));
}

// JSON of a value; what has no canonical form (not a number, not UTF-8) or is too long, as a text
// that describes it.
std::string json_of(const json::value& value) {
  const json::string* string = value.if_string();
  if (string != nullptr && (string->size() > value_size_max_bytes || !is_utf8(*string))) {
    return json::serialize(json::value(escaped(*string, value_size_max_bytes)));
  }
  if (auto text = canonical_json(value)) return *text;
  if (value.is_int64() || value.is_uint64()) return describe(value);
  return json::serialize(json::value(describe(value)));
}

std::string json_text(std::string_view text) {
  return json_of(json::value(text));
}

// Whether a value needs no quotes in the text form.
bool is_plain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\';
  });
}

std::string text_of(const json::value& value) {
  const json::string* string = value.if_string();
  const std::string text = string == nullptr ? json_of(value) : std::string(*string);
  if (is_plain(text) && text.size() <= value_size_max_bytes) return text;
  std::string between_quotes = "\"";
  for (const char c : escaped(text, value_size_max_bytes)) {
    if (c == '"') between_quotes += '\\';
    between_quotes += c;
  }
  return between_quotes + "\"";
}

std::string text_line(LogLevel level, TimePoint time, std::string_view event, LogFields fields) {
  std::string level_name(name_of(level));
  level_name.resize(7, ' ');
  std::string line = to_rfc3339(time) + " " + level_name + " " + escaped(event);
  for (const auto& [key, value] : fields) {
    line += " " + escaped(key) + "=" + text_of(value);
  }
  return line;
}

std::string json_line(LogLevel level, TimePoint time, std::string_view event, LogFields fields) {
  std::string line = "{\"time\":" + json_text(to_rfc3339(time)) +
                     ",\"level\":" + json_text(name_of(level)) + ",\"event\":" + json_text(event);
  for (const auto& [key, value] : fields) line += "," + json_text(key) + ":" + json_of(value);
  return line + "}";
}

}  // namespace

void start_logging(LogFormat format, LogLevel least) {
  output().format = format;
  output().logger.set_level(library_level(least));
}

Result<LogFormat> parse_log_format(std::string_view text) {
  if (text == "text") return LogFormat::text;
  if (text == "json") return LogFormat::json;
  return Error{Errc::malformed, "expected text or json, saw " + in_quotes(text)};
}

Result<LogLevel> parse_log_level(std::string_view text) {
  for (const LogLevel level :
       {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error, LogLevel::off}) {
    if (text == name_of(level)) return level;
  }
  return Error{Errc::malformed,
               "expected debug, info, warning, error or off; saw " + in_quotes(text)};
}

std::string log_line(LogFormat format, LogLevel level, TimePoint time, std::string_view event,
                     LogFields fields) {
  return format == LogFormat::json ? json_line(level, time, event, fields)
                                   : text_line(level, time, event, fields);
}

void log_debug(std::string_view event, LogFields fields) {
  log(LogLevel::debug, event, fields);
}
void log_info(std::string_view event, LogFields fields) {
  log(LogLevel::info, event, fields);
}
void log_warning(std::string_view event, LogFields fields) {
  log(LogLevel::warning, event, fields);
}
void log_error(std::string_view event, LogFields fields) {
  log(LogLevel::error, event, fields);
}

}  // namespace entente
