// SPDX-License-Identifier: Apache-2.0
#include "common/tensor/safetensors.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <fstream>
#include <limits>

#include "tests/folders.hpp"

namespace entente::tensor {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "entente-tensor-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const std::string& name) const { return path_ / name; }
  bool empty() const { return fs::is_empty(path_); }

 private:
  fs::path path_;
};

Bytes vector_file(const std::string& name) {
  return read_file(tests_folder() / "vectors/safetensors" / name, 1U << 20U).value();
}

const ParameterLayout& dense() {
  static const ParameterLayout layout =
      ParameterLayout::make({{"dense/kernel", {3, 2}}, {"dense/bias", {2}}}).value();
  return layout;
}
const std::vector<float> dense_values{1, -2, 0.5F, 3.25F, -0.0F, 1e-3F, 7, 8};

// A file with this header text and so many bytes of data.
Bytes file_of(std::string_view header, std::size_t data_bytes) {
  Bytes bytes(sizeof(std::uint64_t));
  store_little_endian<std::uint64_t>(header.size(), bytes.data());
  const Bytes text = to_bytes(header);
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.resize(bytes.size() + data_bytes);
  return bytes;
}

Result<ParameterLayout> parse(const Bytes& bytes) {
  std::uint64_t prefix_size_bytes = 0;
  return parse_safetensors_header(bytes, bytes.size(), prefix_size_bytes);
}

BOOST_AUTO_TEST_SUITE(safetensors)

BOOST_AUTO_TEST_CASE(the_canonical_file_has_exactly_these_bytes) {
  const Folder folder;
  const auto digest = write_safetensors(folder / "dense", dense(), dense_values);
  BOOST_REQUIRE(digest);
  BOOST_TEST(digest->hex() == "5a8eac048a1131c0f99e3c55e209b01769c1ac2e87ba91f1bda381139177da82");
  BOOST_TEST((read_file(folder / "dense", 1U << 20U).value() == vector_file("dense.safetensors")));
  BOOST_TEST(safetensors_size_bytes(dense()) == 224U);
  BOOST_TEST(!fs::exists(folder / "dense.partial"));
}

BOOST_AUTO_TEST_CASE(a_file_reads_back_with_the_same_digest) {
  const Folder folder;
  const auto written = write_safetensors(folder / "dense", dense(), dense_values);
  std::vector<float> values(8);
  const auto read = read_safetensors(folder / "dense", dense(), values);
  BOOST_REQUIRE(read);
  BOOST_TEST((*read == *written));
  BOOST_TEST(values == dense_values);
  BOOST_TEST(std::signbit(values[4]));
  BOOST_TEST((read_safetensors_layout(folder / "dense").value() == dense()));
}

