// SPDX-License-Identifier: Apache-2.0
//
// Where the tests' files and the built programs are. Only folders.cpp is compiled with these paths:
// the other object files are the same in every clone, so that clones share a compiler cache.
#pragma once

#include <filesystem>

namespace entente {

const std::filesystem::path& tests_folder();
const std::filesystem::path& programs_folder();

}  // namespace entente
