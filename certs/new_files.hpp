// SPDX-License-Identifier: Apache-2.0
//
// Files that come into being together: none where one exists already, all of them or (but for a
// crash) none.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/crypto/key.hpp"

namespace entente::certs {

// One file to be made: a private key (mode 0600), or a text that anyone may read.
struct NewFile {
  std::filesystem::path path;
  std::string what;  // for people: "the issuing authority's key"
  std::string content;
  std::optional<crypto::PrivateKey> key;
  bool is_secret() const { return key.has_value(); }
};

// Makes the files, durable, and their missing folders (mode 0700). When one cannot be made, those
// made before go again. Errors: rejected - one exists already, and nothing was touched; io.
Result<void> make_files(const std::vector<NewFile>& files);

}  // namespace entente::certs
