// SPDX-License-Identifier: Apache-2.0
//
// Peers that the test itself plays: certificates of any content from a federation's own authority,
// a participant that says what it is told to, good or bad, and the bytes of updates that no honest
// program would make. All calls block until they are answered.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "common/base/bytes.hpp"
#include "common/crypto/credentials.hpp"
#include "common/crypto/issue.hpp"
#include "common/net/stream.hpp"
#include "common/net/tls_stream.hpp"
#include "protocol/channel.hpp"
#include "protocol/client.hpp"
#include "protocol/messages.hpp"
#include "tests/end_to_end/federation.hpp"

namespace entente::test {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().detail);
  return std::move(*result);
}

// Makes certificates with the keys of the federation's issuing authority.
class Forge {
 public:
  explicit Forge(const Federation& federation);
  // What a good certificate says, valid now; to be spoiled.
  crypto::CertificateText text(Role role, const std::string& name) const;
  // A leaf that says `text`, whatever that is, with a key of its own.
  crypto::Credentials certified(const crypto::CertificateText& text) const;
  crypto::Credentials member(Role role, const std::string& name) const {
    return certified(text(role, name));
  }

 private:
  crypto::Authority issuing_;
  std::vector<crypto::Certificate> authorities_;
};

// The kit that entente-certs made in folder()/<name>.
crypto::Credentials kit_of(const Federation& federation, const std::string& name);

// A model's file as bytes; the float at `index` of its data is read and written in place.
class ModelBytes {
 public:
  explicit ModelBytes(Bytes bytes) : bytes_(std::move(bytes)) {}
  const Bytes& bytes() const { return bytes_; }
  std::size_t count() const;
  // All values, or one of them.
  ModelBytes filled(float value) const;
  ModelBytes with(std::size_t index, float value) const;
  // The same bytes under a header of the same size that names another shape.
  ModelBytes reshaped() const;
  Digest digest() const;

 private:
  std::size_t data_at() const;
  Bytes bytes_;
};

class Insider {
 public:
  Insider(const Federation& federation, crypto::Credentials credentials);
  // Says goodbye.
  ~Insider();
  Insider(const Insider&) = delete;
  Insider& operator=(const Insider&) = delete;

  // A TLS connection on which nothing was said yet. Errors: why there is none, or why the
  // coordinator closed it: a refused client hears so by its first read.
  Result<std::unique_ptr<net::Stream>> dial(bool expect_refusal = false);
  // Sends `bytes` over such a stream and reads until the coordinator closes; gives what it said.
  Bytes say(std::unique_ptr<net::Stream> stream, const Bytes& bytes);
  // A session up to the coordinator's welcome.
  Result<void> connect();
  void disconnect();

  // What the coordinator answers to a request, or to an offered file.
  Result<protocol::Answer> ask(protocol::Message message);
  Result<protocol::Answer> offer(protocol::Message offer, const Bytes& content);
  // An update for the task, named by its digest and counted as 10 rows unless told otherwise.
  protocol::OfferUpdate offer_of(const protocol::Train& task, const ModelBytes& update) const;
  Result<protocol::Answer> send(const protocol::Train& task, const ModelBytes& update);
  Result<protocol::Answer> consent(const Digest& plan);

  // The agendas until one asks for this.
  protocol::Train training(std::uint64_t round);
  protocol::Evaluate evaluation(std::uint64_t round);
  // Waits for the candidate of `round` and says what it is worth.
  Result<protocol::Answer> evaluate(std::uint64_t round);
  ModelBytes model(const Digest& digest);

  // The wire itself, after hello and welcome; one at a time, instead of connect().
  protocol::Channel& open_channel();
  void send(protocol::Message message);
  void send_data(std::uint8_t stream, std::uint64_t offset, ByteView bytes);
  void send_end(std::uint8_t stream, std::uint64_t length, const Digest& digest);
  // The header of a data frame of ten bytes, one byte of it, and the end of the connection.
  void send_half_a_frame(std::uint8_t stream, std::uint64_t offset, std::byte first);
  // The next message of that kind; agendas and others are passed over.
  template <class T>
  T receive() {
    for (;;) {
      protocol::Incoming incoming = must(next());
      if (auto* message = std::get_if<protocol::Message>(&incoming)) {
        if (T* wanted = std::get_if<T>(message)) return std::move(*wanted);
      }
    }
  }
  Result<protocol::Incoming> next();

  const crypto::Credentials& credentials() const { return credentials_; }

 private:
  const Federation& federation_;
  crypto::Credentials credentials_;
  std::filesystem::path folder_;
  boost::asio::io_context context_{1};
  net::TlsContext tls_;
  std::unique_ptr<protocol::Client> client_;
  std::unique_ptr<protocol::Channel> channel_;
  net::Stream* stream_ = nullptr;  // the channel's
};

}  // namespace entente::test
