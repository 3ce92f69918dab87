// SPDX-License-Identifier: Apache-2.0
//
// The entry point that every test program shares.
#define BOOST_TEST_MODULE entente
#include <boost/test/unit_test.hpp>
