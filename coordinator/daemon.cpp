// SPDX-License-Identifier: Apache-2.0
//
// The coordinator's process: the control thread, the I/O threads with their sessions, the pool, the
// listening port, the signals.
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <csignal>
#include <cstdlib>
#include <list>
#include <map>
#include <mutex>
#include <thread>

#include "common/base/log.hpp"
#include "common/base/parallel.hpp"
#include "common/base/version.hpp"
#include "common/crypto/credentials.hpp"
#include "common/crypto/tls.hpp"
#include "common/ledger/note.hpp"
#include "common/net/health.hpp"
#include "common/net/permits.hpp"
#include "common/net/task_group.hpp"
#include "common/net/timer.hpp"
#include "common/net/tls_stream.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/configuration.hpp"
#include "coordinator/session.hpp"
#include "protocol/limits.hpp"

namespace entente::coordinator {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr std::size_t buffers_a_thread = 32;
constexpr std::chrono::seconds accept_pause{1};  // when descriptors ran out
constexpr std::uint64_t certificate_max_bytes = 64U << 10U;

// How many sessions each identity has open, over all threads.
class Attendance {
 public:
  explicit Attendance(std::uint32_t each_max, std::uint32_t all_max)
      : each_max_(each_max), all_max_(all_max) {}
  bool enter(const Identity& identity) {
    const std::lock_guard lock(mutex_);
    if (all_ >= all_max_ || sessions_[identity] >= each_max_) return false;
    ++sessions_[identity];
    ++all_;
    return true;
  }
  void leave(const Identity& identity) {
    const std::lock_guard lock(mutex_);
    --all_;
    if (--sessions_[identity] == 0) sessions_.erase(identity);
  }

 private:
  std::uint32_t each_max_;
  std::uint32_t all_max_;
  std::uint32_t all_ = 0;
  std::mutex mutex_;
  std::map<Identity, std::uint32_t> sessions_;
};

// A place in the attendance, left when destroyed.
class Seat {
 public:
  Seat(Attendance& attendance, Identity identity)
      : attendance_(&attendance), identity_(std::move(identity)) {}
  Seat(Seat&& other) noexcept
      : attendance_(std::exchange(other.attendance_, nullptr)),
        identity_(std::move(other.identity_)) {}
  Seat& operator=(Seat&&) = delete;
  ~Seat() {
    if (attendance_ != nullptr) attendance_->leave(identity_);
  }

 private:
  Attendance* attendance_;
  Identity identity_;
};

// An I/O thread and all that belongs to it.
struct Lane {
  explicit Lane(std::uint32_t handshakes_max)
      : guard(asio::make_work_guard(context)),
        sessions(context.get_executor()),
        handshakes(context.get_executor(), handshakes_max),
        buffers(context.get_executor(), buffers_a_thread) {}
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard;
  net::TaskGroup sessions;
  net::Permits handshakes;
  net::BufferPool buffers;
  std::optional<net::TaskGroup> sessions_ended;
  std::thread thread;
};

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

// What `serve` reads before it begins.
struct StartUp {
  DaemonConfiguration configuration;
  crypto::Credentials credentials;
  crypto::PrivateKey ledger_key;
};

Result<StartUp> read_start_up(const std::filesystem::path& path) {
  auto configuration = read_daemon_configuration(path);
  if (!configuration) return as_usage(configuration.error());
  auto credentials = crypto::load_credentials(configuration->identity, Clock().now());
  if (!credentials) return as_usage(credentials.error());
  const Identity& self = credentials->identity;
  if (self.federation != configuration->federation || self.role != Role::coordinator) {
    return Error{Errc::invalid_argument, configuration->identity.certificate.string() +
                                             ": expected a coordinator of " +
                                             configuration->federation + ", saw " + self.uri()};
  }
  auto key = crypto::PrivateKey::load(configuration->ledger_key);
  if (!key) return as_usage(in_context("ledger.key", key.error()));
  if (key->kind() != crypto::KeyKind::ed25519) {
    return Error{Errc::invalid_argument,
                 configuration->ledger_key.string() + ": expected an Ed25519 key"};
  }
  return StartUp{std::move(*configuration), std::move(*credentials), std::move(*key)};
}

// The certificate over the verifier's key lies beside the ledger, for auditors.
Result<void> copy_ledger_certificate(const DaemonConfiguration& configuration, const Store& store) {
  if (configuration.ledger_certificate.empty()) return ok();
  auto bytes = read_file(configuration.ledger_certificate, certificate_max_bytes);
  if (!bytes) return bytes.error();
  return write_file(store.ledger_folder() / "key.crt", *bytes);
}

class Daemon {
 public:
  Daemon(const StartUp& start, const Store& store)
      : start_(start),
        store_(store),
        layouts_(store),
        work_(1),
        control_(thread_, work_, store, layouts_,
                 ControlSettings{start.configuration.federation, start.credentials.identity.uri(),
                                 start.configuration.models_kept, 2000ms},
                 start.ledger_key),
        attendance_(start.configuration.sessions_per_certificate_max,
                    start.configuration.sessions_max),
        hall_{control_,
              store_,
              layouts_,
              start.configuration.federation,
              ledger::VerifierKey{ledger::ledger_origin(start.configuration.federation),
                                  start.ledger_key.public_key()}
                  .text(),
              [this] { asio::post(thread_, [this] { stop(); }); },
              {}},
        signals_(thread_, SIGTERM, SIGINT),
        tasks_(thread_.get_executor()),
        stopped_(thread_.get_executor()) {}

