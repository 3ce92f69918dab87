// SPDX-License-Identifier: Apache-2.0
#include "common/net/tls_engine.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <cstring>

#include "common/base/assert.hpp"

namespace entente::net {

// OpenSSL's end of the engine: reads what was brought, appends to what goes out.
struct TlsEngine::Bridge {
  static TlsEngine& engine(BIO* bio) { return *static_cast<TlsEngine*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, std::size_t size, std::size_t* bytes) {
    TlsEngine& self = engine(bio);
    BIO_clear_retry_flags(bio);
    *bytes = std::min(size, self.in_.size());
    if (*bytes == 0) {
      if (!self.in_ended_) BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(into, self.in_.data(), *bytes);
    self.in_ = self.in_.subspan(*bytes);
    return 1;
  }
  static int write(BIO* bio, const char* from, std::size_t size, std::size_t* bytes) {
    const ByteView all = std::as_bytes(std::span(from, size));
    Bytes& out = engine(bio).out_;
    out.insert(out.end(), all.begin(), all.end());
    *bytes = size;
    return 1;
  }
  static long control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
    if (command == BIO_CTRL_EOF) return engine(bio).in_ended_ ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "engine");
      ENTENTE_ASSERT(method != nullptr, "no memory for OpenSSL");
      BIO_meth_set_read_ex(method, read);
      BIO_meth_set_write_ex(method, write);
      BIO_meth_set_ctrl(method, control);
      return method;
    }();
    return made;
  }
};

void TlsEngine::Free::operator()(ssl_st* connection) const {
  SSL_free(connection);
}

TlsEngine::TlsEngine(ssl_ctx_st* context, crypto::TlsEnd end) : connection_(SSL_new(context)) {
  BIO* const bio = BIO_new(Bridge::method());
  ENTENTE_ASSERT(connection_ != nullptr && bio != nullptr, "no memory for OpenSSL");
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(connection_.get(), bio, bio);  // owned from here
  SSL_set_mode(connection_.get(), SSL_MODE_RELEASE_BUFFERS);
  if (end == crypto::TlsEnd::server) {
    SSL_set_accept_state(connection_.get());
  } else {
    SSL_set_connect_state(connection_.get());
  }
}

void TlsEngine::keep_rest() {
  Bytes rest(in_.begin(), in_.end());
  kept_ = std::move(rest);
  in_ = kept_;
}

TlsEngine::Step TlsEngine::after(int outcome) {
  if (outcome == 1) return Step::done;
  const int error = SSL_get_error(connection_.get(), outcome);
  if (error == SSL_ERROR_WANT_READ) return Step::wants_input;
  if (error == SSL_ERROR_ZERO_RETURN) {
    failure_ = boost::asio::error::eof;
  } else if (in_ended_ && in_.empty()) {
    failure_ = boost::asio::ssl::error::stream_truncated;
  } else {
    failure_ = {static_cast<int>(ERR_get_error()), boost::asio::error::get_ssl_category()};
  }
  return Step::failed;
}

TlsEngine::Step TlsEngine::shake_hands() {
  ERR_clear_error();
  return after(SSL_do_handshake(connection_.get()));
}

TlsEngine::Step TlsEngine::read(std::span<std::byte> into, std::size_t* bytes) {
  *bytes = 0;
  if (failure_) return Step::failed;  // OpenSSL gives the reason but once
  while (*bytes < into.size()) {
    std::size_t got = 0;
    ERR_clear_error();
    const int outcome =
        SSL_read_ex(connection_.get(), into.data() + *bytes, into.size() - *bytes, &got);
    *bytes += got;
    if (outcome == 1) continue;
    // What came before is given first.
    const Step step = after(outcome);
    return *bytes > 0 ? Step::done : step;
  }
  return Step::done;
}

TlsEngine::Step TlsEngine::write(ByteView plaintext) {
  std::size_t written = 0;
  if (plaintext.empty()) return Step::done;
  ERR_clear_error();
  return after(SSL_write_ex(connection_.get(), plaintext.data(), plaintext.size(), &written));
}

}  // namespace entente::net
