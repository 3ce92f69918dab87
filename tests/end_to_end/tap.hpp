// SPDX-License-Identifier: Apache-2.0
//
// Listens in on a participant's connection: stands between it and the coordinator with the keys of
// both, which only a test has, and keeps every byte that passes, decrypted.
#pragma once

#include <memory>
#include <string>

#include "tests/end_to_end/federation.hpp"

namespace entente::test {

class Tap {
 public:
  // Between `participant` and the running coordinator; the participant must dial address().
  Tap(const Federation& federation, const std::string& participant);
  ~Tap();
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;

  const std::string& address() const { return address_; }
  // Cuts what is still connected and gives what was said, the participant's bytes first.
  struct Recording {
    std::string said;   // by the participant
    std::string heard;  // by it
  };
  Recording stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::string address_;
};

}  // namespace entente::test
