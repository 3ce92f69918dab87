// SPDX-License-Identifier: Apache-2.0
//
// What people type wrong, in all four programs: exit 2 for the command line, configurations and
// plans, exit 1 for what was tried and failed; one line on stderr that names the file, line or
// field, what was expected and what was seen; nothing on stdout.
#include "tests/end_to_end/federation.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <sstream>

#include "common/base/version.hpp"
#include "tests/folders.hpp"

using namespace entente;
using namespace entente::test;

namespace {

namespace fs = std::filesystem;

const fs::path examples = tests_folder().parent_path() / "examples" / "breast-cancer";

// `words` begins with the program's name.
CommandResult run(std::vector<std::string> words) {
  words.front() = Federation::program(words.front());
  return run_command(words);
}

// Should: exit with `code`; say one line that holds all of `parts`; print nothing.
void fails(int code, const std::vector<std::string>& words, const std::vector<std::string>& parts) {
  const CommandResult result = run(words);
  std::string typed;
  for (const std::string& word : words) typed += word + " ";
  BOOST_TEST_CONTEXT(typed << "\n" << result.error) {
    BOOST_TEST(result.exit_code == code);
    BOOST_TEST(result.out == "");
    BOOST_TEST(std::ranges::count(result.error, '\n') == 1);
    BOOST_TEST(result.error.starts_with(words.front() + ": "));
    for (const std::string& part : parts) {
      BOOST_TEST(result.error.find(part) != std::string::npos, "'" << part << "' is not said");
    }
    for (const char* leak : {"terminate", "what()", "std::", "boost::", "exception", "Assert"}) {
      BOOST_TEST(result.error.find(leak) == std::string::npos);
    }
  }
}

// Kits, configurations and data to spoil.
struct Desk {
  Desk() {
    write_whole(operator_file(),
                "[federation]\nname = \"test.example\"\ncoordinator = "
                "\"127.0.0.1:1\"\n");
    write_participant("table = \"data.csv\"\n");
    fs::copy_file(examples / "participant-1.csv", kit("alice") / "data.csv");
    write_whole(kit("main") / "coordinator.toml", good_coordinator());
  }
  fs::path kit(const std::string& name) const { return federation.folder() / name; }
  std::string operator_file() const { return (kit("olga") / "operator.toml").string(); }
  std::string participant_file() const { return (kit("alice") / "participant.toml").string(); }
  std::string coordinator_file() const { return (kit("main") / "coordinator.toml").string(); }
  std::string good_participant() const { return participant_; }
  std::string good_coordinator() const {
    return "[federation]\nname = \"test.example\"\n[ledger]\nkey = "
           "\"../authority/ledger/ledger.key\"\n[listen]\naddress = \"127.0.0.1\"\nport = "
           "0\n[state]\nfolder = \"state\"\n[log]\nformat = \"json\"\n";
  }
  void write_participant(const std::string& data) {
    participant_ =
        "[federation]\nname = \"test.example\"\ncoordinator = \"127.0.0.1:1\"\n[state]\nfolder = "
        "\"state\"\n[data]\n" +
        data + "[policy]\noperators = [\"olga\"]\naccept = \"signed\"\n";
    write_whole(participant_file(), participant_);
  }
  // The plan with a text replaced; gives its path.
  std::string plan_with(const std::string& from, const std::string& into) const {
    return spoilt(federation.plan(), "bad.toml", from, into);
  }
  std::string spoilt(const fs::path& file, const std::string& name, const std::string& from,
                     const std::string& into) const {
    std::string text = read_whole(file);
    const std::size_t at = text.find(from);
    BOOST_REQUIRE_MESSAGE(at != std::string::npos, from);
    write_whole(file.parent_path() / name, text.replace(at, from.size(), into));
    return (file.parent_path() / name).string();
  }
  // Both programs that read plans say the same.
  void bad_plan(const std::string& file, const std::vector<std::string>& parts) const {
    fails(2, {"entente-coordinator", "submit", "--config", operator_file(), file}, parts);
    fails(2, {"entente-participant", "check", "--config", participant_file(), "--plan", file},
          parts);
  }
  void bad_data(const std::vector<std::string>& parts) const {
    fails(2,
          {"entente-participant", "check", "--config", participant_file(), "--plan",
           federation.plan().string()},
          parts);
  }
  void bad_coordinator(const std::string& text, const std::vector<std::string>& parts,
                       int code = 2) const {
    write_whole(coordinator_file(), text);
    fails(code, {"entente-coordinator", "serve", "--config", coordinator_file()}, parts);
  }
  void bad_participant(const std::string& text, const std::vector<std::string>& parts) const {
    write_whole(participant_file(), text);
    fails(2, {"entente-participant", "serve", "--config", participant_file()}, parts);
  }

