// SPDX-License-Identifier: Apache-2.0
#include "tests/end_to_end/insider.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstring>

#include "common/base/clock.hpp"
#include "common/crypto/hash.hpp"
#include "common/ledger/statement.hpp"
#include "common/net/address.hpp"
#include "protocol/frame.hpp"
#include "protocol/limits.hpp"
#include "tests/common/net/running.hpp"

namespace entente::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t buffers = 8;
constexpr std::chrono::seconds patience{60};

net::Async<Bytes> read_some(net::Stream* stream) {
  Bytes bytes(std::size_t{64} << 10U);
  auto reading = stream->read_some(bytes, patience);
  const Result<std::size_t> size = co_await std::move(reading);
  if (!size) co_return size.error();
  bytes.resize(*size);
  co_return bytes;
}

net::Async<void> write(net::Stream* stream, const Bytes* bytes) {
  const std::array<ByteView, 1> parts{ByteView(*bytes)};
  co_return co_await stream->write(parts, patience);
}

}  // namespace

Forge::Forge(const Federation& federation)
    : issuing_{must(crypto::Certificate::load(federation.folder() / "authority" / "issuing" /
                                              "issuing.crt"))
                   .front(),
               must(crypto::PrivateKey::load(federation.folder() / "authority" / "issuing" /
                                             "issuing.key"))},
      authorities_(must(crypto::Certificate::load(federation.folder() / "authority" / "ca.pem"))) {}

crypto::CertificateText Forge::text(Role role, const std::string& name) const {
  const TimePoint now = Clock().now();
  crypto::CertificateText text;
  text.common_name = name;
  text.uris = {Identity{Federation::domain, role, name}.uri()};
  text.validity = {now - 1min, now + 24h};
  return text;
}

crypto::Credentials Forge::certified(const crypto::CertificateText& text) const {
  const auto key = must(crypto::PrivateKey::generate(crypto::KeyKind::ecdsa_p256));
  const auto leaf =
      must(crypto::sign_certificate(text, key.public_key(), issuing_.key, &issuing_.certificate));
  return {Identity{Federation::domain, Role::participant, text.common_name},
          {leaf, issuing_.certificate},
          key,
          authorities_};
}

crypto::Credentials kit_of(const Federation& federation, const std::string& name) {
  const fs::path folder = federation.folder() / name;
  return must(crypto::load_credentials({folder / "cert.pem", folder / "key.pem", folder / "ca.pem"},
                                       Clock().now()));
}

std::size_t ModelBytes::data_at() const {
  return 8 + static_cast<std::size_t>(load_little_endian<std::uint64_t>(bytes_.data()));
}
std::size_t ModelBytes::count() const {
  return (bytes_.size() - data_at()) / sizeof(float);
}
ModelBytes ModelBytes::with(std::size_t index, float value) const {
  ModelBytes copy = *this;
  std::memcpy(copy.bytes_.data() + data_at() + index * sizeof value, &value, sizeof value);
  return copy;
}
ModelBytes ModelBytes::filled(float value) const {
  ModelBytes copy = *this;
  for (std::size_t i = 0; i < count(); ++i) {
    std::memcpy(copy.bytes_.data() + data_at() + i * sizeof value, &value, sizeof value);
  }
  return copy;
}
ModelBytes ModelBytes::reshaped() const {
  // "shape":[30,16] becomes "shape":[16,30]
  std::string text(as_text(bytes_));
  const std::size_t begin = text.find('[', text.find("\"shape\":[", text.find("kernel")));
  const std::size_t comma = text.find(',', begin);
  const std::size_t end = text.find(']', begin);
  BOOST_REQUIRE(end < data_at() && comma < end);
  const std::string first = text.substr(begin + 1, comma - begin - 1);
  const std::string second = text.substr(comma + 1, end - comma - 1);
  BOOST_REQUIRE(first != second);
  text.replace(begin + 1, end - begin - 1, second + "," + first);
  return ModelBytes(to_bytes(text));
}
Digest ModelBytes::digest() const {
  return crypto::sha256(bytes_);
}

Insider::Insider(const Federation& federation, crypto::Credentials credentials)
    : federation_(federation),
      credentials_(std::move(credentials)),
      folder_(federation.folder() / ("insider-" + credentials_.identity.name)),
      tls_(must(crypto::tls_context(crypto::TlsEnd::client, credentials_))) {
  fs::create_directories(folder_);
}

Insider::~Insider() {
  disconnect();
}

Result<std::unique_ptr<net::Stream>> Insider::dial(bool expect_refusal) {
  const net::Address address = must(net::parse_address(federation_.address()));
  net::PeerRule rule(Federation::domain, {Role::coordinator});
  auto stream = net::run(context_, net::dial(address, tls_, std::move(rule), patience));
  if (!stream || !expect_refusal) return stream;
  const auto read = net::run(context_, read_some(stream->get()));
  if (!read) return read.error();
  return stream;
}

Bytes Insider::say(std::unique_ptr<net::Stream> stream, const Bytes& bytes) {
  static_cast<void>(net::run(context_, write(stream.get(), &bytes)));
  Bytes heard;
  for (;;) {
    const auto more = net::run(context_, read_some(stream.get()));
    if (!more) return heard;
    heard.insert(heard.end(), more->begin(), more->end());
  }
}

