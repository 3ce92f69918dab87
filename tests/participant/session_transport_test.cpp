// SPDX-License-Identifier: Apache-2.0
//
// What is decided here; sessions over TLS are in tests/end_to_end.
#include "participant/session_transport.hpp"

#include <boost/test/unit_test.hpp>

#include "common/crypto/hash.hpp"
#include "participant/figures.hpp"

namespace entente::participant {
namespace {

const Digest plan = crypto::sha256("plan");
const Digest model = crypto::sha256("model");

protocol::Agenda training() {
  protocol::Train task;
  task.plan = plan;
  task.round = 3;
  task.model = model;
  protocol::Agenda agenda;
  agenda.work = task;
  return agenda;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(participant_session_transport)

BOOST_AUTO_TEST_CASE(a_download_is_wanted_as_long_as_the_agenda_speaks_of_it) {
  BOOST_TEST(mentions(training(), model));
  BOOST_TEST(mentions(training(), plan));
  BOOST_TEST(!mentions(training(), crypto::sha256("another")));
  BOOST_TEST(!mentions(protocol::Agenda{}, model));
  protocol::Agenda agenda;
  agenda.plans.resize(1);
  agenda.plans[0].plan = plan;
  BOOST_TEST(mentions(agenda, plan));
  protocol::Evaluate candidate;
  candidate.model = model;
  agenda.work = candidate;
  BOOST_TEST(mentions(agenda, model));
}

BOOST_AUTO_TEST_CASE(an_upload_is_wanted_as_long_as_the_agenda_asks_for_that_round) {
  BOOST_TEST(asks_for(training(), plan, 3));
  BOOST_TEST(!asks_for(training(), plan, 4));
  BOOST_TEST(!asks_for(training(), model, 3));
  BOOST_TEST(!asks_for(protocol::Agenda{}, plan, 3));
}

BOOST_AUTO_TEST_CASE(health_names_the_problem_while_there_is_no_session) {
  Tally tally;
  BOOST_TEST(problem_of(tally) == "not connected to the coordinator");
  tally.problem = "refused";
  BOOST_TEST(problem_of(tally) == "not connected to the coordinator: refused");
  tally.connected = true;
  BOOST_TEST(problem_of(tally) == "");
  for (const net::Metric& metric : metrics_of(tally)) {
    BOOST_TEST(metric.name.starts_with("entente_participant_"));
    BOOST_TEST((metric.kind == net::MetricKind::counter) == metric.name.ends_with("_total"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant
