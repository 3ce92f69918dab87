// SPDX-License-Identifier: Apache-2.0
#include "coordinator/session.hpp"

#include <utility>

#include "common/base/file.hpp"
#include "common/base/log.hpp"
#include "common/base/version.hpp"
#include "common/net/mailbox.hpp"
#include "common/tensor/safetensors.hpp"
#include "coordinator/permissions.hpp"
#include "protocol/limits.hpp"
#include "protocol/server.hpp"

namespace entente::coordinator {

using net::Async;
using protocol::Answer;
using protocol::Message;

namespace {

constexpr std::uint64_t progress_told_every_bytes = 1U << 20U;
// For the control thread, which may wait for a disk. The peer gives up a little later.
constexpr std::chrono::seconds decision_max{90};
static_assert(decision_max < protocol::answer_max);

Answer refuse(Verdict verdict, std::string reason) {
  return Answer{verdict, std::move(reason), std::nullopt};
}

// Why an upload did not end well, as the round core and the peer hear it.
Verdict verdict_of(const Error& failure) {
  switch (failure.code) {
    case Errc::rejected:
      return Verdict::not_finite;  // the inspection's NaN or infinity
    case Errc::corrupt:
      return Verdict::digest_mismatch;
    case Errc::io:
    case Errc::cancelled:
    case Errc::timed_out:
      return Verdict::busy;
    default:
      return Verdict::malformed;
  }
}

class Session final : public protocol::ServerHandler {
 public:
  Session(Hall& hall, std::unique_ptr<net::Stream> stream, net::BufferPool pool)
      : hall_(hall), session_(std::move(stream), std::move(pool), hall.timing, *this) {
    const ByteView certificate = session_.peer_certificate();
    member_ = Member{session_.peer(), Bytes(certificate.begin(), certificate.end())};
  }

  Async<void> run() {
    if (!may_call(member_.identity.role)) {
      const Role role = member_.identity.role;
      protocol::Refusal refusal{Verdict::not_allowed, "the coordinator is not called by the role " +
                                                          std::string(to_string(role))};
      hall_.control.refused(member_.identity.uri(), refusal.reason);
      co_return co_await session_.refuse(std::move(refusal));
    }
    protocol::Welcome welcome{1, hall_.federation, std::string(software_version),
                              hall_.verifier_key};
    Result<void> greeted = co_await session_.greet(std::move(welcome));
    if (!greeted) co_return recorded(greeted);
    const std::uint64_t id = ++hall_.sessions_begun;
    const bool participant = member_.identity.role == Role::participant;
    if (participant) {
      hall_.control.connected(Connection{
          id, member_.identity,
          [outbox = session_.outbox()](Message message) { outbox->post(std::move(message)); },
          [outbox = session_.outbox()](std::string reason) { outbox->close(std::move(reason)); }});
    }
    log_info("session begins", {{"peer", member_.identity.uri()}});
    Result<void> ended = co_await session_.run();
    if (participant) hall_.control.disconnected(id);
    co_return recorded(ended);
  }

  Async<std::optional<Message>> on_message(Message message) override {
    if (!may_send(member_.identity.role, message)) co_return not_allowed(message);
    if (std::holds_alternative<protocol::StopCoordinator>(message)) {
      log_info("stopping", {{"by", member_.identity.name}});
      hall_.stop_daemon();
      co_return std::optional<Message>(refuse(Verdict::accepted, {}));
    }
    Result<Question> question = question_in(message);
    if (!question && question.error().code == Errc::unauthenticated) {
      hall_.control.refused(member_.identity.uri(), question.error().detail);
      co_return std::optional<Message>(refuse(Verdict::bad_signature, question.error().detail));
    }
    if (!question) co_return question.error();
    Result<std::optional<Message>> answer = co_await ask(std::move(*question));
    co_return answer;
  }

  Async<std::variant<protocol::Expected, Answer>> on_offer(Message offer) override {
    using Outcome = std::variant<protocol::Expected, Answer>;
    if (!may_send(member_.identity.role, offer)) {
      auto refused = not_allowed(offer);
      co_return Outcome(std::get<Answer>(*refused));
    }
    if (const auto* plan = std::get_if<protocol::OfferPlan>(&offer)) {
      if (plan->size_bytes > plan::plan_max_bytes) {
        co_return Outcome(
            refuse(Verdict::malformed,
                   "a plan has at most " + std::to_string(plan::plan_max_bytes) + " bytes"));
      }
      protocol::Expected expected(hall_.store.offered_plan_path(member_.identity.name, plan->plan),
                                  plan->plan, plan->size_bytes);
      expected.durability = Durability::durable;
      co_return Outcome(std::move(expected));
    }
    Result<Outcome> wanted = co_await on_update_offer(std::get<protocol::OfferUpdate>(offer));
    co_return wanted;
  }

