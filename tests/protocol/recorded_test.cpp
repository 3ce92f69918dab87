// SPDX-License-Identifier: Apache-2.0
//
// The recorded session of protocol version 1: tests/vectors/protocol-1/session.txt holds every
// frame of a participant's whole session, both ways. The client's bytes are replayed against the
// server's code; what it answers must decode to what it answered then. The vector is frozen: it is
// never made anew, only added to (a later version gets a folder of its own).
//
//     > Hello <hex of the frame>       the client's
//     < Welcome <hex of the frame>     the coordinator's
#include "protocol/client.hpp"
#include "protocol/server.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "protocol/codec.hpp"
#include "tests/folders.hpp"
#include "tests/protocol/samples.hpp"
#include "tests/protocol/session.hpp"

using namespace std::chrono_literals;

namespace entente::protocol {
namespace {

struct Frame {
  bool from_client = false;
  std::string name;
  Bytes bytes;
};

const std::filesystem::path vector_path = tests_folder() / "vectors" / "protocol-1" / "session.txt";

std::vector<Frame> read_frames() {
  std::ifstream file(vector_path);
  BOOST_REQUIRE_MESSAGE(file.good(), vector_path);
  std::vector<Frame> frames;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string side, name, hex;
    words >> side >> name >> hex;
    frames.push_back({side == ">", name, from_hex(hex).value()});
  }
  return frames;
}

// What a frame is called in the vector.
std::string name_of_frame(const Bytes& frame) {
  const auto header = decode_frame_header(
      std::span<const std::byte, frame_header_bytes>(frame.data(), frame_header_bytes));
  BOOST_REQUIRE_MESSAGE(header.has_value(), header.error().detail);
  if (header->type == FrameType::data) return "data";
  if (header->type == FrameType::end) return "end";
  const auto message = decode(ByteView(frame).subspan(frame_header_bytes));
  BOOST_REQUIRE_MESSAGE(message.has_value(), message.error().detail);
  return std::string(name_of(*message));
}

// The first whole frame of `bytes`, taken out of it.
std::optional<Bytes> take_frame(Bytes& bytes) {
  if (bytes.size() < frame_header_bytes) return std::nullopt;
  const std::size_t size = frame_header_bytes + load_little_endian<std::uint32_t>(bytes.data());
  if (bytes.size() < size) return std::nullopt;
  const auto end = bytes.begin() + static_cast<std::ptrdiff_t>(size);
  Bytes frame(bytes.begin(), end);
  bytes.erase(bytes.begin(), end);
  return frame;
}

// What a frame says, in today's encoding.
Bytes meaning_of(const Bytes& frame) {
  const auto header = decode_frame_header(
      std::span<const std::byte, frame_header_bytes>(frame.data(), frame_header_bytes));
  if (!header || header->type != FrameType::control) return frame;
  return encode(decode(ByteView(frame).subspan(frame_header_bytes)).value()).value();
}

Bytes fixed_plan() {
  return to_bytes(R"({"name":"a plan of the recorded session","schema":1})");
}
Bytes fixed_model() {
  return noise(1000, 1);
}
Bytes fixed_update() {
  return noise(1500, 2);
}

Agenda fixed_agenda(int step) {
  Agenda agenda;
  if (step == 0) {
    agenda.plans = {PlanToConsider{crypto::sha256(fixed_plan()), fixed_plan().size(),
                                   to_bytes("certificate"), to_bytes("signature")}};
  } else if (step == 1) {
    Train train;
    train.plan = crypto::sha256(fixed_plan());
    train.round = 1;
    train.model = crypto::sha256(fixed_model());
    train.model_size_bytes = fixed_model().size();
    train.closes_in = 60s;
    train.opening = sample_receipt();
    agenda.work = train;
  } else if (step == 2) {
    Evaluate evaluate;
    evaluate.plan = crypto::sha256(fixed_plan());
    evaluate.round = 1;
    evaluate.model = crypto::sha256(fixed_model());
    evaluate.model_size_bytes = fixed_model().size();
    evaluate.closes_in = 60s;
    evaluate.aggregation = sample_receipt();
    agenda.work = evaluate;
  }
  return agenda;
}

// A coordinator of fixed words: each request moves the agenda on.
class RecordedDesk final : public Desk {
 public:
  using Desk::Desk;
  net::Async<std::optional<Message>> on_message(Message message) override {
    asked.emplace_back(name_of(message));
    Answer answer = answer_of(Verdict::accepted);
    answer.receipt = sample_receipt();
    co_return std::optional<Message>(std::move(answer));
  }
  net::Async<Answer> on_received(Message, Result<Received> result) override {
    BOOST_TEST(result.has_value());
    Answer answer = answer_of(Verdict::accepted, "welcome");
    answer.receipt = sample_receipt();
    co_return answer;
  }
};

struct RecordedStage : Stage {
  RecordedDesk words{folder.path()};
  std::unique_ptr<net::Stream> client_stream;
  std::shared_ptr<ServerSession> server;
  std::optional<Result<void>> ended;

