// SPDX-License-Identifier: Apache-2.0
#include "protocol/client.hpp"

#include <utility>

#include "protocol/client_state.hpp"

namespace entente::protocol {

using net::Async;
using net::with_deadline;

Client::Client(std::shared_ptr<State> state) : state_(std::move(state)) {}
Client::~Client() {
  state_->fail({Errc::closed, "the session was ended here"});
  state_->tasks.stop();
}

const Welcome& Client::welcome() const {
  return state_->welcome;
}
bool Client::has_news() const {
  return state_->agenda_is_new || state_->failure;
}

Async<std::unique_ptr<Client>> Client::connect(std::unique_ptr<net::Stream> stream,
                                               net::BufferPool pool, ClientSettings settings) {
  auto state = std::make_shared<State>(std::move(stream), std::move(pool), std::move(settings));
  const Result<void> greeted = co_await state->greet();
  if (!greeted) {
    state->channel.close();
    co_return greeted.error();
  }
  state->tasks.spawn("client reader", State::read(state));
  state->tasks.spawn("client heartbeat", State::beat(state));
  co_return std::unique_ptr<Client>(new Client(std::move(state)));
}

Async<void> Client::State::greet() {
  Message hello = Hello{version_least, version_most, settings.software};
  const Result<void> said = co_await channel.send(std::move(hello));
  // A write that fails may be a refused certificate: the reading side knows the reason.
  if (!said && said.error().code != Errc::closed) co_return said.error();
  Result<Message> reply = co_await channel.receive_first();
  if (!reply) co_return reply.error();
  if (const Refusal* refusal = std::get_if<Refusal>(&*reply)) {
    co_return Error{Errc::rejected, "the coordinator refuses the session (" +
                                        std::string(to_string(refusal->verdict)) +
                                        "): " + refusal->reason};
  }
  if (const Goodbye* goodbye = std::get_if<Goodbye>(&*reply)) {
    co_return Error{Errc::closed, "the coordinator said goodbye: " + goodbye->reason};
  }
  const Welcome* said_welcome = std::get_if<Welcome>(&*reply);
  if (said_welcome == nullptr) {
    co_return Error{Errc::malformed, "expected a Welcome, saw " + std::string(name_of(*reply))};
  }
  welcome = *said_welcome;
  co_return check(welcome);
}

Result<void> Client::State::check(const Welcome& said) const {
  if (said.version < version_least || said.version > version_most) {
    return Error{Errc::malformed, "expected protocol version " + std::to_string(version_least) +
                                      " to " + std::to_string(version_most) +
                                      ", saw a welcome in " + std::to_string(said.version)};
  }
  if (said.federation != settings.federation) {
    return Error{Errc::rejected,
                 "expected the federation " + settings.federation + ", saw " + said.federation};
  }
  if (!settings.verifier_key.empty() && said.verifier_key != settings.verifier_key) {
    return Error{Errc::rejected, "expected the ledger's verifier key " + settings.verifier_key +
                                     " of the start-up kit, saw " + said.verifier_key};
  }
  return ok();
}

Error Client::State::fail(Error why) {
  if (!failure) failure = std::move(why);
  channel.close();
  answers.close();
  if (uploading) {
    *uploading->stopped = true;
    uploading->events.close();
  }
  if (downloading) downloading->events.close();
  agenda_news.cancel();
  return *failure;
}

// --- what comes in

Async<void> Client::State::read(std::shared_ptr<State> self) {
  struct Leaving {
    explicit Leaving(State& of) : state(of) {}
    ~Leaving() {
      state.reader_done = true;
      state.fail({Errc::closed, "the session ended"});
      state.reader_news.cancel();
    }
    Leaving(const Leaving&) = delete;
    Leaving& operator=(const Leaving&) = delete;
    State& state;
  };
  const Leaving leaving(*self);
  for (;;) {
    Result<Incoming> incoming = co_await self->channel.receive();
    Error problem;
    if (!incoming) {
      problem = incoming.error();
    } else {
      const Result<void> taken = co_await self->take(std::move(*incoming));
      if (taken) continue;
      problem = taken.error();
    }
    if (!self->failure) self->failure = problem;  // the stream may still be open, to say why
    if (problem.code == Errc::malformed && self->channel.is_open()) {
      Message goodbye = Goodbye{problem.detail};
      const Result<void> told = co_await with_deadline(self->settings.timing.goodbye_max,
                                                       self->channel.send(std::move(goodbye)));
    }
    co_return ok();
  }
}

Async<void> Client::State::beat(std::shared_ptr<State> self) {
  const Result<void> beaten = co_await self->channel.keep_alive();
  if (!beaten) co_return Error{Errc::cancelled, beaten.error().detail};
  co_return ok();
}

// Hands out what came. Errors: malformed; closed - the coordinator said goodbye; cancelled.
Async<void> Client::State::take(Incoming incoming) {
  if (DataFrame* data = std::get_if<DataFrame>(&incoming)) {
    const std::uint8_t stream = data->stream;
    ClientDownload::Event event = std::move(*data);
    co_return co_await take_download(stream, std::move(event));
  }
  if (const StreamEnd* whole = std::get_if<StreamEnd>(&incoming)) {
    ClientDownload::Event event = *whole;
    co_return co_await take_download(whole->stream, std::move(event));
  }
  Message& message = std::get<Message>(incoming);
  if (const Serving* serving = std::get_if<Serving>(&message)) {
    ClientDownload::Event event = *serving;
    co_return co_await take_download(serving->stream, std::move(event));
  }
  const Answer* answer = std::get_if<Answer>(&message);
  if (answer != nullptr && downloading && answer->stream == downloading->stream) {
    const std::uint8_t stream = answer->stream;
    ClientDownload::Event event = *answer;
    co_return co_await take_download(stream, std::move(event));
  }
  co_return take_message(std::move(message));
}

Async<void> Client::State::take_download(std::uint8_t stream, ClientDownload::Event event) {
  const std::shared_ptr<ClientDownload> download = downloading;
  if (!download || download->stream != stream) {
    if (cut_short) co_return ok();
    co_return Error{Errc::malformed,
                    "expected nothing of stream " + std::to_string(stream) + ", saw some"};
  }
  const Result<void> sent = co_await download->events.send(std::move(event));
  if (!sent && sent.error().code == Errc::cancelled) co_return sent.error();
  co_return ok();  // closed: the fetch was cut short
}

Result<void> Client::State::take_message(Message message) {
  if (Agenda* news = std::get_if<Agenda>(&message)) {
    take_agenda(std::move(*news));
    return ok();
  }
  if (Answer* answer = std::get_if<Answer>(&message)) return take_answer(std::move(*answer));
  if (const Goodbye* goodbye = std::get_if<Goodbye>(&message)) {
    return Error{Errc::closed, "the coordinator said goodbye: " + goodbye->reason};
  }
  if (const Proceed* proceed = std::get_if<Proceed>(&message)) {
    if (uploading && uploading->stream == proceed->stream && uploading->events.try_send(*proceed)) {
      return ok();
    }
  }
  if (Status* status = std::get_if<Status>(&message)) {
    if (std::exchange(asked, false) && answers.try_send(std::move(*status))) return ok();
  }
  if (cut_short) return ok();
  return Error{Errc::malformed, "expected no " + std::string(name_of(message)) + " now, saw one"};
}

Result<void> Client::State::take_answer(Answer answer) {
  if (answer.stream != 0) {
    if (uploading && uploading->stream == answer.stream) {
      *uploading->stopped = true;  // whatever is not sent is not wanted
      if (uploading->events.try_send(std::move(answer))) return ok();
    }
  } else if (std::exchange(asked, false) && answers.try_send(std::move(answer))) {
    return ok();
  }
  if (cut_short) return ok();
  return Error{Errc::malformed, "expected no answer now, saw one"};
}

void Client::State::take_agenda(Agenda news) {
  agenda = std::move(news);
  agenda_is_new = true;
  agenda_news.cancel();
  if (uploading && uploading->still_wanted && !*uploading->stopped &&
      !uploading->still_wanted(*agenda)) {
    *uploading->stopped = true;
    static_cast<void>(uploading->events.try_send(Unwanted{}));
  }
  if (downloading && downloading->still_wanted && !downloading->unwanted &&
      !downloading->still_wanted(*agenda)) {
    downloading->unwanted = true;
    static_cast<void>(downloading->events.try_send(Unwanted{}));  // full: the flag is seen soon
  }
}

// --- calls

Async<std::variant<Answer, Status>> Client::State::ask(Message message) {
  const std::shared_ptr<State> self = shared_from_this();
  const Result<net::Permit> turn = co_await asking.take();
  if (!turn) co_return turn.error();
  if (failure) co_return *failure;
  CallGuard guard(&cut_short);
  asked = true;
  const Result<void> sent = co_await channel.send(std::move(message));
  if (!sent) {
    guard.end();
    asked = false;
    if (sent.error().code == Errc::invalid_argument) co_return sent.error();
    co_return fail(sent.error());
  }
  Result<std::variant<Answer, Status>> answer =
      co_await with_deadline(settings.timing.answer_max, answers.receive());
  if (answer) {
    guard.end();
    co_return std::move(*answer);
  }
  if (answer.error().code == Errc::cancelled) co_return answer.error();
  guard.end();
  co_return fail(in_context("waiting for the answer", answer.error()));
}

Async<Answer> Client::request(Message message) {
  const std::shared_ptr<State> state = state_;
  Result<std::variant<Answer, Status>> reply = co_await state->ask(std::move(message));
  if (!reply) co_return reply.error();
  if (Answer* answer = std::get_if<Answer>(&*reply)) co_return std::move(*answer);
  co_return state->fail({Errc::malformed, "expected an Answer, saw a Status"});
}

Async<Status> Client::ask_status() {
  const std::shared_ptr<State> state = state_;
  Message message = AskStatus{};
  Result<std::variant<Answer, Status>> reply = co_await state->ask(std::move(message));
  if (!reply) co_return reply.error();
  if (Status* status = std::get_if<Status>(&*reply)) co_return std::move(*status);
  const Answer& answer = std::get<Answer>(*reply);
  co_return Error{Errc::rejected, std::string(to_string(answer.verdict)) + ": " + answer.reason};
}

Async<Agenda> Client::next_agenda() {
  return state_->next_agenda();
}

Async<Agenda> Client::State::next_agenda() {
  const std::shared_ptr<State> self = shared_from_this();
  for (;;) {
    if (failure) co_return *failure;
    if (std::exchange(agenda_is_new, false)) co_return *agenda;
    const Result<void> woken = co_await agenda_news.wait();
    const auto stop = co_await net::asio::this_coro::cancellation_state;
    if (stop.cancelled() != net::asio::cancellation_type::none) co_return woken.error();
  }
}

Async<Received> Client::fetch(Digest digest, std::filesystem::path destination,
                              std::uint64_t size_max_bytes, StillWanted still_wanted) {
  return state_->fetch(digest, std::move(destination), size_max_bytes, std::move(still_wanted));
}
Async<Answer> Client::upload(Message offer, std::filesystem::path file, StillWanted still_wanted) {
  return state_->upload(std::move(offer), std::move(file), std::move(still_wanted));
}
Async<void> Client::close(std::string reason) {
  return state_->close(std::move(reason));
}

Async<void> Client::State::until_read() {
  while (!reader_done) {
    const Result<void> woken = co_await reader_news.wait();
    const auto stop = co_await net::asio::this_coro::cancellation_state;
    if (stop.cancelled() != net::asio::cancellation_type::none) co_return woken.error();
  }
  co_return ok();
}

Async<void> Client::State::close(std::string reason) {
  const std::shared_ptr<State> self = shared_from_this();
  if (!failure) {
    cut_short = true;
    Message goodbye = Goodbye{std::move(reason)};
    const Result<void> told =
        co_await with_deadline(settings.timing.goodbye_max, channel.send(std::move(goodbye)));
    if (told && !failure) {
      channel.finish();
      failure = Error{Errc::closed, "the session was closed here"};
      const Result<void> heard = co_await with_deadline(settings.timing.goodbye_max, until_read());
    }
  }
  fail({Errc::closed, "the session was closed here"});
  tasks.stop();
  co_return co_await tasks.join();
}

}  // namespace entente::protocol
