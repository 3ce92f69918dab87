// SPDX-License-Identifier: Apache-2.0
//
// What moving a model to a participant and an update back would cost if nothing but its parts cost
// anything, measured one by one on one thread of this machine, now.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "common/base/file.hpp"
#include "common/crypto/credentials.hpp"
#include "common/crypto/hash.hpp"
#include "common/crypto/tls.hpp"
#include "common/net/tls_engine.hpp"

namespace entente::bench {

// Seconds that a byte takes in each part.
struct Parts {
  double tls = 0;  // encrypted by one end and decrypted by the other
  double hash = 0, write = 0, read = 0, copy = 0;
};

// The best of some turns of `work` on `bytes` of memory.
inline double seconds_a_byte(std::size_t bytes, const std::function<void()>& work) {
  double best = 1e9;
  for (int turn = 0; turn < 12; ++turn) {
    const auto began = std::chrono::steady_clock::now();
    work();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  return best / static_cast<double>(bytes);
}

// `folder`: on the disk of the coordinator's spool.
inline Result<Parts> measure_parts(const std::filesystem::path& folder,
                                   const crypto::Credentials& credentials) {
  constexpr std::size_t size = 16U << 20U, piece = 256U << 10U;
  auto server_context = crypto::tls_context(crypto::TlsEnd::server, credentials);
  auto client_context = crypto::tls_context(crypto::TlsEnd::client, credentials);
  if (!server_context) return server_context.error();
  if (!client_context) return client_context.error();
  net::TlsEngine server(server_context->get(), crypto::TlsEnd::server);
  net::TlsEngine client(client_context->get(), crypto::TlsEnd::client);
  using Step = net::TlsEngine::Step;
  const auto hand_over = [](net::TlsEngine& from, net::TlsEngine& to,
                            const std::function<void()>& step) {
    to.bring(from.out());
    step();
    from.out().clear();
  };
  Step client_step = client.shake_hands();
  for (int turn = 0; turn < 4; ++turn) {
    hand_over(client, server, [&] { static_cast<void>(server.shake_hands()); });
    hand_over(server, client, [&] { client_step = client.shake_hands(); });
  }
  if (client_step != Step::done) return Error{Errc::io, "no handshake for the roof"};

  Bytes from(size), to(size);
  for (std::size_t i = 0; i < size; ++i)
    from[i] = static_cast<std::byte>(i * 2'654'435'761U >> 13U);
  Parts parts;
  parts.tls = seconds_a_byte(size, [&] {
    for (std::size_t at = 0; at < size; at += piece) {
      static_cast<void>(client.write(ByteView(from).subspan(at, piece)));
      std::size_t got = 0;
      hand_over(client, server,
                [&] { static_cast<void>(server.read(std::span(to).subspan(at, piece), &got)); });
    }
  });
  parts.hash = seconds_a_byte(size, [&] { static_cast<void>(crypto::sha256(from)); });
  parts.copy = seconds_a_byte(size, [&] { std::memcpy(to.data(), from.data(), size); });
  auto file = File::open(folder / "roof", File::Mode::write_new);
  if (!file) return file.error();
  Result<void> went = ok();
  parts.write = seconds_a_byte(size, [&] {
    for (std::size_t at = 0; at < size && went; at += piece)
      went = file->write_at(at, ByteView(from).subspan(at, piece));
  });
  parts.read = seconds_a_byte(size, [&] {
    for (std::size_t at = 0; at < size && went; at += piece)
      went = file->read_at(at, std::span(to).subspan(at, piece));
  });
  if (!went) return went.error();
  if (auto removed = remove_file(folder / "roof"); !removed) return removed.error();
  return parts;
}

// Up: TLS, the digest at both ends, the spool written and read, a copy. Down: TLS, the digest at
// the participant, the model read, a copy. On all cores, both directions counted.
inline double roof_mb_per_s(const Parts& parts) {
  const double up = parts.tls + 2 * parts.hash + parts.write + parts.read + parts.copy;
  const double down = parts.tls + parts.hash + parts.read + parts.copy;
  return std::max(1U, std::thread::hardware_concurrency()) * 2 / (up + down) / 1e6;
}

}  // namespace entente::bench
