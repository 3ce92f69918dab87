// SPDX-License-Identifier: Apache-2.0
#include "protocol/frame.hpp"

#include <string>

#include "common/base/assert.hpp"
#include "common/base/bytes.hpp"
#include "common/base/digest.hpp"
#include "protocol/limits.hpp"

namespace entente::protocol {
namespace {

Error wrong(std::string what, std::uint64_t seen) {
  return {Errc::malformed, "frame header: " + std::move(what) + ", saw " + std::to_string(seen)};
}

Result<void> check(const FrameHeader& header) {
  const std::uint32_t size = header.size_bytes;
  switch (header.type) {
    case FrameType::control:
      if (size < 1 || size > control_max_bytes) {
        return wrong("expected a message of 1 to " + std::to_string(control_max_bytes) + " bytes",
                     size);
      }
      if (header.stream != 0) return wrong("expected stream 0 for a message", header.stream);
      if (header.offset != 0) return wrong("expected offset 0 for a message", header.offset);
      return ok();
    case FrameType::data:
      if (size < 1 || size > data_max_bytes) {
        return wrong("expected data of 1 to " + std::to_string(data_max_bytes) + " bytes", size);
      }
      if (header.offset > blob_max_bytes - size) {
        return wrong("expected data within " + std::to_string(blob_max_bytes) + " bytes",
                     header.offset);
      }
      break;
    case FrameType::end:
      if (size != Digest::size_bytes) return wrong("expected a digest of 32 bytes", size);
      if (header.offset > blob_max_bytes) {
        return wrong("expected a length of at most " + std::to_string(blob_max_bytes),
                     header.offset);
      }
      break;
    default:
      return wrong("expected type 1, 2 or 3", static_cast<std::uint8_t>(header.type));
  }
  if (header.stream == 0) return wrong("expected a stream from 1 to 255", 0);
  return ok();
}

}  // namespace

std::array<std::byte, frame_header_bytes> encode_frame_header(const FrameHeader& header) {
  ENTENTE_ASSERT(check(header), "a frame outside of the limits");
  std::array<std::byte, frame_header_bytes> bytes{};
  store_little_endian(header.size_bytes, bytes.data());
  bytes[4] = static_cast<std::byte>(header.type);
  bytes[5] = static_cast<std::byte>(header.stream);
  store_little_endian(header.offset, bytes.data() + 8);
  return bytes;
}

Result<FrameHeader> decode_frame_header(std::span<const std::byte, frame_header_bytes> bytes) {
  FrameHeader header;
  header.size_bytes = load_little_endian<std::uint32_t>(bytes.data());
  header.type = static_cast<FrameType>(bytes[4]);
  header.stream = static_cast<std::uint8_t>(bytes[5]);
  header.offset = load_little_endian<std::uint64_t>(bytes.data() + 8);
  const auto reserved = load_little_endian<std::uint16_t>(bytes.data() + 6);
  if (reserved != 0) return wrong("expected 0 in the reserved bytes", reserved);
  if (auto checked = check(header); !checked) return checked.error();
  return header;
}

}  // namespace entente::protocol
