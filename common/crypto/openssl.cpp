// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/openssl.hpp"

#include <openssl/err.h>

#include <climits>

#include "common/base/assert.hpp"

namespace entente::crypto {

std::string openssl_reason() {
  const char* data = nullptr;
  int flags = 0;
  const unsigned long first = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags);
  if (first == 0) return "no reason given";
  const char* words = ERR_reason_error_string(first);
  std::string reason = words != nullptr ? words : "error " + std::to_string(first);
  if ((flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != '\0') {
    reason += std::string(" (") + data + ")";
  }
  ERR_clear_error();
  return reason;
}

OwnedBio bio_over(ByteView bytes) {
  ENTENTE_ASSERT(bytes.size() <= INT_MAX, "files of keys and certificates are small");
  // OpenSSL takes a null pointer for "no buffer".
  const void* begin = bytes.empty() ? static_cast<const void*>("") : bytes.data();
  OwnedBio bio(BIO_new_mem_buf(begin, static_cast<int>(bytes.size())));
  ENTENTE_ASSERT(bio != nullptr, "out of memory");
  return bio;
}

ByteView written_to(BIO* memory) {
  char* begin = nullptr;
  const long size = BIO_get_mem_data(memory, &begin);
  return {reinterpret_cast<const std::byte*>(begin), static_cast<std::size_t>(size)};
}

}  // namespace entente::crypto
