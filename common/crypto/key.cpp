// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/key.hpp"

#include <fcntl.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "common/base/assert.hpp"
#include "common/base/file.hpp"
#include "common/crypto/openssl.hpp"
#include "common/crypto/secret.hpp"

namespace entente::crypto {

namespace {

constexpr std::size_t key_file_max_bytes = 16 * 1024;
constexpr std::size_t ed25519_raw_bytes = 32;
// SubjectPublicKeyInfo of an uncompressed named-curve P-256 point and of an Ed25519 key have one
// size each; any other encoding (compressed, explicit curve parameters) is another name for the
// same key, and refused.
constexpr std::size_t p256_der_bytes = 91;
constexpr std::size_t ed25519_der_bytes = 44;

std::shared_ptr<EVP_PKEY> shared(EVP_PKEY* key) {
  return {key, EVP_PKEY_free};
}

std::optional<KeyKind> kind_of(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return KeyKind::ed25519;
  if (EVP_PKEY_is_a(key, "EC") != 1) return std::nullopt;
  std::array<char, 64> group{};
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) != 1) return std::nullopt;
  if (std::string_view(group.data(), size) != "prime256v1") return std::nullopt;
  return KeyKind::ecdsa_p256;
}

Error wrong_kind(const EVP_PKEY* key) {
  const char* name = EVP_PKEY_get0_type_name(key);
  return {Errc::malformed, std::string("expected an ECDSA P-256 or Ed25519 key, saw ") +
                               (name != nullptr ? name : "an unknown kind") + " of " +
                               std::to_string(EVP_PKEY_get_bits(key)) + " bits"};
}

// Errors: malformed - not one of our kinds, not in its one encoding, or with a public half that is
// not its own.
Result<void> check_pair(EVP_PKEY* key) {
  if (!kind_of(key)) return wrong_kind(key);
  const std::shared_ptr<EVP_PKEY> borrowed(key, [](EVP_PKEY*) {});
  if (auto half = PublicKey::from_der(PublicKey(borrowed).der()); !half) return half.error();
  const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(EVP_PKEY_CTX_new(key, nullptr));
  if (context != nullptr && EVP_PKEY_pairwise_check(context.get()) == 1) return ok();
  return Error{Errc::malformed,
               "the private key does not fit its public half: " + openssl_reason()};
}

// Ed25519 hashes by itself; ECDSA keys of this federation sign SHA-256.
const EVP_MD* signing_digest(KeyKind kind) {
  return kind == KeyKind::ed25519 ? nullptr : EVP_sha256();
}

Error system_error(const std::filesystem::path& path, std::string_view doing) {
  const Errc code = errno == ENOENT ? Errc::not_found : Errc::io;
  return {code, path.string() + ": " + std::string(doing) + ": " + std::strerror(errno)};
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

Result<void> check_private(int descriptor, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return system_error(path, "reading its mode");
  if (!S_ISREG(status.st_mode)) {
    return Error{Errc::malformed, path.string() + ": expected a file with a private key"};
  }
  const unsigned mode = status.st_mode & 07777U;
  if ((mode & ~0600U) == 0) return ok();
  std::array<char, 8> octal{};
  std::snprintf(octal.data(), octal.size(), "%04o", mode);
  return Error{Errc::rejected, path.string() + ": private key with mode " + octal.data() +
                                   ", expected 0600 or less; run: chmod 600 " + path.string()};
}

// The whole file, in memory that is wiped afterwards.
Result<Secret> read_private(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return system_error(path, "opening");
  if (auto fit = check_private(file.get(), path); !fit) return fit.error();
  Secret buffer(key_file_max_bytes);
  std::size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t got = ::read(file.get(), buffer.fill().data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(path, "reading");
    if (got == 0) return Secret(buffer.view().first(size));
    size += static_cast<std::size_t>(got);
  }
  return Error{Errc::malformed, path.string() + ": expected a private key, saw a file of " +
                                    std::to_string(key_file_max_bytes) + " bytes or more"};
}

// Never asks on a terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

Result<void> write_private(int descriptor, ByteView content, const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t done = ::write(descriptor, content.data(), content.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return system_error(path, "writing");
    content = content.subspan(static_cast<std::size_t>(done));
  }
  if (::fsync(descriptor) != 0) return system_error(path, "writing to disk");
  return ok();
}

}  // namespace

Result<PublicKey> PublicKey::from_der(ByteView der) {
  const unsigned char* at = octets(der);
  OwnedKey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (key == nullptr) {
    return Error{Errc::malformed, "expected a SubjectPublicKeyInfo: " + openssl_reason()};
  }
  const auto kind = kind_of(key.get());
  if (!kind) return wrong_kind(key.get());
  const std::size_t expected = *kind == KeyKind::ed25519 ? ed25519_der_bytes : p256_der_bytes;
  if (der.size() != expected || at != octets(der) + der.size()) {
    return Error{Errc::malformed, "expected a public key of " + std::to_string(expected) +
                                      " bytes, saw " + std::to_string(der.size())};
  }
  return PublicKey(shared(key.release()));
}

