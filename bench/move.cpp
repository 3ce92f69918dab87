// SPDX-License-Identifier: Apache-2.0
//
// Moves one file of synthetic content up and down again through a real session: mutual TLS over
// loopback, frames, spool, digests. Prints the rate each way and the process's peak memory, which
// must not depend on the size. For script/move-large.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "common/base/program.hpp"
#include "common/base/random.hpp"
#include "common/crypto/hash.hpp"
#include "common/crypto/issue.hpp"
#include "common/crypto/tls.hpp"
#include "common/net/task_group.hpp"
#include "common/net/tls_stream.hpp"
#include "protocol/client.hpp"
#include "protocol/limits.hpp"
#include "protocol/server.hpp"

namespace {

using namespace entente;
namespace fs = std::filesystem;
using net::Async;
using std::chrono::steady_clock;

constexpr std::size_t block_bytes = 1U << 20U;
constexpr std::size_t buffers = 8;

crypto::Credentials credentials_of(Role role, const std::string& name,
                                   const crypto::Authority& root) {
  const TimePoint now = Clock().now();
  const crypto::Validity validity{now - std::chrono::hours(1), now + std::chrono::hours(24)};
  const Identity identity{"bench.example", role, name};
  auto key = crypto::PrivateKey::generate(crypto::KeyKind::ecdsa_p256).value();
  auto leaf = crypto::issue_leaf(root, identity, {"localhost"}, key.public_key(), validity).value();
  return {identity, {leaf}, key, {root.certificate}};
}

crypto::Authority make_root() {
  const TimePoint now = Clock().now();
  const crypto::Validity validity{now - std::chrono::hours(1), now + std::chrono::hours(48)};
  auto key = crypto::PrivateKey::generate(crypto::KeyKind::ecdsa_p256).value();
  return {crypto::issue_root("bench.example", key, validity).value(), key};
}

// Content that does not compress and needs no memory: numbers of a counter-based generator.
Digest write_content(const fs::path& path, std::uint64_t size) {
  File file = File::open(path, File::Mode::write_new).value();
  crypto::Sha256 hash;
  Bytes block(block_bytes);
  Random random(1);
  for (std::uint64_t at = 0; at < size; at += block_bytes) {
    const std::size_t part =
        static_cast<std::size_t>(std::min<std::uint64_t>(block_bytes, size - at));
    for (std::size_t i = 0; i + 8 <= block_bytes; i += 8)
      store_little_endian(random.next64(), block.data() + i);
    file.append(std::span(block).first(part)).value();
    hash.update(std::span(block).first(part));
  }
  return hash.finish();
}

// Takes every offer into the folder and serves what is there.
class Keeper final : public protocol::ServerHandler {
 public:
  explicit Keeper(fs::path folder) : folder_(std::move(folder)) {}
  Async<std::optional<protocol::Message>> on_message(protocol::Message) override {
    co_return std::nullopt;
  }
  Async<std::variant<protocol::Expected, protocol::Answer>> on_offer(
      protocol::Message offer) override {
    const auto& update = std::get<protocol::OfferUpdate>(offer);
    protocol::Expected expected(folder_ / update.update.hex(), update.update, update.size_bytes);
    std::variant<protocol::Expected, protocol::Answer> outcome(std::move(expected));
    co_return outcome;
  }
  Async<protocol::Answer> on_received(protocol::Message,
                                      Result<protocol::Received> received) override {
    protocol::Answer answer;
    answer.verdict = received ? Verdict::accepted : Verdict::busy;
    if (!received) answer.reason = received.error().detail;
    co_return answer;
  }
  void on_progress(const protocol::Message&, std::uint64_t, std::uint64_t) override {}
  Result<fs::path> find(const Digest& digest) override { return folder_ / digest.hex(); }

