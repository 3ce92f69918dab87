// SPDX-License-Identifier: Apache-2.0
//
// A temporary folder for one test case, with the files that the case writes into it.
#pragma once

#include <unistd.h>
#include <zlib.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/file.hpp"

namespace entente::data {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "entente-data-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  std::filesystem::path write(const std::string& name, std::string_view content) const {
    BOOST_REQUIRE(write_file(path_ / name, as_bytes(content), Durability::cached));
    return path_ / name;
  }
  std::filesystem::path write_gzip(const std::string& name, std::string_view content) const {
    gzFile file = gzopen((path_ / name).c_str(), "wb");
    BOOST_REQUIRE(file != nullptr);
    BOOST_REQUIRE(gzwrite(file, content.data(), static_cast<unsigned>(content.size())) ==
                  static_cast<int>(content.size()));
    BOOST_REQUIRE(gzclose(file) == Z_OK);
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

// Whether `result` failed with `code` and a text that contains `part`; says both when not.
template <class T>
bool fails(const Result<T>& result, Errc code, std::string_view part) {
  if (!result.has_error()) {
    BOOST_TEST_MESSAGE("expected an error about: " << part);
    return false;
  }
  if (result.error().code == code && result.error().detail.find(part) != std::string::npos) {
    return true;
  }
  BOOST_TEST_MESSAGE("saw " << to_string(result.error().code) << ": " << result.error().detail);
  return false;
}

}  // namespace entente::data
