// SPDX-License-Identifier: Apache-2.0
//
// The built program, as an operator uses it.
#include <sys/stat.h>
#include <sys/wait.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "common/base/file.hpp"
#include "common/base/json.hpp"
#include "common/base/version.hpp"
#include "common/crypto/credentials.hpp"
#include "common/crypto/key.hpp"
#include "common/ledger/note.hpp"
#include "tests/common/crypto/folder.hpp"
#include "tests/folders.hpp"

namespace entente::certs {

namespace {

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// A folder to work in, and shell commands there. `entente-certs` is the built program.
class Shell {
 public:
  Outcome run(const std::string& command) const {
    const std::string line = "cd '" + folder_.path().string() + "' && PATH='" +
                             programs_folder().string() + "':$PATH && { " + command +
                             "; } >out 2>err </dev/null";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text("out"), text("err")};
  }
  // Should: exit 0; say nothing on stderr.
  Outcome good(const std::string& command) const {
    Outcome outcome = run(command);
    BOOST_TEST(outcome.code == 0, command << ": " << outcome.err);
    BOOST_TEST(outcome.err == "");
    return outcome;
  }
  // Should: exit with `code`; say one line on stderr that holds `words`, and nothing on stdout.
  void bad(int code, const std::string& command, const std::string& words) const {
    const Outcome outcome = run(command);
    BOOST_TEST(outcome.code == code, command << ": " << outcome.code);
    BOOST_TEST(outcome.out == "");
    BOOST_TEST(outcome.err.starts_with("entente-certs: "));
    BOOST_TEST(outcome.err.find(words) != std::string::npos, command << ": " << outcome.err);
    BOOST_TEST(outcome.err.find('\n') == outcome.err.size() - 1, outcome.err);
  }
  json::object json_of(const std::string& command) const {
    return parse_json(good(command).out, 1U << 20U).value().as_object();
  }
  std::string text(const std::string& name) const {
    return read_text(folder_ / name, 1U << 20U).value();
  }
  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }
  void found() const { good("entente-certs init --federation hospitals.example --out ca"); }

 private:
  crypto::testing::Folder folder_;
};

const std::string issue_charite =
    "entente-certs issue --ca ca --role participant --name charite --out charite";

}  // namespace

BOOST_AUTO_TEST_SUITE(program)

BOOST_AUTO_TEST_CASE(a_founded_federation_issues_certificates_that_openssl_verifies) {
  const Shell shell;
  shell.found();
  shell.good(issue_charite);
  const std::string strict = "openssl verify -x509_strict -auth_level 2 -purpose ";
  for (const std::string purpose : {"sslclient", "sslserver"}) {
    shell.good(strict + purpose +
               " -CAfile ca/root/root.crt -untrusted ca/issuing/issuing.crt charite/cert.pem");
    shell.good(strict + purpose + " -CAfile charite/ca.pem charite/cert.pem");
  }
  shell.good(strict + "any -CAfile ca/ca.pem ca/ledger/key.crt");
  shell.good(
      "cmp ca/ca.pem charite/ca.pem && cmp ca/ledger/key charite/ledger-key && "
      "cmp ca/ledger/key.crt charite/ledger-key.crt");
}

BOOST_AUTO_TEST_CASE(a_kit_is_what_a_program_loads) {
  const Shell shell;
  shell.found();
  shell.good(issue_charite);
  const crypto::CredentialFiles files{shell.path("charite/cert.pem"), shell.path("charite/key.pem"),
                                      shell.path("charite/ca.pem")};
  const auto credentials = crypto::load_credentials(files, Clock().now());
  BOOST_REQUIRE(credentials.has_value());
  BOOST_TEST(credentials->identity.uri() == "spiffe://hospitals.example/participant/charite");
  BOOST_TEST(credentials->chain.size() == 2U);
}

BOOST_AUTO_TEST_CASE(keys_are_their_owners_alone) {
  const Shell shell;
  shell.found();
  shell.good(issue_charite);
  for (const std::string name :
       {"ca/root/root.key", "ca/issuing/issuing.key", "ca/ledger/ledger.key", "charite/key.pem"}) {
    struct stat status {};
    BOOST_REQUIRE(::stat(shell.path(name).c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 07777U) == 0600U, name);
  }
  // No key of anyone else in the kit.
  BOOST_TEST(shell.good("grep -l PRIVATE charite/*").out == "charite/key.pem\n");
}

