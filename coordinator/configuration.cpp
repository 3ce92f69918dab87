// SPDX-License-Identifier: Apache-2.0
#include "coordinator/configuration.hpp"

#include "common/base/identity.hpp"
#include "common/base/toml.hpp"

namespace entente::coordinator {
namespace {

namespace fs = std::filesystem;

// A section of the file; an absent one reads as empty, so that its required fields are named.
json::value section(const json::value& file, std::string_view name) {
  const json::value* found = file.as_object().if_contains(name);
  return found == nullptr ? json::value(json::object{}) : *found;
}

Result<void> only_sections(const json::value& file, const fs::path& path,
                           std::initializer_list<std::string_view> names) {
  JsonReader reader(file, path.string() + ":");
  for (const std::string_view name : names) static_cast<void>(reader.find(name));
  return reader.finish();
}

std::string place(const fs::path& path, std::string_view section_name) {
  return path.string() + ": " + std::string(section_name);
}

Result<std::string> read_federation(JsonReader& reader) {
  std::string federation = reader.text("name", 255);
  if (!federation.empty() && !is_federation_name(federation)) {
    reader.fail("name", "expected a federation's name ([a-z0-9._-]), saw '" + federation + "'");
  }
  return federation;
}

Result<crypto::CredentialFiles> read_identity(const json::value& file, const fs::path& path) {
  const json::value values = section(file, "identity");
  JsonReader reader(values, place(path, "identity"));
  const fs::path folder = path.parent_path();
  crypto::CredentialFiles files;
  files.certificate = folder / reader.text_or("certificate", "cert.pem");
  files.key = folder / reader.text_or("key", "key.pem");
  files.authorities = folder / reader.text_or("ca", "ca.pem");
  if (auto done = reader.finish(); !done) return done.error();
  return files;
}

Result<void> read_federation_section(const json::value& file, const fs::path& path,
                                     DaemonConfiguration& into) {
  const json::value values = section(file, "federation");
  JsonReader reader(values, place(path, "federation"));
  auto federation = read_federation(reader);
  if (auto done = reader.finish(); !done) return done;
  into.federation = std::move(*federation);
  return ok();
}

Result<void> read_ledger(const json::value& file, const fs::path& path, DaemonConfiguration& into) {
  const json::value values = section(file, "ledger");
  JsonReader reader(values, place(path, "ledger"));
  const fs::path folder = path.parent_path();
  into.ledger_key = folder / reader.text("key");
  const std::string certificate = reader.text_or("certificate", "");
  if (!certificate.empty()) into.ledger_certificate = folder / certificate;
  return reader.finish();
}

Result<void> read_listen(const json::value& file, const fs::path& path, DaemonConfiguration& into) {
  const json::value values = section(file, "listen");
  JsonReader reader(values, place(path, "listen"));
  into.address = reader.text_or("address", into.address, 255);
  into.port = static_cast<std::uint16_t>(reader.integer_or("port", into.port, 0, 65535));
  into.io_threads =
      static_cast<std::uint32_t>(reader.integer_or("threads", into.io_threads, 1, 64));
  into.sessions_max = static_cast<std::uint32_t>(
      reader.integer_or("sessions_max", into.sessions_max, 1, 1'000'000));
  into.sessions_per_certificate_max = static_cast<std::uint32_t>(reader.integer_or(
      "sessions_per_certificate_max", into.sessions_per_certificate_max, 1, 1000));
  into.handshakes_max = static_cast<std::uint32_t>(
      reader.integer_or("handshakes_max", into.handshakes_max, 1, 10'000));
  return reader.finish();
}

Result<void> read_state(const json::value& file, const fs::path& path, DaemonConfiguration& into) {
  const json::value values = section(file, "state");
  JsonReader reader(values, place(path, "state"));
  into.state_folder = path.parent_path() / reader.text("folder");
  into.models_kept =
      static_cast<std::uint32_t>(reader.integer_or("models_kept", into.models_kept, 0, 1'000'000));
  return reader.finish();
}

Result<void> read_rest(const json::value& file, const fs::path& path, DaemonConfiguration& into) {
  const json::value log_values = section(file, "log");
  JsonReader log(log_values, place(path, "log"));
  auto format = parse_log_format(log.text_or("format", "text"));
  auto level = parse_log_level(log.text_or("level", "info"));
  if (!format) log.fail("format", format.error().detail);
  if (!level) log.fail("level", level.error().detail);
  if (auto done = log.finish(); !done) return done;
  into.log_format = *format;
  into.log_level = *level;

  const json::value http_values = section(file, "http");
  JsonReader http(http_values, place(path, "http"));
  into.health = http.has("port");
  into.health_port = static_cast<std::uint16_t>(http.integer_or("port", 0, 0, 65535));
  if (auto done = http.finish(); !done) return done;

  const json::value compute_values = section(file, "compute");
  JsonReader compute(compute_values, place(path, "compute"));
  into.work_threads = static_cast<std::uint32_t>(compute.integer_or("threads", 0, 0, 1024));
  return compute.finish();
}

}  // namespace

Result<DaemonConfiguration> read_daemon_configuration(const fs::path& path) {
  auto file = read_toml(path);
  if (!file) return file.error();
  if (auto known = only_sections(
          *file, path,
          {"federation", "identity", "ledger", "listen", "state", "log", "http", "compute"});
      !known) {
    return known.error();
  }
  DaemonConfiguration configuration;
  auto identity = read_identity(*file, path);
  if (!identity) return identity.error();
  configuration.identity = std::move(*identity);
  for (const auto read :
       {read_federation_section, read_ledger, read_listen, read_state, read_rest}) {
    if (auto done = read(*file, path, configuration); !done) return done.error();
  }
  return configuration;
}

Result<OperatorConfiguration> read_operator_configuration(const fs::path& path) {
  auto file = read_toml(path);
  if (!file) return file.error();
  if (auto known = only_sections(*file, path, {"federation", "identity"}); !known)
    return known.error();
  OperatorConfiguration configuration;
  const json::value values = section(*file, "federation");
  JsonReader reader(values, place(path, "federation"));
  auto federation = read_federation(reader);
  configuration.coordinator = reader.text("coordinator", 512);
  configuration.ledger_key = path.parent_path() / reader.text_or("ledger_key", "ledger-key");
  if (auto done = reader.finish(); !done) return done.error();
  configuration.federation = std::move(*federation);
  auto identity = read_identity(*file, path);
  if (!identity) return identity.error();
  configuration.identity = std::move(*identity);
  return configuration;
}

}  // namespace entente::coordinator