  RecordedStage() {
    words.put(fixed_plan());
    words.put(fixed_model());
    auto [client, other] = net::memory_streams(time.executor(), charite, main_one);
    client_stream = std::move(client);
    server = std::make_shared<ServerSession>(std::move(other), server_pool, Timing{}, words);
    tasks.spawn("server session", serve_session(server, &ended));
  }
  // The agendas come from outside, at fixed points: after the welcome and after the answers.
  void tell(int step) { server->outbox()->post(fixed_agenda(step)); }
};

net::Async<void> write_bytes(net::Stream* stream, Bytes bytes) {
  const std::array<ByteView, 1> parts{ByteView(bytes)};
  co_return co_await stream->write(parts, 1h);
}
net::Async<void> read_bytes(net::Stream* stream, Bytes* into) {
  std::array<std::byte, 4096> some;
  for (;;) {
    const Result<std::size_t> size = co_await stream->read_some(some, 1h);
    if (!size) co_return ok();
    into->insert(into->end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(*size));
  }
}

// A stream that keeps what passes.
class Recorder final : public net::Stream {
 public:
  Recorder(std::unique_ptr<net::Stream> stream, std::vector<Frame>* frames)
      : stream_(std::move(stream)), frames_(frames) {}
  net::Async<std::size_t> read_some(std::span<std::byte> into,
                                    std::chrono::milliseconds limit) override {
    const Result<std::size_t> size = co_await stream_->read_some(into, limit);
    if (size) note(false, into.first(*size), received_);
    co_return size;
  }
  net::Async<void> write(std::span<const ByteView> parts,
                         std::chrono::milliseconds limit) override {
    for (const ByteView part : parts) note(true, part, sent_);
    co_return co_await stream_->write(parts, limit);
  }
  void finish_writing() override { stream_->finish_writing(); }
  void close() override { stream_->close(); }
  const Identity& peer() const override { return stream_->peer(); }
  ByteView peer_certificate() const override { return stream_->peer_certificate(); }
  net::Executor executor() const override { return stream_->executor(); }