BOOST_AUTO_TEST_CASE(the_ledgers_key_its_text_and_its_certificate_are_one) {
  const Shell shell;
  const auto answer =
      shell.json_of("entente-certs init --federation hospitals.example --out ca --json");
  const std::string text = shell.text("ca/ledger/key");
  BOOST_TEST(text == std::string(answer.at("ledger_key").as_string().c_str()) + "\n");
  const auto verifier = ledger::parse_verifier_key(text);
  BOOST_REQUIRE(verifier.has_value());
  BOOST_TEST(verifier->name == "hospitals.example/ledger");
  const auto secret = crypto::PrivateKey::load(shell.path("ca/ledger/ledger.key"));
  BOOST_REQUIRE(secret.has_value());
  BOOST_TEST((secret->public_key().der() == verifier->key.der()));
  const auto certificate = crypto::Certificate::load(shell.path("ca/ledger/key.crt"));
  BOOST_REQUIRE(certificate.has_value());
  BOOST_REQUIRE(certificate->size() == 1U);
  BOOST_TEST((certificate->front().public_key().der() == verifier->key.der()));
  BOOST_TEST(certificate->front().ledger_federation().value() == "hospitals.example");
}

BOOST_AUTO_TEST_CASE(issuing_needs_no_root_key) {
  const Shell shell;
  shell.found();
  shell.good("rm -r ca/root");
  shell.good(issue_charite);
}

BOOST_AUTO_TEST_CASE(nothing_is_overwritten) {
  const Shell shell;
  shell.found();
  shell.good(issue_charite);
  shell.good("find ca charite -type f | sort | xargs sha256sum >before");
  shell.bad(1, "entente-certs init --federation other.example --out ca",
            "ca/root/root.key: exists already");
  shell.bad(1, issue_charite, "charite/key.pem: exists already");
  // One file in the way, and none of the others is made.
  shell.good("mkdir half && touch half/ca.pem");
  shell.bad(1, "entente-certs issue --ca ca --role member --name x --out half",
            "half/ca.pem: exists already");
  BOOST_TEST(!shell.exists("half/key.pem"));
  shell.good("find ca charite -type f | sort | xargs sha256sum | cmp - before");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_leaves_nothing_behind) {
  const Shell shell;
  shell.found();
  shell.good("mkdir out2 && touch out2/file");
  shell.bad(1, "entente-certs issue --ca ca --role member --name x --out out2/file/kit",
            "out2/file");
  // The third file cannot be made: its folder is a file.
  shell.good("mkdir -p other && touch other/issuing");
  shell.bad(1, "entente-certs init --federation a.example --out other", "other/issuing");
  BOOST_TEST(!shell.exists("other/root/root.key"));
}

BOOST_AUTO_TEST_CASE(a_coordinator_is_localhost_unless_told_otherwise) {
  const Shell shell;
  shell.found();
  const std::string issue = "entente-certs issue --json --ca ca --name main --role ";
  BOOST_TEST(shell.json_of(issue + "coordinator --out a").at("dns") == json::array({"localhost"}));
  BOOST_TEST(
      shell.json_of(issue + "coordinator --dns a.example --dns b.example --out b").at("dns") ==
      json::array({"a.example", "b.example"}));
  BOOST_TEST(shell.json_of(issue + "participant --out c").at("dns") == json::array());
}

BOOST_AUTO_TEST_CASE(json_says_what_was_written_and_what_is_secret) {
  const Shell shell;
  const auto init =
      shell.json_of("entente-certs init --federation hospitals.example --out ca --json");
  BOOST_TEST(init.at("federation") == "hospitals.example");
  std::map<std::string, bool> secret;
  for (const auto& file : init.at("files").as_array()) {
    secret[file.at("path").as_string().c_str()] = file.at("secret").as_bool();
    BOOST_TEST(shell.exists(file.at("path").as_string().c_str()));
  }
  BOOST_TEST(secret.size() == 8U);
  BOOST_TEST(secret["ca/root/root.key"]);
  BOOST_TEST(!secret["ca/ledger/key"]);
  const auto issued = shell.json_of(issue_charite + " --json");
  BOOST_TEST(issued.at("identity") == "spiffe://hospitals.example/participant/charite");
  BOOST_TEST(issued.at("files").as_array().size() == 5U);
}

BOOST_AUTO_TEST_CASE(inspect_says_who_a_certificate_speaks_for) {
  const Shell shell;
  shell.found();
  shell.good(issue_charite + " --days 30");
  const auto kit = shell.json_of("entente-certs inspect charite/cert.pem --json");
  const auto& leaf = kit.at("certificates").at(0).as_object();
  BOOST_TEST(leaf.at("kind") == "member");
  BOOST_TEST(leaf.at("role") == "participant");
  BOOST_TEST(leaf.at("name") == "charite");
  BOOST_TEST(leaf.at("state") == "valid");
  BOOST_TEST(leaf.at("days_left").as_int64() == 29);
  BOOST_TEST(kit.at("certificates").at(1).at("kind") == "issuing");
  const auto root = shell.json_of("entente-certs inspect ca/root/root.crt --json");
  BOOST_TEST(root.at("certificates").at(0).at("kind") == "root");
  const auto ledger = shell.json_of("entente-certs inspect ca/ledger/key.crt --json");
  BOOST_TEST(ledger.at("certificates").at(0).at("kind") == "ledger");

  const auto text = shell.good("entente-certs inspect charite/cert.pem").out;
  BOOST_TEST(text.starts_with("1. participant charite of hospitals.example\n"));
  shell.good(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k "
      "-subj /CN=x -out foreign.pem 2>/dev/null");
  const auto foreign = shell.json_of("entente-certs inspect foreign.pem --json");
  BOOST_TEST(foreign.at("certificates").at(0).at("kind") == "root");
  BOOST_TEST(!foreign.at("certificates").at(0).as_object().contains("federation"));
}

