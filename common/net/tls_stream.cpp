// SPDX-License-Identifier: Apache-2.0
#include "common/net/tls_stream.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <utility>
#include <vector>

#include "common/net/timer.hpp"
#include "common/net/tls_engine.hpp"
#include "common/net/tls_words.hpp"

namespace entente::net {
namespace {

using asio::ip::tcp;
using Code = boost::system::error_code;

// How long a refused peer is listened to, so that closing does not overtake the alert.
constexpr std::chrono::milliseconds refusal_linger{1000};

// What is read from a socket at once: about what the reader wants, a record at least.
constexpr std::size_t received_min = 20U << 10U, received_max = 256U << 10U;
// What is encrypted before it is sent.
constexpr std::size_t sent_together = 256U << 10U;
constexpr std::size_t spares_max = 4;

// After so much that was there without a wait, the thread's other connections get a turn. A small
// read costs as much as a few bytes more.
constexpr std::size_t turn_bytes = 1U << 20U, read_cost_bytes = 1U << 10U;

// What every connection of a thread receives into: used up or copied before another does.
std::span<std::byte> landing() {
  thread_local Bytes place(received_max);
  return place;
}

// Buffers for what goes out, kept for the next that sends.
std::vector<Bytes>& spares() {
  thread_local std::vector<Bytes> kept;
  return kept;
}

// Kept alive by whoever waits for it, so that the stream may be destroyed first.
struct TlsState {
  TlsState(tcp::socket connected, ssl_ctx_st* context, crypto::TlsEnd end)
      : socket(std::move(connected)), engine(context, end) {
    Code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
  }
  void close() {
    Code ignored;
    socket.close(ignored);
  }
  // What has come, about `wanted` bytes of it, for the engine; would_block when nothing has.
  Code receive(std::size_t wanted) {
    const std::size_t size = std::clamp(wanted + wanted / 64, received_min, received_max);
    const std::span<std::byte> place = landing().first(size);
    Code failure;
    const std::size_t bytes = socket.read_some(asio::buffer(place.data(), size), failure);
    if (failure == asio::error::eof) {
      engine.bring_end();
      return {};
    }
    if (!failure) engine.bring(ByteView(place).first(bytes));
    return failure;
  }
  void take_spare() {
    if (engine.out().capacity() != 0 || spares().empty()) return;
    engine.out() = std::move(spares().back());
    spares().pop_back();
  }
  void give_spare() {
    if (!engine.out().empty()) return;
    Bytes spare = std::move(engine.out());
    engine.out() = Bytes();
    if (spares().size() < spares_max) spares().push_back(std::move(spare));
  }

