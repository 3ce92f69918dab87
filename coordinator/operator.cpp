// SPDX-License-Identifier: Apache-2.0
//
// The operator's commands: each one session with the running coordinator.
#include <sys/ioctl.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <utility>

#include "common/base/version.hpp"
#include "common/crypto/credentials.hpp"
#include "common/crypto/hash.hpp"
#include "common/crypto/tls.hpp"
#include "common/ledger/note.hpp"
#include "common/ledger/statement.hpp"
#include "common/net/buffer_pool.hpp"
#include "common/net/task_group.hpp"
#include "common/net/timer.hpp"
#include "common/net/tls_stream.hpp"
#include "common/plan/plan.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/configuration.hpp"
#include "coordinator/screen.hpp"
#include "protocol/client.hpp"
#include "protocol/limits.hpp"

namespace entente::coordinator {
namespace {

namespace asio = boost::asio;
using net::Async;
using protocol::Answer;
using protocol::Client;
using protocol::Message;

constexpr std::size_t buffers = 4;
constexpr std::chrono::seconds redraw_every{1};

// The operator's kit, read and checked.
struct Desk {
  OperatorConfiguration configuration;
  crypto::Credentials credentials;
  std::string verifier_key;
  net::Address address;
};

Result<Desk> read_desk(const std::filesystem::path& path) {
  auto configuration = read_operator_configuration(path);
  if (!configuration) return as_usage(configuration.error());
  auto credentials = crypto::load_credentials(configuration->identity, Clock().now());
  if (!credentials) return as_usage(credentials.error());
  if (credentials->identity.federation != configuration->federation) {
    return Error{Errc::invalid_argument, configuration->identity.certificate.string() +
                                             ": expected a member of " + configuration->federation +
                                             ", saw " + credentials->identity.uri()};
  }
  auto text = read_text(configuration->ledger_key, 4096);
  if (!text) return as_usage(in_context("federation.ledger_key", text.error()));
  while (!text->empty() && text->back() == '\n') text->pop_back();
  if (auto key = ledger::parse_verifier_key(*text); !key) {
    return as_usage(in_context(configuration->ledger_key.string(), key.error()));
  }
  auto address = net::parse_address(configuration->coordinator);
  if (!address) return as_usage(in_context("federation.coordinator", address.error()));
  return Desk{std::move(*configuration), std::move(*credentials), std::move(*text),
              std::move(*address)};
}

Async<std::unique_ptr<Client>> connect(const Desk* desk) {
  auto context = crypto::tls_context(crypto::TlsEnd::client, desk->credentials);
  if (!context) co_return context.error();
  net::PeerRule rule(desk->configuration.federation, {Role::coordinator});
  auto dialling =
      net::dial(desk->address, std::move(*context), std::move(rule), protocol::handshake_max);
  Result<std::unique_ptr<net::Stream>> stream = co_await std::move(dialling);
  if (!stream) co_return stream.error();
  protocol::ClientSettings settings("entente " + std::string(software_version),
                                    desk->configuration.federation, desk->verifier_key);
  net::BufferPool pool((*stream)->executor(), buffers);
  auto greeting = Client::connect(std::move(*stream), std::move(pool), std::move(settings));
  Result<std::unique_ptr<Client>> client = co_await std::move(greeting);
  if (!client) co_return in_context(desk->address.text(), client.error());
  co_return std::move(*client);
}

// What one command does with its session.
using Conversation = std::function<Async<ExitCode>(Client*)>;

Async<void> converse(const Desk* desk, const Conversation* conversation,
                     Result<ExitCode>* outcome) {
  Result<std::unique_ptr<Client>> client = co_await connect(desk);
  if (!client) {
    *outcome = client.error();
    co_return ok();
  }
  auto talking = (*conversation)(client->get());
  *outcome = co_await std::move(talking);
  auto closing = (*client)->close("done");
  const Result<void> closed = co_await std::move(closing);
  co_return closed;
}

Result<ExitCode> with_coordinator(const std::filesystem::path& configuration,
                                  const Conversation& conversation) {
  auto desk = read_desk(configuration);
  if (!desk) return desk.error();
  Result<ExitCode> outcome = Error{Errc::cancelled, "the conversation did not end"};
  asio::io_context context(1);
  net::TaskGroup tasks(context.get_executor());
  tasks.spawn("operator", converse(&*desk, &conversation, &outcome));
  context.run();
  return outcome;
}

// An answer as the command's end: done, or the coordinator's verdict in words.
Result<ExitCode> ending(const Result<Answer>& answer) {
  if (!answer) return answer.error();
  if (is_success(answer->verdict)) return ExitCode::done;
  const std::string reason = answer->reason.empty() ? "" : ": " + answer->reason;
  return Error{Errc::rejected,
               "the coordinator answers: " + std::string(to_string(answer->verdict)) + reason};
}

Async<ExitCode> send_request(Client* client, Message message, std::string said) {
  Result<Answer> answer = co_await client->request(std::move(message));
  Result<ExitCode> end = ending(answer);
  if (end)
    std::printf("%s%s\n", said.c_str(),
                answer->verdict == Verdict::repeated ? " (it was so before)" : "");
  co_return end;
}

Result<ExitCode> request(const std::filesystem::path& configuration, Message message,
                         std::string said) {
  const Conversation conversation = [&](Client* client) {
    return send_request(client, message, said);
  };
  return with_coordinator(configuration, conversation);
}

ScreenSize terminal_size() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 1 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
      size.ws_col == 0) {
    return ScreenSize{120, 0};
  }
  return ScreenSize{size.ws_col, size.ws_row};
}