BOOST_AUTO_TEST_CASE(wrong_usage_is_exit_2_and_names_the_option) {
  const Shell shell;
  shell.found();
  const std::string init = "entente-certs init ";
  shell.bad(2, "entente-certs", "no command given");
  shell.bad(2, "entente-certs renew", "renew");
  shell.bad(2, init + "--out x", "--federation is required");
  shell.bad(2, init + "--federation a.example", "--out is required");
  shell.bad(2, init + "--federation Hospitals --out x",
            "--federation: expected [a-z0-9._-]{1,255}");
  shell.bad(2, init + "--federation '' --out x", "--federation");
  shell.bad(2, init + "--federation a.example --out x y", "y");
  BOOST_TEST(!shell.exists("x"));

  const std::string issue = "entente-certs issue --ca ca --out x ";
  shell.bad(2, issue + "--role king --name a", "--role: expected");
  shell.bad(2, issue + "--role member --name A", "--name: expected [a-z0-9-]{1,63}, saw 'A'");
  shell.bad(2, issue + "--role member --name ../a", "--name");
  shell.bad(2, issue + "--role member", "--name is required");
  shell.bad(2, issue + "--role member --name a --days 0", "--days: expected 1 to 397, saw 0");
  shell.bad(2, issue + "--role member --name a --days 398", "--days");
  shell.bad(2, issue + "--role member --name a --days soon", "--days");
  shell.bad(2, issue + "--role member --name a --dns 'a b'", "--dns: expected a host name");
  shell.bad(2, issue + "--role member --name a --dns 127.0.0.1", "--dns");
  shell.bad(2, "entente-certs inspect", "FILE is required");
  BOOST_TEST(!shell.exists("x"));
}

BOOST_AUTO_TEST_CASE(an_authority_that_does_not_hold_together_is_exit_1_and_names_the_file) {
  const Shell shell;
  shell.found();
  shell.good("entente-certs init --federation banks.example --out banks");
  const std::string issue = "entente-certs issue --role member --name a --out x --ca ";
  shell.bad(1, issue + "nowhere", "nowhere/issuing/issuing.crt");
  shell.good("cp -r ca a && cp banks/ca.pem a/ca.pem");
  shell.bad(1, issue + "a", "a/issuing/issuing.crt against a/ca.pem");
  shell.good("cp -r ca b && cp banks/issuing/issuing.key b/issuing/issuing.key");
  shell.bad(1, issue + "b", "b/issuing/issuing.key: not the key of the certificate");
  shell.good("cp -r ca c && cp banks/ledger/key c/ledger/key");
  shell.bad(1, issue + "c", "c/ledger/key: expected the ledger key of hospitals.example");
  shell.good("cp -r ca d && chmod 644 d/issuing/issuing.key");
  shell.bad(1, issue + "d", "chmod 600 d/issuing/issuing.key");
  shell.good("cp -r ca e && echo nonsense >e/ca.pem");
  shell.bad(1, issue + "e", "e/ca.pem: expected a PEM certificate");
  BOOST_TEST(!shell.exists("x"));
  shell.bad(1, "entente-certs inspect ca/issuing/issuing.key",
            "ca/issuing/issuing.key: expected a PEM certificate");
  shell.bad(1, "entente-certs inspect missing.pem", "missing.pem");
}

BOOST_AUTO_TEST_CASE(help_and_version_are_answers) {
  const Shell shell;
  BOOST_TEST(shell.good("entente-certs --version").out ==
             "entente-certs " + std::string(software_version) + "\n");
  BOOST_TEST(shell.good("entente-certs issue --version").out ==
             "entente-certs " + std::string(software_version) + "\n");
  for (const std::string command : {"", "init", "issue", "inspect"}) {
    BOOST_TEST(shell.good("entente-certs " + command + " --help").out.find("--help") !=
               std::string::npos);
  }
}

// Should: fail; a script must not take silence for success.
BOOST_AUTO_TEST_CASE(an_answer_that_cannot_be_written_is_a_failure) {
  const Shell shell;
  shell.found();
  shell.bad(1, "entente-certs inspect ca/ca.pem >/dev/full", "writing to standard output");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::certs