  Async<Answer> on_received(Message offer, Result<protocol::Received> received) override {
    if (received) hall_.bytes_received += received->size_bytes;
    Result<Answer> answer = Error{Errc::cancelled, "not answered"};
    if (const auto* plan = std::get_if<protocol::OfferPlan>(&offer)) {
      answer = co_await on_plan(*plan, std::move(received));
    } else {
      answer = co_await on_update(std::get<protocol::OfferUpdate>(offer), std::move(received));
    }
    co_return answer;
  }

  void on_progress(const Message& offer, std::uint64_t received, std::uint64_t expected) override {
    if (!std::holds_alternative<protocol::OfferUpdate>(offer)) return;
    if (received != expected && received < progress_told_ + progress_told_every_bytes) return;
    progress_told_ = received;
    hall_.control.progress(UploadProgress{member_.identity.name, received, expected});
  }

  Result<std::filesystem::path> find(const Digest& digest) override {
    return hall_.store.find(digest);
  }

 private:
  // A session that ended because its peer talked nonsense is an entry of the ledger.
  Result<void> recorded(Result<void> ended) const {
    const bool misuse =
        !ended && (ended.error().code == Errc::malformed || ended.error().code == Errc::rejected);
    if (misuse) hall_.control.refused(member_.identity.uri(), ended.error().detail);
    return ended;
  }

  // What a message asks of the control thread.
  // Errors: unauthenticated - a signature; malformed - a message that asks nothing.
  Result<Question> question_in(Message& message) const {
    const Identity& self = member_.identity;
    if (const auto* answer = std::get_if<protocol::AnswerPlan>(&message)) {
      auto event = admit_consent(member_, *answer);
      if (!event) return event.error();
      return Question(round::Event(std::move(*event)));
    }
    if (auto* report = std::get_if<protocol::ReportEvaluation>(&message)) {
      return Question(EvaluationReported{self.name, std::move(*report)});
    }
    if (auto* declined = std::get_if<protocol::DeclineWork>(&message)) {
      return Question(round::Event(round::WorkDeclined{self.name, declined->plan, declined->round,
                                                       std::move(declined->reason)}));
    }
    if (auto* cancelled = std::get_if<protocol::CancelPlan>(&message)) {
      return Question(round::Event(
          round::PlanCancelled{self.uri(), cancelled->plan, std::move(cancelled->reason)}));
    }
    if (auto* suspension = std::get_if<protocol::SetSuspended>(&message)) {
      return Question(
          round::Event(round::SuspensionSet{self.uri(), std::move(suspension->participant),
                                            suspension->suspended, std::move(suspension->reason)}));
    }
    if (std::holds_alternative<protocol::AskStatus>(message)) return Question(StatusAsked{});
    return Error{Errc::malformed, "unexpected message " + std::string(protocol::name_of(message))};
  }

  // Puts a question to the control thread; the session waits for the answer.
  Async<std::optional<Message>> ask(Question question) {
    net::Mailbox<Message> answers(1);
    hall_.control.ask(std::move(question), [answers](Message message) mutable {
      static_cast<void>(answers.try_send(std::move(message)));
    });
    auto receiving = answers.receive();
    Result<Message> answer = co_await net::with_deadline(decision_max, std::move(receiving));
    if (!answer && answer.error().code == Errc::timed_out) {
      answer = Message(refuse(Verdict::busy, "no decision: " + answer.error().detail));
    }
    if (!answer) co_return answer.error();
    co_return std::optional<Message>(std::move(*answer));
  }

  Async<Answer> ask_for_answer(Question question) {
    Result<std::optional<Message>> message = co_await ask(std::move(question));
    if (!message) co_return message.error();
    co_return std::get<Answer>(std::move(**message));
  }

  std::optional<Message> not_allowed(const Message& message) {
    const std::string what(protocol::name_of(message));
    hall_.control.refused(member_.identity.uri(), "not allowed: " + what);
    return refuse(Verdict::not_allowed, what + " is not allowed to the role " +
                                            std::string(to_string(member_.identity.role)));
  }

