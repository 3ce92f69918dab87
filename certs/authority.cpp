// SPDX-License-Identifier: Apache-2.0
#include "certs/authority.hpp"

#include <algorithm>

#include "common/base/file.hpp"
#include "common/base/text.hpp"
#include "common/crypto/issue.hpp"
#include "common/ledger/note.hpp"

namespace entente::certs {

namespace {

constexpr std::uint64_t small_file_max_bytes = 64U << 10U;

// Where everything lies; see the header.
struct Layout {
  std::filesystem::path folder;
  auto root_key() const { return folder / "root" / "root.key"; }
  auto root_certificate() const { return folder / "root" / "root.crt"; }
  auto issuing_key() const { return folder / "issuing" / "issuing.key"; }
  auto issuing_certificate() const { return folder / "issuing" / "issuing.crt"; }
  auto authorities() const { return folder / "ca.pem"; }
  auto ledger_key() const { return folder / "ledger" / "ledger.key"; }
  auto verifier_key() const { return folder / "ledger" / "key"; }
  auto verifier_certificate() const { return folder / "ledger" / "key.crt"; }
};

NewFile secret(std::filesystem::path path, std::string what, const crypto::PrivateKey& key) {
  return {std::move(path), std::move(what), {}, key};
}
NewFile open_to_all(std::filesystem::path path, std::string what, std::string content) {
  return {std::move(path), std::move(what), std::move(content), std::nullopt};
}

crypto::Validity from_now(TimePoint now, std::chrono::days lifetime) {
  return {now - clock_tolerance, now + lifetime};
}

Result<crypto::Authority> new_root(const std::string& federation, TimePoint now) {
  auto key = crypto::PrivateKey::generate(crypto::KeyKind::ecdsa_p256);
  if (!key) return key.error();
  auto certificate = crypto::issue_root(federation, *key, from_now(now, root_lifetime));
  if (!certificate) return certificate.error();
  return crypto::Authority{std::move(*certificate), std::move(*key)};
}

Result<crypto::Authority> new_issuing(const crypto::Authority& root, TimePoint now) {
  auto key = crypto::PrivateKey::generate(crypto::KeyKind::ecdsa_p256);
  if (!key) return key.error();
  auto certificate =
      crypto::issue_authority(root, key->public_key(), from_now(now, issuing_lifetime));
  if (!certificate) return certificate.error();
  return crypto::Authority{std::move(*certificate), std::move(*key)};
}

// What issuing needs of an authority's folder; the root's key is not among it.
struct OpenAuthority {
  crypto::Authority issuing;
  std::string federation;
  std::vector<crypto::Certificate> authorities;
  std::string verifier_key;          // the file's text
  std::string verifier_certificate;  // PEM
};

// The ledger's verifier key, as text and as certificate, of one federation and with one key.
Result<void> read_ledger_key(const Layout& layout, OpenAuthority& into) {
  auto text = read_text(layout.verifier_key(), small_file_max_bytes);
  if (!text) return text.error();
  const auto key = ledger::parse_verifier_key(*text);
  if (!key) return in_context(layout.verifier_key().string(), key.error());
  const auto chain = crypto::Certificate::load(layout.verifier_certificate());
  if (!chain) return chain.error();
  const crypto::Certificate& certificate = chain->front();
  const auto federation = certificate.ledger_federation();
  if (!federation) return in_context(layout.verifier_certificate().string(), federation.error());
  if (*federation != into.federation || key->name != ledger::ledger_origin(into.federation) ||
      key->key.der() != certificate.public_key().der()) {
    return Error{Errc::rejected, layout.verifier_key().string() + ": expected the ledger key of " +
                                     into.federation + " that " +
                                     layout.verifier_certificate().string() + " certifies, saw " +
                                     in_quotes(key->name)};
  }
  into.verifier_key = std::move(*text);
  into.verifier_certificate = certificate.pem();
  return ok();
}

Result<OpenAuthority> open_authority(const std::filesystem::path& folder, TimePoint now) {
  const Layout layout{folder};
  auto chain = crypto::Certificate::load(layout.issuing_certificate());
  if (!chain) return chain.error();
  auto key = crypto::PrivateKey::load(layout.issuing_key());
  if (!key) return key.error();
  auto authorities = crypto::Certificate::load(layout.authorities());
  if (!authorities) return authorities.error();
  const crypto::Certificate& certificate = chain->front();
  if (certificate.public_key().der() != key->public_key().der()) {
    return Error{Errc::rejected, layout.issuing_key().string() +
                                     ": not the key of the certificate in " +
                                     layout.issuing_certificate().string()};
  }
  auto federation = certificate.authority_federation();
  if (!federation) return in_context(layout.issuing_certificate().string(), federation.error());
  if (auto trusted = crypto::verify_chain(certificate, *authorities, now); !trusted) {
    return in_context(
        layout.issuing_certificate().string() + " against " + layout.authorities().string(),
        trusted.error());
  }
  OpenAuthority authority{
      {certificate, std::move(*key)}, std::move(*federation), std::move(*authorities), {}, {}};
  if (auto read = read_ledger_key(layout, authority); !read) return read.error();
  return authority;
}

std::string pem_of(const std::vector<crypto::Certificate>& chain) {
  std::string text;
  for (const crypto::Certificate& one : chain) text += one.pem();
  return text;
}

Result<void> check_order(const MemberOrder& order) {
  if (!is_name(order.name)) {
    return Error{Errc::invalid_argument,
                 "--name: expected [a-z0-9-]{1,63}, saw " + in_quotes(order.name)};
  }
  if (order.days < 1 || order.days > member_days_max) {
    return Error{Errc::invalid_argument, "--days: expected 1 to " +
                                             std::to_string(member_days_max) + ", saw " +
                                             std::to_string(order.days)};
  }
  const auto bad =
      std::find_if_not(order.dns_names.begin(), order.dns_names.end(),
                       [](const std::string& name) { return crypto::is_dns_name(name); });
  if (bad == order.dns_names.end()) return ok();
  return Error{Errc::invalid_argument,
               "--dns: expected a host name in lower case such as "
               "train.hospital.example, saw " +
                   in_quotes(*bad)};
}

}  // namespace

Result<Founded> found_federation(const std::string& federation, const std::filesystem::path& folder,
                                 TimePoint now) {
  if (!is_federation_name(federation)) {
    return Error{Errc::invalid_argument,
                 "--federation: expected [a-z0-9._-]{1,255}, such as "
                 "hospitals.example, saw " +
                     in_quotes(federation)};
  }
  auto root = new_root(federation, now);
  if (!root) return root.error();
  auto issuing = new_issuing(*root, now);
  if (!issuing) return issuing.error();
  auto ledger_key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519);
  if (!ledger_key) return ledger_key.error();
  auto ledger_certificate =
      crypto::issue_ledger_key(*issuing, ledger_key->public_key(),
                               {now - clock_tolerance, issuing->certificate.not_after()});
  if (!ledger_certificate) return ledger_certificate.error();
  const ledger::VerifierKey verifier{ledger::ledger_origin(federation), ledger_key->public_key()};

