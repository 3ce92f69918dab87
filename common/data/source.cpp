// SPDX-License-Identifier: Apache-2.0
#include "common/data/source.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "common/base/assert.hpp"

namespace entente::data {

namespace {

constexpr std::size_t input_bytes = 256U << 10U;
constexpr std::array<std::byte, 2> gzip_magic{std::byte{0x1f}, std::byte{0x8b}};
constexpr int gzip_window = 15 + 16;  // the largest window, gzip framing

}  // namespace

struct ByteSource::Inflater {
  z_stream stream{};
  bool between_members = false;  // one gzip member has ended, another may follow

  Inflater() {
    const int started = inflateInit2(&stream, gzip_window);
    ENTENTE_ASSERT(started == Z_OK, "zlib starts with these constant arguments");
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream); }
};

ByteSource::ByteSource(File file, std::uint64_t size_bytes)
    : file_(std::move(file)), size_bytes_(size_bytes) {}
ByteSource::ByteSource(ByteSource&&) noexcept = default;
ByteSource::~ByteSource() = default;

Result<ByteSource> ByteSource::open(const std::filesystem::path& path) {
  auto file = File::open(path, File::Mode::read);
  if (!file) return file.error();
  const auto size_bytes = file->size_bytes();
  if (!size_bytes) return size_bytes.error();
  ByteSource source(std::move(*file), *size_bytes);
  std::array<std::byte, gzip_magic.size()> first{};
  if (source.size_bytes_ >= first.size()) {
    if (auto done = source.file_.read_at(0, first); !done) return done.error();
    if (first == gzip_magic) source.inflater_ = std::make_unique<Inflater>();
  }
  return source;
}

Result<std::size_t> ByteSource::read(std::span<std::byte> into) {
  if (inflater_) return read_packed(into);
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_bytes_ - position_));
  if (auto done = file_.read_at(position_, into.first(size)); !done) return done.error();
  position_ += size;
  return size;
}

Result<void> ByteSource::refill() {
  input_.resize(
      static_cast<std::size_t>(std::min<std::uint64_t>(input_bytes, size_bytes_ - position_)));
  if (auto done = file_.read_at(position_, input_); !done) return done;
  position_ += input_.size();
  inflater_->stream.next_in = reinterpret_cast<Bytef*>(input_.data());
  inflater_->stream.avail_in = static_cast<uInt>(input_.size());
  return ok();
}

Result<std::size_t> ByteSource::read_packed(std::span<std::byte> into) {
  const auto bad = [this](const std::string& what) {
    return Error{Errc::malformed, path().string() + ": " + what};
  };
  z_stream& stream = inflater_->stream;
  std::size_t filled = 0;
  while (filled < into.size()) {
    if (stream.avail_in == 0) {
      if (auto done = refill(); !done) return done.error();
    }
    if (stream.avail_in == 0) {
      if (inflater_->between_members) break;
      return bad("the gzip data are cut short");
    }
    if (inflater_->between_members) {
      inflateReset(&stream);
      inflater_->between_members = false;
    }
    const std::size_t room = std::min<std::size_t>(into.size() - filled, input_bytes);
    stream.next_out = reinterpret_cast<Bytef*>(into.data() + filled);
    stream.avail_out = static_cast<uInt>(room);
    const int status = inflate(&stream, Z_NO_FLUSH);
    filled += room - stream.avail_out;
    if (status == Z_STREAM_END) {
      inflater_->between_members = true;
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      return bad(std::string("the gzip data are damaged: ") +
                 (stream.msg == nullptr ? "unexpected data" : stream.msg));
    }
  }
  return filled;
}

}  // namespace entente::data
