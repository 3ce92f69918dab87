// SPDX-License-Identifier: Apache-2.0
#include "common/net/health.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <string>
#include <thread>

#include "common/net/task_group.hpp"

namespace entente::net {
namespace {

using Tcp = asio::ip::tcp;

// A server on a thread of its own, as long as this lives.
class Served {
 public:
  explicit Served(HealthSource source) : tasks_(context_.get_executor()) {
    auto opened = HealthServer::open(context_.get_executor(), 0);
    BOOST_REQUIRE(opened.has_value());
    server_.emplace(std::move(*opened));
    tasks_.spawn("health", server_->serve(std::move(source)));
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Served() {
    asio::post(context_, [this] { tasks_.stop(); });
    thread_.join();
  }

  std::uint16_t port() const { return server_->port(); }

  // Sends the bytes in two pieces and reads to the end.
  std::string ask(const std::string& request) const {
    asio::io_context context;
    Tcp::socket socket(context);
    socket.connect({asio::ip::address_v4::loopback(), port()});
    boost::system::error_code failure;
    asio::write(socket, asio::buffer(request.data(), request.size() / 2), failure);
    asio::write(
        socket,
        asio::buffer(request.data() + request.size() / 2, request.size() - request.size() / 2),
        failure);
    std::string answer;
    asio::read(socket, asio::dynamic_buffer(answer), failure);
    return answer;
  }
  std::string get(const std::string& path, const std::string& method = "GET") const {
    return ask(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }

 private:
  asio::io_context context_;
  TaskGroup tasks_;
  std::optional<HealthServer> server_;
  std::thread thread_;
};

HealthSource source(std::string problem = {}) {
  HealthSource made;
  made.problem = [problem] { return problem; };
  made.metrics = [] {
    return std::vector<Metric>{
        {"entente_rounds_total", "Rounds.", MetricKind::counter, 7, {}},
        {"entente_bytes", "Bytes held.", MetricKind::gauge, 1.5, {{"of", "models"}}},
        {"entente_bytes", "Bytes held.", MetricKind::gauge, 2, {{"of", "updates"}}},
    };
  };
  return made;
}

std::string status_of(const std::string& answer) {
  return answer.substr(0, answer.find('\r'));
}
std::string body_of(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_health)

BOOST_AUTO_TEST_CASE(healthz_says_ok_when_there_is_no_problem) {
  const Served served(source());
  const std::string answer = served.get("/healthz");
  BOOST_TEST(status_of(answer) == "HTTP/1.1 200 OK");
  BOOST_TEST(body_of(answer) == "ok\n");
}

BOOST_AUTO_TEST_CASE(healthz_says_503_and_the_reason_when_there_is_one) {
  const Served served(source("the disk is full"));
  const std::string answer = served.get("/healthz?verbose");
  BOOST_TEST(status_of(answer) == "HTTP/1.1 503 Service Unavailable");
  BOOST_TEST(body_of(answer) == "the disk is full\n");
}

BOOST_AUTO_TEST_CASE(metrics_are_prometheus_text_with_one_family_for_each_name) {
  const Served served(source());
  const std::string answer = served.get("/metrics");
  BOOST_TEST(status_of(answer) == "HTTP/1.1 200 OK");
  BOOST_TEST(answer.find("text/plain; version=0.0.4") != std::string::npos);
  BOOST_TEST(body_of(answer) ==
             "# HELP entente_rounds_total Rounds.\n# TYPE entente_rounds_total counter\n"
             "entente_rounds_total 7\n"
             "# HELP entente_bytes Bytes held.\n# TYPE entente_bytes gauge\n"
             "entente_bytes{of=\"models\"} 1.5\nentente_bytes{of=\"updates\"} 2\n");
}

BOOST_AUTO_TEST_CASE(another_path_is_404_and_another_method_405) {
  const Served served(source());
  BOOST_TEST(status_of(served.get("/")) == "HTTP/1.1 404 Not Found");
  BOOST_TEST(status_of(served.get("/healthz/..")) == "HTTP/1.1 404 Not Found");
  const std::string answer = served.get("/healthz", "POST");
  BOOST_TEST(status_of(answer) == "HTTP/1.1 405 Method Not Allowed");
  BOOST_TEST(answer.find("Allow: GET, HEAD") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(head_is_answered_without_the_body) {
  const Served served(source());
  const std::string answer = served.get("/healthz", "HEAD");
  BOOST_TEST(status_of(answer) == "HTTP/1.1 200 OK");
  BOOST_TEST(answer.find("Content-Length: 3") != std::string::npos);
  BOOST_TEST(body_of(answer).empty());
}

BOOST_AUTO_TEST_CASE(what_is_not_http_is_400) {
  const Served served(source());
  BOOST_TEST(status_of(served.ask("\x16\x03\x01 hello\r\n\r\n")) == "HTTP/1.1 400 Bad Request");
}

// Should: answer 400, or hang up because more came than was read. Should not: keep reading.
BOOST_AUTO_TEST_CASE(a_head_beyond_the_limit_is_not_read_to_its_end) {
  const Served served(source());
  const std::string long_head =
      "GET /healthz HTTP/1.1\r\nX-Long: " + std::string(2 * health_header_max_bytes, 'a') +
      "\r\n\r\n";
  const std::string answer = served.ask(long_head);
  BOOST_TEST((answer.empty() || status_of(answer) == "HTTP/1.1 400 Bad Request"));
  BOOST_TEST(status_of(served.get("/healthz")) == "HTTP/1.1 200 OK");
}

BOOST_AUTO_TEST_CASE(connections_beyond_the_limit_wait_until_one_ends) {
  const Served served(source());
  asio::io_context context;
  std::vector<Tcp::socket> silent;
  for (std::size_t i = 0; i < health_connections_max; ++i) {
    silent.emplace_back(context).connect({asio::ip::address_v4::loopback(), served.port()});
  }
  silent.clear();
  BOOST_TEST(status_of(served.get("/healthz")) == "HTTP/1.1 200 OK");
}

BOOST_AUTO_TEST_CASE(a_port_that_is_taken_is_named) {
  const Served served(source());
  asio::io_context context;
  const auto second = HealthServer::open(context.get_executor(), served.port());
  BOOST_REQUIRE(!second.has_value());
  BOOST_TEST((second.error().code == Errc::io));
  BOOST_TEST(second.error().detail.find(std::to_string(served.port())) != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::net
