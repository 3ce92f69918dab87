// SPDX-License-Identifier: Apache-2.0
//
// What the certificates of a file say, for people and for programs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/clock.hpp"
#include "common/base/json.hpp"
#include "common/base/result.hpp"

namespace entente::certs {

// {"file", "certificates": [{"kind", "uri", "subject", "issuer", "not_before", "not_after",
// "state", "dns", "key", "serial", "sha256", and for a member "federation", "role", "name", or
// "problem"}]}.
//
// kind: member, ledger, issuing, root, or other (then `problem` says why it speaks for nobody).
// state: valid, expired or not yet valid at `now`. Whether somebody trusts the certificate is not
// looked at. Errors: not_found; malformed; io.
Result<json::object> inspect(const std::filesystem::path& file, TimePoint now);

// The same in lines for people.
std::string inspection_text(const json::object& inspection);

}  // namespace entente::certs