 private:
  fs::path folder_;
};

Async<void> serve(net::Listener* listener, net::TlsContext context, fs::path folder) {
  const auto executor = co_await boost::asio::this_coro::executor;
  Result<net::Connection> connection = co_await listener->accept(executor);
  if (!connection) co_return connection.error();
  net::PeerRule rule("bench.example", {Role::participant});
  auto shaking =
      net::accept_tls(std::move(*connection), context, std::move(rule), protocol::handshake_max);
  Result<std::unique_ptr<net::Stream>> stream = co_await std::move(shaking);
  if (!stream) co_return stream.error();
  Keeper keeper(std::move(folder));
  net::BufferPool pool(executor, buffers);
  protocol::Timing timing;
  protocol::ServerSession session(std::move(*stream), std::move(pool), timing, keeper);
  protocol::Welcome welcome;
  welcome.federation = "bench.example";
  welcome.software = "bench";
  Result<void> greeted = co_await session.greet(std::move(welcome));
  if (!greeted) co_return greeted;
  Result<void> ended = co_await session.run();
  co_return ended;
}

struct Times {
  double up = 0;
  double down = 0;
};

Async<void> move_both_ways(net::Address address, net::TlsContext context, fs::path folder,
                           Digest digest, std::uint64_t size, Result<Times>* outcome) {
  const auto executor = co_await boost::asio::this_coro::executor;
  net::PeerRule rule("bench.example", {Role::coordinator});
  auto dialling = net::dial(address, context, std::move(rule), protocol::handshake_max);
  Result<std::unique_ptr<net::Stream>> stream = co_await std::move(dialling);
  if (!stream) co_return stream.error();
  protocol::ClientSettings settings("bench", "bench.example");
  net::BufferPool pool(executor, buffers);
  auto greeting =
      protocol::Client::connect(std::move(*stream), std::move(pool), std::move(settings));
  Result<std::unique_ptr<protocol::Client>> client = co_await std::move(greeting);
  if (!client) co_return client.error();
  Times times;
  auto begun = steady_clock::now();
  protocol::OfferUpdate offer;
  offer.round = 1;
  offer.update = digest;
  offer.size_bytes = size;
  offer.examples = 1;
  protocol::Message message = offer;
  auto uploading = (*client)->upload(std::move(message), folder / "source");
  Result<protocol::Answer> answer = co_await std::move(uploading);
  if (!answer) *outcome = answer.error();
  if (!answer) co_return answer.error();
  if (answer->verdict != Verdict::accepted) {
    *outcome = Error{Errc::rejected, answer->reason};
    co_return ok();
  }
  times.up = std::chrono::duration<double>(steady_clock::now() - begun).count();
  begun = steady_clock::now();
  auto fetching = (*client)->fetch(digest, folder / "copy", size);
  Result<protocol::Received> received = co_await std::move(fetching);
  if (!received) {
    *outcome = received.error();
  } else {
    times.down = std::chrono::duration<double>(steady_clock::now() - begun).count();
    *outcome = times;
  }
  auto closing = (*client)->close("done");
  const Result<void> closed = co_await std::move(closing);
  co_return closed;
}

Result<ExitCode> move(const fs::path& folder, std::uint64_t size) {
  if (auto made = make_folder(folder / "kept"); !made) return made.error();
  const Digest digest = write_content(folder / "source", size);
  const crypto::Authority root = make_root();
  auto server_context =
      crypto::tls_context(crypto::TlsEnd::server, credentials_of(Role::coordinator, "main", root));
  auto client_context = crypto::tls_context(crypto::TlsEnd::client,
                                            credentials_of(Role::participant, "berlin", root));
  if (!server_context) return server_context.error();
  if (!client_context) return client_context.error();

  boost::asio::io_context server(1);
  auto listener = net::Listener::open(server.get_executor(), net::Address{"127.0.0.1", 0});
  if (!listener) return listener.error();
  net::TaskGroup serving(server.get_executor());
  serving.spawn("server", serve(&*listener, *server_context, folder / "kept"));
  std::thread thread([&] { server.run(); });

  boost::asio::io_context context(1);
  net::TaskGroup tasks(context.get_executor());
  Result<Times> times = Error{Errc::cancelled, "not moved"};
  tasks.spawn("client",
              move_both_ways(listener->address(), *client_context, folder, digest, size, &times));
  context.run();
  listener->close();
  thread.join();
  for (const fs::path& path :
       {folder / "source", folder / "copy", folder / "kept" / digest.hex()}) {
    if (auto removed = remove_file(path); !removed) return removed.error();
  }
  if (!times) return times.error();

  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const double megabytes = static_cast<double>(size) / 1e6;
  std::printf("{\"bytes\":%llu,\"up_mb_per_s\":%.0f,\"down_mb_per_s\":%.0f,\"peak_mib\":%ld}\n",
              static_cast<unsigned long long>(size), megabytes / times->up, megabytes / times->down,
              usage.ru_maxrss / 1024);
  return ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) {
  Program program("entente-bench-move", "Moves one file up and down through a session.");
  std::string folder;
  std::uint64_t size = 0;
  CLI::App& command = program.command("run", "Moves it.", [&] { return move(folder, size); });
  command.add_option("--folder", folder, "where the files are made and removed")->required();
  command.add_option("--bytes", size, "size of the file")
      ->required()
      ->check(CLI::Range(1ULL, 1ULL << 44U));
  return program.run(argc, argv);
}
