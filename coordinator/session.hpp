// SPDX-License-Identifier: Apache-2.0
//
// One peer's session on its I/O thread: says welcome, checks what it sends against the permissions,
// moves bytes between the wire and the store, and asks the control thread for every decision.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "common/net/buffer_pool.hpp"
#include "common/net/stream.hpp"
#include "coordinator/admission.hpp"
#include "coordinator/control.hpp"
#include "coordinator/store.hpp"
#include "protocol/channel.hpp"

namespace entente::coordinator {

// What all sessions share; outlives them.
struct Hall {
  Control& control;
  const Store& store;
  Layouts& layouts;
  std::string federation;
  std::string verifier_key;           // vkey text, told in the welcome
  std::function<void()> stop_daemon;  // thread-safe
  protocol::Timing timing;
  std::atomic<std::uint64_t> sessions_begun{0};
  std::atomic<std::uint64_t> bytes_received{0};  // of updates and plans
};

// Until the peer leaves, breaks the rules, or the caller is stopped. Errors: why it ended.
net::Async<void> run_session(Hall* hall, std::unique_ptr<net::Stream> stream, net::BufferPool pool);

}  // namespace entente::coordinator