Result<PublicKey> PublicKey::from_ed25519(ByteView raw) {
  if (raw.size() != ed25519_raw_bytes) {
    return Error{Errc::malformed,
                 "expected an Ed25519 public key of 32 bytes, saw " + std::to_string(raw.size())};
  }
  EVP_PKEY* key =
      EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, octets(raw), raw.size());
  if (key == nullptr) return Error{Errc::malformed, "Ed25519 public key: " + openssl_reason()};
  return PublicKey(shared(key));
}

KeyKind PublicKey::kind() const {
  const auto kind = kind_of(key_.get());
  ENTENTE_ASSERT(kind.has_value(), "a key of another kind got past the checks");
  return *kind;
}

Bytes PublicKey::der() const {
  unsigned char* encoded = nullptr;
  const int size = i2d_PUBKEY(key_.get(), &encoded);
  ENTENTE_ASSERT(size > 0, "a public key that cannot be encoded");
  const auto* begin = reinterpret_cast<const std::byte*>(encoded);
  Bytes der(begin, begin + size);
  OPENSSL_free(encoded);
  return der;
}

Bytes PublicKey::raw_ed25519() const {
  ENTENTE_ASSERT(kind() == KeyKind::ed25519, "raw_ed25519 of an ECDSA key");
  Bytes raw(ed25519_raw_bytes);
  std::size_t size = raw.size();
  const int done = EVP_PKEY_get_raw_public_key(key_.get(), octets(raw.data()), &size);
  ENTENTE_ASSERT(done == 1 && size == raw.size(), "an Ed25519 key without its 32 bytes");
  return raw;
}

bool PublicKey::verify(ByteView message, ByteView signature) const {
  const OwnedDigestContext context(EVP_MD_CTX_new());
  const bool right = context != nullptr &&
                     EVP_DigestVerifyInit(context.get(), nullptr, signing_digest(kind()), nullptr,
                                          key_.get()) == 1 &&
                     EVP_DigestVerify(context.get(), octets(signature), signature.size(),
                                      octets(message), message.size()) == 1;
  if (!right) openssl_reason();  // leaves nothing in the queue for an unrelated caller
  return right;
}

namespace {

// By its encoding: the public half must not keep the private one in memory.
PublicKey public_half(const std::shared_ptr<evp_pkey_st>& key) {
  auto half = PublicKey::from_der(PublicKey(key).der());
  ENTENTE_ASSERT(half.has_value(), "a private key without its public half");
  return *half;
}

}  // namespace

PrivateKey::PrivateKey(std::shared_ptr<evp_pkey_st> key)
    : key_(std::move(key)), public_(public_half(key_)) {}

Result<PrivateKey> PrivateKey::generate(KeyKind kind) {
  EVP_PKEY* key = kind == KeyKind::ed25519 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                           : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  if (key == nullptr) return Error{Errc::io, "making a key: " + openssl_reason()};
  return PrivateKey(shared(key));
}

Result<PrivateKey> PrivateKey::load(const std::filesystem::path& path) {
  const auto text = read_private(path);
  if (!text) return text.error();
  const OwnedBio bio = bio_over(text->view());
  OwnedKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (key == nullptr) {
    return Error{Errc::malformed, path.string() + ": expected an unencrypted private key in PEM: " +
                                      openssl_reason()};
  }
  if (auto fit = check_pair(key.get()); !fit) return in_context(path.string(), fit.error());
  return PrivateKey(shared(key.release()));
}

Result<PrivateKey> PrivateKey::from_ed25519(ByteView raw) {
  if (raw.size() != ed25519_raw_bytes) {
    return Error{Errc::malformed,
                 "expected an Ed25519 private key of 32 bytes, saw " + std::to_string(raw.size())};
  }
  EVP_PKEY* key =
      EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, octets(raw), raw.size());
  if (key == nullptr) return Error{Errc::malformed, "Ed25519 private key: " + openssl_reason()};
  return PrivateKey(shared(key));
}

KeyKind PrivateKey::kind() const {
  return PublicKey(key_).kind();
}

Result<Bytes> PrivateKey::sign(ByteView message) const {
  const auto failed = [] { return Error{Errc::io, "signing: " + openssl_reason()}; };
  const OwnedDigestContext context(EVP_MD_CTX_new());
  if (context == nullptr) return failed();
  if (EVP_DigestSignInit(context.get(), nullptr, signing_digest(kind()), nullptr, key_.get()) !=
      1) {
    return failed();
  }
  Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())));
  std::size_t size = signature.size();
  if (EVP_DigestSign(context.get(), octets(signature.data()), &size, octets(message),
                     message.size()) != 1) {
    return failed();
  }
  signature.resize(size);
  return signature;
}

Result<void> PrivateKey::save(const std::filesystem::path& path) const {
  const Owned<BIO, BIO_free_all> bio(BIO_new(BIO_s_secmem()));
  if (bio == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0,
                                                      nullptr, nullptr) != 1) {
    return Error{Errc::io, path.string() + ": encoding the key: " + openssl_reason()};
  }
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0 && errno == EEXIST) {
    return Error{Errc::rejected, path.string() + ": exists already; a key is never overwritten"};
  }
  if (file.get() < 0) return Error{Errc::io, system_error(path, "creating").detail};
  if (auto written = write_private(file.get(), written_to(bio.get()), path); !written) {
    ::unlink(path.c_str());
    return written;
  }
  const auto folder = path.parent_path();
  return sync_folder(folder.empty() ? std::filesystem::path(".") : folder);
}

}  // namespace entente::crypto
