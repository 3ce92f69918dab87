// SPDX-License-Identifier: Apache-2.0
#include "common/net/health.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <sstream>
#include <utility>

#include "common/base/log.hpp"
#include "common/net/permits.hpp"
#include "common/net/task_group.hpp"
#include "common/net/timer.hpp"

namespace entente::net {
namespace {

namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;
using Socket = std::shared_ptr<Tcp::socket>;

constexpr std::chrono::milliseconds pause_after_failure{200};
constexpr std::chrono::milliseconds stop_within{500};

struct Reply {
  http::status status = http::status::ok;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

std::string metrics_text(const std::vector<Metric>& metrics) {
  std::vector<prometheus::MetricFamily> families;
  for (const Metric& metric : metrics) {
    if (families.empty() || families.back().name != metric.name) {
      prometheus::MetricFamily family;
      family.name = metric.name;
      family.help = metric.help;
      family.type = metric.kind == MetricKind::counter ? prometheus::MetricType::Counter
                                                       : prometheus::MetricType::Gauge;
      families.push_back(std::move(family));
    }
    prometheus::ClientMetric sample;
    for (const auto& [name, value] : metric.labels) sample.label.push_back({name, value});
    sample.counter.value = metric.value;
    sample.gauge.value = metric.value;
    families.back().metric.push_back(std::move(sample));
  }
  return prometheus::TextSerializer().Serialize(families);
}

Reply reply_to(const http::request<http::empty_body>& request, const HealthSource& source) {
  const auto path = request.target().substr(0, request.target().find('?'));
  if (path != "/healthz" && path != "/metrics") {
    return {http::status::not_found, {}, "expected /healthz or /metrics\n"};
  }
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    return {http::status::method_not_allowed, {}, "expected GET\n"};
  }
  if (path == "/metrics") {
    return {http::status::ok, "text/plain; version=0.0.4; charset=utf-8",
            metrics_text(source.metrics())};
  }
  const std::string problem = source.problem();
  if (problem.empty()) return {http::status::ok, {}, "ok\n"};
  return {http::status::service_unavailable, {}, problem + "\n"};
}

std::string serialized(Reply reply, bool head) {
  http::response<http::string_body> response(reply.status, 11);
  response.set(http::field::content_type,
               reply.content_type.empty() ? "text/plain; charset=utf-8" : reply.content_type);
  response.set(http::field::cache_control, "no-store");
  if (reply.status == http::status::method_not_allowed) {
    response.set(http::field::allow, "GET, HEAD");
  }
  response.keep_alive(false);
  response.content_length(reply.body.size());
  if (!head) response.body() = std::move(reply.body);
  std::ostringstream text;
  text << response;
  return text.str();
}

// The head of the request; a body is not read.
// Errors: malformed - no HTTP, or a head that is too long; closed.
Async<http::request<http::empty_body>> read_request(Socket socket) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(health_header_max_bytes);
  std::string waiting;  // bytes that the parser wants to see again, with more behind them
  std::array<char, 2048> block{};
  while (!parser.is_header_done()) {
    const auto [failure, size] = co_await socket->async_read_some(asio::buffer(block), no_throw);
    if (failure) co_return Error{Errc::closed, failure.message()};
    waiting.append(block.data(), size);
    boost::system::error_code wrong;
    const std::size_t used = parser.put(asio::buffer(waiting), wrong);
    waiting.erase(0, used);
    if (wrong && wrong != http::error::need_more) {
      co_return Error{Errc::malformed, wrong.message()};
    }
  }
  co_return parser.release();
}

Async<void> exchange(Socket socket, std::shared_ptr<const HealthSource> source) {
  const auto request = co_await read_request(socket);
  if (!request && request.error().code != Errc::malformed) co_return request.error();
  Reply reply{http::status::bad_request, {}, "not understood\n"};
  if (request) reply = reply_to(*request, *source);
  const bool head = request && request->method() == http::verb::head;
  const std::string text = serialized(std::move(reply), head);
  const auto [failure, size] = co_await asio::async_write(*socket, asio::buffer(text), no_throw);
  if (failure) co_return Error{Errc::closed, failure.message()};
  co_return ok();
}

// How it ended is nobody's business: a monitor that hangs up is no news.
Async<void> attend(Socket socket, std::shared_ptr<const HealthSource> source,
                   [[maybe_unused]] Permit permit) {
  auto exchanging = exchange(socket, std::move(source));
  const Result<void> done = co_await with_deadline(health_exchange_max, std::move(exchanging));
  boost::system::error_code ignored;
  socket->shutdown(Tcp::socket::shutdown_both, ignored);
  socket->close(ignored);
  co_return ok();
}

}  // namespace

struct HealthServer::State {
  explicit State(const Executor& where)
      : executor(where),
        acceptor(where),
        permits(where, health_connections_max),
        connections(where, stop_within) {}
  Executor executor;
  Tcp::acceptor acceptor;
  Permits permits;
  TaskGroup connections;
};

HealthServer::HealthServer(std::shared_ptr<State> state) : state_(std::move(state)) {}
HealthServer::HealthServer(HealthServer&&) noexcept = default;
HealthServer& HealthServer::operator=(HealthServer&&) noexcept = default;
HealthServer::~HealthServer() = default;

Result<HealthServer> HealthServer::open(Executor executor, std::uint16_t port) {
  auto state = std::make_shared<State>(executor);
  const Tcp::endpoint place(asio::ip::address_v4::loopback(), port);
  boost::system::error_code failure;
  state->acceptor.open(place.protocol(), failure);
  if (!failure) state->acceptor.set_option(Tcp::acceptor::reuse_address(true), failure);
  if (!failure) state->acceptor.bind(place, failure);
  if (!failure) state->acceptor.listen(asio::socket_base::max_listen_connections, failure);
  if (failure) {
    return Error{Errc::io,
                 "cannot listen on 127.0.0.1:" + std::to_string(port) + ": " + failure.message()};
  }
  return HealthServer(std::move(state));
}

std::uint16_t HealthServer::port() const {
  boost::system::error_code failure;
  return state_->acceptor.local_endpoint(failure).port();
}

Async<void> HealthServer::serve(HealthSource source) {
  return serve_on(state_, std::move(source));
}

Async<void> HealthServer::serve_on(std::shared_ptr<State> state, HealthSource source) {
  const auto shared = std::make_shared<const HealthSource>(std::move(source));
  for (;;) {
    Result<Permit> permit = co_await state->permits.take();
    if (!permit) break;
    const auto socket = std::make_shared<Tcp::socket>(state->executor);
    const auto [failure] = co_await state->acceptor.async_accept(*socket, no_throw);
    const auto stop = co_await asio::this_coro::cancellation_state;
    if (stop.cancelled() != asio::cancellation_type::none) break;
    if (failure) {
      log_warning("the health endpoint cannot accept", {{"reason", failure.message()}});
      if (const Result<void> waited = co_await wait_for(pause_after_failure); !waited) break;
      continue;
    }
    state->connections.spawn("health", attend(socket, shared, std::move(*permit)));
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  boost::system::error_code ignored;
  state->acceptor.close(ignored);
  state->connections.stop();
  const Result<void> ended = co_await state->connections.join();
  co_return Error{Errc::cancelled, "stopped"};
}

}  // namespace entente::net
