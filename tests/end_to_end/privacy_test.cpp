// SPDX-License-Identifier: Apache-2.0
//
// No row of anybody's data leaves the house: not in the coordinator's folders, not in the bytes of
// any session once they are decrypted. The search is for a part of each row, in every form that the
// row has anywhere (its text, its bytes, its numbers as the engine sees them), and is itself tested
// by planting rows. What an update may reveal by inference is another question: docs/security.md.
#include "tests/end_to_end/tap.hpp"

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstring>
#include <fstream>
#include <numeric>
#include <set>
#include <unordered_set>

#include "common/base/random.hpp"
#include "common/data/dataset.hpp"
#include "common/data/source.hpp"
#include "common/plan/plan.hpp"
#include "tests/end_to_end/insider.hpp"
#include "tests/folders.hpp"

using namespace entente;
using namespace entente::test;

namespace {

namespace fs = std::filesystem;

const fs::path fashion = "/usr/share/datasets/fashion-mnist";
const fs::path examples = tests_folder().parent_path() / "examples";

// Many short texts, looked for all at once. All have the same length, so that one pass finds any.
class Needles {
 public:
  static constexpr std::size_t size = 32;

  // The part of `row` that has the most different values; `step` is the size of one.
  // Gives false when there is none that could not stand anywhere by chance.
  bool add(std::string_view row, std::size_t step) {
    std::string_view best;
    std::size_t most = 0;
    for (std::size_t at = 0; at + size <= row.size(); at += step) {
      std::set<std::string_view> values;
      for (std::size_t i = 0; i < size; i += step) values.insert(row.substr(at + i, step));
      if (values.size() > most) {
        most = values.size();
        best = row.substr(at, size);
      }
    }
    if (most < 5) return false;
    needles_.emplace(best);
    return true;
  }
  // Where in `text` one of them is; npos when none is.
  std::size_t find_in(std::string_view text) const {
    for (std::size_t at = 0; at + size <= text.size(); ++at) {
      if (needles_.contains(std::string(text.substr(at, size)))) return at;
    }
    return std::string_view::npos;
  }
  std::size_t count() const { return needles_.size(); }

 private:
  std::unordered_set<std::string> needles_;
};

// What an institution has, and all the forms of it to look for.
struct Rows {
  std::vector<std::string> forms;  // each a whole row in one of its forms
  Needles needles;

  void add(std::string row, std::size_t step) {
    BOOST_REQUIRE(needles.add(row, step));
    forms.push_back(std::move(row));
  }
  // The features of every row, scaled, as they lie in the engine's memory.
  void add_features(const plan::Plan& plan, const data::Source& source) {
    const data::Dataset dataset = must(data::load(plan.data, source));
    std::vector<float> features(dataset.feature_count());
    std::vector<std::uint32_t> label(1);
    for (std::uint32_t row = 0; row < dataset.rows(); ++row) {
      dataset.gather(std::span(&row, 1), {features, label, {}});
      std::string bytes(features.size() * sizeof(float), '\0');
      std::memcpy(bytes.data(), features.data(), bytes.size());
      add(std::move(bytes), sizeof(float));
    }
  }
};

// A federation whose every session is listened in on, run to its end.
class Overheard {
 public:
  explicit Overheard(Federation& federation) : federation_(federation) {
    federation.start_coordinator();
    for (const std::string& name : Federation::names()) {
      taps_.push_back(std::make_unique<Tap>(federation, name));
      federation.set_detour(name, taps_.back()->address());
      federation.start_participant(name);
    }
    federation.submit();
    federation.finished_model();
  }
  // Everything that was said, and every file of the coordinator.
  std::map<std::string, std::string> texts() {
    std::map<std::string, std::string> texts;
    for (std::size_t i = 0; i < taps_.size(); ++i) {
      const Tap::Recording recording = taps_[i]->stop();
      texts["said by " + Federation::names()[i]] = recording.said;
      texts["heard by " + Federation::names()[i]] = recording.heard;
    }
    for (const auto& item : fs::recursive_directory_iterator(federation_.folder() / "main")) {
      if (item.is_regular_file()) texts[item.path().string()] = read_whole(item.path());
    }
    return texts;
  }

