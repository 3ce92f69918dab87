// SPDX-License-Identifier: Apache-2.0
#include "participant/configuration.hpp"

#include <utility>

#include "common/base/identity.hpp"
#include "common/base/parallel.hpp"
#include "common/base/text.hpp"
#include "common/base/toml.hpp"

namespace entente::participant {
namespace {

namespace fs = std::filesystem;

// The sections' readers share this: where the file lies.
class Paths {
 public:
  explicit Paths(const fs::path& file) : folder_(file.parent_path()) {}
  fs::path operator()(JsonReader& reader, std::string_view key) const {
    return resolve(reader, key, reader.text(key));
  }
  fs::path operator()(JsonReader& reader, std::string_view key, std::string_view fallback) const {
    return resolve(reader, key, reader.text_or(key, fallback));
  }

 private:
  fs::path resolve(JsonReader& reader, std::string_view key, const std::string& text) const {
    if (text.empty() && !reader.failed()) reader.fail(key, "expected a path, saw ''");
    return (folder_ / text).lexically_normal();
  }

  fs::path folder_;
};

// Takes over the outcome of a section; the first error of the file wins.
void finish(JsonReader& section, std::optional<Error>& first) {
  if (auto done = section.finish(); !done && !first) first = done.error();
}

void read_federation(JsonReader section, Configuration& into, std::optional<Error>& first) {
  into.federation = section.text("name");
  if (!section.failed() && !is_federation_name(into.federation)) {
    section.fail("name", "expected [a-z0-9._-]{1,255}, saw " + in_quotes(into.federation));
  }
  const std::string address = section.text("coordinator");
  if (!section.failed()) {
    auto parsed = net::parse_address(address);
    if (!parsed) {
      section.fail("coordinator", parsed.error().detail);
    } else {
      into.coordinator = std::move(*parsed);
    }
  }
  finish(section, first);
}

void read_identity(JsonReader section, const Paths& path, Configuration& into,
                   std::optional<Error>& first) {
  into.identity.certificate = path(section, "certificate", "cert.pem");
  into.identity.key = path(section, "key", "key.pem");
  into.identity.authorities = path(section, "ca", "ca.pem");
  into.ledger_key = path(section, "ledger_key", "ledger-key");
  finish(section, first);
}

void read_data(JsonReader section, const Paths& path, Configuration& into,
               std::optional<Error>& first) {
  const bool images = section.has("images") || section.has("labels");
  const bool text = section.has("text"), table = section.has("table") || (!images && !text);
  if (images) {
    into.data.images = path(section, "images");
    into.data.labels = path(section, "labels");
  }
  if (text) into.data.text = path(section, "text");
  if (table) into.data.table = path(section, "table");
  if (images + text + table > 1) {
    section.fail(text ? "text" : "table",
                 "expected one of a table, a text, or images and labels; saw more");
  }
  for (const std::string_view key : {"table", "text", "images", "labels"}) section.find(key);
  finish(section, first);
}

void read_log(JsonReader section, Configuration& into, std::optional<Error>& first) {
  const auto format = parse_log_format(section.text_or("format", "text"));
  if (!format) section.fail("format", format.error().detail);
  const auto level = parse_log_level(section.text_or("level", "info"));
  if (!level) section.fail("level", level.error().detail);
  if (format) into.log_format = *format;
  if (level) into.log_level = *level;
  finish(section, first);
}

}  // namespace

Result<Configuration> read_configuration(const fs::path& path) {
  const auto value = read_toml(path);
  if (!value) return value.error();
  const Paths paths(path);
  Configuration configuration;
  std::optional<Error> first;
  JsonReader file(*value, "");
  read_federation(file.object("federation"), configuration, first);
  const json::value nothing = json::object();
  const json::value* identity = file.find("identity");
  read_identity(JsonReader(identity == nullptr ? nothing : *identity, "identity"), paths,
                configuration, first);
  JsonReader state = file.object("state");
  configuration.state_folder = paths(state, "folder");
  finish(state, first);
  read_data(file.object("data"), paths, configuration, first);
  const json::value& policy = file.child("policy");
  if (!file.failed()) {
    auto parsed = parse_policy(policy, "policy");
    if (!parsed) {
      if (!first) first = parsed.error();
    } else {
      configuration.policy = std::move(*parsed);
    }
  }
  if (file.find("log") != nullptr) read_log(file.object("log"), configuration, first);
  if (file.find("http") != nullptr) {
    JsonReader http = file.object("http");
    configuration.http_port = static_cast<std::uint16_t>(http.integer("port", 0, 65'535));
    finish(http, first);
  }
  if (file.find("compute") != nullptr) {
    JsonReader compute = file.object("compute");
    configuration.threads =
        static_cast<std::size_t>(compute.integer_or("threads", 0, 0, threads_max));
    finish(compute, first);
  }
  if (auto done = file.finish(); !done) first = done.error();
  if (first) return in_context(path.string(), *first);
  return configuration;
}

}  // namespace entente::participant
