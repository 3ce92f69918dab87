// SPDX-License-Identifier: Apache-2.0
//
// The built program, as an institution uses it.
#include <sys/wait.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/base/file.hpp"
#include "common/base/json.hpp"
#include "common/engine/initial.hpp"
#include "common/model/model.hpp"
#include "common/plan/plan.hpp"
#include "common/tensor/safetensors.hpp"
#include "tests/common/base/folder.hpp"
#include "tests/folders.hpp"

namespace entente::participant {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

const fs::path examples = tests_folder().parent_path() / "examples";
const fs::path plan_file = examples / "breast-cancer" / "plan.toml";

// An institution's folder with its start-up kit and a configuration.
class Institution {
 public:
  Institution() {
    good("entente-certs init --federation test.example --out ca");
    good("entente-certs issue --ca ca --role participant --name alice --out alice");
    good("entente-certs issue --ca ca --role member --name mallory --out mallory");
    fs::copy_file(examples / "breast-cancer" / "participant-1.csv", folder_ / "part.csv");
    configure(configuration());
  }

  static std::string configuration(const std::string& data = "table = \"../part.csv\"") {
    return "[federation]\nname = \"test.example\"\ncoordinator = \"127.0.0.1:1\"\n"
           "[state]\nfolder = \"state\"\n[data]\n" +
           data + "\n[policy]\noperators = [\"olga\"]\naccept = \"signed\"\n";
  }
  void configure(const std::string& text) { write("alice/participant.toml", text); }
  void write(const std::string& name, const std::string& text) {
    BOOST_REQUIRE(write_file(folder_ / name, as_bytes(text)));
  }
  fs::path path(const std::string& name) const { return folder_ / name; }

  Outcome run(const std::string& command) const {
    const std::string line = "cd '" + folder_.path().string() + "' && PATH='" +
                             programs_folder().string() + "':$PATH && { " + command +
                             "; } >out 2>err </dev/null";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text("out"), text("err")};
  }
  Outcome good(const std::string& command) const {
    Outcome outcome = run(command);
    BOOST_TEST(outcome.code == 0, command << ": " << outcome.err);
    return outcome;
  }
  // Should: exit with 2; say one line on stderr that holds `words`; write nothing anywhere.
  void wrong(const std::string& command, const std::string& words) const {
    const Outcome outcome = run("entente-participant " + command);
    BOOST_TEST(outcome.code == 2, command << ": " << outcome.code << " " << outcome.err);
    BOOST_TEST(outcome.out == "");
    BOOST_TEST(outcome.err.starts_with("entente-participant: "), outcome.err);
    BOOST_TEST(outcome.err.find(words) != std::string::npos, command << ": " << outcome.err);
    BOOST_TEST(outcome.err.find('\n') == outcome.err.size() - 1, outcome.err);
    BOOST_TEST(!fs::exists(folder_ / "alice/state"));
  }
  void check_is_wrong(const std::string& words) const { wrong(check(), words); }

  static std::string check(const std::string& plan = plan_file.string()) {
    return "check --config alice/participant.toml --plan " + plan;
  }
  std::string text(const std::string& name) const {
    return read_text(folder_ / name, 1U << 20U).value();
  }
  json::object json_of(const std::string& command) const {
    return parse_json(good(command).out, 1U << 20U).value().as_object();
  }

