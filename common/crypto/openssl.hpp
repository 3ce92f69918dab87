// SPDX-License-Identifier: Apache-2.0
//
// OpenSSL's objects with owners, and its error queue as text. For the .cpp files of this room and
// for the TLS stream; no other header includes this one.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "common/base/bytes.hpp"

namespace entente::crypto {

template <auto release>
struct Releases {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};
template <class T, auto release>
using Owned = std::unique_ptr<T, Releases<release>>;

using OwnedBio = Owned<BIO, BIO_free_all>;
using OwnedBignum = Owned<BIGNUM, BN_free>;
using OwnedKey = Owned<EVP_PKEY, EVP_PKEY_free>;
using OwnedDigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using OwnedCertificate = Owned<X509, X509_free>;
using OwnedExtension = Owned<X509_EXTENSION, X509_EXTENSION_free>;
using OwnedStore = Owned<X509_STORE, X509_STORE_free>;
using OwnedStoreContext = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using OwnedSslContext = Owned<SSL_CTX, SSL_CTX_free>;
using OwnedSsl = Owned<SSL, SSL_free>;
using OwnedNames = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;

inline const unsigned char* octets(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline unsigned char* octets(std::byte* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}

// Why the last call failed, in OpenSSL's words ("no start line"); empties this thread's error
// queue.
std::string openssl_reason();

// A read-only view as a BIO; `bytes` must outlive it.
OwnedBio bio_over(ByteView bytes);
// All that was written to a memory BIO.
ByteView written_to(BIO* memory);

}  // namespace entente::crypto
