// SPDX-License-Identifier: Apache-2.0
//
// The built program entente-audit, as an auditor uses it.
#include <boost/test/unit_test.hpp>

#include "audit/show.hpp"
#include "common/base/version.hpp"
#include "tests/audit/audited.hpp"
#include "tests/audit/shell.hpp"

namespace entente::audit {
namespace {

struct Desk : test::Audited {
  test::Shell shell{folder.path()};

  Desk() {
    write();
    folder.write("vkey", verifier().text() + "\n");
  }
  // Should: exit with `code` and say one line on stderr that holds `words`.
  void complains(int code, const std::string& command, const std::string& words) {
    const auto outcome = shell.run(command);
    BOOST_TEST(outcome.code == code, command << ": " << outcome.err);
    BOOST_TEST(outcome.err.starts_with("entente-audit: "), outcome.err);
    BOOST_TEST(outcome.err.find(words) != std::string::npos, command << ": " << outcome.err);
    BOOST_TEST(outcome.err.find('\n') == outcome.err.size() - 1, outcome.err);
  }
  json::object json_of(const std::string& command) {
    return parse_json(shell.run(command).out, 1U << 20U).value().as_object();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(program, Desk)

BOOST_AUTO_TEST_CASE(the_three_verdicts_have_exit_code_0) {
  const auto with_ca = shell.run("entente-audit verify ledger --ca ca.pem");
  BOOST_TEST(with_ca.code == 0, with_ca.err);
  BOOST_TEST(with_ca.out.starts_with("verified: "));
  BOOST_TEST(with_ca.err == "");
  const auto with_key = shell.run("entente-audit verify --key vkey ledger");
  BOOST_TEST(with_key.code == 0, with_key.err);
  BOOST_TEST(with_key.out.starts_with("verified: "));
  const auto with_nothing = shell.run("entente-audit verify ledger");
  BOOST_TEST(with_nothing.code == 0, with_nothing.err);
  BOOST_TEST(with_nothing.out.starts_with("consistent, not authenticated: "));
  BOOST_TEST(json_of("entente-audit verify ledger --ca ca.pem --json").at("verified").as_bool());
  BOOST_TEST(!json_of("entente-audit verify ledger --json").at("verified").as_bool());
}

BOOST_AUTO_TEST_CASE(a_ledger_that_is_not_good_has_exit_code_1_and_says_where) {
  std::string lines = content("entries-000000.jsonl");
  lines[lines.find("\"plan.submitted\"") + 1] = 'P';
  put("entries-000000.jsonl", lines);
  complains(1, "entente-audit verify ledger --ca ca.pem", "not verified: entries-000000.jsonl:3: ");
  complains(1, "entente-audit verify ledger", "entries-000000.jsonl:3: ");
  complains(1, "entente-audit show ledger", "entries-000000.jsonl:3: ");
  const auto outcome = shell.run("entente-audit verify ledger --json");
  BOOST_TEST(outcome.code == 1);
  const auto object = parse_json(outcome.out, 1U << 20U).value().as_object();
  BOOST_TEST(object.at("verdict").as_string() == "not verified");
  BOOST_TEST(!object.at("verified").as_bool());
}

BOOST_AUTO_TEST_CASE(a_folder_without_a_ledger_has_exit_code_1_and_stays_as_it_is) {
  complains(1, "mkdir empty; entente-audit verify empty", "checkpoint");
  BOOST_TEST(std::filesystem::is_empty(folder / "empty"));
}

BOOST_AUTO_TEST_CASE(wrong_usage_has_exit_code_2) {
  complains(2, "entente-audit verify", "LEDGER_DIR");
  complains(2, "entente-audit verify nowhere", "nowhere: expected a ledger's folder");
  complains(2, "entente-audit show nowhere", "nowhere: expected a ledger's folder");
  complains(2, "entente-audit verify ledger --ca nowhere.pem", "nowhere.pem");
  complains(2, "entente-audit verify ledger --ca vkey", "vkey");
  complains(2, "entente-audit verify ledger --key ca.pem", "--key: ca.pem");
  complains(2, "entente-audit verify ledger --key vkey --ca ca.pem", "--");
  complains(2, "entente-audit prove ledger", "prove");
  complains(2, "entente-audit", "no command");
}

BOOST_AUTO_TEST_CASE(help_and_version_are_there) {
  for (const char* command : {"", "verify", "show"}) {
    BOOST_TEST(shell.run(std::string("entente-audit ") + command + " --help").code == 0);
    const auto version = shell.run(std::string("entente-audit ") + command + " --version");
    BOOST_TEST(version.out == "entente-audit " + std::string(software_version) + "\n");
  }
}

BOOST_AUTO_TEST_CASE(show_prints_one_readable_line_an_entry) {
  const auto shown = shell.run("entente-audit show ledger");
  BOOST_TEST(shown.code == 0, shown.err);
  std::string expected;
  for (const auto& entry : story.entries) expected += entry_text(entry) + "\n";
  BOOST_TEST(shown.out == expected);
  BOOST_TEST(
      shown.out.find("  update.accepted        round 1  participant/bob  plan ") != shown.out.npos,
      shown.out);
  BOOST_TEST(shell.run("entente-audit show --json ledger").out == content("entries-000000.jsonl"));
}

BOOST_AUTO_TEST_CASE(a_reason_cannot_command_the_terminal) {
  ledger::Entry entry = story.entries.back();
  entry.reason = "\x1b[2J\x07\nforged line";
  const std::string text = entry_text(entry);
  BOOST_TEST(text.find('\x1b') == text.npos);
  BOOST_TEST(text.find('\n') == text.npos);
}

BOOST_AUTO_TEST_CASE(a_reader_that_stops_early_is_no_failure) {
  for (const char* reader : {"head -n 1", "true"}) {
    const auto outcome =
        shell.run("set -o pipefail; for i in 1 2 3 4 5; do entente-audit show ledger | " +
                  std::string(reader) + " || exit 9; done");
    BOOST_TEST(outcome.code == 0, reader);
    BOOST_TEST(outcome.err == "");
  }
}

BOOST_AUTO_TEST_CASE(an_output_that_cannot_be_written_is_a_failure) {
  complains(1, "entente-audit show ledger >/dev/full", "No space left");
  complains(1, "entente-audit verify ledger >/dev/full", "No space left");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::audit