  Async<std::variant<protocol::Expected, Answer>> on_update_offer(protocol::OfferUpdate offer) {
    using Outcome = std::variant<protocol::Expected, Answer>;
    Question question = round::Event(round::UpdateOffered{
        member_.identity.name, offer.plan, offer.round, offer.update, offer.examples});
    Result<Answer> answer = co_await ask_for_answer(std::move(question));
    if (!answer) co_return answer.error();
    if (answer->verdict != Verdict::accepted) co_return Outcome(std::move(*answer));
    auto layout = hall_.layouts.of_plan(offer.plan);
    if (!layout) co_return Outcome(refuse(Verdict::busy, layout.error().detail));
    const std::uint64_t expected_bytes = tensor::safetensors_size_bytes(**layout);
    if (offer.size_bytes != expected_bytes) {
      std::string reason = "an update of this plan has " + std::to_string(expected_bytes) +
                           " bytes, announced were " + std::to_string(offer.size_bytes);
      Result<Answer> refused = co_await flawed(offer, Verdict::malformed, std::move(reason));
      if (!refused) co_return refused.error();
      co_return Outcome(std::move(*refused));
    }
    if (!spool_tidy_) {
      if (auto kept = hall_.store.keep_one_part(member_.identity.name, offer.update); !kept)
        co_return Outcome(refuse(Verdict::busy, kept.error().detail));
    }
    spool_tidy_ = false;
    check_ = std::make_shared<tensor::StreamCheck>(**layout);
    progress_told_ = 0;
    protocol::Expected expected(hall_.store.update_path(member_.identity.name, offer.update),
                                offer.update, expected_bytes);
    expected.inspect = [check = check_](ByteView bytes) { return check->update(bytes); };
    co_return Outcome(std::move(expected));
  }

  Async<Answer> on_update(protocol::OfferUpdate offer, Result<protocol::Received> received) {
    Result<void> whole = ok();
    if (!received) {
      whole = received.error();
    } else {
      spool_tidy_ = true;
      whole = check_->finish();
    }
    if (!whole) {
      const Error failure = whole.error();
      const Verdict verdict = verdict_of(failure);
      if (verdict == Verdict::busy) {
        log_warning("an update cannot be taken",
                    {{"participant", member_.identity.name}, {"reason", failure.detail}});
        co_return refuse(verdict, failure.code == Errc::io
                                      ? "the coordinator's disk: " + failure.detail
                                      : failure.detail);
      }
      Result<Answer> refused = co_await flawed(offer, verdict, failure.detail);
      co_return refused;
    }
    Question question =
        round::Event(round::UpdateArrived{member_.identity.name, offer.plan, offer.round,
                                          offer.update, offer.examples, check_->norm()});
    Result<Answer> answer = co_await ask_for_answer(std::move(question));
    if (answer && !is_success(answer->verdict) && answer->verdict != Verdict::busy) {
      static_cast<void>(remove_file(hall_.store.update_path(member_.identity.name, offer.update)));
    }
    co_return answer;
  }

  Async<Answer> flawed(protocol::OfferUpdate offer, Verdict verdict, std::string reason) {
    Question question = round::Event(round::UpdateFlawed{
        member_.identity.name, offer.plan, offer.round, offer.update, verdict, std::move(reason)});
    Result<Answer> answer = co_await ask_for_answer(std::move(question));
    co_return answer;
  }

  Async<Answer> on_plan(protocol::OfferPlan offer, Result<protocol::Received> received) {
    if (!received) {
      const Error failure = received.error();
      co_return refuse(verdict_of(failure), failure.detail);
    }
    auto canonical = read_text(received->path, plan::plan_max_bytes);
    if (!canonical) co_return refuse(Verdict::busy, canonical.error().detail);
    auto event = admit_plan(member_, offer, *canonical);
    if (!event) {
      static_cast<void>(remove_file(received->path));
      const Error failure = event.error();
      hall_.control.refused(member_.identity.uri(), failure.detail);
      co_return refuse(
          failure.code == Errc::unauthenticated ? Verdict::bad_signature : Verdict::malformed,
          failure.detail);
    }
    if (auto stored = rename_file(received->path, hall_.store.plan_path(offer.plan)); !stored) {
      co_return refuse(Verdict::busy, stored.error().detail);
    }
    Question question = round::Event(std::move(*event));
    Result<Answer> answer = co_await ask_for_answer(std::move(question));
    co_return answer;
  }

  Hall& hall_;
  Member member_;
  protocol::ServerSession session_;
  std::shared_ptr<tensor::StreamCheck> check_;  // of the upload under way
  std::uint64_t progress_told_ = 0;
  // Nothing that the member began to send lies in the spool: looking costs as much as all have
  // sent.
  bool spool_tidy_ = false;
};

}  // namespace

Async<void> run_session(Hall* hall, std::unique_ptr<net::Stream> stream, net::BufferPool pool) {
  Session session(*hall, std::move(stream), std::move(pool));
  Result<void> ended = co_await session.run();
  co_return ended;
}

}  // namespace entente::coordinator