 private:
  test::Folder folder_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(participant_program, Institution)

BOOST_AUTO_TEST_CASE(check_shows_what_would_be_sent_and_writes_nothing) {
  const Outcome shown = good("entente-participant " + check());
  BOOST_TEST(shown.out.find("137 to train on, 15 held out") != std::string::npos);
  BOOST_TEST(shown.out.find("2440 bytes") != std::string::npos);
  BOOST_TEST(shown.out.find("Nothing was sent.") != std::string::npos);
  BOOST_TEST(shown.err == "");
  BOOST_TEST(!fs::exists(path("alice/state")));

  const json::object answer = json_of("entente-participant " + check() + " --json");
  BOOST_TEST(answer.at("training_rows") == 137);
  BOOST_TEST(answer.at("holdout_rows") == 15);
  BOOST_TEST(answer.at("parameters") == 530);
  BOOST_TEST(answer.at("bytes") == 2440);
  BOOST_TEST(answer.at("allowed") == true);
  BOOST_TEST(answer.at("norm").as_double() > 0);
  BOOST_TEST(json_of("entente-participant " + check() + " --json").at("norm") == answer.at("norm"));
}

BOOST_AUTO_TEST_CASE(check_takes_the_canonical_plan_that_the_daemon_keeps) {
  const auto plan = plan::read_plan(plan_file).value();
  write("kept.json", plan.canonical);
  BOOST_TEST(json_of("entente-participant " + check("kept.json") + " --json").at("plan") ==
             json::value(plan.digest.hex()));
  write("kept.json", plan.canonical + " ");
  wrong(check("kept.json"), "kept.json");
}

BOOST_AUTO_TEST_CASE(check_says_that_the_policy_refuses_and_fails) {
  configure(configuration() + "rows_min = 1000\n");
  const Outcome refused = run("entente-participant " + check());
  BOOST_TEST(refused.code == 1);
  BOOST_TEST(refused.out.find("refuses") != std::string::npos);
  BOOST_TEST(refused.out.find("rows_min") != std::string::npos);
}

// Should: say what it would take. Should not: train what may be more than the machine can do.
BOOST_AUTO_TEST_CASE(check_states_the_memory_and_does_not_train_what_the_policy_refuses) {
  configure(configuration() + "memory_max_bytes = 25000\n");
  const Outcome refused = run("entente-participant " + check());
  BOOST_TEST(refused.code == 1);
  BOOST_TEST(refused.out.find("at the peak: rows") != std::string::npos, refused.out);
  BOOST_TEST(refused.out.find("refuses: ") != std::string::npos);
  BOOST_TEST(refused.out.find("memory_max_bytes") != std::string::npos);
  BOOST_TEST(refused.out.find("loss") == std::string::npos);
  BOOST_TEST(refused.out.find("Nothing was trained or sent.") != std::string::npos);
  const Outcome in_json = run("entente-participant " + check() + " --json");
  const auto answer = parse_json(in_json.out, 1U << 20U).value().as_object();
  BOOST_TEST(answer.at("allowed") == false);
  BOOST_TEST(!answer.contains("loss"));
}

BOOST_AUTO_TEST_CASE(a_wrong_configuration_is_one_clear_line) {
  const std::string good_one = configuration();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good_one;
    text.replace(text.find(from), from.size(), to);
    configure(text);
  };
  with("coordinator =", "cordinator =");
  check_is_wrong("federation.cordinator: unknown; did you mean 'coordinator'?");
  with("\"127.0.0.1:1\"", "\"127.0.0.1\"");
  check_is_wrong("federation.coordinator");
  with("\"127.0.0.1:1\"", "7");
  check_is_wrong("federation.coordinator: expected a text");
  with("[policy]", "[polcy]");
  check_is_wrong("did you mean 'policy'?");
  with("folder = \"state\"", "");
  check_is_wrong("state.folder");
  with("name = \"test.example\"", "name = \"other.example\"");
  check_is_wrong("other.example");
  with("[data]", "[data]\nimages = \"x\"");
  check_is_wrong("data.");
  with("[policy]", "[http]\nport = 70000\n[policy]");
  check_is_wrong("http.port: expected an integer from 0 to 65535, saw 70000");
  with("accept = \"signed\"", "accept = \"signed\"\nrows_min = -5");
  check_is_wrong("policy.rows_min");
  with("operators = [\"olga\"]", "operators = [\"olga\"");
  check_is_wrong("participant.toml");
  fs::remove(path("alice/participant.toml"));
  check_is_wrong("participant.toml");
}

BOOST_AUTO_TEST_CASE(a_wrong_identity_is_one_clear_line) {
  const std::string member = configuration() +
                             "[identity]\ncertificate = \"../mallory/cert.pem\"\nkey = "
                             "\"../mallory/key.pem\"\n";
  configure(member);
  check_is_wrong("expected a participant's certificate");
  configure(configuration() + "[identity]\nkey = \"../mallory/key.pem\"\n");
  check_is_wrong("key.pem");
  configure(configuration() + "[identity]\nkey = \"none.pem\"\n");
  check_is_wrong("none.pem");
  configure(configuration() + "[identity]\nledger_key = \"cert.pem\"\n");
  check_is_wrong("cert.pem");
  configure(configuration());
  fs::permissions(path("alice/key.pem"), fs::perms::group_read, fs::perm_options::add);
  check_is_wrong("chmod 600");
}

BOOST_AUTO_TEST_CASE(data_that_do_not_fit_the_plan_are_named_with_their_place) {
  std::string csv = text("part.csv");
  std::size_t line = 0;
  std::size_t at = 0;
  while (++line < 17) at = csv.find('\n', at) + 1;
  write("part.csv", csv.substr(0, at) + "abc" + csv.substr(csv.find(',', at)));
  check_is_wrong("part.csv:17: ");
  fs::remove(path("part.csv"));
  check_is_wrong("part.csv");
  configure(configuration("images = \"a\"\nlabels = \"b\""));
  check_is_wrong("table");
}

BOOST_AUTO_TEST_CASE(a_wrong_plan_is_one_clear_line) {
  const std::string text = read_text(plan_file, 1U << 20U).value();
  fs::copy_file(plan_file.parent_path() / "model.json", path("model.json"));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    write("plan.toml", changed);
  };
  with("local_epochs = 2", "local_epochs = -2");
  wrong(check("plan.toml"), "local_epochs");
  with("local_epochs = 2", "local_epochs = \"2\"");
  wrong(check("plan.toml"), "local_epochs");
  with("model.json", "none.json");
  wrong(check("plan.toml"), "none.json");
  with("optimizer =", "optimiser =");
  wrong(check("plan.toml"), "did you mean 'optimizer'?");
  wrong(check("nothing.toml"), "nothing.toml");
}

