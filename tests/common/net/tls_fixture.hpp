// SPDX-License-Identifier: Apache-2.0
//
// Two ends of a TLS connection over loopback, on one io_context, with certificates of a federation
// made of values.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "common/net/task_group.hpp"
#include "common/net/tls_stream.hpp"
#include "tests/common/crypto/federation.hpp"
#include "tests/common/net/running.hpp"

namespace entente::net {

using StreamOrError = Result<std::unique_ptr<Stream>>;

inline Async<void> accept_one(Listener* listener, TlsContext context, PeerRule rule,
                              std::optional<StreamOrError>* outcome) {
  const Executor executor = co_await asio::this_coro::executor;
  Result<Connection> connection = co_await listener->accept(executor);
  if (!connection) co_return connection.error();
  outcome->emplace(co_await accept_tls(std::move(*connection), std::move(context), std::move(rule),
                                       std::chrono::seconds(10)));
  co_return ok();
}

// What each end got, once the client has dialled and the server has answered.
struct Ends {
  StreamOrError client = Error{};
  StreamOrError server = Error{};
};

inline const PeerRule& any_member() {
  static const PeerRule rule("hospitals.example",
                             {Role::participant, Role::operator_, Role::auditor, Role::member});
  return rule;
}
inline const PeerRule& the_coordinator() {
  static const PeerRule rule("hospitals.example", {Role::coordinator});
  return rule;
}

inline Ends shake_hands(asio::io_context& context, const TlsContext& client,
                        const TlsContext& server,
                        const PeerRule& client_expects = the_coordinator(),
                        const PeerRule& server_expects = any_member()) {
  Listener listener =
      std::move(Listener::open(context.get_executor(), Address{"127.0.0.1", 0}).value());
  std::optional<StreamOrError> accepted;
  TaskGroup tasks(context.get_executor());
  tasks.spawn("server", accept_one(&listener, server, server_expects, &accepted));
  Ends ends;
  ends.client =
      run(context, dial(listener.address(), client, client_expects, std::chrono::seconds(10)));
  // A client whose certificate was refused learns of it by its first read.
  if (ends.client) {
    auto first_read = [](Stream* stream) -> Async<std::size_t> {
      std::array<std::byte, 1> byte;
      co_return co_await stream->read_some(byte, std::chrono::hours(1));
    };
    while (!accepted) context.run_one();
    if (!*accepted) {
      const Result<std::size_t> read = run(context, first_read(ends.client->get()));
      BOOST_REQUIRE(!read.has_value());
      ends.client = read.error();
    }
  } else {
    while (!accepted) context.run_one();
  }
  ends.server = std::move(*accepted);
  return ends;
}

}  // namespace entente::net
