// SPDX-License-Identifier: Apache-2.0
//
// Every bound that the wire has, by name. What a peer may do is decided here and nowhere else.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace entente::protocol {

inline constexpr std::uint32_t version_least = 1;
inline constexpr std::uint32_t version_most = 1;

inline constexpr std::size_t control_max_bytes = 64U << 10U;  // one message
inline constexpr std::size_t data_max_bytes = 256U << 10U;    // one data frame
inline constexpr std::uint64_t plan_max_bytes = 4U << 20U;
inline constexpr std::size_t text_max_bytes = 1024;          // reasons, details
inline constexpr std::size_t metrics_max = 32;               // metrics in one report
inline constexpr std::size_t plans_told_max = 8;             // plans told in one agenda
inline constexpr std::size_t proof_max = 64;                 // hashes in one proof
inline constexpr std::size_t status_participants_max = 256;  // participants listed in one status

inline constexpr std::chrono::seconds handshake_max{10};    // TCP accepted to TLS done
inline constexpr std::chrono::seconds first_frame_max{10};  // TLS done to the peer's hello
inline constexpr std::chrono::seconds heartbeat_every{15};  // a ping when nothing else was sent
inline constexpr std::chrono::seconds silence_max{60};      // nothing heard: the peer is gone
inline constexpr std::chrono::seconds write_max{60};        // one frame that the peer does not take

static_assert(silence_max > 2 * heartbeat_every, "a late heartbeat must not cut a session");

}  // namespace entente::protocol
