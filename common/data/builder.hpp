// SPDX-License-Identifier: Apache-2.0
//
// How the readers of this room fill a Dataset. Nobody else includes it.
#pragma once

#include <string>

#include "common/data/dataset.hpp"

namespace entente::data {

class DatasetBuilder {
 public:
  explicit DatasetBuilder(const Schema& schema) {
    dataset_.feature_count_ = schema.feature_count();
    dataset_.target_ = schema.target();
  }
  void set_rows(std::size_t rows) { dataset_.rows_ = rows; }
  Growing<std::uint32_t>& labels() { return dataset_.labels_; }
  Growing<float>& answers() { return dataset_.answers_; }
  Growing<float>& values() { return dataset_.values_; }
  Growing<std::uint8_t>& bytes() { return dataset_.bytes_; }
  std::vector<std::array<float, 256>>& byte_scales() { return dataset_.byte_scales_; }
  void set_image(const Image& image) { dataset_.image_ = image; }
  Growing<TokenNumber>& tokens() { return dataset_.tokens_; }
  void set_stride(std::size_t stride) { dataset_.stride_ = stride; }
  Dataset finish() {
    dataset_.labels_.shrink_to_fit();
    dataset_.answers_.shrink_to_fit();
    dataset_.values_.shrink_to_fit();
    dataset_.bytes_.shrink_to_fit();
    dataset_.tokens_.shrink_to_fit();
    return std::move(dataset_);
  }

 private:
  Dataset dataset_;
};

// Why `rows` rows of `row_bytes` each are more than the limits allow; ok when they are not.
Result<void> check_limits(std::uint64_t rows, std::uint64_t row_bytes, const Limits& limits);

// What is wrong with a place of the data, in two parts: the second shows what stands there.
struct Fault {
  std::string expected;  // empty: nothing is wrong
  std::string seen;
  explicit operator bool() const { return !expected.empty(); }
  std::string text(Cells cells) const {
    return cells == Cells::withheld || seen.empty() ? expected : expected + ", saw " + seen;
  }
};

// Errors: as load.
Result<Dataset> load_table(const Schema& schema, const std::filesystem::path& path,
                           const Limits& limits, Cells cells);
Result<Dataset> load_images(const Schema& schema, const Source& source, const Limits& limits,
                            Cells cells);
Result<Dataset> load_text(const Schema& schema, const std::filesystem::path& path,
                          const Limits& limits, Cells cells);

}  // namespace entente::data