 private:
  Federation& federation_;
  std::vector<std::unique_ptr<Tap>> taps_;
};

// Should: find no row. And find each form of one that is planted.
void check_private(const Rows& rows, std::map<std::string, std::string> texts,
                   std::size_t update_bytes_least) {
  for (const auto& [where, text] : texts) {
    const std::size_t at = rows.needles.find_in(text);
    BOOST_TEST(at == std::string::npos, "a row is in " << where << " at byte " << at);
  }
  // What was overheard is the whole of it: updates, models and words in clear.
  for (const std::string& name : Federation::names()) {
    const std::string& said = texts.at("said by " + name);
    BOOST_TEST(said.size() > update_bytes_least);
    BOOST_TEST(said.find("\"data_offsets\"") != std::string::npos);
    BOOST_TEST(texts.at("heard by " + name).find("round.opened") != std::string::npos);
  }
  Random random(7);
  for (auto& [where, text] : texts) {
    if (text.size() < 10'000) continue;
    const std::string& row = rows.forms[random.below(rows.forms.size())];
    const std::size_t at = random.below(text.size());
    std::string planted = text;
    planted.insert(at, row);
    const std::size_t found = rows.needles.find_in(planted);
    BOOST_TEST(found != std::string::npos, "not found where it was planted: " << where);
    BOOST_TEST(found >= at);
    BOOST_TEST(found < at + row.size());
  }
}

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

// `size` bytes of an IDX file of Fashion-MNIST from byte `from` of its content on.
std::string content_of(const fs::path& file, std::size_t header, std::size_t from,
                       std::size_t size) {
  auto source = must(data::ByteSource::open(file));
  std::string bytes(header + from + size, '\0');
  const auto read = must(source.read(std::as_writable_bytes(std::span(bytes))));
  BOOST_REQUIRE(read == bytes.size());
  return bytes.substr(header + from);
}

constexpr const char* linear_model =
    R"({"class_name": "Sequential", "config": {"name": "linear", "layers": [
  {"class_name": "InputLayer", "config": {"batch_shape": [null, 28, 28, 1], "name": "in"}},
  {"class_name": "Flatten", "config": {"name": "flatten"}},
  {"class_name": "Dense", "config": {"name": "dense", "units": 10, "activation": "softmax"}}]}})";

}  // namespace

BOOST_AUTO_TEST_SUITE(privacy)

BOOST_AUTO_TEST_CASE(no_row_of_a_table_is_said_or_stored) {
  FederationOptions options;
  options.rounds = 2;
  Federation federation(options);
  Overheard overheard(federation);

  Rows rows;
  const plan::Plan plan = must(plan::read_plan(federation.plan()));
  for (const char* part : {"participant-1.csv", "participant-2.csv", "participant-3.csv"}) {
    const fs::path table = examples / "breast-cancer" / part;
    rows.add_features(plan, {table, {}, {}});
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) rows.add(line, 1);
  }
  BOOST_TEST(rows.needles.count() > 600u);
  check_private(rows, overheard.texts(), 4000);
}

BOOST_AUTO_TEST_CASE(no_image_is_said_or_stored) {
  constexpr std::size_t images_each = 500;
  constexpr std::size_t pixels = 28 * 28;
  FederationOptions options;
  options.rounds = 2;
  Federation federation(options);
  std::string text = read_whole(examples / "fashion-mnist" / "plan.toml");
  text = with_value(text, "number", "2");
  write_whole(federation.plan(), with_value(text, "holdout", "0.1"));
  write_whole(federation.plan().parent_path() / "model.json", linear_model);

  Rows rows;
  const plan::Plan plan = must(plan::read_plan(federation.plan()));
  std::size_t first = 0;
  for (const std::string& name : Federation::names()) {
    const std::string bytes = content_of(fashion / "train-images-idx3-ubyte.gz", 16, first * pixels,
                                         images_each * pixels);
    const std::string labels =
        content_of(fashion / "train-labels-idx1-ubyte.gz", 8, first, images_each);
    const fs::path folder = federation.folder() / name;
    write_whole(folder / "images", big_endian(0x803) + big_endian(images_each) + big_endian(28) +
                                       big_endian(28) + bytes);
    write_whole(folder / "labels", big_endian(0x801) + big_endian(images_each) + labels);
    federation.set_data(name, "images = \"images\"\nlabels = \"labels\"\n");
    for (std::size_t image = 0; image < images_each; ++image) {
      rows.add(bytes.substr(image * pixels, pixels), 1);
    }
    rows.add_features(plan, {{}, folder / "images", folder / "labels"});
    first += images_each;
  }
  BOOST_TEST(rows.needles.count() > 2900u);

  Overheard overheard(federation);
  check_private(rows, overheard.texts(), 60'000);
}

// Logs are read by more people than data are, and kept longer.
BOOST_AUTO_TEST_CASE(a_daemons_log_of_a_table_that_does_not_fit_has_the_place_and_no_cell) {
  Federation federation;
  federation.start_coordinator();
  std::string table = read_whole(examples / "breast-cancer" / "participant-1.csv");
  const std::size_t cell = table.find('\n') + 1;
  table.replace(cell, table.find(',', cell) - cell, "HIV positive");
  federation.set_data("alice", "table = \"bad.csv\"\n");
  fs::create_directories(federation.folder() / "alice");
  write_whole(federation.folder() / "alice" / "bad.csv", table);
  Process& alice = federation.start_participant("alice");
  federation.submit();
  const std::size_t line = alice.wait_for({"the data here do not fit the plan", "bad.csv:2"});
  BOOST_REQUIRE(line != Process::npos);
  BOOST_TEST(alice.line(line).find("mean_radius") != std::string::npos, alice.line(line));
  alice.send(SIGTERM);
  alice.wait();
  BOOST_TEST(alice.all().find("HIV") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
