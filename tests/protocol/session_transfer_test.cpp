// SPDX-License-Identifier: Apache-2.0
//
// Sessions that move files: fetches and uploads, what ends them, and where they go on.
#include "protocol/client.hpp"
#include "protocol/server.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/protocol/session.hpp"

using namespace std::chrono_literals;

namespace entente::protocol {

BOOST_AUTO_TEST_SUITE(protocol_session_transfers)

BOOST_AUTO_TEST_CASE(a_blob_is_fetched_whole_and_checked) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, data_max_bytes, data_max_bytes + 1,
                                 std::size_t{1'000'003}}) {
    Stage stage;
    const Bytes content = noise(size);
    const Digest digest = stage.desk.put(content);
    auto session = stage.session();
    const auto path = stage.folder / "fetched";
    const auto received = net::run(stage.time, session.client->fetch(digest, path, size));
    BOOST_REQUIRE_MESSAGE(received.has_value(), received.error().detail);
    BOOST_TEST(received->size_bytes == size);
    BOOST_TEST((read_file(path, size).value() == content));
    // And another: the session goes on.
    BOOST_TEST(net::run(stage.time, session.client->fetch(digest, path, size)).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_blob_that_is_not_there_or_too_large_is_not_fetched_and_the_session_goes_on) {
  Stage stage;
  const Digest digest = stage.desk.put(noise(1000));
  auto session = stage.session();
  const auto path = stage.folder / "fetched";
  const Digest unknown = crypto::sha256(std::string_view("unknown"));
  BOOST_TEST((net::run(stage.time, session.client->fetch(unknown, path, 1000)).error().code ==
              Errc::rejected));
  BOOST_TEST((net::run(stage.time, session.client->fetch(digest, path, 999)).error().code ==
              Errc::malformed));
  BOOST_TEST(net::run(stage.time, session.client->fetch(digest, path, 1000)).has_value());
}

BOOST_AUTO_TEST_CASE(a_blob_whose_bytes_are_not_its_digests_is_discarded_whole) {
  Stage stage;
  const Digest digest = stage.desk.put(noise(1000));
  BOOST_REQUIRE(
      write_file(stage.desk.blobs[digest], noise(1000, 2), Durability::cached).has_value());
  auto session = stage.session();
  const auto path = stage.folder / "fetched";
  BOOST_TEST((net::run(stage.time, session.client->fetch(digest, path, 1000)).error().code ==
              Errc::corrupt));
  BOOST_TEST(!std::filesystem::exists(path));
  BOOST_TEST(!std::filesystem::exists(part_path(path)));
}

BOOST_AUTO_TEST_CASE(an_update_is_uploaded_and_answered) {
  Stage stage;
  const Bytes update = noise(1'000'003);
  const auto path = stage.write("update", update);
  auto session = stage.session();
  const auto answer = net::run(stage.time, session.client->upload(stage.offer(update), path));
  BOOST_REQUIRE_MESSAGE(answer.has_value(), answer.error().detail);
  BOOST_TEST((answer->verdict == Verdict::accepted));
  BOOST_TEST((stage.desk.uploaded(crypto::sha256(update)) == update));
  BOOST_TEST(stage.desk.progress == update.size());
}

BOOST_AUTO_TEST_CASE(an_update_that_is_not_wanted_is_answered_without_a_byte) {
  Stage stage;
  stage.desk.unwanted = answer_of(Verdict::too_late, "too late");
  const Bytes update = noise(1'000'000);
  const auto path = stage.write("update", update);
  auto session = stage.session();
  const auto answer = net::run(stage.time, session.client->upload(stage.offer(update), path));
  BOOST_TEST((answer.value().verdict == Verdict::too_late));
  BOOST_TEST(stage.desk.progress == 0U);
}

BOOST_AUTO_TEST_CASE(an_update_of_another_digest_is_refused_and_discarded) {
  Stage stage;
  const Bytes update = noise(10'000);
  const auto path = stage.write("update", noise(10'000, 2));
  auto session = stage.session();
  const auto answer = net::run(stage.time, session.client->upload(stage.offer(update), path));
  BOOST_TEST((answer.value().verdict == Verdict::digest_mismatch));
  BOOST_TEST((stage.desk.failures.at(0).code == Errc::corrupt));
  const auto file = stage.folder.path() / crypto::sha256(update).hex();
  BOOST_TEST(!std::filesystem::exists(file));
  BOOST_TEST(!std::filesystem::exists(part_path(file)));
}

BOOST_AUTO_TEST_CASE(
    an_update_that_its_inspection_refuses_is_stopped_early_and_the_session_goes_on) {
  Stage stage;
  stage.desk.inspect = [](ByteView) -> Result<void> {
    return Error{Errc::rejected, "not a number"};
  };
  const Bytes update = noise(20'000'000);
  const auto path = stage.write("update", update);
  net::MemoryLink link = slow();
  auto session = stage.session(link, link);
  const auto began = stage.time.now();
  auto answer = net::run(stage.time, session.client->upload(stage.offer(update), path));
  BOOST_TEST(answer.value().reason == "not a number");
  BOOST_TEST((stage.time.now() - began < 5s));  // all of it would take 6.7 s
  stage.desk.inspect = {};
  answer = net::run(
      stage.time, session.client->upload(stage.offer(noise(1000)), stage.write("b", noise(1000))));
  BOOST_TEST((answer.value().verdict == Verdict::accepted));
}

BOOST_AUTO_TEST_CASE(a_disk_that_fails_is_an_answer_and_the_session_goes_on) {
  Stage stage;
  stage.desk.folder = stage.folder / "no-such-folder";
  const Bytes update = noise(1000);
  const auto path = stage.write("update", update);
  auto session = stage.session();
  auto answer = net::run(stage.time, session.client->upload(stage.offer(update), path));
  BOOST_TEST((answer.value().verdict == Verdict::busy));
  stage.desk.folder = stage.folder.path();
  answer = net::run(stage.time, session.client->upload(stage.offer(update), path));
  BOOST_TEST((answer.value().verdict == Verdict::accepted));
  const Digest digest = stage.desk.put(noise(10));
  const auto nowhere = stage.folder / "no-such-folder/file";
  BOOST_TEST(!net::run(stage.time, session.client->fetch(digest, nowhere, 10)).has_value());
  BOOST_TEST(
      net::run(stage.time, session.client->fetch(digest, stage.folder / "f", 10)).has_value());
}

BOOST_AUTO_TEST_CASE(an_upload_ends_when_the_agenda_changes_and_is_resumed_later) {
  for (const auto change_after : {50ms, 700ms, 1000ms, 60'000ms}) {
    Stage stage;
    stage.desk.thinking = 200ms;
    const Bytes update = noise(3'000'000);
    const auto path = stage.write("update", update);
    auto session = stage.session(slow(), slow());
    std::optional<Result<Answer>> answer;
    const auto unwanted = [](const Agenda& agenda) { return round_of(agenda) == 1; };
    stage.tasks.spawn(
        "upload", keep_upload(session.client.get(), stage.offer(update), path, unwanted, &answer));
    session.server->outbox()->post(agenda_of(1));
    stage.time.run_for(change_after);
    session.server->outbox()->post(agenda_of(2));
    while (!answer && stage.time.step()) {
    }
    BOOST_REQUIRE(answer.has_value());
    BOOST_REQUIRE_MESSAGE(answer->has_value(), answer->error().detail);
    const bool in_time = change_after > 10s;
    BOOST_TEST(((*answer)->verdict == (in_time ? Verdict::accepted : Verdict::not_now)));
    stage.time.run_for(1s);
    BOOST_TEST(round_of(net::run(stage.time, session.client->next_agenda()).value()) == 2U);
    // Offered again, it goes on where it was.
    const auto again = net::run(stage.time, session.client->upload(stage.offer(update), path));
    BOOST_TEST((again.value().verdict == Verdict::accepted));
    BOOST_TEST((stage.desk.uploaded(crypto::sha256(update)) == update));
  }
}

BOOST_AUTO_TEST_CASE(a_fetch_ends_when_the_agenda_changes_and_is_resumed_later) {
  Stage stage;
  const Bytes content = noise(3'000'000);
  const Digest digest = stage.desk.put(content);
  auto session = stage.session(slow(), slow());
  std::optional<Result<Received>> received;
  const auto unwanted = [](const Agenda& agenda) { return round_of(agenda) == 1; };
  const auto path = stage.folder / "fetched";
  stage.tasks.spawn("fetch", keep_fetch(session.client.get(), digest, path, unwanted, &received));
  stage.time.run_for(800ms);
  session.server->outbox()->post(agenda_of(2));
  while (!received && stage.time.step()) {
  }
  BOOST_TEST((received->error().code == Errc::rejected));
  BOOST_TEST(std::filesystem::file_size(part_path(path)) > 0U);
  BOOST_TEST(net::run(stage.time, session.client->fetch(digest, path, content.size())).has_value());
  BOOST_TEST((read_file(path, content.size()).value() == content));
}

BOOST_AUTO_TEST_CASE(a_transfer_resumes_at_the_very_byte_where_it_broke) {
  const Bytes content = noise(700'000);
  const Bytes update = noise(700'000, 2);
  for (const std::uint64_t cut : {300'123U, 262'144U + 16U, 400'000U}) {
    Stage stage;
    const Digest digest = stage.desk.put(content);
    const auto path = stage.folder / "fetched";
    const auto file = stage.write("update", update);
    net::MemoryLink breaks;
    breaks.cut_after_bytes = cut;
    {
      auto session = stage.session({}, breaks);
      BOOST_TEST(
          !net::run(stage.time, session.client->fetch(digest, path, content.size())).has_value());
      // Nothing but headers and a few messages is missing.
      BOOST_TEST(std::filesystem::file_size(part_path(path)) > cut - 300);
      stage.end_of(session);
    }
    {
      auto session = stage.session(breaks, {});
      BOOST_TEST(
          !net::run(stage.time, session.client->upload(stage.offer(update), file)).has_value());
      stage.end_of(session);
      const auto part = part_path(stage.folder / crypto::sha256(update).hex());
      BOOST_TEST(std::filesystem::file_size(part) > cut - 300);
    }
    auto session = stage.session();
    stage.desk.progress = 0;
    BOOST_TEST(
        net::run(stage.time, session.client->fetch(digest, path, content.size())).has_value());
    BOOST_TEST((read_file(path, content.size()).value() == content));
    const auto answer = net::run(stage.time, session.client->upload(stage.offer(update), file));
    BOOST_TEST((answer.value().verdict == Verdict::accepted));
    BOOST_TEST((stage.desk.uploaded(crypto::sha256(update)) == update));
  }
}

BOOST_AUTO_TEST_CASE(an_upload_a_download_and_requests_go_on_side_by_side) {
  Stage stage;
  const Bytes content = noise(3'000'000);
  const Bytes update = noise(3'000'000, 2);
  const Digest digest = stage.desk.put(content);
  auto session = stage.session(slow(), slow());
  std::optional<Result<Received>> received;
  std::optional<Result<Answer>> answer;
  stage.tasks.spawn("fetch",
                    keep_fetch(session.client.get(), digest, stage.folder / "f", {}, &received));
  stage.tasks.spawn("upload", keep_upload(session.client.get(), stage.offer(update),
                                          stage.write("u", update), {}, &answer));
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(net::run(stage.time, session.client->request(DeclineWork{})).has_value());
  }
  BOOST_TEST(!received.has_value());
  while ((!received || !answer) && stage.time.step()) {
  }
  BOOST_TEST(received->has_value());
  BOOST_TEST((answer->value().verdict == Verdict::accepted));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::protocol