void show(const protocol::Status& status, const StatusOptions& options, bool redraw) {
  if (options.json) {
    std::printf("%s\n", boost::json::serialize(status_json(status)).c_str());
  } else {
    // Home, each line cleared to its end, what is below cleared: no flicker.
    std::string text = render_status(status, terminal_size());
    if (redraw) {
      std::string lines = "\x1b[H";
      for (const char letter : text) {
        if (letter == '\n') lines += "\x1b[K";
        lines += letter;
      }
      text = lines + "\x1b[J";
    }
    std::fputs(text.c_str(), stdout);
  }
  std::fflush(stdout);
}

// The end of the plan that `--until` names; none while it goes on.
std::optional<Result<ExitCode>> plan_end(const protocol::Status& status, const std::string& until) {
  for (const protocol::PlanStatus& plan : status.plans) {
    if (plan.plan.hex() != until) continue;
    if (plan.state == "finished") return Result<ExitCode>(ExitCode::done);
    if (plan.state == "failed" || plan.state == "cancelled") {
      return Result<ExitCode>(
          Error{Errc::rejected, "the plan is " + plan.state + ": " + plan.reason});
    }
    return std::nullopt;
  }
  return Result<ExitCode>(Error{Errc::not_found, "the coordinator knows no plan " + until});
}

// Without a terminal only what changed is worth a line.
std::string progress_line(const protocol::Status& status) {
  if (status.rounds.empty()) return {};
  const protocol::RoundStatus& round = status.rounds.back();
  std::string line = "round " + std::to_string(round.round) +
                     " committed: " + std::to_string(round.contributors) + " updates";
  for (const auto& [name, value] : round.metrics) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4f", value);
    line += ", " + name + " " + text;
  }
  return line;
}

Async<ExitCode> watch(Client* client, StatusOptions options) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  if (terminal && !options.json) std::fputs("\x1b[2J", stdout);
  std::string told;
  while (true) {
    Result<protocol::Status> status = co_await client->ask_status();
    if (!status) co_return status.error();
    if (terminal || options.json) {
      show(*status, options, true);
    } else if (const std::string line = progress_line(*status); line != told) {
      std::printf("%s\n", line.c_str());
      std::fflush(stdout);
      told = line;
    }
    if (!options.until.empty()) {
      if (auto end = plan_end(*status, options.until)) co_return std::move(*end);
    }
    const Result<void> waited = co_await net::wait_for(redraw_every);
    if (!waited) co_return waited.error();
  }
}

Async<ExitCode> show_status(Client* client, StatusOptions options) {
  Result<protocol::Status> status = co_await client->ask_status();
  if (!status) co_return status.error();
  show(*status, options, false);
  co_return ExitCode::done;
}

