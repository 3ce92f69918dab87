// SPDX-License-Identifier: Apache-2.0
//
// What a daemon says of itself on 127.0.0.1, for the machine's own monitoring: GET /healthz (200
// "ok", or 503 and why not) and GET /metrics (the Prometheus text format). Plain HTTP/1.1, one
// request a connection; no peer of the federation ever reaches it.
//
// Threads: the callbacks are called on the executor's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/net/async.hpp"

namespace entente::net {

inline constexpr std::size_t health_connections_max = 16;
inline constexpr std::size_t health_header_max_bytes = 8U << 10U;
inline constexpr std::chrono::milliseconds health_exchange_max{
    5'000};  // one request and its answer

enum class MetricKind { counter, gauge };

// One sample. Samples of one name stand together and share `help` and `kind`.
struct Metric {
  std::string name;  // "entente_rounds_trained_total"
  std::string help;
  MetricKind kind = MetricKind::gauge;
  double value = 0;
  std::map<std::string, std::string> labels;
};

struct HealthSource {
  std::function<std::string()> problem;  // empty text: all is well
  std::function<std::vector<Metric>()> metrics;
};

class HealthServer {
 public:
  // Listens on 127.0.0.1. Port 0: any free one. Errors: io - the port, and the system's reason.
  static Result<HealthServer> open(Executor executor, std::uint16_t port);
  HealthServer(HealthServer&&) noexcept;
  HealthServer& operator=(HealthServer&&) noexcept;
  ~HealthServer();

  std::uint16_t port() const;
  // Answers until the caller is stopped (cancelled). One call. `source` may refer to what outlives
  // the call.
  Async<void> serve(HealthSource source);

 private:
  struct State;
  explicit HealthServer(std::shared_ptr<State> state);
  static Async<void> serve_on(std::shared_ptr<State> state, HealthSource source);
  std::shared_ptr<State> state_;
};

}  // namespace entente::net
