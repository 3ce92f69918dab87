// SPDX-License-Identifier: Apache-2.0
//
// Where the agenda lies that the coordinator sent last, and the flag of the work that is under way:
// an agenda that no longer asks for this work raises it. One thread.
#pragma once

#include <cstdint>
#include <optional>

#include "common/net/async.hpp"
#include "common/net/timer.hpp"
#include "participant/journal.hpp"
#include "participant/workbench.hpp"
#include "protocol/messages.hpp"

namespace entente::participant {

class Desk {
 public:
  explicit Desk(net::Executor executor) : news_(std::move(executor)) {}

  // --- whoever hears the coordinator
  void start_session();
  void put(protocol::Agenda agenda);
  void end_session(Error why);

  // --- whoever works
  // Counts agendas; 0 before the session's first.
  std::uint64_t version() const { return version_; }
  const protocol::Agenda& agenda() const { return agenda_; }
  // Why the session is over; none while it is not.
  const std::optional<Error>& ended() const { return ended_; }
  // Until an agenda newer than `seen`, the session's end, or `until`.
  // Errors: cancelled - the caller is being stopped.
  net::Async<void> wait(std::uint64_t seen, net::Instant until);
  // From here to finish_work(), `stop` is raised when an agenda comes without this task.
  void start_work(bool training, const WorkName& work, StopFlag stop);
  void finish_work() { current_.reset(); }
  // Raises the flag of the work under way, if there is any.
  void stop_work();

 private:
  struct Current {
    bool training;
    WorkName work;
    StopFlag stop;
  };
  bool is_wanted(const Current& current) const;

  protocol::Agenda agenda_;
  std::uint64_t version_ = 0;
  std::optional<Error> ended_;
  std::optional<Current> current_;
  net::Timer news_;
};

}  // namespace entente::participant
