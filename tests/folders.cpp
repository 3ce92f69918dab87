// SPDX-License-Identifier: Apache-2.0
#include "tests/folders.hpp"

namespace entente {

const std::filesystem::path& tests_folder() {
  static const std::filesystem::path folder(ENTENTE_TESTS_FOLDER);
  return folder;
}

const std::filesystem::path& programs_folder() {
  static const std::filesystem::path folder(ENTENTE_PROGRAMS_FOLDER);
  return folder;
}

}  // namespace entente