  tcp::socket socket;
  TlsEngine engine;
  std::size_t read_in_turn = 0;
};

Async<void> ready(std::shared_ptr<TlsState> state, tcp::socket::wait_type what) {
  auto [failure] = co_await state->socket.async_wait(what, no_throw);
  if (failure) {
    co_return stream_error(what == tcp::socket::wait_read ? "reading" : "writing", failure);
  }
  co_return ok();
}

// The whole milliseconds until `end`, rounded up.
std::chrono::milliseconds left_until(Instant end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - now());
  return std::max(left, std::chrono::milliseconds(0));
}

// Sends what the engine has for the network.
Async<void> flush(std::shared_ptr<TlsState> state, Instant end) {
  std::size_t sent = 0;
  while (sent < state->engine.out().size()) {
    const ByteView left = ByteView(state->engine.out()).subspan(sent);
    Code failure;
    sent += state->socket.write_some(asio::buffer(left.data(), left.size()), failure);
    if (failure && failure != asio::error::would_block) co_return stream_error("writing", failure);
    if (!failure) continue;
    Async<void> waiting = ready(state, tcp::socket::wait_write);
    const Result<void> writable = co_await with_deadline(left_until(end), std::move(waiting));
    if (!writable) co_return writable.error();
  }
  state->engine.out().clear();
  co_return ok();
}

Async<std::size_t> read_some_from(std::shared_ptr<TlsState> state, std::span<std::byte> into,
                                  std::chrono::milliseconds limit) {
  std::optional<Instant> end;  // known when it comes to waiting
  for (;;) {
    std::size_t bytes = 0;
    const TlsEngine::Step step = state->engine.read(into, &bytes);
    state->engine.keep_rest();
    if (step == TlsEngine::Step::done) {
      state->read_in_turn += bytes + read_cost_bytes;
      if (state->read_in_turn < turn_bytes) co_return bytes;
      state->read_in_turn = 0;
      const Result<void> turn = co_await yield();
      co_return bytes;
    }
    if (step == TlsEngine::Step::failed) {
      co_return stream_error("reading", state->engine.failure());
    }
    const Code failure = state->receive(into.size());
    if (failure && failure != asio::error::would_block) co_return stream_error("reading", failure);
    if (!failure) continue;
    if (!end) end = now() + limit;
    state->read_in_turn = 0;
    Async<void> waiting = ready(state, tcp::socket::wait_read);
    const Result<void> readable = co_await with_deadline(left_until(*end), std::move(waiting));
    if (!readable) co_return readable.error();
  }
}

Async<void> write_to(std::shared_ptr<TlsState> state, std::span<const ByteView> parts,
                     std::chrono::milliseconds limit) {
  const Instant end = now() + limit;
  state->take_spare();
  for (ByteView part : parts) {
    while (!part.empty()) {
      const ByteView next = part.first(std::min(part.size(), sent_together));
      part = part.subspan(next.size());
      if (state->engine.write(next) != TlsEngine::Step::done) {
        co_return stream_error("writing", state->engine.failure());
      }
      if (state->engine.out().size() < sent_together) continue;
      const Result<void> sent = co_await flush(state, end);
      if (!sent) co_return sent.error();
    }
  }
  const Result<void> sent = co_await flush(state, end);
  state->give_spare();
  co_return sent;
}

class TlsStream final : public Stream {
 public:
  TlsStream(std::shared_ptr<TlsState> state, Identity peer, Bytes certificate)
      : state_(std::move(state)), peer_(std::move(peer)), certificate_(std::move(certificate)) {}
  ~TlsStream() override { state_->close(); }
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  Async<std::size_t> read_some(std::span<std::byte> into,
                               std::chrono::milliseconds limit) override {
    return read_some_from(state_, into, limit);
  }
  Async<void> write(std::span<const ByteView> parts, std::chrono::milliseconds limit) override {
    return write_to(state_, parts, limit);
  }
  void finish_writing() override {
    Code ignored;
    state_->socket.shutdown(tcp::socket::shutdown_send, ignored);
  }
  void close() override { state_->close(); }
  const Identity& peer() const override { return peer_; }
  ByteView peer_certificate() const override { return certificate_; }
  Executor executor() const override { return state_->socket.get_executor(); }

 private:
  std::shared_ptr<TlsState> state_;
  Identity peer_;
  Bytes certificate_;
};

// Reads what the refused peer still sends, so that the alert is not lost in a reset.
Async<void> drain(std::shared_ptr<TlsState> state) {
  Code ignored;
  state->socket.shutdown(tcp::socket::shutdown_send, ignored);
  std::array<char, 4096> scrap;
  for (;;) {
    const asio::mutable_buffer buffer(scrap.data(), scrap.size());
    auto [failure, bytes] = co_await state->socket.async_read_some(buffer, no_throw);
    if (failure) co_return ok();
  }
}

Result<std::unique_ptr<Stream>> checked_stream(std::shared_ptr<TlsState> state,
                                               const PeerRule& expected) {
  ssl_st* connection = state->engine.native();
  auto peer = crypto::peer_identity(connection);
  if (!peer) return peer.error();
  if (auto welcome = check_peer(*peer, expected); !welcome) return welcome.error();
  auto certificate = crypto::peer_certificate(connection);
  if (!certificate) return certificate.error();
  return std::unique_ptr<Stream>(
      std::make_unique<TlsStream>(std::move(state), std::move(*peer), certificate->der()));
}

Async<void> shake(std::shared_ptr<TlsState> state, Instant end) {
  for (;;) {
    const TlsEngine::Step step = state->engine.shake_hands();
    state->engine.keep_rest();
    // Of a failure, too: the peer is told by an alert.
    const Result<void> sent = co_await flush(state, end);
    if (step == TlsEngine::Step::failed) {
      co_return handshake_error(state->engine.failure(), state->engine.native());
    }
    if (!sent) co_return sent.error();
    if (step == TlsEngine::Step::done) co_return ok();
    Code failure = state->receive(received_min);
    if (failure == asio::error::would_block) {
      auto [unready] = co_await state->socket.async_wait(tcp::socket::wait_read, no_throw);
      failure = unready;
    }
    if (failure) co_return handshake_error(failure, state->engine.native());
  }
}

Async<std::unique_ptr<Stream>> shake_hands(tcp::socket socket, TlsContext context,
                                           PeerRule expected, crypto::TlsEnd end,
                                           std::chrono::milliseconds limit) {
  auto state = std::make_shared<TlsState>(std::move(socket), context.get(), end);
  Async<void> shaking = shake(state, now() + limit);
  Result<void> shaken = co_await with_deadline(limit, std::move(shaking));
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
