// SPDX-License-Identifier: Apache-2.0
//
// The configuration of `entente-coordinator`: of the daemon, and of the operator's commands that
// speak to it. TOML; unknown keys are errors; relative paths are relative to the file.
// docs/coordinator.md lists every field.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/base/log.hpp"
#include "common/base/result.hpp"
#include "common/crypto/credentials.hpp"

namespace entente::coordinator {

// `serve --config`
struct DaemonConfiguration {
  std::string federation;
  crypto::CredentialFiles identity;
  std::filesystem::path ledger_key;  // Ed25519, private
  std::filesystem::path
      ledger_certificate;  // over its public half; empty: not copied into the ledger
  std::filesystem::path state_folder;
  std::string address = "0.0.0.0";
  std::uint16_t port = 7443;  // 0: any free one, told in the log
  std::uint16_t health_port = 0;
  bool health = false;
  std::uint32_t io_threads = 2;
  std::uint32_t work_threads = 0;  // 0: all cores
  std::uint32_t sessions_max = 4096;
  std::uint32_t sessions_per_certificate_max = 2;
  std::uint32_t handshakes_max = 64;  // at once
  std::uint32_t models_kept = 3;
  LogFormat log_format = LogFormat::text;
  LogLevel log_level = LogLevel::info;
};

// Errors: malformed - file, field, expected, seen; not_found; io.
Result<DaemonConfiguration> read_daemon_configuration(const std::filesystem::path& path);

// `submit`, `status`, ... `--config`
struct OperatorConfiguration {
  std::string federation;
  std::string coordinator;  // host:port
  crypto::CredentialFiles identity;
  std::filesystem::path ledger_key;  // vkey text
};

// Errors: as above.
Result<OperatorConfiguration> read_operator_configuration(const std::filesystem::path& path);

}  // namespace entente::coordinator