// Their classes are the tokens, which no list of the plan names.
BOOST_AUTO_TEST_CASE(evaluate_prints_the_confusion_of_a_texts_tokens_by_their_names) {
  write("model.json",
        R"({"class_name": "Sequential", "config": {"name": "s", "layers": [
    {"class_name": "InputLayer", "config": {"batch_shape": [null, 2], "name": "in"}},
    {"class_name": "Embedding", "config": {"name": "e", "input_dim": 4, "output_dim": 3}},
    {"class_name": "Dense", "config": {"name": "d", "units": 4, "activation": "softmax"}}]}})");
  write("plan.toml",
        "name = \"letters\"\nmodel = \"model.json\"\ntraining.learning_rate = 1\n"
        "rounds = { number = 1, quorum = 1, cohort = 1 }\n[data]\nkind = \"text\"\n"
        "tokens = \"characters\"\nvocabulary = [\"a\", \"\\n\"]\nlength = 2\n");
  const auto plan = plan::read_plan(path("plan.toml")).value();
  const auto network = plan::compile(plan).value();
  tensor::ParameterBuffer initial(network.parameter_count());
  engine::initial_values(network, 3, 0, initial.values());
  BOOST_REQUIRE(
      tensor::write_safetensors(path("model.safetensors"), network.layout(), initial.values()));
  write("letters.txt", "aa\na\na\n");
  const Outcome shown = good(
      "entente-participant evaluate --plan plan.toml --model model.safetensors --data letters.txt");
  for (const std::string name : {"\n<padding> ", "\n<unknown> ", "\na ", "\n\\n "}) {
    BOOST_TEST(shown.out.find(name) != std::string::npos, shown.out);
  }
}

BOOST_AUTO_TEST_CASE(evaluate_gives_the_plans_metrics_of_a_model_on_all_rows) {
  const auto plan = plan::read_plan(plan_file).value();
  const auto network = plan::compile(plan).value();
  tensor::ParameterBuffer initial(network.parameter_count());
  engine::initial_values(network, 3, 0, initial.values());
  const Digest model =
      tensor::write_safetensors(path("model.safetensors"), network.layout(), initial.values())
          .value();
  const std::string command = "entente-participant evaluate --plan " + plan_file.string() +
                              " --model model.safetensors --data part.csv";
  const json::object answer = json_of(command + " --json");
  BOOST_TEST(answer.at("examples") == 152);
  BOOST_TEST(answer.at("model") == json::value(model.hex()));
  BOOST_TEST(answer.at("metrics").as_object().size() == 2u);
  BOOST_TEST(good(command).out.find("accuracy ") != std::string::npos);

  const std::string words = "evaluate --plan " + plan_file.string() + " --data part.csv --model ";
  wrong(words + "none.safetensors", "none.safetensors");
  wrong(words + "part.csv", "part.csv");
  wrong(words + "model.safetensors --labels part.csv", "--labels");
}

BOOST_AUTO_TEST_CASE(images_without_labels_beside_them_are_one_clear_line) {
  write("pictures.gz", "");
  wrong("evaluate --plan " + (examples / "fashion-mnist" / "plan.toml").string() +
            " --model m --data pictures.gz",
        "label");
}

BOOST_AUTO_TEST_CASE(approve_writes_the_digest_down_and_refuses_anything_else) {
  const std::string digest(64, 'a');
  wrong("approve nonsense --config alice/participant.toml", "DIGEST");
  wrong("approve " + std::string(64, 'A') + " --config alice/participant.toml", "DIGEST");
  good("entente-participant approve " + digest + " --config alice/participant.toml");
  BOOST_TEST(fs::exists(path("alice/state/approvals") / digest));
  BOOST_TEST(text("alice/state/approvals/" + digest).starts_with("approved "));
}

BOOST_AUTO_TEST_CASE(serve_refuses_a_wrong_start_before_it_makes_anything) {
  fs::remove(path("part.csv"));
  wrong("serve --config alice/participant.toml", "part.csv");
  wrong("serve", "--config");
  wrong("serv", "serv");
}

BOOST_AUTO_TEST_CASE(a_state_folder_of_another_program_is_left_alone) {
  good("mkdir -p alice/state && echo 'entente-coordinator 1' > alice/state/VERSION");
  const Outcome refused = run("entente-participant serve --config alice/participant.toml");
  BOOST_TEST(refused.code == 1);
  BOOST_TEST(refused.err.find("VERSION") != std::string::npos, refused.err);
  BOOST_TEST(!fs::exists(path("alice/state/journal")));
}

BOOST_AUTO_TEST_CASE(serve_ends_with_0_when_it_is_asked_to_stop_and_leaves_only_its_state_folder) {
  const Outcome ended =
      run("entente-participant serve --config alice/participant.toml 2>log & "
          "until grep -q 'not connected' log; do :; done; kill -TERM $!; wait $!");
  BOOST_TEST(ended.code == 0);
  BOOST_TEST(text("log").find("stopped") != std::string::npos);
  BOOST_TEST(fs::exists(path("alice/state/VERSION")));
  for (const auto& item : fs::directory_iterator(path("alice"))) {
    const std::string name = item.path().filename();
    BOOST_TEST((name == "state" || name.ends_with(".pem") || name.ends_with(".toml") ||
                name.starts_with("ledger-key")),
               name);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant
