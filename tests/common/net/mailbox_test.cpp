// SPDX-License-Identifier: Apache-2.0
#include "common/net/mailbox.hpp"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/test/unit_test.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/common/net/running.hpp"

using namespace std::chrono_literals;

namespace entente::net {
namespace {

using Texts = Mailbox<std::string>;

Async<void> send_all(Texts mailbox, std::string prefix, int count) {
  for (int i = 0; i < count; ++i) {
    std::string text = prefix + std::to_string(i);
    const Result<void> sent = co_await mailbox.send(std::move(text));
    if (!sent) co_return sent.error();
  }
  co_return ok();
}

Async<std::vector<std::string>> receive_all(Texts mailbox, std::size_t count) {
  std::vector<std::string> texts;
  while (texts.size() < count) {
    Result<std::string> text = co_await mailbox.receive();
    if (!text) co_return text.error();
    texts.push_back(std::move(*text));
  }
  co_return texts;
}

Async<void> keep_outcome(Async<void> operation, std::optional<Errc>* code) {
  const Result<void> result = co_await std::move(operation);
  if (!result) *code = result.error().code;
  co_return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_mailbox)

BOOST_AUTO_TEST_CASE(what_is_sent_is_received_in_order) {
  SimulatedTime time;
  Texts mailbox(2);
  TaskGroup tasks(time.executor());
  tasks.spawn("sender", send_all(mailbox, "", 20));
  const auto texts = run(time, receive_all(mailbox, 20)).value();
  for (int i = 0; i < 20; ++i) BOOST_TEST(texts[static_cast<std::size_t>(i)] == std::to_string(i));
}

BOOST_AUTO_TEST_CASE(a_full_mailbox_takes_nothing_at_once_and_makes_senders_wait) {
  SimulatedTime time;
  Texts mailbox(2);
  BOOST_TEST(mailbox.try_send("a"));
  BOOST_TEST(mailbox.try_send("b"));
  BOOST_TEST(!mailbox.try_send("c"));
  TaskGroup tasks(time.executor());
  tasks.spawn("sender", send_all(mailbox, "c", 1));
  time.run();
  BOOST_TEST(tasks.size() == 1U);
  BOOST_TEST(mailbox.try_receive().value() == "a");
  time.run();
  BOOST_TEST(tasks.size() == 0U);
  BOOST_TEST(mailbox.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_closed_mailbox_gives_what_is_in_it_and_then_says_closed) {
  SimulatedTime time;
  Texts mailbox(2);
  BOOST_TEST(mailbox.try_send("a"));
  mailbox.close();
  BOOST_TEST(!mailbox.try_send("b"));
  BOOST_TEST(run(time, mailbox.receive()).value() == "a");
  BOOST_TEST((run(time, mailbox.receive()).error().code == Errc::closed));
  BOOST_TEST((run(time, mailbox.send("c")).error().code == Errc::closed));
}

BOOST_AUTO_TEST_CASE(closing_wakes_everybody_who_waits_at_either_end) {
  SimulatedTime time;
  Texts empty(1);
  Texts full(1);
  BOOST_TEST(full.try_send("a"));
  std::vector<std::optional<Errc>> codes(4);
  TaskGroup tasks(time.executor());
  auto receiver = [](Texts from) -> Async<void> {
    const Result<std::string> text = co_await from.receive();
    if (!text) co_return text.error();
    co_return ok();
  };
  tasks.spawn("receiver 1", keep_outcome(receiver(empty), &codes[0]));
  tasks.spawn("receiver 2", keep_outcome(receiver(empty), &codes[1]));
  tasks.spawn("sender 1", keep_outcome(send_all(full, "", 1), &codes[2]));
  tasks.spawn("sender 2", keep_outcome(send_all(full, "", 1), &codes[3]));
  time.run();
  empty.close();
  full.close();
  time.run();
  BOOST_TEST(tasks.size() == 0U);
  for (const auto& code : codes) BOOST_TEST((code == Errc::closed));
}

BOOST_AUTO_TEST_CASE(a_receiver_that_times_out_loses_nothing_and_blocks_nobody) {
  SimulatedTime time;
  Texts mailbox(1);
  BOOST_TEST((run(time, with_deadline(1s, mailbox.receive())).error().code == Errc::timed_out));
  BOOST_TEST(mailbox.try_send("a"));
  BOOST_TEST(run(time, with_deadline(1s, mailbox.receive())).value() == "a");
}

BOOST_AUTO_TEST_CASE(a_wake_up_that_its_receiver_cannot_use_goes_to_the_next) {
  SimulatedTime time;
  Texts mailbox(1);
  TaskGroup first(time.executor());
  TaskGroup second(time.executor());
  std::optional<Errc> unused;
  std::vector<std::string> got;
  auto receiver = [](Texts from, std::vector<std::string>* into) -> Async<void> {
    Result<std::string> text = co_await from.receive();
    if (!text) co_return text.error();
    into->push_back(*text);
    co_return ok();
  };
  first.spawn("stopped", receiver(mailbox, &got));
  time.run();
  second.spawn("waiting", receiver(mailbox, &got));
  time.run();
  first.stop();                       // in the same turn as
  BOOST_TEST(mailbox.try_send("a"));  // the wake-up of the first in the line
  time.run_for(10s);
  BOOST_TEST(got.size() == 1U);
  BOOST_TEST(second.size() == 0U);
}

BOOST_AUTO_TEST_CASE(threads_exchange_thousands_of_items_through_a_small_mailbox) {
  constexpr int senders = 3;
  constexpr int each = 2000;
  Texts mailbox(4);
  asio::io_context home;
  std::vector<std::thread> threads;
  std::atomic<int> sent{0};  // Boost.Test's macros are for one thread
  for (int i = 0; i < senders; ++i) {
    threads.emplace_back([mailbox, i, &sent] {
      asio::io_context context;
      if (run(context, send_all(mailbox, std::to_string(i) + ".", each))) ++sent;
    });
  }
  const auto texts = run(home, receive_all(mailbox, senders * each)).value();
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(sent == senders);
  std::vector<int> next(senders, 0);
  for (const std::string& text : texts) {
    const auto sender = static_cast<std::size_t>(text[0] - '0');
    BOOST_REQUIRE(text == std::to_string(sender) + "." + std::to_string(next[sender]++));
  }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::net