// A plan as it is handed in: its canonical bytes in a file, the offer with the operator's
// signature.
struct Submission {
  std::filesystem::path file;
  protocol::OfferPlan offer;
};

Async<ExitCode> hand_in(Client* client, Submission submission, bool as_json) {
  Message offer = submission.offer;
  Result<Answer> answer = co_await client->upload(std::move(offer), submission.file);
  Result<ExitCode> end = ending(answer);
  if (!end) co_return end;
  const std::string digest = submission.offer.plan.hex();
  const bool repeated = answer->verdict == Verdict::repeated;
  if (as_json) {
    boost::json::object object{{"plan", digest}, {"repeated", repeated}};
    std::printf("%s\n", boost::json::serialize(object).c_str());
  } else {
    std::printf("%s the plan %s\n", repeated ? "The coordinator had" : "Submitted", digest.c_str());
  }
  co_return end;
}

// A file that is removed with its owner.
class TemporaryFile {
 public:
  static Result<TemporaryFile> with(std::string_view content) {
    std::string pattern = (std::filesystem::temp_directory_path() / "entente-plan-XXXXXX").string();
    const int descriptor = ::mkstemp(pattern.data());
    if (descriptor < 0) return Error{Errc::io, pattern + ": cannot be made"};
    ::close(descriptor);
    TemporaryFile file(pattern);
    if (auto written = write_file(file.path_, as_bytes(content), Durability::cached, 0600);
        !written) {
      return written.error();
    }
    return file;
  }
  TemporaryFile(TemporaryFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryFile(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

Result<Digest> parse_plan_digest(const std::string& text) {
  auto digest = parse_digest(text);
  if (!digest) return as_usage(in_context("DIGEST", digest.error()));
  return digest;
}

}  // namespace

Result<ExitCode> submit(const SubmitOptions& options) {
  auto plan = plan::read_plan(options.plan);
  if (!plan) return as_usage(plan.error());
  auto desk = read_desk(options.configuration);
  if (!desk) return desk.error();
  const std::string text =
      ledger::statement(ledger::plan_submitted, desk->configuration.federation, plan->digest);
  auto signature = desk->credentials.key.sign(as_bytes(text));
  if (!signature) return signature.error();
  auto file = TemporaryFile::with(plan->canonical);
  if (!file) return file.error();
  Submission submission;
  submission.file = file->path();
  submission.offer.plan = plan->digest;
  submission.offer.size_bytes = plan->canonical.size();
  submission.offer.signature = std::move(*signature);
  const Conversation conversation = [&](Client* client) {
    return hand_in(client, submission, options.json);
  };
  return with_coordinator(options.configuration, conversation);
}

Result<ExitCode> status(const StatusOptions& options) {
  if (!options.until.empty()) {
    if (auto digest = parse_plan_digest(options.until); !digest) return digest.error();
  }
  const Conversation conversation = [&](Client* client) {
    return options.watch ? watch(client, options) : show_status(client, options);
  };
  return with_coordinator(options.configuration, conversation);
}

Result<ExitCode> cancel(const std::filesystem::path& configuration, const std::string& digest,
                        const std::string& reason) {
  auto plan = parse_plan_digest(digest);
  if (!plan) return plan.error();
  return request(configuration, protocol::CancelPlan{*plan, reason},
                 "Cancelled the plan " + digest);
}

Result<ExitCode> set_suspended(const std::filesystem::path& configuration,
                               const std::string& participant, bool suspended,
                               const std::string& reason) {
  if (!is_name(participant)) {
    return Error{Errc::invalid_argument,
                 "NAME: expected [a-z0-9-], at most 63, saw '" + participant + "'"};
  }
  return request(configuration, protocol::SetSuspended{participant, suspended, reason},
                 (suspended ? "Suspended " : "Resumed ") + participant);
}

Result<ExitCode> stop(const std::filesystem::path& configuration) {
  return request(configuration, protocol::StopCoordinator{}, "The coordinator stops");
}

}  // namespace entente::coordinator