BOOST_AUTO_TEST_CASE(a_file_written_by_blocks_equals_one_written_whole) {
  const Folder folder;
  const auto layout = ParameterLayout::make({{"a", {700'001}}, {"b", {3}}}).value();
  std::vector<float> values(layout.parameter_count());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.25F;
  const auto whole = write_safetensors(folder / "whole", layout, values);
  auto writer = SafetensorsWriter::open(folder / "blocks", layout);
  BOOST_REQUIRE(writer);
  const std::span<const float> all(values);
  BOOST_REQUIRE(writer->append(all.first(1)));
  BOOST_REQUIRE(writer->append(all.subspan(1, 400'000)));
  BOOST_REQUIRE(writer->append(all.subspan(400'001)));
  BOOST_TEST((writer->finish(Durability::cached).value() == whole.value()));
  BOOST_TEST(!fs::exists(folder / "blocks"));
  BOOST_REQUIRE(writer->commit(Durability::cached, folder / whole->hex()));
  BOOST_TEST((read_file(folder / "whole", 1U << 24U).value() ==
              read_file(folder / whole->hex(), 1U << 24U).value()));

  const auto reader = SafetensorsReader::open(folder / "whole", layout);
  BOOST_REQUIRE(reader);
  std::vector<float> block(3);
  BOOST_REQUIRE(reader->read(700'000, block));
  BOOST_TEST(block[0] == values[700'000]);
  BOOST_TEST(block[2] == values[700'002]);
  BOOST_TEST((reader->read(700'002, block).error().code == Errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(a_writer_that_is_given_up_leaves_no_file) {
  const Folder folder;
  {
    auto writer = SafetensorsWriter::open(folder / "dense", dense());
    BOOST_REQUIRE(writer);
    BOOST_REQUIRE(writer->append(std::span(dense_values).first(3)));
    BOOST_TEST(writer->finish(Durability::cached).has_error());
  }
  BOOST_TEST(folder.empty());
}

BOOST_AUTO_TEST_CASE(a_writer_takes_no_more_than_the_layout_holds) {
  const Folder folder;
  auto writer = SafetensorsWriter::open(folder / "dense", dense());
  BOOST_REQUIRE(writer);
  BOOST_REQUIRE(writer->append(dense_values));
  BOOST_TEST(
      (writer->append(std::span(dense_values).first(1)).error().code == Errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(another_layout_is_refused_by_the_first_tensor_that_differs) {
  const Folder folder;
  BOOST_REQUIRE(write_safetensors(folder / "dense", dense(), dense_values));
  const auto other =
      ParameterLayout::make({{"dense/kernel", {3, 2}}, {"dense/bias", {1, 2}}}).value();
  std::vector<float> values(8);
  const auto read = read_safetensors(folder / "dense", other, values);
  BOOST_REQUIRE(read.has_error());
  BOOST_TEST((read.error().code == Errc::malformed));
  BOOST_TEST(
      read.error().detail.find("tensor 2: expected 'dense/bias' [1,2], saw 'dense/bias' [2]") !=
      std::string::npos);
  BOOST_TEST((read_safetensors(folder / "none", other, values).error().code == Errc::not_found));
}

BOOST_AUTO_TEST_CASE(a_file_cut_anywhere_is_refused) {
  const Folder folder;
  const Bytes whole = vector_file("dense.safetensors");
  std::vector<float> values(8);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    BOOST_REQUIRE(write_file(folder / "cut", ByteView(whole).first(size), Durability::cached));
    const auto read = read_safetensors(folder / "cut", dense(), values);
    BOOST_REQUIRE(read.has_error());
    BOOST_REQUIRE((read.error().code == Errc::malformed));
  }
}

BOOST_AUTO_TEST_CASE(valid_files_of_other_writers_are_understood) {
  const auto layout = parse(vector_file("attention-not-canonical.safetensors"));
  BOOST_REQUIRE(layout);
  BOOST_REQUIRE(layout->tensors().size() == 1U);
  BOOST_TEST(layout->tensors()[0].name == "attn.0");
  BOOST_TEST(layout->tensors()[0].shape == (std::vector<std::uint64_t>{1, 2, 3}));

  const auto two = parse(file_of(
      R"({"__metadata__":{"format":"pt"},"b":{"shape":[],"dtype":"F32","data_offsets":[4,8]},)"
      R"("a":{"shape":[0],"dtype":"F32","data_offsets":[4,4]},"z":{"shape":[1],"dtype":"F32","data_offsets":[0,4]}}  )",
      8));
  BOOST_REQUIRE(two);
  BOOST_TEST(two->tensors()[0].name == "z");
  BOOST_TEST(two->tensors()[1].name == "a");
  BOOST_TEST(two->tensors()[2].name == "b");
  BOOST_TEST(parse(file_of("{}", 0)).value().parameter_count() == 0U);
}

BOOST_AUTO_TEST_CASE(every_other_file_is_refused) {
  const auto refused = [](std::string_view header, std::size_t data_bytes) {
    const auto layout = parse(file_of(header, data_bytes));
    return layout.has_error() && layout.error().code == Errc::malformed;
  };
  BOOST_TEST(refused("", 0));
  BOOST_TEST(refused(" {}", 0));
  BOOST_TEST(refused("{", 0));
  BOOST_TEST(refused("[]", 0));
  BOOST_TEST(refused("{} x", 0));
  BOOST_TEST(refused("{\"\xff\":{}}", 0));
  BOOST_TEST(refused("{}", 4));  // trailing data
  BOOST_TEST(
      refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 2));  // missing data
  BOOST_TEST(refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8));
  BOOST_TEST(refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8));  // a gap
  BOOST_TEST(refused(
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
      12));
  BOOST_TEST(refused(
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
      4));
  BOOST_TEST(refused(
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[2,10]}})",
      10));
  BOOST_TEST(
      refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4));  // another size
  BOOST_TEST(refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4));  // backwards
  BOOST_TEST(refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}})", 4));
  BOOST_TEST(refused(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4));
  BOOST_TEST(refused(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4));
  BOOST_TEST(refused(R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4));
  BOOST_TEST(refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4));
  BOOST_TEST(refused(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})", 4));
  BOOST_TEST(refused(R"({"a":{"dtype":"F32","shape":[1]}})", 4));
  BOOST_TEST(refused(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4));
  BOOST_TEST(refused(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4));
  BOOST_TEST(refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}})", 4));
  BOOST_TEST(refused(R"({"a":7})", 0));
  BOOST_TEST(refused(R"({"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4));
  BOOST_TEST(refused(
      R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
      0));
  BOOST_TEST(refused(R"({"__metadata__":{"format":1}})", 0));
  BOOST_TEST(refused(R"({"__metadata__":"pt"})", 0));
  // Products that overflow 64 bits, also when a zero follows.
  BOOST_TEST(
      refused(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0));
  BOOST_TEST(refused(
      R"({"a":{"dtype":"F32","shape":[4611686018427387904,4,0],"data_offsets":[0,0]}})", 0));
}

BOOST_AUTO_TEST_CASE(a_header_size_that_cannot_be_is_refused_before_it_is_read) {
  std::uint64_t prefix_size_bytes = 0;
  Bytes head(8);
  BOOST_TEST(parse_safetensors_header(ByteView(head).first(7), 7, prefix_size_bytes).has_error());
  store_little_endian<std::uint64_t>(header_max_bytes + 1, head.data());
  const auto large = parse_safetensors_header(head, 1ULL << 40U, prefix_size_bytes);
  BOOST_TEST(large.error().detail.find("expected at most") != std::string::npos);
  store_little_endian<std::uint64_t>(~std::uint64_t{0}, head.data());
  BOOST_TEST(parse_safetensors_header(head, 1ULL << 40U, prefix_size_bytes).has_error());
  store_little_endian<std::uint64_t>(100, head.data());
  const auto beyond = parse_safetensors_header(head, 107, prefix_size_bytes);
  BOOST_TEST(beyond.error().detail.find("ends inside its header") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(sizes_beyond_four_gibibytes_are_no_special_case) {
  const auto layout = ParameterLayout::make({{"big", {3'000'000'000}}, {"after", {1}}}).value();
  const Bytes prefix = safetensors_prefix(layout);
  BOOST_TEST(safetensors_size_bytes(layout) == prefix.size() + 12'000'000'004U);
  std::uint64_t prefix_size_bytes = 0;
  const auto parsed =
      parse_safetensors_header(prefix, safetensors_size_bytes(layout), prefix_size_bytes);
  BOOST_REQUIRE(parsed);
  BOOST_TEST((*parsed == layout));
  BOOST_TEST(prefix_size_bytes == prefix.size());
}

BOOST_AUTO_TEST_CASE(every_prefix_is_a_multiple_of_64_bytes) {
  for (std::size_t length = 1; length <= 130; ++length) {
    const auto layout = ParameterLayout::make({{std::string(length, 'n'), {1}}}).value();
    BOOST_REQUIRE(safetensors_prefix(layout).size() % 64 == 0U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(stream_check)

BOOST_AUTO_TEST_CASE(a_good_stream_passes_wherever_it_is_cut) {
  const Bytes file = vector_file("dense.safetensors");
  double expected = 0;
  for (const float value : dense_values) expected += double{value} * double{value};
  for (std::size_t first = 0; first <= file.size(); ++first) {
    for (std::size_t second = first; second <= file.size(); ++second) {
      StreamCheck check(dense());
      BOOST_REQUIRE(check.update(ByteView(file).first(first)));
      BOOST_REQUIRE(check.update(ByteView(file).subspan(first, second - first)));
      BOOST_REQUIRE(check.update(ByteView(file).subspan(second)));
      BOOST_REQUIRE(check.finish());
      BOOST_REQUIRE(std::abs(check.norm() - std::sqrt(expected)) < 1e-9);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_norm_has_the_same_bits_however_the_stream_was_cut) {
  const auto layout = ParameterLayout::make({{"v", {10'007}}}).value();
  Bytes file = safetensors_prefix(layout);
  for (std::size_t i = 0; i < 10'007; ++i) {
    const float value = 1.0F / static_cast<float>(i + 3);
    const auto bytes = std::as_bytes(std::span(&value, 1));
    file.insert(file.end(), bytes.begin(), bytes.end());
  }
  double norm = 0;
  for (const std::size_t piece : {1UL, 3UL, 4UL, 7UL, 64UL, 1000UL, 4099UL, file.size()}) {
    StreamCheck check(layout);
    for (std::size_t from = 0; from < file.size(); from += piece) {
      BOOST_REQUIRE(
          check.update(ByteView(file).subspan(from, std::min(piece, file.size() - from))));
    }
    BOOST_REQUIRE(check.finish());
    if (norm == 0) norm = check.norm();
    BOOST_TEST(check.norm() == norm, boost::test_tools::tolerance(0.0));
  }
}

BOOST_AUTO_TEST_CASE(the_first_value_that_is_not_finite_is_named_wherever_the_stream_is_cut) {
  const Folder folder;
  for (std::size_t bad = 0; bad < dense_values.size(); ++bad) {
    std::vector<float> values = dense_values;
    values[bad] = bad % 2 == 0 ? std::numeric_limits<float>::quiet_NaN()
                               : -std::numeric_limits<float>::infinity();
    BOOST_REQUIRE(write_safetensors(folder / "bad", dense(), values, Durability::cached));
    const Bytes file = read_file(folder / "bad", 1U << 20U).value();
    const std::string expected = "tensor '" + std::string(bad < 6 ? "dense/kernel" : "dense/bias") +
                                 "' holds " + (bad % 2 == 0 ? "NaN" : "infinity") + " at index " +
                                 std::to_string(bad < 6 ? bad : bad - 6);
    for (std::size_t cut = 0; cut <= file.size(); ++cut) {
      StreamCheck check(dense());
      auto result = check.update(ByteView(file).first(cut));
      if (result) result = check.update(ByteView(file).subspan(cut));
      BOOST_REQUIRE(result.has_error());
      BOOST_REQUIRE((result.error().code == Errc::rejected));
      BOOST_REQUIRE_EQUAL(result.error().detail, expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(large_finite_values_are_not_taken_for_infinity) {
  const auto layout = ParameterLayout::make({{"v", {64}}}).value();
  const std::vector<float> values(64, std::numeric_limits<float>::max());
  StreamCheck check(layout);
  BOOST_REQUIRE(check.update(safetensors_prefix(layout)));
  BOOST_REQUIRE(check.update(std::as_bytes(std::span(values))));
  BOOST_TEST(check.norm() == 8.0 * double{std::numeric_limits<float>::max()},
             boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(another_header_is_refused_at_any_byte_of_it) {
  const Bytes file = vector_file("dense.safetensors");
  for (std::size_t place = 0; place < 192; ++place) {
    Bytes changed = file;
    changed[place] ^= std::byte{1};
    StreamCheck check(dense());
    BOOST_REQUIRE(check.update(changed).has_error());
  }
}

BOOST_AUTO_TEST_CASE(a_stream_of_another_length_is_refused) {
  Bytes file = vector_file("dense.safetensors");
  for (std::size_t size = 0; size < file.size(); ++size) {
    StreamCheck check(dense());
    BOOST_REQUIRE(check.update(ByteView(file).first(size)));
    BOOST_REQUIRE((check.finish().error().code == Errc::malformed));
  }
  file.push_back(std::byte{0});
  StreamCheck check(dense());
  BOOST_TEST((check.update(file).error().code == Errc::malformed));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::tensor
