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
  std::vector<std::uint32_t>& labels() { return dataset_.labels_; }
  std::vector<float>& values() { return dataset_.values_; }
  std::vector<std::uint8_t>& bytes() { return dataset_.bytes_; }
  std::array<float, 256>& byte_scale() { return dataset_.byte_scale_; }
  Dataset finish() { return std::move(dataset_); }

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

}  // namespace entente::data