  Federation federation;
  std::string participant_;
};

std::string replaced(std::string text, const std::string& from, const std::string& into) {
  return text.replace(text.find(from), from.size(), into);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(commands)

BOOST_AUTO_TEST_CASE(a_plan_that_is_none_is_exit_2_and_names_the_field) {
  const Desk desk;
  const std::string file = "bad.toml";
  desk.bad_plan(desk.plan_with("batch_size = 16", "batch_size = \"16\""),
                {file, "training.batch_size", "expected", "saw '16'"});
  desk.bad_plan(desk.plan_with("quorum = 3", "quorum = -3"), {file, "rounds.quorum", "saw -3"});
  desk.bad_plan(desk.plan_with("learning_rate = 0.02", "learning_rate = -0.02"),
                {file, "training.learning_rate", "saw -0.02"});
  desk.bad_plan(desk.plan_with("deadline = \"10m\"", "deadline = \"soon\""),
                {file, "rounds.deadline", "soon"});
  desk.bad_plan(desk.plan_with("momentum", "momentun"),
                {file, "training.momentun: unknown", "did you mean 'momentum'?"});
  desk.bad_plan(desk.plan_with("[training]", "[trainig]"), {file, "trainig", "'training'"});
  desk.bad_plan(desk.plan_with("cohort = 3", "cohort = 2"),
                {file, "rounds.quorum", "cohort = 2", "saw 3"});
  desk.bad_plan(desk.plan_with("model.json", "nowhere.json"), {file, "model", "nowhere.json"});
  desk.bad_plan(desk.plan_with("model.json", "../../../etc/shadow-of"), {file, "model"});
  desk.bad_plan(desk.plan_with("seed = 3", "seed = = 3"), {file + ":13:8:"});
  desk.bad_plan(desk.plan_with("\"malignant\"", "\"benign\""), {file, "data.classes", "benign"});
  desk.bad_plan(desk.plan_with("deviation = 3.575", "deviation = 0"),
                {file, "data.columns", "deviation"});
  desk.bad_plan("nowhere.toml", {"nowhere.toml"});
}

BOOST_AUTO_TEST_CASE(a_model_that_does_not_fit_is_exit_2_and_names_the_layer) {
  const Desk desk;
  const fs::path model = desk.federation.plan().parent_path() / "model.json";
  const auto bad_model = [&](const std::string& from, const std::string& into,
                             std::vector<std::string> parts) {
    desk.spoilt(model, "bad.json", from, into);
    parts.emplace_back("bad.toml");
    desk.bad_plan(desk.plan_with("\"model.json\"", "\"bad.json\""), parts);
  };
  // Three classes for two; a layer that is not known; one whose settings are not there; one that
  // takes no row of a table; an input that is not the table's; no numbers.
  bad_model("\"units\": 2,", "\"units\": 3,", {"3", "2"});
  bad_model("\"class_name\": \"Dense\"", "\"class_name\": \"Capsule\"", {"layers", "Capsule"});
  bad_model("\"class_name\": \"Dense\"", "\"class_name\": \"Conv2D\"", {"layers"});
  bad_model("\"class_name\": \"Dense\"", "\"class_name\": \"LSTM\"", {"layer 'dense'", "(30)"});
  bad_model("null,\n            30", "null,\n            31", {"31", "30"});
  bad_model("\"units\": 16", "\"units\": -16", {"units", "-16"});
  bad_model("\"units\": 16", "\"units\": 1e999", {"bad.json"});
  bad_model("\"units\": 16", "\"units\" 16", {"bad.json"});
}

BOOST_AUTO_TEST_CASE(data_that_do_not_fit_are_exit_2_and_name_the_line) {
  Desk desk;
  // Line 17's second number.
  std::ifstream table(examples / "participant-1.csv");
  std::ostringstream spoilt;
  std::string line;
  for (int number = 1; std::getline(table, line); ++number) {
    if (number == 17) {
      const std::size_t comma = line.find(',');
      line = line.substr(0, comma) + ",1O.5" + line.substr(line.find(',', comma + 1));
    }
    spoilt << line << '\n';
  }
  write_whole(desk.kit("alice") / "data.csv", spoilt.str());
  desk.bad_data({"data.csv:17:", "'mean_texture'", "expected a number", "1O.5"});

  const std::string good = read_whole(examples / "participant-1.csv");
  write_whole(desk.kit("alice") / "data.csv", replaced(good, "malignant", "unclear"));
  desk.bad_data({"data.csv:2:", "'label'", "unclear"});
  write_whole(desk.kit("alice") / "data.csv", replaced(good, "mean_radius", "radius"));
  desk.bad_data({"data.csv", "mean_radius"});
  write_whole(desk.kit("alice") / "data.csv", good.substr(0, good.size() - 20));
  desk.bad_data({"data.csv:"});
  write_whole(desk.kit("alice") / "data.csv", "");
  desk.bad_data({"data.csv"});
  fs::remove(desk.kit("alice") / "data.csv");
  desk.bad_data({"data.csv", "No such file"});
  desk.write_participant("images = \"images\"\nlabels = \"labels\"\n");
  desk.bad_data({"table"});
}

BOOST_AUTO_TEST_CASE(an_idx_file_cut_short_is_exit_2_and_names_the_file) {
  Desk desk;
  desk.write_participant("images = \"images\"\nlabels = \"labels\"\n");
  const fs::path fashion = examples.parent_path() / "fashion-mnist" / "plan.toml";
  fs::copy_file(fashion.parent_path() / "model.json",
                desk.federation.plan().parent_path() / "model.json",
                fs::copy_options::overwrite_existing);
  write_whole(desk.federation.plan(), read_whole(fashion));
  const std::string header("\0\0\x08\x03\0\0\0\x02\0\0\0\x1c\0\0\0\x1c", 16);
  const std::string labels("\0\0\x08\x01\0\0\0\x02\x03\x09", 10);
  write_whole(desk.kit("alice") / "images", header + std::string(784 + 100, 'x'));
  write_whole(desk.kit("alice") / "labels", labels);
  desk.bad_data({"images: cut short", "expected 1568", "saw 884"});
  write_whole(desk.kit("alice") / "images", header.substr(0, 10));
  desk.bad_data({"images", "ends inside its header"});
  write_whole(desk.kit("alice") / "images", header + std::string(1568, 'x'));
  write_whole(desk.kit("alice") / "labels", labels.substr(0, 9));
  desk.bad_data({"labels: cut short", "expected 2", "saw 1"});
}

BOOST_AUTO_TEST_CASE(a_configuration_that_is_wrong_is_exit_2_and_names_the_field) {
  Desk desk;
  const std::string coordinator = desk.good_coordinator();
  const std::string file = "coordinator.toml";
  desk.bad_coordinator(replaced(coordinator, "address", "adress"),
                       {file, "listen.adress: unknown", "did you mean 'address'?"});
  desk.bad_coordinator(coordinator + "[listn]\nport = 1\n", {file, "listn", "'listen'"});
  desk.bad_coordinator(replaced(coordinator, "port = 0", "port = 70000"),
                       {file, "listen.port", "65535", "saw 70000"});
  desk.bad_coordinator(replaced(coordinator, "\"json\"", "\"xml\""), {file, "log.format", "xml"});
  desk.bad_coordinator(replaced(coordinator, "key = ", "# "), {file, "ledger.key", "missing"});
  desk.bad_coordinator(replaced(coordinator, "ledger/ledger.key", "nowhere"), {"nowhere"});
  desk.bad_coordinator(replaced(coordinator, "test.example", "clinics.example"),
                       {"cert.pem", "clinics.example"});
  desk.bad_coordinator("[federation\n", {file + ":1:"});
  desk.bad_coordinator(coordinator + "[identity]\nkey = \"none.pem\"\n", {"none.pem"});
  desk.bad_coordinator(
      coordinator + "[identity]\ncertificate = \"../alice/cert.pem\"\nkey = \"../alice/key.pem\"\n",
      {"alice/cert.pem", "expected a coordinator", "participant/alice"});
  // A key that others may read; one of another certificate.
  fs::permissions(desk.kit("main") / "key.pem", fs::perms(0644));
  desk.bad_coordinator(coordinator, {"main/key.pem", "chmod 600"});
  fs::permissions(desk.kit("main") / "key.pem", fs::perms(0600));
  desk.bad_coordinator(coordinator + "[identity]\nkey = \"../olga/key.pem\"\n",
                       {"olga/key.pem", "not the key"});
  fails(2, {"entente-coordinator", "serve", "--config", "nowhere.toml"}, {"nowhere.toml"});
  BOOST_TEST(!fs::exists(desk.kit("main") / "state"));

  const std::string participant = desk.good_participant();
  desk.bad_participant(replaced(participant, "operators", "operator"),
                       {"participant.toml", "policy.operator: unknown", "'operators'"});
  desk.bad_participant(replaced(participant, "127.0.0.1:1", "127.0.0.1"),
                       {"participant.toml", "federation.coordinator"});
  desk.bad_participant(participant + "[identity]\nkey = \"../bob/key.pem\"\n",
                       {"bob/key.pem", "not the key"});
  desk.bad_participant(participant +
                           "[identity]\ncertificate = \"../olga/cert.pem\"\nkey = "
                           "\"../olga/key.pem\"\n",
                       {"olga/cert.pem", "expected a participant", "operator/olga"});
  desk.bad_participant(participant + "[identity]\nledger_key = \"cert.pem\"\n", {"cert.pem"});

  write_whole(desk.operator_file(), "[federation]\nname = \"test.example\"\n");
  fails(2, {"entente-coordinator", "status", "--config", desk.operator_file()},
        {"operator.toml", "federation.coordinator", "missing"});
}

BOOST_AUTO_TEST_CASE(a_port_or_a_folder_in_use_is_said_to_be) {
  Desk desk;
  Process& first = desk.federation.start_coordinator();
  const std::string port =
      desk.federation.address().substr(desk.federation.address().rfind(':') + 1);
  const std::string text = desk.good_coordinator();
  desk.bad_coordinator(
      replaced(replaced(text, "\"state\"", "\"other\""), "port = 0", "port = " + port),
      {desk.federation.address(), "in use"});
  desk.bad_coordinator(text, {"state", "in use by process", std::to_string(first.pid())}, 1);
  first.send(SIGTERM);
  BOOST_TEST(first.wait() == 0);
  // Nobody listens any more.
  fails(1, {"entente-coordinator", "status", "--config", desk.operator_file()},
        {desk.federation.address(), "refused"});
}

BOOST_AUTO_TEST_CASE(a_participants_other_commands_name_what_is_wrong) {
  const Desk desk;
  const std::string plan = desk.federation.plan().string();
  const std::string data = (examples / "participant-1.csv").string();
  const std::vector<std::string> evaluate{"entente-participant", "evaluate", "--plan", plan};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), evaluate.begin(), evaluate.end());
    return more;
  };
  fails(2, with({"--model", "nowhere.safetensors", "--data", data}), {"nowhere.safetensors"});
  fails(2, with({"--model", plan, "--data", data}), {"plan.toml"});
  fails(2, with({"--data", data}), {"--model is required"});
  fails(2, {"entente-participant", "approve", "abc", "--config", desk.participant_file()},
        {"DIGEST", "64"});
  fails(2, {"entente-participant", "check", "--plan", plan}, {"--config is required"});
  fails(2, {"entente-participant", "check", "--config", "nowhere.toml", "--plan", plan},
        {"nowhere.toml"});
}

