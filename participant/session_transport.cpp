// SPDX-License-Identifier: Apache-2.0
#include "participant/session_transport.hpp"

#include <algorithm>
#include <utility>

#include "common/base/version.hpp"
#include "common/crypto/tls.hpp"

namespace entente::participant {
namespace {

constexpr std::size_t buffers = 8;  // of one transfer each way
constexpr std::chrono::milliseconds dial_max{20'000};

Error not_connected() {
  return {Errc::closed, "not connected"};
}

}  // namespace

bool mentions(const protocol::Agenda& agenda, const Digest& digest) {
  if (std::ranges::any_of(agenda.plans, [&](const auto& plan) { return plan.plan == digest; })) {
    return true;
  }
  if (const auto* train = std::get_if<protocol::Train>(&agenda.work)) {
    return train->plan == digest || train->model == digest;
  }
  if (const auto* evaluate = std::get_if<protocol::Evaluate>(&agenda.work)) {
    return evaluate->plan == digest || evaluate->model == digest;
  }
  return false;
}

bool asks_for(const protocol::Agenda& agenda, const Digest& plan, std::uint64_t round) {
  const auto* train = std::get_if<protocol::Train>(&agenda.work);
  return train != nullptr && train->plan == plan && train->round == round;
}

SessionTransport::SessionTransport(net::Executor executor, net::Address coordinator,
                                   net::TlsContext context, std::string federation)
    : coordinator_(std::move(coordinator)),
      context_(std::move(context)),
      federation_(std::move(federation)),
      pool_(std::move(executor), buffers) {}

Result<std::unique_ptr<Transport>> SessionTransport::make(net::Executor executor,
                                                          net::Address coordinator,
                                                          const crypto::Credentials& credentials) {
  auto context = crypto::tls_context(crypto::TlsEnd::client, credentials);
  if (!context) return context.error();
  return std::unique_ptr<Transport>(
      new SessionTransport(std::move(executor), std::move(coordinator), std::move(*context),
                           credentials.identity.federation));
}

net::Async<protocol::Welcome> SessionTransport::connect() {
  client_.reset();
  net::PeerRule expected(federation_, std::vector<Role>{Role::coordinator});
  auto dialling = net::dial(coordinator_, context_, std::move(expected), dial_max);
  Result<std::unique_ptr<net::Stream>> stream = co_await std::move(dialling);
  if (!stream) co_return stream.error();
  protocol::ClientSettings settings("entente " + std::string(software_version), federation_);
  auto greeting = protocol::Client::connect(std::move(*stream), pool_, std::move(settings));
  Result<std::unique_ptr<protocol::Client>> client = co_await std::move(greeting);
  if (!client) co_return client.error();
  client_ = std::move(*client);
  co_return client_->welcome();
}

net::Async<protocol::Agenda> SessionTransport::next_agenda() {
  const std::shared_ptr<protocol::Client> client = client_;
  if (!client) co_return not_connected();
  co_return co_await client->next_agenda();
}

net::Async<protocol::Answer> SessionTransport::request(protocol::Message message) {
  const std::shared_ptr<protocol::Client> client = client_;
  if (!client) co_return not_connected();
  co_return co_await client->request(std::move(message));
}

net::Async<void> SessionTransport::fetch(Digest digest, std::uint64_t size_bytes,
                                         std::filesystem::path destination) {
  const std::shared_ptr<protocol::Client> client = client_;
  if (!client) co_return not_connected();
  protocol::StillWanted wanted = [digest](const protocol::Agenda& agenda) {
    return mentions(agenda, digest);
  };
  auto fetching = client->fetch(digest, std::move(destination), size_bytes, std::move(wanted));
  const Result<protocol::Received> received = co_await std::move(fetching);
  if (received) co_return ok();
  // Other bytes than the digest names: the coordinator's fault, not this machine's.
  if (received.error().code == Errc::corrupt) {
    co_return Error{Errc::malformed, received.error().detail};
  }
  co_return received.error();
}

net::Async<protocol::Answer> SessionTransport::upload(protocol::OfferUpdate offer,
                                                      std::filesystem::path file) {
  const std::shared_ptr<protocol::Client> client = client_;
  if (!client) co_return not_connected();
  protocol::StillWanted wanted = [plan = offer.plan,
                                  round = offer.round](const protocol::Agenda& agenda) {
    return asks_for(agenda, plan, round);
  };
  protocol::Message message = offer;
  auto uploading = client->upload(std::move(message), std::move(file), std::move(wanted));
  co_return co_await std::move(uploading);
}

net::Async<void> SessionTransport::close(std::string goodbye) {
  const std::shared_ptr<protocol::Client> client = std::exchange(client_, nullptr);
  if (!client) co_return ok();
  co_return co_await client->close(std::move(goodbye));
}

}  // namespace entente::participant