  Result<void> run() {
    auto context = crypto::tls_context(crypto::TlsEnd::server, start_.credentials);
    if (!context) return context.error();
    tls_ = std::move(*context);
    auto address = net::Address{start_.configuration.address, start_.configuration.port};
    auto listener = net::Listener::open(thread_.get_executor(), address);
    if (!listener) return as_usage(listener.error());
    listener_.emplace(std::move(*listener));
    if (auto opened = open_health(); !opened) return as_usage(opened.error());
    if (auto started = control_.start(); !started) return started;

    const std::size_t threads = start_.configuration.io_threads;
    const auto handshakes =
        static_cast<std::uint32_t>((start_.configuration.handshakes_max + threads - 1) / threads);
    for (std::size_t i = 0; i < threads; ++i) lanes_.emplace_back(handshakes);
    for (Lane& lane : lanes_) {
      lane.thread = std::thread([&lane] { lane.context.run(); });
    }
    tasks_.spawn("accept", accept_connections());
    if (health_) tasks_.spawn("health", health_->serve(health_source()));
    supervisor_.emplace(thread_.get_executor());
    supervisor_->spawn("supervisor", supervise());
    await_signal();
    log_info("listening", {{"address", listener_->address().text()},
                           {"federation", start_.configuration.federation},
                           {"version", software_version}});
    thread_.run();
    for (Lane& lane : lanes_) lane.thread.join();
    work_.join();
    log_info("stopped");
    return ok();
  }

 private:
  Result<void> open_health() {
    if (!start_.configuration.health) return ok();
    auto server = net::HealthServer::open(thread_.get_executor(), start_.configuration.health_port);
    if (!server) return server.error();
    health_.emplace(std::move(*server));
    log_info("health", {{"port", health_->port()}});
    return ok();
  }

  net::HealthSource health_source() {
    return {[this] { return control_.figures().problem; },
            [this] {
              const Figures figures = control_.figures();
              using net::Metric;
              using net::MetricKind;
              return std::vector<Metric>{
                  {"entente_ledger_entries",
                   "Entries in the ledger.",
                   MetricKind::gauge,
                   static_cast<double>(figures.ledger_entries),
                   {}},
                  {"entente_sessions",
                   "Open sessions of members.",
                   MetricKind::gauge,
                   static_cast<double>(figures.connections),
                   {}},
                  {"entente_rounds_committed_total",
                   "Rounds committed, of all plans.",
                   MetricKind::counter,
                   static_cast<double>(figures.rounds_committed),
                   {}},
                  {"entente_sessions_total",
                   "Sessions begun.",
                   MetricKind::counter,
                   static_cast<double>(hall_.sessions_begun.load()),
                   {}},
                  {"entente_received_bytes_total",
                   "Bytes of plans and updates received.",
                   MetricKind::counter,
                   static_cast<double>(hall_.bytes_received.load()),
                   {}},
              };
            }};
  }

  net::Async<void> accept_connections() {
    auto lane = lanes_.begin();
    while (true) {
      auto accepting = listener_->accept(lane->context.get_executor());
      Result<net::Connection> connection = co_await std::move(accepting);
      if (!connection) {
        const Error failure = connection.error();
        if (failure.code != Errc::io) co_return failure;
        log_warning("connections cannot be accepted", {{"reason", failure.detail}});
        auto pause = net::wait_for(accept_pause);
        const Result<void> waited = co_await std::move(pause);
        if (!waited) co_return waited.error();
        continue;
      }
      hand_over(*lane, std::move(*connection));
      if (++lane == lanes_.end()) lane = lanes_.begin();
    }
  }

