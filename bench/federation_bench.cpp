// SPDX-License-Identifier: Apache-2.0
//
// entente-bench-federation: a real entente-coordinator process with any number of participants over
// loopback mutual TLS. They do no training: each receives the round's model and returns an update
// of small numbers of its own. Prints one line of JSON: rounds a second, what moved through the
// coordinator, its CPU time and peak memory, handshakes a second.
//
// script/bench federation calls it.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "bench/coordinator_process.hpp"
#include "bench/federation_roof.hpp"
#include "common/base/clock.hpp"
#include "common/base/file.hpp"
#include "common/base/program.hpp"
#include "common/crypto/credentials.hpp"
#include "common/crypto/hash.hpp"
#include "common/crypto/issue.hpp"
#include "common/crypto/tls.hpp"
#include "common/ledger/statement.hpp"
#include "common/net/task_group.hpp"
#include "common/net/timer.hpp"
#include "common/net/tls_stream.hpp"
#include "protocol/client.hpp"
#include "protocol/limits.hpp"

namespace {

using namespace entente;
namespace fs = std::filesystem;
using bench::Coordinator;
using net::Async;
using std::chrono::steady_clock;

constexpr const char* federation = "bench.example";
constexpr std::size_t block_bytes = 1U << 20U;
constexpr std::size_t buffers = 16;
constexpr std::chrono::seconds patience{60};
constexpr std::chrono::milliseconds turned_away_pause{100};
constexpr int tries_max = 600;

struct Options {
  std::string name = "own", folder, programs;
  std::size_t participants = 4, cohort = 0, threads = 2;
  std::uint64_t model_bytes = 100'000, rounds = 20;
};

double seconds_between(steady_clock::time_point first, steady_clock::time_point last) {
  return std::chrono::duration<double>(last - first).count();
}

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// Runs `words`; 0 when it went well.
int run_command(const std::string& words) {
  const int status = std::system((words + " >/dev/null").c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// A network of one hidden layer with about so many bytes of parameters.
std::string model_of(std::uint64_t bytes) {
  const std::uint64_t hidden = std::max<std::uint64_t>((bytes / 4 - 10) / 1035, 1);
  const auto dense = [](const std::string& name, std::uint64_t units,
                        const std::string& activation) {
    return R"({"class_name":"Dense","config":{"name":")" + name + R"(","units":)" +
           std::to_string(units) + R"(,"activation":")" + activation + R"(","use_bias":true}})";
  };
  return R"({"class_name":"Sequential","config":{"name":"bench","layers":[)"
         R"({"class_name":"InputLayer","config":{"batch_input_shape":[null,32,32,1],"dtype":"float32","name":"in"}},)"
         R"({"class_name":"Flatten","config":{"name":"flatten"}},)" +
         dense("hidden", hidden, "relu") + "," + dense("out", 10, "softmax") + "]}}";
}

std::string plan_of(const Options& options) {
  const std::string cohort = std::to_string(options.cohort);
  return "name = \"bench\"\nmodel = \"model.json\"\n[data]\nkind = \"image\"\nshape = [32, 32, "
         "1]\nmean = 0.0\n"
         "deviation = 1.0\nclasses = [\"0\", \"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", "
         "\"8\", \"9\"]\n"
         "[training]\noptimizer = \"sgd\"\nlearning_rate = 0.1\nlocal_epochs = 1\nbatch_size = 1\n"
         "loss = \"categorical_crossentropy\"\nseed = 1\n[rounds]\nnumber = " +
         std::to_string(options.rounds) + "\nquorum = " + cohort + "\ncohort = " + cohort +
         "\ndeadline = \"1h\"\ngrace = \"10m\"\nretries = 0\nweighting = \"uniform\"\nnorm_max = "
         "1e9\n"
         "[strategy]\nname = \"fedavg\"\n";
}

// One participant. What it has is in its folder.
struct Member {
  std::string name;
  fs::path folder;
  crypto::Credentials credentials;
  net::TlsContext context;
  std::uint64_t state = 0;  // of its content
};

struct Shared {
  net::Address address;
  std::atomic<std::size_t> connected{0}, turned_away{0};
  std::mutex mutex;
  std::condition_variable changed;
  std::string failure;
  std::function<void()> on_failure;

  void arrive() {
    const std::scoped_lock lock(mutex);
    ++connected;
    changed.notify_all();
  }
  void fail(const std::string& text) {
    const std::scoped_lock lock(mutex);
    if (failure.empty()) failure = text;
    if (on_failure) on_failure();
    changed.notify_all();
  }
};

// Small numbers of the member's own, under the header of `model`; gives the digest of what was
// written to `update`.
Result<Digest> make_update(Member& member, const fs::path& model, const fs::path& update) {
  auto input = File::open(model, File::Mode::read);
  if (!input) return input.error();
  auto output = File::open(update, File::Mode::write_new);
  if (!output) return output.error();
  const auto size = input->size_bytes();
  if (!size) return size.error();
  Bytes block(block_bytes);
  const auto head =
      std::span(block).first(static_cast<std::size_t>(std::min<std::uint64_t>(block_bytes, *size)));
  if (auto read = input->read_at(0, head); !read) return read.error();
  std::size_t begin = 8 + static_cast<std::size_t>(load_little_endian<std::uint64_t>(block.data()));
  crypto::Sha256 hash;
  for (std::uint64_t at = 0; at < *size; at += block_bytes, begin = 0) {
    const auto part = std::span(block).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(block_bytes, *size - at)));
    // Two floats of 1e-6 to 2e-6 each time, of either sign.
    for (std::size_t i = begin; i + 8 <= part.size(); i += 8) {
      member.state = member.state * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
      const std::uint64_t word =
          ((member.state ^ (member.state >> 29U)) & 0x807f'ffff'807f'ffff) | 0x3580'0000'3580'0000;
      std::memcpy(part.data() + i, &word, sizeof word);
    }
    hash.update(part);
    if (auto written = output->append(part); !written) return written.error();
  }
  return hash.finish();
}

Async<void> consent(protocol::Client* client, Member* member, Digest plan) {
  const std::string text = ledger::statement(ledger::plan_consented, federation, plan);
  auto signature = member->credentials.key.sign(as_bytes(text));
  if (!signature) co_return signature.error();
  protocol::AnswerPlan answer;
  answer.plan = plan;
  answer.consents = true;
  answer.signature = std::move(*signature);
  protocol::Message message = std::move(answer);
  auto asking = client->request(std::move(message));
  const Result<protocol::Answer> answered = co_await std::move(asking);
  if (!answered) co_return answered.error();
  co_return ok();
}

Async<void> take_part(protocol::Client* client, Member* member, protocol::Train task) {
  const fs::path model = member->folder / "model", update = member->folder / "update";
  auto fetching = client->fetch(task.model, model, task.model_size_bytes);
  const Result<protocol::Received> received = co_await std::move(fetching);
  if (!received) co_return received.error();
  const Result<Digest> digest = make_update(*member, model, update);
  if (!digest) co_return digest.error();
  protocol::OfferUpdate offer;
  offer.plan = task.plan;
  offer.round = task.round;
  offer.update = *digest;
  offer.size_bytes = task.model_size_bytes;
  offer.examples = 10;
  protocol::Message message = offer;
  auto uploading = client->upload(std::move(message), update);
  const Result<protocol::Answer> answer = co_await std::move(uploading);
  if (!answer) co_return answer.error();
  if (answer->verdict != Verdict::accepted) co_return Error{Errc::rejected, answer->reason};
  co_return ok();
}

Async<void> work(protocol::Client* client, Member* member) {
  std::uint64_t done = 0;
  Digest consented;
  for (;;) {
    auto waiting = client->next_agenda();
    const Result<protocol::Agenda> agenda = co_await std::move(waiting);
    if (!agenda) co_return agenda.error();
    for (const protocol::PlanToConsider& plan : agenda->plans) {
      if (plan.plan == consented) continue;
      consented = plan.plan;
      auto consenting = consent(client, member, plan.plan);
      const Result<void> given = co_await std::move(consenting);
      if (!given) co_return given.error();
    }
    const auto* task = std::get_if<protocol::Train>(&agenda->work);
    if (task == nullptr || task->round <= done) continue;
    done = task->round;
    auto taking = take_part(client, member, *task);
    const Result<void> taken = co_await std::move(taking);
    if (!taken) co_return taken.error();
  }
}

Async<std::unique_ptr<protocol::Client>> connect_once(Member* member, Shared* shared,
                                                      net::BufferPool pool) {
  net::PeerRule rule(federation, {Role::coordinator});
  auto dialling = net::dial(shared->address, member->context, std::move(rule), patience);
  Result<std::unique_ptr<net::Stream>> stream = co_await std::move(dialling);
  if (!stream) co_return stream.error();
  protocol::ClientSettings settings("bench", federation);
  auto greeting =
      protocol::Client::connect(std::move(*stream), std::move(pool), std::move(settings));
  Result<std::unique_ptr<protocol::Client>> client = co_await std::move(greeting);
  co_return client;
}

// As a participant does: turned away by too many handshakes at once, it comes again.
Async<std::unique_ptr<protocol::Client>> connect(Member* member, Shared* shared,
                                                 net::BufferPool pool) {
  for (int tries = 0;; ++tries) {
    auto connecting = connect_once(member, shared, pool);
    Result<std::unique_ptr<protocol::Client>> client = co_await std::move(connecting);
    if (client || client.error().code != Errc::closed || tries == tries_max) co_return client;
    ++shared->turned_away;
    auto pausing = net::wait_for(turned_away_pause);
    const Result<void> waited = co_await std::move(pausing);
    if (!waited) co_return waited.error();
  }
}

Async<void> participate(Member* member, Shared* shared, net::BufferPool pool) {
  auto connecting = connect(member, shared, std::move(pool));
  Result<std::unique_ptr<protocol::Client>> client = co_await std::move(connecting);
  if (!client) {
    shared->fail(member->name + ": " + client.error().detail);
    co_return client.error();
  }
  shared->arrive();
  auto working = work(client->get(), member);
  const Result<void> worked = co_await std::move(working);
  if (!worked && worked.error().code != Errc::cancelled)
    shared->fail(member->name + ": " + worked.error().detail);
  co_return worked;
}

// Participants of one thread.
struct Crowd {
  boost::asio::io_context context{1};
  net::TaskGroup tasks{context.get_executor(), std::chrono::milliseconds{0}};
  net::BufferPool pool{context.get_executor(), buffers};
  std::thread thread;
};

std::vector<Member> make_members(const Options& options, const fs::path& folder) {
  const fs::path issuing = folder / "authority" / "issuing";
  const crypto::Authority authority{
      crypto::Certificate::load(issuing / "issuing.crt").value().front(),
      crypto::PrivateKey::load(issuing / "issuing.key").value()};
  const auto roots = crypto::Certificate::load(folder / "authority" / "ca.pem").value();
  const TimePoint now = Clock().now();
  const crypto::Validity validity{now - std::chrono::minutes(1), now + std::chrono::hours(24)};
  std::vector<Member> members;
  for (std::size_t i = 0; i < options.participants; ++i) {
    const std::string name = "member-" + std::to_string(i);
    fs::create_directories(folder / name);
    const Identity identity{federation, Role::participant, name};
    const auto key = crypto::PrivateKey::generate(crypto::KeyKind::ecdsa_p256).value();
    const auto leaf =
        crypto::issue_leaf(authority, identity, {}, key.public_key(), validity).value();
    crypto::Credentials credentials{identity, {leaf, authority.certificate}, key, roots};
    auto context = crypto::tls_context(crypto::TlsEnd::client, credentials).value();
    members.push_back({name, folder / name, std::move(credentials), std::move(context), i + 1});
  }
  return members;
}

Result<ExitCode> drive(Options options) {
  if (options.cohort == 0) options.cohort = options.participants;
  const fs::path folder = fs::absolute(options.folder), programs = fs::absolute(options.programs);
  const auto quoted = [](const fs::path& path) { return "'" + path.string() + "'"; };
  const std::string certs = quoted(programs / "entente-certs");
  const std::string authority = quoted(folder / "authority");
  const std::string head = std::string("[federation]\nname = \"") + federation + "\"\n";
  if (run_command(certs + " init --federation " + federation + " --out " + authority) != 0 ||
      run_command(certs + " issue --ca " + authority + " --role coordinator --name main --out " +
                  quoted(folder / "main")) != 0 ||
      run_command(certs + " issue --ca " + authority + " --role operator --name olga --out " +
                  quoted(folder / "olga")) != 0)
    return Error{Errc::io, "entente-certs failed in " + folder.string()};
  write_text(folder / "main" / "coordinator.toml",
             head +
                 "[ledger]\nkey = \"../authority/ledger/ledger.key\"\ncertificate = "
                 "\"../authority/ledger/key.crt\"\n"
                 "[listen]\naddress = \"127.0.0.1\"\nport = 0\n[state]\nfolder = "
                 "\"state\"\n[log]\nformat = \"json\"\n");
  write_text(folder / "plan" / "model.json", model_of(options.model_bytes));
  write_text(folder / "plan" / "plan.toml", plan_of(options));
  std::vector<Member> members = make_members(options, folder);

  const auto parts = bench::measure_parts(folder, members.front().credentials);
  if (!parts) return parts.error();
  Coordinator coordinator(programs / "entente-coordinator", folder / "main" / "coordinator.toml");
  const std::string address = coordinator.wait_for("listening", "address");
  if (address.empty())
    return Error{Errc::io, "the coordinator does not start:\n" + coordinator.last_lines()};
  Shared shared;
  shared.address = net::parse_address(address).value();
  shared.on_failure = [&] { coordinator.stop(); };

  std::vector<std::unique_ptr<Crowd>> crowds;
  for (std::size_t i = 0; i < options.threads; ++i) crowds.push_back(std::make_unique<Crowd>());
  for (std::size_t i = 0; i < members.size(); ++i) {
    Crowd& crowd = *crowds[i % crowds.size()];
    crowd.tasks.spawn(members[i].name, participate(&members[i], &shared, crowd.pool));
  }
  const auto begun = steady_clock::now();
  for (const auto& crowd : crowds)
    crowd->thread = std::thread([context = &crowd->context] { context->run(); });
  {
    std::unique_lock lock(shared.mutex);
    shared.changed.wait(
        lock, [&] { return shared.connected == members.size() || !shared.failure.empty(); });
  }
  const double connecting = seconds_between(begun, steady_clock::now());

  std::string finished;
  if (shared.failure.empty()) {
    write_text(folder / "olga" / "operator.toml", head + "coordinator = \"" + address + "\"\n");
    if (run_command(quoted(programs / "entente-coordinator") + " submit --config " +
                    quoted(folder / "olga" / "operator.toml") + " " +
                    quoted(folder / "plan" / "plan.toml")) != 0) {
      shared.fail("the plan was not taken");
    } else {
      coordinator.wait_for("round.committed", "round");
      const double cpu = coordinator.cpu_seconds();
      finished = coordinator.wait_for("plan.finished", "plan");
      const auto times = coordinator.times_of("round.committed");
      const double used = coordinator.cpu_seconds() - cpu;
      if (times.size() < 2) {
        shared.fail("fewer than two rounds were committed:\n" + coordinator.last_lines());
      } else {
        const double took = seconds_between(times.front(), times.back());
        const auto rounds = static_cast<double>(times.size() - 1);
        const auto model_bytes =
            static_cast<double>(fs::file_size(members.front().folder / "model"));
        const double moved = 2 * rounds * static_cast<double>(options.cohort) * model_bytes;
        std::printf(
            "{\"case\":\"%s\",\"participants\":%zu,\"model_bytes\":%.0f,\"rounds_per_s\":%.2f,\"mb_"
            "per_s\":%.1f,"
            "\"coordinator_cpu_s_per_gb\":%.2f,\"coordinator_peak_mib\":%.1f,\"roof_mb_per_s\":%."
            "0f,"
            "\"handshakes_per_s\":%.0f,\"turned_away\":%zu}\n",
            options.name.c_str(), options.participants, model_bytes, rounds / took,
            moved / took / 1e6, used / moved * 1e9, coordinator.peak_mib(),
            bench::roof_mb_per_s(*parts), static_cast<double>(options.participants) / connecting,
            shared.turned_away.load());
      }
    }
  }
  for (const auto& crowd : crowds) {
    crowd->context.stop();
    crowd->thread.join();
  }
  if (!shared.failure.empty()) return Error{Errc::io, shared.failure};
  return ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) {
  Program program("entente-bench-federation",
                  "Drives a coordinator with participants that do no training.");
  Options options;
  CLI::App& command = program.command("run", "Runs one case.", [&] { return drive(options); });
  command.add_option("--case", options.name, "its name in the output");
  command.add_option("--folder", options.folder, "an empty folder for everything")->required();
  command
      .add_option("--programs", options.programs,
                  "the folder of entente-coordinator and entente-certs")
      ->required();
  command.add_option("--participants", options.participants, "connected at once")
      ->check(CLI::Range(1, 100'000));
  command.add_option("--cohort", options.cohort, "of a round; 0: all");
  command.add_option("--model-bytes", options.model_bytes, "of the parameters")
      ->check(CLI::Range(8'000ULL, 1ULL << 40U));
  command.add_option("--rounds", options.rounds, "two at least: the first is not counted")
      ->check(CLI::Range(2, 1'000'000));
  command.add_option("--threads", options.threads, "of the participants")->check(CLI::Range(1, 64));
  return program.run(argc, argv);
}