BOOST_AUTO_TEST_CASE(an_operators_commands_name_what_is_wrong) {
  const Desk desk;
  const std::string config = desk.operator_file();
  fails(2, {"entente-coordinator", "cancel", "--config", config, "abc", "--reason", "x"},
        {"DIGEST", "64"});
  fails(2, {"entente-coordinator", "cancel", "--config", config, std::string(64, '0')},
        {"--reason is required"});
  fails(2, {"entente-coordinator", "suspend", "--config", config, "Alice"}, {"NAME", "'Alice'"});
  fails(2, {"entente-coordinator", "status", "--config", config, "--until", "x"}, {"64"});
  fails(2, {"entente-coordinator", "submit", "--config", config}, {"PLAN is required"});
  fails(1, {"entente-coordinator", "status", "--config", config}, {"127.0.0.1:1", "refused"});
}

BOOST_AUTO_TEST_CASE(unknown_commands_and_options_are_exit_2) {
  for (const char* program :
       {"entente-certs", "entente-coordinator", "entente-participant", "entente-audit"}) {
    fails(2, {program}, {"no command given", "--help"});
    fails(2, {program, "conquer"}, {"conquer", "--help"});
    fails(2, {program, "--conquer"}, {"--conquer", "--help"});
  }
  fails(2, {"entente-certs", "init", "--out", "x"}, {"--federation is required"});
  fails(2, {"entente-audit", "verify"}, {"LEDGER_DIR is required"});
  fails(2, {"entente-audit", "verify", "nowhere"}, {"nowhere", "expected a ledger's folder"});
  fails(2, {"entente-audit", "show", "nowhere"}, {"nowhere"});
  fails(2, {"entente-audit", "verify", ".", "--ca", "a", "--key", "b"}, {"--key", "--ca"});
}

BOOST_AUTO_TEST_CASE(help_and_version_are_answers_of_every_command) {
  const std::map<std::string, std::vector<std::string>> programs{
      {"entente-certs", {"init", "issue", "inspect"}},
      {"entente-coordinator", {"serve", "submit", "status", "cancel", "suspend", "resume", "stop"}},
      {"entente-participant", {"check", "serve", "approve", "evaluate"}},
      {"entente-audit", {"verify", "show"}}};
  for (const auto& [program, commands] : programs) {
    std::vector<std::vector<std::string>> lines{{program}};
    for (const std::string& command : commands) lines.push_back({program, command});
    for (std::vector<std::string> line : lines) {
      line.emplace_back("--help");
      const CommandResult help = run(line);
      BOOST_TEST(help.exit_code == 0);
      BOOST_TEST(help.error == "");
      BOOST_TEST(help.out.find("--help") != std::string::npos);
      if (line.size() == 2) {
        for (const std::string& command : commands)
          BOOST_TEST(help.out.find(command) != std::string::npos);
      }
      line.back() = "--version";
      const CommandResult version = run(line);
      BOOST_TEST(version.exit_code == 0);
      BOOST_TEST(version.error == "");
      BOOST_TEST(version.out == program + " " + std::string(software_version) + "\n");
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
