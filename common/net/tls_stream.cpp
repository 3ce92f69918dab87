// SPDX-License-Identifier: Apache-2.0
#include "common/net/tls_stream.hpp"

#include <openssl/ssl.h>
#include <openssl/sslerr.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "common/net/timer.hpp"
#include "common/net/tls_words.hpp"

namespace entente::net {
namespace {

using asio::ip::tcp;
using TlsSocket = asio::ssl::stream<tcp::socket>;
using Code = boost::system::error_code;

// How long a refused peer is listened to, so that closing does not overtake the alert.
constexpr std::chrono::milliseconds refusal_linger{1000};

// Kept alive by whoever waits for it, so that the stream may be destroyed first.
struct TlsState {
  TlsState(tcp::socket socket, asio::ssl::context& context) : tls(std::move(socket), context) {}
  void close() {
    Code ignored;
    tls.lowest_layer().close(ignored);
  }
  TlsSocket tls;
};

Async<std::size_t> read_some_from(std::shared_ptr<TlsState> state, std::span<std::byte> into) {
  const asio::mutable_buffer buffer(into.data(), into.size());
  auto [failure, bytes] = co_await state->tls.async_read_some(buffer, no_throw);
  if (failure) co_return stream_error("reading", failure);
  co_return bytes;
}

Async<void> write_to(std::shared_ptr<TlsState> state, std::span<const ByteView> parts) {
  std::vector<asio::const_buffer> buffers;
  buffers.reserve(parts.size());
  for (const ByteView part : parts) buffers.emplace_back(part.data(), part.size());
  auto [failure, bytes] = co_await asio::async_write(state->tls, buffers, no_throw);
  if (failure) co_return stream_error("writing", failure);
  co_return ok();
}

class TlsStream final : public Stream {
 public:
  TlsStream(std::shared_ptr<TlsState> state, Identity peer, Bytes certificate)
      : state_(std::move(state)), peer_(std::move(peer)), certificate_(std::move(certificate)) {}
  ~TlsStream() override { state_->close(); }
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  Async<std::size_t> read_some(std::span<std::byte> into) override {
    return read_some_from(state_, into);
  }
  Async<void> write(std::span<const ByteView> parts) override { return write_to(state_, parts); }
  void finish_writing() override {
    Code ignored;
    state_->tls.lowest_layer().shutdown(tcp::socket::shutdown_send, ignored);
  }
  void close() override { state_->close(); }
  const Identity& peer() const override { return peer_; }
  ByteView peer_certificate() const override { return certificate_; }
  Executor executor() const override { return state_->tls.lowest_layer().get_executor(); }

