// SPDX-License-Identifier: Apache-2.0
//
// The real transport: one session at a time over TLS 1.3, both sides with their certificates, to
// the one coordinator of the federation.
//
// A transfer that an agenda no longer mentions is broken off (what came of a download is kept).
#pragma once

#include <memory>
#include <string>

#include "common/crypto/credentials.hpp"
#include "common/net/address.hpp"
#include "common/net/buffer_pool.hpp"
#include "common/net/tls_stream.hpp"
#include "participant/transport.hpp"
#include "protocol/client.hpp"

namespace entente::participant {

// Whether the agenda speaks of that plan or model.
bool mentions(const protocol::Agenda& agenda, const Digest& digest);
// Whether it asks for that round's update.
bool asks_for(const protocol::Agenda& agenda, const Digest& plan, std::uint64_t round);

class SessionTransport : public Transport {
 public:
  // Errors: those of crypto::tls_context.
  static Result<std::unique_ptr<Transport>> make(net::Executor executor, net::Address coordinator,
                                                 const crypto::Credentials& credentials);

  net::Async<protocol::Welcome> connect() override;
  net::Async<protocol::Agenda> next_agenda() override;
  net::Async<protocol::Answer> request(protocol::Message message) override;
  net::Async<void> fetch(Digest digest, std::uint64_t size_bytes,
                         std::filesystem::path destination) override;
  net::Async<protocol::Answer> upload(protocol::OfferUpdate offer,
                                      std::filesystem::path file) override;
  net::Async<void> close(std::string goodbye) override;

 private:
  SessionTransport(net::Executor executor, net::Address coordinator, net::TlsContext context,
                   std::string federation);

  net::Address coordinator_;
  net::TlsContext context_;
  std::string federation_;
  net::BufferPool pool_;
  std::shared_ptr<protocol::Client> client_;
};

}  // namespace entente::participant
