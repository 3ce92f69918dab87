// SPDX-License-Identifier: Apache-2.0
//
// The daemon's process: one thread for the session, the journal and the health endpoint, one for
// training (which spreads over all cores itself), and the signals that end it.
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <utility>

#include "common/base/file.hpp"
#include "common/base/log.hpp"
#include "common/base/parallel.hpp"
#include "common/base/version.hpp"
#include "common/crypto/random.hpp"
#include "common/net/health.hpp"
#include "common/net/pool.hpp"
#include "common/net/task_group.hpp"
#include "common/net/timer.hpp"
#include "participant/commands.hpp"
#include "participant/daemon.hpp"
#include "participant/figures.hpp"
#include "participant/local_workbench.hpp"
#include "participant/session_transport.hpp"
#include "participant/start_up.hpp"

namespace entente::participant {
namespace {

namespace asio = boost::asio;

// Reading a large table cannot be interrupted; nothing is lost by leaving it.
constexpr std::chrono::seconds end_at_the_latest{8};
// More than the daemon's own grace and its goodbye.
constexpr std::chrono::milliseconds task_grace{5'000};

Random seeded_jitter() {
  std::array<std::byte, sizeof(std::uint64_t)> seed{};
  crypto::random_bytes(seed);
  return Random(load_little_endian<std::uint64_t>(seed.data()));
}

// What the process holds while it runs; on one thread.
class Process {
 public:
  Process(const StartUp& start, StateFolder folder, std::unique_ptr<Transport> transport)
      : start_(start),
        pool_(1),
        workbench_(folder, start.configuration.data, start.trust.self.name,
                   start.configuration.policy.ceilings.memory_max_bytes, pool_),
        transport_(std::move(transport)),
        journal_(open_storage(folder.journal())),
        receipts_(open_storage(folder.receipts())) {}

  // Until a signal, or until the daemon must not go on. Errors: those of participate.
  Result<void> run(asio::io_context& context, std::optional<net::HealthServer> health) {
    net::TaskGroup tasks(context.get_executor(), task_grace);
    net::TaskGroup supervisor(context.get_executor());
    asio::signal_set signals(context, SIGTERM, SIGINT);
    net::Timer last_moment(context.get_executor());
    await_signal(signals, tasks, last_moment);
    tasks.spawn("participant", take_part(&tasks));
    if (health) tasks.spawn("health", health->serve(health_source()));
    supervisor.spawn("supervisor", supervise(&tasks, &signals, &last_moment));
    context.run();
    if (!outcome_ && outcome_.error().code == Errc::cancelled) return ok();
    return outcome_;
  }

 private:
  net::Async<void> take_part(net::TaskGroup* tasks) {
    Member member{start_.trust, start_.configuration.policy, start_.credentials.key,
                  [this] { return clock_.now(); }, seeded_jitter()};
    const House house{*transport_, workbench_, *journal_, *receipts_};
    auto taking_part = participate(house, std::move(member), &tally_);
    outcome_ = co_await std::move(taking_part);
    tasks->stop();
    co_return outcome_;
  }

  static net::Async<void> supervise(net::TaskGroup* tasks, asio::signal_set* signals,
                                    net::Timer* last_moment) {
    const Result<void> ended = co_await tasks->join();
    signals->cancel();
    last_moment->cancel();
    co_return ended;
  }

  void await_signal(asio::signal_set& signals, net::TaskGroup& tasks, net::Timer& last_moment) {
    signals.async_wait([&](const boost::system::error_code& failure, int number) {
      if (failure) return;
      if (tasks.stopping()) std::_Exit(static_cast<int>(ExitCode::failed));  // asked twice
      log_info("stopping", {{"signal", number}});
      tasks.stop();
      last_moment.expires_after(end_at_the_latest);
      last_moment.when_expired([](bool expired) {
        if (!expired) return;
        log_warning("work on the data does not end in time: leaving it");
        std::_Exit(static_cast<int>(ExitCode::done));
      });
      await_signal(signals, tasks, last_moment);
    });
  }

  net::HealthSource health_source() {
    return {[this] { return problem_of(tally_); }, [this] { return metrics_of(tally_); }};
  }

  const StartUp& start_;
  Clock clock_;
  Tally tally_;
  net::Pool pool_;
  LocalWorkbench workbench_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Storage> journal_;
  std::unique_ptr<Storage> receipts_;
  Result<void> outcome_ = Error{Errc::cancelled, "not started"};
};

}  // namespace

Result<ExitCode> serve(const std::filesystem::path& path) {
  auto start = read_start_up(path, Clock().now());
  if (!start) return start.error();
  const Configuration& configuration = start->configuration;
  if (auto readable = check_readable(configuration.data); !readable) return readable.error();
  start_logging(configuration.log_format, configuration.log_level);
  set_thread_count(configuration.threads);
  const StateFolder folder(configuration.state_folder);
  const auto lock = FolderLock::take(folder.root(), state_format);
  if (!lock) return lock.error();
  if (auto made = folder.make(); !made) return made.error();

  asio::io_context context(1);
  auto transport =
      SessionTransport::make(context.get_executor(), configuration.coordinator, start->credentials);
  if (!transport) return as_usage(transport.error());
  std::optional<net::HealthServer> health;
  if (configuration.http_port) {
    auto opened = net::HealthServer::open(context.get_executor(), *configuration.http_port);
    if (!opened) return as_usage(opened.error());
    log_info("health", {{"address", "127.0.0.1:" + std::to_string(opened->port())}});
    health.emplace(std::move(*opened));
  }
  log_info("participant", {{"identity", start->trust.self.uri()},
                           {"coordinator", configuration.coordinator.text()},
                           {"state", folder.root().string()},
                           {"software", software_version}});
  Process process(*start, folder, std::move(*transport));
  if (auto served = process.run(context, std::move(health)); !served) return served.error();
  log_info("stopped");
  return ExitCode::done;
}

}  // namespace entente::participant
