// SPDX-License-Identifier: Apache-2.0
#include "common/tensor/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "common/base/assert.hpp"
#include "common/base/json.hpp"
#include "common/base/text.hpp"

namespace entente::tensor {

static_assert(std::endian::native == std::endian::little,
              "buffers are written as they lie in memory");

namespace {

constexpr std::size_t size_field_bytes = sizeof(std::uint64_t);
constexpr std::size_t prefix_multiple_bytes = 64;

Error malformed(std::string detail) {
  return Error{Errc::malformed, std::move(detail)};
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text = "[";
  for (const std::uint64_t dimension : shape) {
    if (text.size() > 1) text += ",";
    text += std::to_string(dimension);
  }
  return text + "]";
}

// The whole of `value` as a natural number.
bool natural(const json::value& value, std::uint64_t& number) {
  if (const auto* small = value.if_int64(); small != nullptr && *small >= 0) {
    number = static_cast<std::uint64_t>(*small);
    return true;
  }
  return false;
}

struct Place {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // in bytes, from the start of the data
  std::uint64_t end = 0;
};

Result<Place> parse_tensor(std::string_view name, const json::value& value) {
  Place place{std::string(name), {}, 0, 0};
  const std::string named = "tensor " + in_quotes(place.name, tensor_name_max_bytes);
  JsonReader reader(value, named);
  const std::string type = reader.text("dtype");
  const json::value* offsets = reader.find("data_offsets");
  const json::value* shape = reader.find("shape");
  if (auto done = reader.finish(); !done) return done.error();
  if (type != "F32") return malformed(named + ": expected dtype F32, saw " + in_quotes(type));
  if (shape == nullptr || !shape->is_array() || shape->get_array().size() > tensor_rank_max) {
    return malformed(named + ": expected a shape of at most " + std::to_string(tensor_rank_max) +
                     " dimensions");
  }
  for (const json::value& dimension : shape->get_array()) {
    std::uint64_t number = 0;
    if (!natural(dimension, number)) {
      return malformed(named + ": expected natural numbers in the shape");
    }
    place.shape.push_back(number);
  }
  if (offsets == nullptr || !offsets->is_array() || offsets->get_array().size() != 2 ||
      !natural(offsets->get_array()[0], place.begin) ||
      !natural(offsets->get_array()[1], place.end) || place.end < place.begin) {
    return malformed(named + ": expected data_offsets [begin, end]");
  }
  std::uint64_t size_bytes = sizeof(float);
  bool overflows = false;
  for (const std::uint64_t dimension : place.shape) {
    overflows |= __builtin_mul_overflow(size_bytes, dimension, &size_bytes);
  }
  if (overflows || size_bytes != place.end - place.begin) {
    return malformed(named + ": the shape " + shape_text(place.shape) + " does not fill its " +
                     std::to_string(place.end - place.begin) + " bytes of data");
  }
  return place;
}

Result<void> check_metadata(const json::value& value) {
  bool texts = value.is_object();
  if (texts) {
    for (const auto& member : value.get_object()) texts = texts && member.value().is_string();
  }
  if (!texts) return malformed("__metadata__: expected an object of texts");
  return ok();
}

// The tensors of the header, in data order, checked to lie without gap or overlap up to
// `data_size_bytes`.
Result<ParameterLayout> parse_places(const json::object& header, std::uint64_t data_size_bytes) {
  std::vector<Place> places;
  for (const auto& member : header) {
    if (member.key() == "__metadata__") {
      if (auto metadata = check_metadata(member.value()); !metadata) return metadata.error();
      continue;
    }
    if (places.size() == tensors_max) {
      return malformed("more than " + std::to_string(tensors_max) + " tensors");
    }
    auto place = parse_tensor(member.key(), member.value());
    if (!place) return place.error();
    places.push_back(std::move(*place));
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t next = 0;
  std::vector<std::pair<std::string, std::vector<std::uint64_t>>> tensors;
  for (Place& place : places) {
    if (place.begin != next) {
      return malformed("tensor " + in_quotes(place.name, tensor_name_max_bytes) +
                       ": expected its data at byte " + std::to_string(next) + ", saw " +
                       std::to_string(place.begin));
    }
    next = place.end;
    tensors.emplace_back(std::move(place.name), std::move(place.shape));
  }
  if (next != data_size_bytes) {
    return malformed("expected " + std::to_string(next) + " bytes of data, saw " +
                     std::to_string(data_size_bytes));
  }
  auto layout = ParameterLayout::make(std::move(tensors));
  if (!layout) return malformed(layout.error().detail);
  return layout;
}

}  // namespace

Bytes safetensors_prefix(const ParameterLayout& layout) {
  json::object header;
  header.reserve(layout.tensors().size());
  for (const TensorEntry& entry : layout.tensors()) {
    json::array shape(entry.shape.begin(), entry.shape.end());
    json::array offsets{entry.offset * sizeof(float), (entry.offset + entry.count) * sizeof(float)};
    header.emplace(entry.name, json::object{{"data_offsets", std::move(offsets)},
                                            {"dtype", "F32"},
                                            {"shape", std::move(shape)}});
  }
  const auto text = canonical_json(header);
  ENTENTE_ASSERT(text.has_value(), "a layout holds only names and numbers that JSON can write");
  const std::size_t size_bytes = (size_field_bytes + text->size() + prefix_multiple_bytes - 1) /
                                 prefix_multiple_bytes * prefix_multiple_bytes;
  Bytes prefix(size_bytes, std::byte{' '});
  store_little_endian<std::uint64_t>(size_bytes - size_field_bytes, prefix.data());
  std::memcpy(prefix.data() + size_field_bytes, text->data(), text->size());
  return prefix;
}

std::uint64_t safetensors_size_bytes(const ParameterLayout& layout) {
  return safetensors_prefix(layout).size() + layout.parameter_count() * sizeof(float);
}

Result<ParameterLayout> parse_safetensors_header(ByteView bytes, std::uint64_t file_size_bytes,
                                                 std::uint64_t& prefix_size_bytes) {
  if (file_size_bytes < size_field_bytes) {
    return malformed("not a safetensors file: " + std::to_string(file_size_bytes) +
                     " bytes, expected at least 8");
  }
  if (bytes.size() < size_field_bytes) return malformed("the header's size is not there yet");
  const auto size_bytes = load_little_endian<std::uint64_t>(bytes.data());
  if (size_bytes > header_max_bytes) {
    return malformed("a header of " + std::to_string(size_bytes) + " bytes, expected at most " +
                     std::to_string(header_max_bytes));
  }
  if (size_bytes > file_size_bytes - size_field_bytes) {
    return malformed("the file ends inside its header of " + std::to_string(size_bytes) + " bytes");
  }
  if (size_bytes > bytes.size() - size_field_bytes) return malformed("the header is not whole yet");

  std::string_view text = as_text(bytes.subspan(size_field_bytes, size_bytes));
  text = text.substr(0, text.find_last_not_of(' ') + 1);
  if (!text.starts_with('{')) return malformed("the header does not begin with '{'");
  auto header = parse_json(text, header_max_bytes);
  if (!header) return in_context("header", header.error());
  if (!header->is_object()) return malformed("the header is not a JSON object");

  prefix_size_bytes = size_field_bytes + size_bytes;
  return parse_places(header->get_object(), file_size_bytes - prefix_size_bytes);
}

StreamCheck::StreamCheck(const ParameterLayout& layout)
    : layout_(layout), prefix_(safetensors_prefix(layout)) {}

// Adds `count` values. Finite floats squared and summed in double stay finite below 2^53 of them,
// so the sums alone tell whether any was not.
Result<void> StreamCheck::add(const std::byte* bytes, std::size_t count) {
  constexpr std::size_t lanes = 8;
  const std::uint64_t before = values_;
  const auto value_at = [bytes](std::size_t i) {
    float value = 0;
    std::memcpy(&value, bytes + i * sizeof(float), sizeof value);
    return static_cast<double>(value);
  };
  std::size_t i = 0;
  for (; i < count && (before + i) % lanes != 0; ++i) {
    squares_[(before + i) % lanes] += value_at(i) * value_at(i);
  }
  using Floats [[gnu::vector_size(lanes * sizeof(float))]] = float;
  using Doubles [[gnu::vector_size(lanes * sizeof(double))]] = double;
  Doubles sums;
  std::memcpy(&sums, squares_.data(), sizeof sums);
  for (; i + lanes <= count; i += lanes) {
    Floats values;
    std::memcpy(&values, bytes + i * sizeof(float), sizeof values);
    const Doubles wide = __builtin_convertvector(values, Doubles);
    sums += wide * wide;
  }
  std::memcpy(squares_.data(), &sums, sizeof sums);
  for (; i < count; ++i) squares_[(before + i) % lanes] += value_at(i) * value_at(i);
  values_ += count;

  if (std::all_of(squares_.begin(), squares_.end(),
                  [](double sum) { return std::isfinite(sum); })) {
    return ok();
  }
  std::size_t bad = 0;
  while (std::isfinite(value_at(bad))) ++bad;
  const auto& tensors = layout_.tensors();
  const auto after = std::upper_bound(
      tensors.begin(), tensors.end(), before + bad,
      [](std::uint64_t place, const TensorEntry& entry) { return place < entry.offset; });
  const TensorEntry& entry = *std::prev(after);
  return Error{Errc::rejected, "tensor " + in_quotes(entry.name, tensor_name_max_bytes) +
                                   " holds " + (std::isnan(value_at(bad)) ? "NaN" : "infinity") +
                                   " at index " + std::to_string(before + bad - entry.offset)};
}

Result<void> StreamCheck::update(ByteView bytes) {
  if (position_ < prefix_.size()) {
    const std::size_t size = std::min<std::size_t>(bytes.size(), prefix_.size() - position_);
    if (std::memcmp(bytes.data(), prefix_.data() + position_, size) != 0) {
      return malformed("the header is not the one of the plan's model");
    }
    position_ += size;
    bytes = bytes.subspan(size);
  }
  if (bytes.empty()) return ok();
  const std::uint64_t left = prefix_.size() + layout_.parameter_count() * sizeof(float) - position_;
  if (bytes.size() > left) return malformed("longer than a file of the plan's model");
  position_ += bytes.size();

  if (partial_size_ > 0) {
    const std::size_t size = std::min(bytes.size(), sizeof(float) - partial_size_);
    std::memcpy(partial_.data() + partial_size_, bytes.data(), size);
    partial_size_ += size;
    bytes = bytes.subspan(size);
    if (partial_size_ < sizeof(float)) return ok();
    partial_size_ = 0;
    if (auto added = add(partial_.data(), 1); !added) return added;
  }
  const std::size_t whole = bytes.size() / sizeof(float);
  if (auto added = add(bytes.data(), whole); !added) return added;
  bytes = bytes.subspan(whole * sizeof(float));
  std::copy(bytes.begin(), bytes.end(), partial_.begin());
  partial_size_ = bytes.size();
  return ok();
}

Result<void> StreamCheck::finish() const {
  const std::uint64_t expected = prefix_.size() + layout_.parameter_count() * sizeof(float);
  if (position_ == expected) return ok();
  return malformed("expected a file of " + std::to_string(expected) + " bytes, saw " +
                   std::to_string(position_));
}

double StreamCheck::norm() const {
  double sum = 0;
  for (const double squares : squares_) sum += squares;
  return std::sqrt(sum);
}

}  // namespace entente::tensor
