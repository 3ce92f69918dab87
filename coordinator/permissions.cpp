// SPDX-License-Identifier: Apache-2.0
#include "coordinator/permissions.hpp"

#include <array>
#include <type_traits>

namespace entente::coordinator {
namespace {

struct Row {
  bool participant = false;
  bool operator_ = false;
};

constexpr Row nobody{};
constexpr Row participants{true, false};
constexpr Row operators{false, true};
constexpr Row both{true, true};

// One overload a kind of message; a new kind does not compile before it stands here.
constexpr Row row(const protocol::Ping&) {
  return both;
}
constexpr Row row(const protocol::Pong&) {
  return both;
}
constexpr Row row(const protocol::Goodbye&) {
  return both;
}
constexpr Row row(const protocol::Hello&) {
  return both;
}
constexpr Row row(const protocol::Fetch&) {
  return both;
}
constexpr Row row(const protocol::StopStream&) {
  return both;
}
constexpr Row row(const protocol::AnswerPlan&) {
  return participants;
}
constexpr Row row(const protocol::OfferUpdate&) {
  return participants;
}
constexpr Row row(const protocol::ReportEvaluation&) {
  return participants;
}
constexpr Row row(const protocol::DeclineWork&) {
  return participants;
}
constexpr Row row(const protocol::OfferPlan&) {
  return operators;
}
constexpr Row row(const protocol::CancelPlan&) {
  return operators;
}
constexpr Row row(const protocol::SetSuspended&) {
  return operators;
}
constexpr Row row(const protocol::StopCoordinator&) {
  return operators;
}
constexpr Row row(const protocol::AskStatus&) {
  return operators;
}
// What only the coordinator says.
constexpr Row row(const protocol::Welcome&) {
  return nobody;
}
constexpr Row row(const protocol::Refusal&) {
  return nobody;
}
constexpr Row row(const protocol::Agenda&) {
  return nobody;
}
constexpr Row row(const protocol::Proceed&) {
  return nobody;
}
constexpr Row row(const protocol::Answer&) {
  return nobody;
}
constexpr Row row(const protocol::Serving&) {
  return nobody;
}
constexpr Row row(const protocol::Status&) {
  return nobody;
}

}  // namespace

bool may_call(Role role) {
  return may_send(role, protocol::Hello{});
}

bool may_send(Role role, const protocol::Message& message) {
  const Row allowed = std::visit([](const auto& kind) { return row(kind); }, message);
  switch (role) {
    case Role::participant:
      return allowed.participant;
    case Role::operator_:
      return allowed.operator_;
    case Role::coordinator:
    case Role::auditor:
    case Role::member:
      return false;
  }
  return false;
}

}  // namespace entente::coordinator
