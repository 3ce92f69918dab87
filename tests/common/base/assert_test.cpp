// SPDX-License-Identifier: Apache-2.0
#include "common/base/assert.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdio>
#include <string>

BOOST_AUTO_TEST_SUITE(assertion)

BOOST_AUTO_TEST_CASE(a_broken_assertion_says_what_and_where_and_aborts) {
  std::array<int, 2> pipe_ends{};
  BOOST_REQUIRE(::pipe(pipe_ends.data()) == 0);
  std::fflush(nullptr);  // or the child would write it too
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    ::dup2(pipe_ends[1], STDERR_FILENO);
    const int rows = 3;
    ENTENTE_ASSERT(rows == 4, "four rows");
    ::_exit(0);
  }
  ::close(pipe_ends[1]);
  std::string said;
  std::array<char, 512> block{};
  for (ssize_t got = 0; (got = ::read(pipe_ends[0], block.data(), block.size())) > 0;) {
    said.append(block.data(), static_cast<std::size_t>(got));
  }
  ::close(pipe_ends[0]);
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(WIFSIGNALED(status));
  BOOST_TEST(WTERMSIG(status) == SIGABRT);
  BOOST_TEST(said.find("assert_test.cpp:") != said.npos);
  BOOST_TEST(said.find("rows == 4: four rows") != said.npos);
}

BOOST_AUTO_TEST_CASE(a_true_assertion_does_nothing) {
  ENTENTE_ASSERT(true, "never seen");
}

BOOST_AUTO_TEST_SUITE_END()
