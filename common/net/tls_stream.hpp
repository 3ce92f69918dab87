// SPDX-License-Identifier: Apache-2.0
//
// Streams over TCP and TLS 1.3 with a certificate at both ends: dialled by participants and
// operators, accepted by the coordinator. What is trusted and spoken: common/crypto/tls.hpp. Who is
// welcome: a PeerRule, checked right after the handshake, before the first byte.
//
// Under TLS 1.3 a client whose certificate is refused succeeds in its handshake and learns of it at
// its first read: a connection is up when the other side's first frame has come. A context can be
// replaced at any time: it is used for the connections to come.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/identity.hpp"
#include "common/crypto/tls.hpp"
#include "common/net/address.hpp"
#include "common/net/async.hpp"
#include "common/net/stream.hpp"

namespace entente::net {

// From crypto::tls_context; shared between connections and threads.
using TlsContext = std::shared_ptr<ssl_ctx_st>;

// Whom we talk to: a member of this federation in one of these roles.
struct PeerRule {
  PeerRule(std::string of_federation, std::vector<Role> allowed_roles)
      : federation(std::move(of_federation)), roles(std::move(allowed_roles)) {}
  std::string federation;
  std::vector<Role> roles;
};

// Connects to `address` and shakes hands, all within `limit` (looking a name up may take longer
// than that; nothing else). Errors: unauthenticated - the server's certificate or identity, in
// words; closed - not reachable, or it hung up; timed_out; cancelled; invalid_argument - the
// context could not be used.
Async<std::unique_ptr<Stream>> dial(Address address, TlsContext context, PeerRule expected,
                                    std::chrono::milliseconds limit);

// A TCP connection on which nothing was said yet. Move-only; belongs to the executor it was
// accepted onto.
class Connection {
 public:
  Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();
  // "127.0.0.1:40312": for logs, never for the ledger.
  const std::string& remote() const { return remote_; }
  Executor executor() const;

 private:
  friend class Listener;
  friend Async<std::unique_ptr<Stream>> accept_tls(Connection connection, TlsContext context,
                                                   PeerRule expected,
                                                   std::chrono::milliseconds limit);
  struct State;
  std::unique_ptr<State> state_;
  std::string remote_;
};

// The server's side of the handshake, within `limit`. Call it on the thread of the connection's
// executor. Errors: as dial. The refused peer has been told by a TLS alert.
Async<std::unique_ptr<Stream>> accept_tls(Connection connection, TlsContext context,
                                          PeerRule expected, std::chrono::milliseconds limit);

// A listening TCP port. Threads: that of its executor.
class Listener {
 public:
  // Port 0: any free one. Errors: io - the address, and the system's reason.
  static Result<Listener> open(Executor executor, Address address);
  Listener(Listener&&) noexcept;
  Listener& operator=(Listener&&) noexcept;
  ~Listener();

  // Where it really listens.
  Address address() const;
  // The next connection, made over to `onto` (an I/O thread's executor).
  // Errors: io - try again after a pause (no descriptors left); closed - by close(); cancelled.
  Async<Connection> accept(Executor onto);
  void close();

 private:
  struct State;
  explicit Listener(std::shared_ptr<State> state);
  static Async<Connection> accept_on(std::shared_ptr<State> state, Executor onto);
  std::shared_ptr<State> state_;
};

}  // namespace entente::net