  void hand_over(Lane& lane, net::Connection connection) {
    auto shared = std::make_shared<net::Connection>(std::move(connection));
    asio::post(lane.context, [this, &lane, shared] {
      if (lane.handshakes.free() == 0) {
        control_.refused({}, "too many handshakes at once");
        return;
      }
      lane.sessions.spawn("session", attend(&lane, shared));
    });
  }

  net::Async<void> attend(Lane* lane, std::shared_ptr<net::Connection> connection) {
    auto taking = lane->handshakes.take();
    Result<net::Permit> permit = co_await std::move(taking);
    if (!permit) co_return permit.error();
    // Whoever has no business here is told so in words, by the session.
    net::PeerRule rule(
        start_.configuration.federation,
        {Role::participant, Role::operator_, Role::auditor, Role::member, Role::coordinator});
    auto shaking =
        net::accept_tls(std::move(*connection), tls_, std::move(rule), protocol::handshake_max);
    Result<std::unique_ptr<net::Stream>> stream = co_await std::move(shaking);
    permit->give_back();
    if (!stream) {
      const Error failure = stream.error();
      const bool cut_here = failure.code == Errc::cancelled ||
                            (failure.code == Errc::closed && lane->sessions.stopping());
      if (!cut_here) control_.refused({}, failure.detail);
      co_return failure;
    }
    const Identity peer = (*stream)->peer();
    if (!attendance_.enter(peer)) {
      control_.refused(peer.uri(), "too many sessions");
      co_return Error{Errc::rejected, peer.uri() + ": too many sessions"};
    }
    const Seat seat(attendance_, peer);
    auto session = run_session(&hall_, std::move(*stream), lane->buffers);
    const Result<void> ended = co_await std::move(session);
    co_return ended;
  }

  void await_signal() {
    signals_.async_wait([this](const boost::system::error_code& failure, int number) {
      if (failure) return;
      if (stopping_) std::_Exit(static_cast<int>(ExitCode::failed));  // asked twice
      log_info("stopping", {{"signal", number}});
      stop();
      await_signal();
    });
  }

  // On the control thread.
  void stop() {
    if (stopping_) return;
    stopping_ = true;
    listener_->close();
    tasks_.stop();
    stopped_.cancel();
  }

  // Waits for stop(), then for the sessions of every lane, then ends the control.
  net::Async<void> supervise() {
    auto waiting = stopped_.wait();
    const Result<void> woken = co_await std::move(waiting);
    auto joining = tasks_.join();
    const Result<void> joined = co_await std::move(joining);
    for (Lane& lane : lanes_) {
      asio::post(lane.context, [&lane, this] {
        lane.sessions.stop();
        lane.sessions_ended.emplace(lane.context.get_executor());
        lane.sessions_ended->spawn("end of sessions", end_lane(&lane));
      });
    }
    co_return ok();
  }

  net::Async<void> end_lane(Lane* lane) {
    auto joining = lane->sessions.join();
    const Result<void> joined = co_await std::move(joining);
    lane->guard.reset();
    asio::post(thread_, [this] {
      if (++lanes_ended_ < lanes_.size()) return;
      control_.stop();
      signals_.cancel();
    });
    co_return joined;
  }

  const StartUp& start_;
  const Store& store_;
  Layouts layouts_;
  asio::io_context thread_{1};
  asio::thread_pool work_;
  Control control_;
  Attendance attendance_;
  Hall hall_;
  asio::signal_set signals_;
  net::TlsContext tls_;
  std::optional<net::Listener> listener_;
  std::optional<net::HealthServer> health_;
  std::list<Lane> lanes_;
  net::TaskGroup tasks_;
  net::Timer stopped_;
  std::optional<net::TaskGroup> supervisor_;
  std::size_t lanes_ended_ = 0;
  bool stopping_ = false;
};

}  // namespace

Result<ExitCode> serve(const std::filesystem::path& path) {
  auto start = read_start_up(path);
  if (!start) return start.error();
  start_logging(start->configuration.log_format, start->configuration.log_level);
  raise_descriptor_limit();
  set_thread_count(start->configuration.work_threads);
  auto lock = FolderLock::take(start->configuration.state_folder, store_format);
  if (!lock) return lock.error();
  auto store = Store::open(start->configuration.state_folder);
  if (!store) return store.error();
  if (auto copied = copy_ledger_certificate(start->configuration, *store); !copied)
    return copied.error();
  Daemon daemon(*start, *store);
  if (auto ran = daemon.run(); !ran) return ran.error();
  return ExitCode::done;
}

}  // namespace entente::coordinator