  const Layout layout{folder};
  Founded founded{federation, root->certificate, issuing->certificate, verifier.text(), {}};
  founded.files = {
      secret(layout.root_key(), "the root's key: move it offline now", root->key),
      open_to_all(layout.root_certificate(), "the root's certificate", root->certificate.pem()),
      secret(layout.issuing_key(), "the issuing authority's key: signs members", issuing->key),
      open_to_all(layout.issuing_certificate(), "the issuing authority's certificate",
                  issuing->certificate.pem()),
      open_to_all(layout.authorities(), "what every member trusts: root and issuing authority",
                  pem_of({root->certificate, issuing->certificate})),
      secret(layout.ledger_key(), "the ledger's signing key: for the coordinator alone",
             *ledger_key),
      open_to_all(layout.verifier_key(), "the ledger's verifier key, for everyone",
                  verifier.text() + "\n"),
      open_to_all(layout.verifier_certificate(), "the certificate over the verifier key",
                  ledger_certificate->pem()),
  };
  if (auto made = make_files(founded.files); !made) return made.error();
  return founded;
}

Result<Issued> issue_member(const MemberOrder& order, TimePoint now) {
  if (auto fit = check_order(order); !fit) return fit.error();
  auto authority = open_authority(order.authority, now);
  if (!authority) return authority.error();
  auto key = crypto::PrivateKey::generate(crypto::KeyKind::ecdsa_p256);
  if (!key) return key.error();
  const Identity who{authority->federation, order.role, order.name};
  auto dns_names = order.dns_names;
  if (dns_names.empty() && order.role == Role::coordinator) dns_names = {"localhost"};
  auto leaf = crypto::issue_leaf(authority->issuing, who, dns_names, key->public_key(),
                                 from_now(now, std::chrono::days(order.days)));
  if (!leaf) return leaf.error();

  Issued issued{who, *leaf, {}};
  const auto& folder = order.folder;
  issued.files = {
      secret(folder / "key.pem", "the key: it stays with its owner", *key),
      open_to_all(folder / "cert.pem", "the certificate, and its authority's",
                  pem_of({*leaf, authority->issuing.certificate})),
      open_to_all(folder / "ca.pem", "the authorities to trust", pem_of(authority->authorities)),
      open_to_all(folder / "ledger-key", "the ledger's verifier key", authority->verifier_key),
      open_to_all(folder / "ledger-key.crt", "the certificate over the verifier key",
                  authority->verifier_certificate),
  };
  if (auto made = make_files(issued.files); !made) return made.error();
  return issued;
}

}  // namespace entente::certs