Result<void> Insider::connect() {
  disconnect();
  auto stream = dial();
  if (!stream) return stream.error();
  protocol::ClientSettings settings("insider", Federation::domain);
  net::BufferPool pool(context_.get_executor(), buffers);
  auto client =
      net::run(context_, protocol::Client::connect(std::move(*stream), pool, std::move(settings)));
  if (!client) return client.error();
  client_ = std::move(*client);
  return ok();
}

void Insider::disconnect() {
  if (client_) static_cast<void>(net::run(context_, client_->close("done")));
  client_.reset();
  if (channel_) channel_->close();
  channel_.reset();
}

Result<protocol::Answer> Insider::ask(protocol::Message message) {
  return net::run(context_, client_->request(std::move(message)));
}

Result<protocol::Answer> Insider::offer(protocol::Message offer, const Bytes& content) {
  const fs::path file = folder_ / "offered";
  write_whole(file, std::string(as_text(content)));
  return net::run(context_, client_->upload(std::move(offer), file));
}

protocol::OfferUpdate Insider::offer_of(const protocol::Train& task,
                                        const ModelBytes& update) const {
  protocol::OfferUpdate offer;
  offer.stream = 1;
  offer.plan = task.plan;
  offer.round = task.round;
  offer.update = update.digest();
  offer.size_bytes = update.bytes().size();
  offer.examples = 10;
  return offer;
}

Result<protocol::Answer> Insider::send(const protocol::Train& task, const ModelBytes& update) {
  return offer(offer_of(task, update), update.bytes());
}

Result<protocol::Answer> Insider::consent(const Digest& plan) {
  const std::string text = ledger::statement(ledger::plan_consented, Federation::domain, plan);
  protocol::AnswerPlan answer;
  answer.plan = plan;
  answer.consents = true;
  answer.signature = must(credentials_.key.sign(as_bytes(text)));
  return ask(answer);
}

protocol::Train Insider::training(std::uint64_t round) {
  for (;;) {
    const protocol::Agenda agenda = must(net::run(context_, client_->next_agenda()));
    const auto* train = std::get_if<protocol::Train>(&agenda.work);
    if (train != nullptr && train->round == round) return *train;
  }
}

protocol::Evaluate Insider::evaluation(std::uint64_t round) {
  for (;;) {
    const protocol::Agenda agenda = must(net::run(context_, client_->next_agenda()));
    const auto* evaluate = std::get_if<protocol::Evaluate>(&agenda.work);
    if (evaluate != nullptr && evaluate->round == round) return *evaluate;
  }
}

Result<protocol::Answer> Insider::evaluate(std::uint64_t round) {
  const protocol::Evaluate task = evaluation(round);
  return ask(protocol::ReportEvaluation{
      task.plan, task.round, task.model, 10, {{"accuracy", 0.5}, {"loss", 1.0}}});
}

ModelBytes Insider::model(const Digest& digest) {
  const fs::path file = folder_ / (digest.hex() + ".safetensors");
  must(net::run(context_, client_->fetch(digest, file, std::uint64_t{1} << 30U)));
  return ModelBytes(to_bytes(read_whole(file)));
}

// --- the wire itself

protocol::Channel& Insider::open_channel() {
  disconnect();
  std::unique_ptr<net::Stream> stream = must(dial());
  stream_ = stream.get();
  net::BufferPool pool(context_.get_executor(), buffers);
  channel_ = std::make_unique<protocol::Channel>(std::move(stream), pool, protocol::Timing{});
  send(protocol::Hello{protocol::version_least, protocol::version_most, "insider"});
  receive<protocol::Welcome>();
  return *channel_;
}

void Insider::send(protocol::Message message) {
  const Result<void> sent = net::run(context_, channel_->send(std::move(message)));
  BOOST_REQUIRE_MESSAGE(sent.has_value(), sent.error().detail);
}

void Insider::send_data(std::uint8_t stream, std::uint64_t offset, ByteView bytes) {
  const Result<void> sent = net::run(context_, channel_->send_data(stream, offset, bytes));
  BOOST_REQUIRE_MESSAGE(sent.has_value(), sent.error().detail);
}

void Insider::send_end(std::uint8_t stream, std::uint64_t length, const Digest& digest) {
  const Result<void> sent = net::run(context_, channel_->send_end(stream, length, digest));
  BOOST_REQUIRE_MESSAGE(sent.has_value(), sent.error().detail);
}

void Insider::send_half_a_frame(std::uint8_t stream, std::uint64_t offset, std::byte first) {
  protocol::FrameHeader header;
  header.size_bytes = 10;
  header.type = protocol::FrameType::data;
  header.stream = stream;
  header.offset = offset;
  const auto head = protocol::encode_frame_header(header);
  Bytes bytes(head.begin(), head.end());
  bytes.push_back(first);
  BOOST_REQUIRE(net::run(context_, write(stream_, &bytes)).has_value());
  channel_->close();
}

Result<protocol::Incoming> Insider::next() {
  return net::run(context_, channel_->receive());
}

}  // namespace entente::test
