// SPDX-License-Identifier: Apache-2.0
//
// IDX files: 0, 0, type 8 (unsigned byte), rank, then each dimension as a big-endian 32-bit number,
// then the bytes.
#include <algorithm>

#include "common/data/builder.hpp"
#include "common/data/source.hpp"

namespace entente::data {

namespace {

constexpr std::size_t rank_max = 4;
constexpr std::size_t block_bytes = 1U << 20U;

Error malformed(const ByteSource& source, const std::string& what) {
  return Error{Errc::malformed, source.path().string() + ": " + what};
}

std::string product_text(const std::vector<std::uint32_t>& dimensions) {
  std::string text;
  for (const std::uint32_t dimension : dimensions) {
    text += (text.empty() ? "" : " x ") + std::to_string(dimension);
  }
  return text;
}

// The dimensions in the first bytes of the file.
Result<std::vector<std::uint32_t>> read_dimensions(ByteSource& source) {
  std::array<std::byte, 4> word{};
  const auto read_word = [&]() -> Result<void> {
    const auto size = source.read(word);
    if (!size) return size.error();
    if (*size < word.size()) return malformed(source, "the file ends inside its header");
    return ok();
  };
  if (auto read = read_word(); !read) return read.error();
  if (word[0] != std::byte{0} || word[1] != std::byte{0}) {
    return malformed(source, "not an IDX file: expected it to begin with 0x0000, saw 0x" +
                                 to_hex(std::span(word).first(2)));
  }
  if (word[2] != std::byte{8}) {
    return malformed(source, "expected unsigned bytes (type 0x08), saw type 0x" +
                                 to_hex(std::span(word).subspan(2, 1)));
  }
  const auto rank = std::to_integer<std::size_t>(word[3]);
  if (rank == 0 || rank > rank_max) {
    return malformed(source, "expected 1 to " + std::to_string(rank_max) + " dimensions, saw " +
                                 std::to_string(rank));
  }
  std::vector<std::uint32_t> dimensions;
  for (std::size_t i = 0; i < rank; ++i) {
    if (auto read = read_word(); !read) return read.error();
    std::reverse(word.begin(), word.end());
    dimensions.push_back(load_little_endian<std::uint32_t>(word.data()));
  }
  return dimensions;
}

// All bytes behind the header, `size` of them and no more.
Result<Growing<std::uint8_t>> read_content(ByteSource& source, std::size_t size) {
  Growing<std::uint8_t> content;
  while (content.size() < size) {  // by blocks: a header that lies costs no memory
    const std::size_t before = content.size();
    const std::size_t step = std::min(block_bytes, size - before);
    content.resize(before + step);
    const auto read = source.read(std::as_writable_bytes(std::span(content.data() + before, step)));
    if (!read) return read.error();
    if (*read < step) {
      return malformed(source, "cut short: expected " + std::to_string(size) +
                                   " bytes behind the header, saw " +
                                   std::to_string(before + *read));
    }
  }
  std::array<std::byte, 1> more{};
  const auto read = source.read(more);
  if (!read) return read.error();
  if (*read > 0) {
    return malformed(source,
                     "expected " + std::to_string(size) + " bytes behind the header, saw more");
  }
  return content;
}

// The images' own dimensions, checked against the schema.
Result<void> check_shape(const ByteSource& source, const std::vector<std::uint32_t>& dimensions,
                         const Image& image) {
  std::vector<std::uint32_t> expected{image.height, image.width};
  if (image.channels > 1) expected.push_back(image.channels);
  std::vector<std::uint32_t> seen(dimensions.begin() + 1, dimensions.end());
  if (seen.size() == 3 && seen[2] == 1) seen.pop_back();
  if (seen == expected) return ok();
  return malformed(source, "expected images of " + product_text(expected) + ", saw " +
                               (seen.empty() ? "one byte an image" : product_text(seen)));
}

// The feature that a byte means, by channel where the channels differ.
std::vector<std::array<float, 256>> byte_scales(const Image& image) {
  std::vector<std::array<float, 256>> scales(std::max(image.mean.size(), image.deviation.size()));
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const double mean = image.mean[i % image.mean.size()];
    const double deviation = image.deviation[i % image.deviation.size()];
    for (std::size_t byte = 0; byte < 256; ++byte) {
      scales[i][byte] = static_cast<float>((static_cast<double>(byte) / 255.0 - mean) / deviation);
    }
  }
  return scales;
}

}  // namespace

Result<Dataset> load_images(const Schema& schema, const Source& source, const Limits& limits,
                            Cells cells) {
  const Image& image = std::get<Image>(schema.kind);
  auto image_source = ByteSource::open(source.images);
  if (!image_source) return image_source.error();
  auto label_source = ByteSource::open(source.labels);
  if (!label_source) return label_source.error();

  const auto dimensions = read_dimensions(*image_source);
  if (!dimensions) return dimensions.error();
  const auto label_dimensions = read_dimensions(*label_source);
  if (!label_dimensions) return label_dimensions.error();
  if (auto fits = check_shape(*image_source, *dimensions, image); !fits) return fits.error();
  if (label_dimensions->size() != 1) {
    return malformed(*label_source,
                     "expected labels in one dimension, saw " + product_text(*label_dimensions));
  }
  const std::size_t rows = (*dimensions)[0];
  if (rows == 0) return malformed(*image_source, "expected images, saw none");
  if ((*label_dimensions)[0] != rows) {
    return malformed(*label_source, "expected " + std::to_string(rows) + " labels as " +
                                        source.images.string() + " has images, saw " +
                                        std::to_string((*label_dimensions)[0]));
  }
  const std::size_t features = schema.feature_count();
  if (auto fits = check_limits(rows, features + sizeof(std::uint32_t), limits); !fits) {
    return malformed(*image_source, fits.error().detail);
  }

  DatasetBuilder builder(schema);
  auto label_bytes = read_content(*label_source, rows);
  if (!label_bytes) return label_bytes.error();
  for (std::size_t row = 0; row < rows; ++row) {
    const std::uint8_t label = (*label_bytes)[row];
    if (label >= schema.classes.size()) {
      const Fault fault{"expected a label below " + std::to_string(schema.classes.size()),
                        std::to_string(label)};
      return malformed(*label_source, "row " + std::to_string(row + 1) + ": " + fault.text(cells));
    }
    builder.labels().push_back(label);
  }
  auto content = read_content(*image_source, rows * features);
  if (!content) return content.error();
  builder.bytes() = std::move(*content);
  builder.byte_scales() = byte_scales(image);
  builder.set_image(image);
  builder.set_rows(rows);
  return builder.finish();
}

}  // namespace entente::data
