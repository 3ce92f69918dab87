// SPDX-License-Identifier: Apache-2.0
#include "participant/local_workbench.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "common/base/file.hpp"
#include "common/crypto/hash.hpp"
#include "common/engine/initial.hpp"
#include "common/model/model.hpp"
#include "common/tensor/safetensors.hpp"
#include "tests/common/base/folder.hpp"
#include "tests/common/net/running.hpp"
#include "tests/folders.hpp"

namespace entente::participant {
namespace {

namespace fs = std::filesystem;

template <class T>
T must(Result<T> result) {
  if (!result) BOOST_FAIL(result.error().detail);
  return std::move(*result);
}

const fs::path example = tests_folder().parent_path() / "examples" / "breast-cancer";

// A workbench over a folder of its own with the example's rows, plan and a first model.
struct Bench {
  test::Folder folder;
  StateFolder state{folder / "state"};
  std::shared_ptr<const plan::Plan> plan =
      std::make_shared<const plan::Plan>(must(plan::read_plan(example / "plan.toml")));
  engine::Network network = must(plan::compile(*plan));
  boost::asio::io_context context;
  net::Pool pool{1};
  data::Source source;
  Digest model;
  std::unique_ptr<LocalWorkbench> workbench;

  Bench() {
    BOOST_REQUIRE(state.make());
    source.table = example / "participant-1.csv";
    model = write_model(1);
    open();
  }
  void open() {
    workbench =
        std::make_unique<LocalWorkbench>(state, source, "alice", std::uint64_t{1} << 30U, pool);
  }
  Digest write_model(std::uint64_t seed) const {
    tensor::ParameterBuffer values(network.parameter_count());
    engine::initial_values(network, seed, 0, values.values());
    return write_model(values);
  }
  Digest write_model(const tensor::ParameterBuffer& values) const {
    const fs::path path = folder / "made";
    const Digest digest = must(tensor::write_safetensors(path, network.layout(), values.values()));
    fs::rename(path, state.model(digest));
    return digest;
  }
  template <class T>
  Result<T> run(net::Async<T> operation) {
    return net::run(context, std::move(operation));
  }
  Suitability consider() { return must(run(workbench->consider(plan))); }
  WorkOrder order(std::uint64_t round = 1) const { return WorkOrder(plan, round, model); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(participant_local_workbench, Bench)

BOOST_AUTO_TEST_CASE(it_says_what_a_plan_would_take_here) {
  const Suitability here = consider();
  BOOST_TEST(here.training_rows == 137u);
  BOOST_TEST(here.holdout_rows == 15u);
  BOOST_TEST(here.parameters == 530u);
  BOOST_TEST(here.model_bytes == fs::file_size(state.model(model)));
}

BOOST_AUTO_TEST_CASE(an_update_lies_whole_under_its_digest_and_is_the_same_when_trained_again) {
  consider();
  const TrainedUpdate update = must(run(workbench->train(order())));
  BOOST_TEST(update.size_bytes == fs::file_size(state.update(update.digest)));
  BOOST_TEST(update.examples == 137u);
  BOOST_TEST(update.tensors == network.layout().tensors().size());
  BOOST_TEST(update.norm > 0);
  BOOST_TEST(must(run(workbench->has_update(update.digest, update.size_bytes))));
  BOOST_TEST(!fs::exists(state.unfinished_update()));

  open();  // as after a restart
  consider();
  BOOST_TEST((must(run(workbench->train(order()))).digest == update.digest));
  BOOST_TEST((must(run(workbench->train(order(2)))).digest != update.digest));
}

// Should: give the second round the first one's moments. Should not: give a round its own.
BOOST_AUTO_TEST_CASE(a_kept_optimiser_goes_from_round_to_round_and_survives_a_restart) {
  plan::Plan keeping = *plan;
  keeping.training.optimizer = "adam";
  plan = std::make_shared<const plan::Plan>(keeping);
  open();
  consider();
  const Digest reset = must(run(workbench->train(order(2)))).digest;
  BOOST_TEST(!fs::exists(state.optimizer()));

  keeping.training.optimizer_state = plan::OptimizerState::keep;
  plan = std::make_shared<const plan::Plan>(keeping);
  open();
  consider();
  const Digest first = must(run(workbench->train(order(1)))).digest;
  const Digest second = must(run(workbench->train(order(2)))).digest;
  BOOST_TEST((second != reset));
  open();  // as after a restart
  consider();
  BOOST_TEST((must(run(workbench->train(order(2)))).digest == second));
  // Of an earlier round than what is remembered: another history, so all begins anew.
  BOOST_TEST((must(run(workbench->train(order(1)))).digest == first));
  BOOST_TEST((must(run(workbench->train(order(2)))).digest == second));
  fs::remove_all(state.optimizer());
  BOOST_TEST((must(run(workbench->train(order(2)))).digest == reset));
}

BOOST_AUTO_TEST_CASE(an_update_of_another_size_or_digest_is_not_there) {
  consider();
  const TrainedUpdate update = must(run(workbench->train(order())));
  BOOST_TEST(!must(run(workbench->has_update(update.digest, update.size_bytes + 1))));
  std::fstream file(state.update(update.digest), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put('x');
  file.close();
  BOOST_TEST(!must(run(workbench->has_update(update.digest, update.size_bytes))));
  BOOST_TEST(!must(run(workbench->has_update(crypto::sha256("another"), 1))));
}

BOOST_AUTO_TEST_CASE(a_model_that_is_not_what_its_name_says_is_removed_and_told_corrupt) {
  consider();
  const Digest name = crypto::sha256("another");
  fs::rename(state.model(model), state.model(name));
  model = name;
  BOOST_TEST((run(workbench->train(order())).error().code == Errc::corrupt));
  BOOST_TEST(!fs::exists(state.model(name)));
  BOOST_TEST(!must(workbench->has_model(name, 2440)));
}

BOOST_AUTO_TEST_CASE(a_model_for_which_there_is_no_room_is_refused_before_it_is_fetched) {
  const auto refused = workbench->has_model(crypto::sha256("another"), std::uint64_t{1} << 60U);
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST((refused.error().code == Errc::rejected));
  BOOST_TEST(refused.error().detail.find("disk space") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(work_ends_by_its_flag_as_cancelled_and_by_its_time_as_timed_out) {
  consider();
  WorkOrder flagged = order();
  flagged.stop.raise();
  BOOST_TEST((run(workbench->train(flagged)).error().code == Errc::cancelled));
  BOOST_TEST((run(workbench->evaluate(flagged)).error().code == Errc::cancelled));
  WorkOrder hurried = order();
  hurried.time_max = std::chrono::seconds(0);
  BOOST_TEST((run(workbench->train(hurried)).error().code == Errc::timed_out));
  BOOST_TEST(fs::is_empty(state.root() / "updates"));
}

BOOST_AUTO_TEST_CASE(a_candidate_is_evaluated_on_the_held_out_rows) {
  consider();
  const EvaluatedModel figures = must(run(workbench->evaluate(order())));
  BOOST_TEST(figures.examples == 15u);
  BOOST_TEST(figures.metrics.contains("accuracy"));
  BOOST_TEST(figures.metrics.contains("loss"));
}

BOOST_AUTO_TEST_CASE(a_candidate_that_has_diverged_is_declined_for_good_without_a_figure) {
  consider();
  tensor::ParameterBuffer values(network.parameter_count());
  std::ranges::fill(values.values(), 3e38F);
  model = write_model(values);
  const auto figures = run(workbench->evaluate(order()));
  BOOST_REQUIRE(!figures.has_value());
  BOOST_TEST((figures.error().code == Errc::rejected));
  BOOST_TEST(figures.error().detail == "the model cannot be evaluated here");
}

BOOST_AUTO_TEST_CASE(data_that_do_not_fit_are_told_with_their_place) {
  source.table = example / "plan.toml";
  open();
  const auto refused = run(workbench->consider(plan));
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().detail.find("plan.toml:1") != std::string::npos);
  source.table.clear();
  source.images = "a";
  open();
  BOOST_TEST(!run(workbench->consider(plan)).has_value());
}

// What the daemon logs of a table that does not fit: no datum.
BOOST_AUTO_TEST_CASE(data_that_do_not_fit_are_told_without_what_stands_there) {
  std::string csv = read_text(example / "participant-1.csv", 1U << 20U).value();
  const auto cell = csv.find('\n') + 1;
  csv.replace(cell, csv.find(',', cell) - cell, "HIV positive");
  BOOST_REQUIRE(write_file(folder / "part.csv", as_bytes(csv)));
  source.table = folder / "part.csv";
  open();
  const auto refused = run(workbench->consider(plan));
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().detail.find("part.csv:2: column 'mean_radius'") != std::string::npos,
             refused.error().detail);
  BOOST_TEST(refused.error().detail.find("HIV") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_damaged_plan_counts_as_not_there) {
  BOOST_TEST((workbench->read_plan(plan->digest).error().code == Errc::not_found));
  BOOST_REQUIRE(write_file(workbench->plan_file(plan->digest), as_bytes(plan->canonical)));
  BOOST_TEST(must(workbench->read_plan(plan->digest)) == plan->canonical);
  BOOST_REQUIRE(write_file(workbench->plan_file(plan->digest), as_bytes("{}")));
  BOOST_TEST((workbench->read_plan(plan->digest).error().code == Errc::not_found));
  BOOST_TEST(!fs::exists(workbench->plan_file(plan->digest)));
}

BOOST_AUTO_TEST_CASE(only_the_files_that_are_named_stay_whole_or_in_part) {
  const Digest kept = write_model(2);
  fs::path part = state.model(kept);
  part += ".part";
  BOOST_REQUIRE(write_file(part, as_bytes("a beginning")));
  BOOST_REQUIRE(write_file(state.update(kept), as_bytes("update")));
  BOOST_REQUIRE(write_file(state.unfinished_update(), as_bytes("left by a crash")));
  workbench->keep_only({kept}, {});
  BOOST_TEST(fs::exists(state.model(kept)));
  BOOST_TEST(fs::exists(part));
  BOOST_TEST(!fs::exists(state.model(model)));
  BOOST_TEST(fs::is_empty(state.root() / "updates"));
}

BOOST_AUTO_TEST_CASE(an_approval_is_seen_at_once) {
  BOOST_TEST(!workbench->is_approved(plan->digest));
  BOOST_REQUIRE(state.approve(plan->digest, Clock().now()));
  BOOST_TEST(workbench->is_approved(plan->digest));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant
