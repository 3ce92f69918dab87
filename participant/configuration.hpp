// SPDX-License-Identifier: Apache-2.0
//
// The participant's configuration file (TOML): whom it dials, who it is, where its data lie, what
// it consents to. Relative paths are relative to the file. docs/participant.md explains every key.
//
//     [federation]  name, coordinator = "host:port"
//     [identity]    certificate, key, ca, ledger_key   (default: as in the start-up kit: cert.pem,
//                   key.pem, ca.pem, ledger-key)
//     [state]       folder
//     [data]        table, or images and labels
//     [policy]      operators, accept, approved, ceilings (policy.hpp)
//     [log]         format, level             (optional)
//     [http]        port                      (optional)
//     [compute]     threads                   (optional)
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/base/log.hpp"
#include "common/base/result.hpp"
#include "common/crypto/credentials.hpp"
#include "common/data/dataset.hpp"
#include "common/net/address.hpp"
#include "participant/policy.hpp"

namespace entente::participant {

struct Configuration {
  std::string federation;
  net::Address coordinator;
  crypto::CredentialFiles identity;
  std::filesystem::path ledger_key;
  std::filesystem::path state_folder;
  data::Source data;
  Policy policy;
  LogFormat log_format = LogFormat::text;
  LogLevel log_level = LogLevel::info;
  std::optional<std::uint16_t> http_port;  // /healthz and /metrics on 127.0.0.1
  std::size_t threads = 0;                 // 0: all cores
};

// Errors: malformed - the file, the field, what was expected and what was seen; not_found; io.
Result<Configuration> read_configuration(const std::filesystem::path& path);

}  // namespace entente::participant
