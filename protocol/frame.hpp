// SPDX-License-Identifier: Apache-2.0
//
// Frames: how messages and bulk bytes are cut out of a stream.
//
//     frame := size u32, type u8, stream u8, reserved u16 (0), offset u64, body[size] little-endian
//
//     control  one message (codec.hpp)                        stream 0, offset 0, 1 ..
//     control_max_bytes data     the bytes of `stream` from `offset` on         stream 1 .. 255, 1
//     .. data_max_bytes end      the SHA-256 of the whole content of `stream`;  stream 1 .. 255, 32
//     bytes
//              `offset` is its length
//
// Pure functions over bytes. Who reads the connection: channel.hpp. docs/protocol.md, "Frames".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/result.hpp"

namespace entente::protocol {

inline constexpr std::size_t frame_header_bytes = 16;

enum class FrameType : std::uint8_t { control = 1, data = 2, end = 3 };

struct FrameHeader {
  std::uint32_t size_bytes = 0;  // of the body
  FrameType type = FrameType::control;
  std::uint8_t stream = 0;
  std::uint64_t offset = 0;
};

// Precondition: what decode_frame_header accepts.
std::array<std::byte, frame_header_bytes> encode_frame_header(const FrameHeader& header);

// Errors: malformed - an unknown type, a reserved bit, a size, stream or offset that the type does
// not allow; the text says which and what was seen.
Result<FrameHeader> decode_frame_header(std::span<const std::byte, frame_header_bytes> bytes);

}  // namespace entente::protocol
