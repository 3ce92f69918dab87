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
  std::vector<std::uint32_t>& labels() { return dataset_.labels_; }
  std::vector<float>& answers() { return dataset_.answers_; }
  std::vector<float>& values() { return dataset_.values_; }
  std::vector<std::uint8_t>& bytes() { return dataset_.bytes_; }
  std::vector<std::array<float, 256>>& byte_scales() { return dataset_.byte_scales_; }
  void set_image(const Image& image) { dataset_.image_ = image; }
  std::vector<TokenNumber>& tokens() { return dataset_.tokens_; }
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

// Errors: as load.
Result<Dataset> load_table(const Schema& schema, const std::filesystem::path& path,
                           const Limits& limits);
Result<Dataset> load_images(const Schema& schema, const std::filesystem::path& images,
                            const std::filesystem::path& labels, const Limits& limits);
Result<Dataset> load_text(const Schema& schema, const std::filesystem::path& path,
                          const Limits& limits);

}  // namespace entente::data
