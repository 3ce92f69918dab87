// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages.hpp"

#include <array>

namespace entente::protocol {

std::string_view name_of(const Message& message) {
  constexpr std::array<std::string_view, std::variant_size_v<Message>> names{"Ping",
                                                                             "Pong",
                                                                             "Goodbye",
                                                                             "Hello",
                                                                             "Fetch",
                                                                             "StopStream",
                                                                             "AnswerPlan",
                                                                             "OfferUpdate",
                                                                             "ReportEvaluation",
                                                                             "DeclineWork",
                                                                             "OfferPlan",
                                                                             "CancelPlan",
                                                                             "SetSuspended",
                                                                             "StopCoordinator",
                                                                             "AskStatus",
                                                                             "Welcome",
                                                                             "Refusal",
                                                                             "Agenda",
                                                                             "Proceed",
                                                                             "Answer",
                                                                             "Serving",
                                                                             "Status"};
  return names[message.index()];
}

}  // namespace entente::protocol
