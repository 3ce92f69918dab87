// SPDX-License-Identifier: Apache-2.0
#include "common/net/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <list>
#include <optional>
#include <utility>

#include "common/base/log.hpp"
#include "common/net/timer.hpp"

namespace entente::net {
namespace {

std::string what_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "not a std::exception";
  }
}

void log_end(const std::string& name, const std::exception_ptr& thrown,
             const std::optional<Result<void>>& outcome) {
  if (thrown && !is_abort(thrown)) {
    log_error("task threw", {{"task", name}, {"what", what_of(thrown)}});
  } else if (outcome && !*outcome && outcome->error().code != Errc::cancelled) {
    log_info("task failed", {{"task", name},
                             {"code", to_string(outcome->error().code)},
                             {"reason", outcome->error().detail}});
  } else {
    log_debug("task ended", {{"task", name}, {"stopped", !outcome || !*outcome}});
  }
}

}  // namespace

struct TaskGroup::State : std::enable_shared_from_this<State> {
  struct Task {
    std::string name;
    asio::cancellation_signal signal;
    std::optional<Result<void>> outcome;
  };

  State(Executor where, std::chrono::milliseconds grace)
      : executor(where), stop_grace(grace), grace_timer(where), emptied(where) {}

  // Whoever hears it may end at once and leave the list: step first.
  void emit(asio::cancellation_type type) {
    for (auto task = tasks.begin(); task != tasks.end();) {
      const auto current = task++;
      current->signal.emit(type);
    }
  }
  void end(std::list<Task>::iterator task, const std::exception_ptr& thrown) {
    log_end(task->name, thrown, task->outcome);
    tasks.erase(task);
    if (!tasks.empty()) return;
    grace_timer.cancel();
    emptied.cancel();
  }

  Executor executor;
  std::chrono::milliseconds stop_grace;
  std::list<Task> tasks;
  bool stopping = false;
  Timer grace_timer;
  Timer emptied;  // cancelled when the last task ends
};

TaskGroup::TaskGroup(Executor executor, std::chrono::milliseconds stop_grace)
    : state_(std::make_shared<State>(std::move(executor), stop_grace)) {}
TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(std::string name, Async<void> task) {
  if (state_->stopping) {
    log_debug("task not started: stopping", {{"task", name}});
    return;
  }
  const auto place = state_->tasks.emplace(state_->tasks.end());
  place->name = std::move(name);
  // The handler's share keeps the list, and so `outcome`, alive as long as the coroutine.
  asio::co_spawn(state_->executor, keep(std::move(task), &place->outcome),
                 asio::bind_cancellation_slot(place->signal.slot(),
                                              [state = state_, place](std::exception_ptr thrown) {
                                                state->end(place, thrown);
                                              }));
}

void TaskGroup::stop() {
  if (state_->stopping) return;
  state_->stopping = true;
  if (state_->tasks.empty()) return;
  state_->grace_timer.expires_after(state_->stop_grace);
  state_->grace_timer.when_expired([weak = std::weak_ptr(state_)](bool expired) {
    if (const auto state = weak.lock(); state && expired)
      state->emit(asio::cancellation_type::terminal);
  });
  // On the executor's own thread: a signal emitted elsewhere is handed over to it, and would come
  // after the end of a task that ends meanwhile.
  asio::dispatch(state_->executor,
                 [state = state_] { state->emit(asio::cancellation_type::total); });
}

bool TaskGroup::stopping() const {
  return state_->stopping;
}
std::size_t TaskGroup::size() const {
  return state_->tasks.size();
}

Async<void> TaskGroup::join() {
  return join_on(state_);
}

Async<void> TaskGroup::join_on(std::shared_ptr<State> state) {
  while (!state->tasks.empty()) {
    const Result<void> woken = co_await state->emptied.wait();
    const auto stop = co_await asio::this_coro::cancellation_state;
    if (stop.cancelled() != asio::cancellation_type::none) {
      co_return Error{Errc::cancelled, "stopped while joining"};
    }
  }
  co_return ok();
}

}  // namespace entente::net