 private:
  void note(bool from_client, ByteView bytes, Bytes& pending) {
    pending.insert(pending.end(), bytes.begin(), bytes.end());
    while (auto frame = take_frame(pending)) {
      frames_->push_back({from_client, name_of_frame(*frame), std::move(*frame)});
    }
  }
  std::unique_ptr<net::Stream> stream_;
  std::vector<Frame>* frames_;
  Bytes sent_;
  Bytes received_;
};

// The whole session, as today's client and server hold it.
std::vector<Frame> hold_session() {
  RecordedStage stage;
  std::vector<Frame> frames;
  auto client = std::move(
      net::run(stage.time,
               Client::connect(std::make_unique<Recorder>(std::move(stage.client_stream), &frames),
                               stage.client_pool, settings_of_tests()))
          .value());
  const Digest plan = crypto::sha256(fixed_plan());
  const Digest model = crypto::sha256(fixed_model());
  const auto settle = [&] { stage.time.run_for(1s); };
  stage.tell(0);
  settle();
  BOOST_TEST(
      net::run(stage.time, client->fetch(plan, stage.folder / "plan", plan_max_bytes)).has_value());
  BOOST_TEST(
      net::run(stage.time, client->request(AnswerPlan{plan, true, to_bytes("signature"), ""}))
          .has_value());
  stage.tell(1);
  settle();
  BOOST_TEST(net::run(stage.time, client->fetch(model, stage.folder / "model", 1000)).has_value());
  stage.time.run_for(16s);  // training: a heartbeat
  OfferUpdate offer{0, plan, 1, crypto::sha256(fixed_update()), fixed_update().size(), 500};
  BOOST_TEST(net::run(stage.time, client->upload(offer, stage.write("update", fixed_update())))
                 .has_value());
  stage.tell(2);
  settle();
  ReportEvaluation report{plan, 1, model, 100, {{"accuracy", 0.875}, {"loss", 0.5}}};
  BOOST_TEST(net::run(stage.time, client->request(report)).has_value());
  stage.tell(3);
  settle();
  BOOST_TEST(
      net::run(stage.time, client->request(DeclineWork{plan, 2, "enough for today"})).has_value());
  BOOST_TEST(net::run(stage.time, client->close("until tomorrow")).has_value());
  return frames;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(protocol_recorded)

BOOST_AUTO_TEST_CASE(the_recorded_client_is_served_as_it_was_then) {
  const std::vector<Frame> frames = read_frames();
  BOOST_REQUIRE(frames.size() > 20U);
  RecordedStage stage;
  Bytes answered;
  net::TaskGroup reader(stage.time.executor());
  reader.spawn("reader", read_bytes(stage.client_stream.get(), &answered));
  int agenda = 0;
  for (const Frame& frame : frames) {
    if (frame.from_client) {
      BOOST_TEST(
          net::run(stage.time, write_bytes(stage.client_stream.get(), frame.bytes)).has_value());
      stage.time.run_for(1s);
      continue;
    }
    if (frame.name == "Ping" || frame.name == "Pong") continue;  // at their own time
    if (frame.name == "Agenda") {
      stage.tell(agenda++);
      stage.time.run_for(1s);
    }
    std::optional<Bytes> answer = take_frame(answered);
    while (answer && (name_of_frame(*answer) == "Ping" || name_of_frame(*answer) == "Pong")) {
      answer = take_frame(answered);
    }
    BOOST_REQUIRE_MESSAGE(answer.has_value(), "no answer where there was a " << frame.name);
    BOOST_TEST(name_of_frame(*answer) == frame.name);
    BOOST_TEST((meaning_of(*answer) == meaning_of(frame.bytes)), frame.name);
  }
  stage.time.run_for(10s);
  BOOST_REQUIRE(stage.ended.has_value());
  BOOST_TEST(stage.ended->error().detail == "the peer said goodbye: until tomorrow");
  BOOST_TEST((stage.words.uploaded(crypto::sha256(fixed_update())) == fixed_update()));
}

BOOST_AUTO_TEST_CASE(every_recorded_frame_still_means_what_it_is_called) {
  for (const Frame& frame : read_frames()) BOOST_TEST(name_of_frame(frame.bytes) == frame.name);
}

BOOST_AUTO_TEST_CASE(todays_client_still_says_what_it_said_then) {
  const std::vector<Frame> now = hold_session();
  if (const char* path = std::getenv("ENTENTE_RECORD_SESSION"); path != nullptr) {
    std::ofstream file(path);
    for (const Frame& frame : now) {
      file << (frame.from_client ? "> " : "< ") << frame.name << " " << to_hex(frame.bytes) << "\n";
    }
  }
  const std::vector<Frame> then = read_frames();
  BOOST_REQUIRE(now.size() == then.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    BOOST_TEST(now[i].name == then[i].name);
    BOOST_TEST((meaning_of(now[i].bytes) == meaning_of(then[i].bytes)), now[i].name);
  }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::protocol
