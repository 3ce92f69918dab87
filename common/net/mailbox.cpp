// SPDX-License-Identifier: Apache-2.0
#include "common/net/mailbox.hpp"

#include <boost/asio/post.hpp>

namespace entente::net {

void Waiters::wake_one() {
  if (waiting_.empty()) return;
  const std::shared_ptr<Waiter> waiter = std::move(waiting_.front());
  waiting_.pop_front();
  waiter->notified = true;
  // On the waiter's thread, and so after it has begun to wait.
  asio::post(waiter->executor, [waiter] { waiter->timer.cancel(); });
}

void Waiters::wake_all() {
  while (!waiting_.empty()) wake_one();
}

void Waiters::leave(const std::shared_ptr<Waiter>& waiter, bool used) {
  waiting_.remove(waiter);
  if (waiter->notified && !used) wake_one();
}

}  // namespace entente::net
