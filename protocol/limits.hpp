// SPDX-License-Identifier: Apache-2.0
//
// Every bound that the wire has, by name. What a peer may do is decided here and nowhere else.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/ledger/entry.hpp"

namespace entente::protocol {

inline constexpr std::uint32_t version_least = 1;
inline constexpr std::uint32_t version_most = 1;

inline constexpr std::size_t control_max_bytes = 64U << 10U;  // one message
inline constexpr std::size_t data_max_bytes = 256U << 10U;    // one data frame
inline constexpr std::uint64_t plan_max_bytes = 4U << 20U;
inline constexpr std::uint64_t blob_max_bytes = std::uint64_t{1} << 50U;  // a model, an update
inline constexpr std::uint64_t number_max = std::uint64_t{1}
                                            << 53U;    // rounds, counts: exact in JSON
inline constexpr std::size_t text_max_bytes = 1024;    // reasons, details: cut when encoded
inline constexpr std::size_t software_max_bytes = 64;  // "entente 0.1.0"
inline constexpr std::size_t state_max_bytes = 32;     // "collecting"
inline constexpr std::size_t plan_name_max_bytes = 256;
inline constexpr std::size_t signature_max_bytes = 256;
inline constexpr std::size_t certificate_max_bytes = 2048;   // DER, in an agenda
inline constexpr std::size_t checkpoint_max_bytes = 4096;    // the signed note of a receipt
inline constexpr std::size_t metrics_max = 32;               // metrics in one report
inline constexpr std::size_t metric_name_max_bytes = 64;     // [a-z0-9_.-]
inline constexpr std::size_t plans_told_max = 8;             // plans told in one agenda
inline constexpr std::size_t proof_max = 64;                 // hashes in one proof
inline constexpr std::size_t status_plans_max = 16;          // plans listed in one status
inline constexpr std::size_t status_rounds_max = 64;         // rounds listed in one status
inline constexpr std::size_t status_participants_max = 256;  // participants listed in one status
inline constexpr std::chrono::hours duration_max{24 * 366};  // time left, time taken

inline constexpr std::chrono::seconds handshake_max{10};    // TCP accepted to TLS done
inline constexpr std::chrono::seconds first_frame_max{10};  // TLS done to the whole of the hello
inline constexpr std::chrono::seconds heartbeat_every{15};  // a ping when nothing else was sent
inline constexpr std::chrono::seconds silence_max{60};      // nothing heard: the peer is gone
inline constexpr std::chrono::seconds write_max{60};        // one frame that the peer does not take
inline constexpr std::chrono::seconds buffer_max{120};      // waiting for a buffer of the pool
inline constexpr std::chrono::seconds answer_max{120};  // a request, or the next piece of a fetch
inline constexpr std::chrono::seconds goodbye_max{2};   // saying goodbye, and hearing the other's
inline constexpr std::size_t outbox_max = 64;           // messages waiting for a slow peer
inline constexpr std::size_t endings_max = 2;  // downloads that are over but for their last frame

static_assert(silence_max > 2 * heartbeat_every, "a late heartbeat must not cut a session");
static_assert(write_max < buffer_max,
              "a peer that takes nothing is cut before others wait in vain");
static_assert(ledger::line_max_bytes + 34 * proof_max + checkpoint_max_bytes +
                      plans_told_max * (certificate_max_bytes + signature_max_bytes + 64) + 1024 <
                  control_max_bytes,
              "an agenda with everything at its limit is one message");

}  // namespace entente::protocol