 private:
  std::shared_ptr<TlsState> state_;
  Identity peer_;
  Bytes certificate_;
};

// Reads what the refused peer still sends, so that the alert is not lost in a reset.
Async<void> drain(std::shared_ptr<TlsState> state) {
  Code ignored;
  state->tls.next_layer().shutdown(tcp::socket::shutdown_send, ignored);
  std::array<char, 4096> scrap;
  for (;;) {
    const asio::mutable_buffer buffer(scrap.data(), scrap.size());
    auto [failure, bytes] = co_await state->tls.next_layer().async_read_some(buffer, no_throw);
    if (failure) co_return ok();
  }
}

Result<std::unique_ptr<Stream>> checked_stream(std::shared_ptr<TlsState> state,
                                               const PeerRule& expected) {
  ssl_st* connection = state->tls.native_handle();
  auto peer = crypto::peer_identity(connection);
  if (!peer) return peer.error();
  if (auto welcome = check_peer(*peer, expected); !welcome) return welcome.error();
  auto certificate = crypto::peer_certificate(connection);
  if (!certificate) return certificate.error();
  return std::unique_ptr<Stream>(
      std::make_unique<TlsStream>(std::move(state), std::move(*peer), certificate->der()));
}

Async<std::unique_ptr<Stream>> shake_hands(tcp::socket socket, TlsContext context,
                                           PeerRule expected, crypto::TlsEnd end,
                                           std::chrono::milliseconds limit) {
  Code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  asio::ssl::context shared(crypto::share(context));
  auto state = std::make_shared<TlsState>(std::move(socket), shared);
  auto shaking = [](std::shared_ptr<TlsState> with, crypto::TlsEnd as) -> Async<void> {
    const auto side = as == crypto::TlsEnd::server ? asio::ssl::stream_base::server
                                                   : asio::ssl::stream_base::client;
    auto [failure] = co_await with->tls.async_handshake(side, no_throw);
    if (failure) co_return handshake_error(failure, with->tls.native_handle());
    co_return ok();
  };
  Result<void> shaken = co_await with_deadline(limit, shaking(state, end));
  if (shaken) {
    auto stream = checked_stream(state, expected);
    if (stream) co_return std::move(*stream);
    shaken = stream.error();
  }
  if (shaken.error().code == Errc::unauthenticated) {
    const Result<void> drained = co_await with_deadline(refusal_linger, drain(state));
  }
  state->close();
  co_return shaken.error();
}

Async<tcp::socket> connect_to(Address address) {
  const Executor executor = co_await asio::this_coro::executor;
  std::vector<tcp::endpoint> endpoints;
  Code not_numeric;
  if (const auto numeric = asio::ip::make_address(address.host, not_numeric); !not_numeric) {
    endpoints.emplace_back(numeric, address.port);
  } else {
    tcp::resolver resolver(executor);
    const std::string port = std::to_string(address.port);
    auto [failure, found] = co_await resolver.async_resolve(address.host, port, no_throw);
    if (failure) {
      co_return Error{Errc::closed, "looking the name up: " + failure.message()};
    }
    for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  }
  Code last = asio::error::host_not_found;
  for (const tcp::endpoint& endpoint : endpoints) {
    tcp::socket socket(executor);
    auto [failure] = co_await socket.async_connect(endpoint, no_throw);
    if (!failure) co_return std::move(socket);
    last = failure;
  }
  co_return Error{Errc::closed, last.message()};
}

}  // namespace

Async<std::unique_ptr<Stream>> dial(Address address, TlsContext context, PeerRule expected,
                                    std::chrono::milliseconds limit) {
  const Instant began = now();
  Result<tcp::socket> socket = co_await with_deadline(limit, connect_to(address));
  if (!socket) co_return in_context("connecting to " + address.text(), socket.error());
  const auto used = std::chrono::duration_cast<std::chrono::milliseconds>(now() - began);
  const auto left = std::max(limit - used, std::chrono::milliseconds(1));
  Result<std::unique_ptr<Stream>> stream =
      co_await shake_hands(std::move(*socket), context, expected, crypto::TlsEnd::client, left);
  if (!stream) co_return in_context("connecting to " + address.text(), stream.error());
  co_return std::move(*stream);
}

struct Connection::State {
  explicit State(tcp::socket accepted) : socket(std::move(accepted)) {}
  tcp::socket socket;
};
Connection::Connection() = default;
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;
Executor Connection::executor() const {
  return state_->socket.get_executor();
}

Async<std::unique_ptr<Stream>> accept_tls(Connection connection, TlsContext context,
                                          PeerRule expected, std::chrono::milliseconds limit) {
  tcp::socket socket = std::move(connection.state_->socket);
  co_return co_await shake_hands(std::move(socket), context, expected, crypto::TlsEnd::server,
                                 limit);
}

struct Listener::State {
  explicit State(const Executor& executor) : acceptor(executor) {}
  tcp::acceptor acceptor;
};
Listener::Listener(std::shared_ptr<State> state) : state_(std::move(state)) {}
Listener::Listener(Listener&&) noexcept = default;
Listener& Listener::operator=(Listener&&) noexcept = default;
Listener::~Listener() {
  if (state_) close();
}

Result<Listener> Listener::open(Executor executor, Address address) {
  const auto failed = [&](const Code& failure) {
    return Error{Errc::io, "listening on " + address.text() + ": " + failure.message()};
  };
  Code failure;
  const auto numeric = asio::ip::make_address(address.host, failure);
  tcp::endpoint endpoint(numeric, address.port);
  if (failure) {
    tcp::resolver resolver(executor);
    const auto found = resolver.resolve(address.host, std::to_string(address.port), failure);
    if (failure) return failed(failure);
    endpoint = found.begin()->endpoint();
  }
  auto state = std::make_shared<State>(executor);
  tcp::acceptor& acceptor = state->acceptor;
  if (!failure) acceptor.open(endpoint.protocol(), failure);
  if (!failure) acceptor.set_option(tcp::acceptor::reuse_address(true), failure);
  if (!failure) acceptor.bind(endpoint, failure);
  if (!failure) acceptor.listen(asio::socket_base::max_listen_connections, failure);
  if (failure) return failed(failure);
  return Listener(std::move(state));
}

Address Listener::address() const {
  Code failure;
  const tcp::endpoint bound = state_->acceptor.local_endpoint(failure);
  return {bound.address().to_string(), bound.port()};
}

Async<Connection> Listener::accept(Executor onto) {
  return accept_on(state_, std::move(onto));
}

Async<Connection> Listener::accept_on(std::shared_ptr<State> state, Executor onto) {
  for (;;) {
    auto [failure, socket] = co_await state->acceptor.async_accept(onto, no_throw);
    const auto stop = co_await asio::this_coro::cancellation_state;
    if (stop.cancelled() != asio::cancellation_type::none) {
      co_return Error{Errc::cancelled, "stopped while accepting"};
    }
    if (failure == asio::error::connection_aborted) continue;
    if (failure == asio::error::operation_aborted || failure == asio::error::bad_descriptor) {
      co_return Error{Errc::closed, "the listener was closed"};
    }
    if (failure) co_return Error{Errc::io, "accepting a connection: " + failure.message()};
    Connection connection;
    Code unknown;
    const tcp::endpoint remote = socket.remote_endpoint(unknown);
    if (!unknown) connection.remote_ = Address{remote.address().to_string(), remote.port()}.text();
    connection.state_ = std::make_unique<Connection::State>(std::move(socket));
    co_return connection;
  }
}

void Listener::close() {
  Code ignored;
  state_->acceptor.close(ignored);
}

}  // namespace entente::net
