// SPDX-License-Identifier: Apache-2.0
//
// What a session does with what comes in: requests to the handler, an upload into its file, a
// download out of one.
#include <utility>

#include "protocol/server_state.hpp"

namespace entente::protocol {
namespace {

using net::Async;

Error nonsense(std::string expected, std::string_view seen) {
  return {Errc::malformed, "expected " + std::move(expected) + ", saw " + std::string(seen)};
}

bool is_plain_request(const Message& message) {
  return std::holds_alternative<AnswerPlan>(message) ||
         std::holds_alternative<ReportEvaluation>(message) ||
         std::holds_alternative<DeclineWork>(message) ||
         std::holds_alternative<CancelPlan>(message) ||
         std::holds_alternative<SetSuspended>(message) ||
         std::holds_alternative<StopCoordinator>(message) ||
         std::holds_alternative<AskStatus>(message);
}

Answer answer_to(std::uint8_t stream, Verdict verdict, std::string reason) {
  Answer answer;
  answer.verdict = verdict;
  answer.reason = std::move(reason);
  answer.stream = stream;
  return answer;
}

// The last frame of a download, from the moment that it is due until it was taken.
template <class State>
class Ending {
 public:
  explicit Ending(std::shared_ptr<State> session) : session_(std::move(session)) {}
  ~Ending() {
    if (begun_) --session_->endings;
  }
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;
  void begin() {
    begun_ = true;
    ++session_->endings;
    session_->download.reset();
  }

 private:
  std::shared_ptr<State> session_;
  bool begun_ = false;
};

// The wait for the next piece of an upload: the peer's own, and that for a buffer here.
std::chrono::milliseconds piece_max(const Timing& timing) {
  return timing.answer_max + timing.buffer_max;
}

struct Blob {
  File file;
  std::uint64_t size_bytes;
};

Result<Blob> open_blob(ServerHandler& handler, const Digest& digest) {
  auto path = handler.find(digest);
  if (!path) return path.error();
  auto file = File::open(*path, File::Mode::read);
  if (!file) return file.error();
  const auto size = file->size_bytes();
  if (!size) return size.error();
  return Blob{std::move(*file), *size};
}

Verdict verdict_for(Errc code) {
  if (code == Errc::not_found) return Verdict::unknown;
  if (code == Errc::rejected) return Verdict::not_allowed;
  return Verdict::busy;
}

}  // namespace

Result<void> ServerSession::State::handle(Incoming incoming) {
  if (const DataFrame* data = std::get_if<DataFrame>(&incoming)) return handle_data(*data);
  if (const StreamEnd* whole = std::get_if<StreamEnd>(&incoming)) return handle_end(*whole);
  return handle_message(std::move(std::get<Message>(incoming)));
}

Result<void> ServerSession::State::handle_message(Message message) {
  if (const Goodbye* goodbye = std::get_if<Goodbye>(&message)) {
    peer_left = true;
    end({Errc::closed, "the peer said goodbye: " + goodbye->reason});
    return ok();
  }
  if (const Fetch* fetch = std::get_if<Fetch>(&message)) return begin_download(*fetch);
  if (const StopStream* stop = std::get_if<StopStream>(&message)) {
    stop_stream(stop->stream);
    return ok();
  }
  if (std::holds_alternative<OfferUpdate>(message) || std::holds_alternative<OfferPlan>(message)) {
    return begin_upload(std::move(message));
  }
  if (!is_plain_request(message)) return nonsense("a request", name_of(message));
  if (request_open) return nonsense("one request at a time", name_of(message));
  request_open = true;
  tasks.spawn("session request", answer_request(shared_from_this(), std::move(message)));
  return ok();
}

Async<void> ServerSession::State::answer_request(std::shared_ptr<State> self, Message request) {
  Result<std::optional<Message>> reply = co_await self->handler.on_message(std::move(request));
  self->request_open = false;
  if (!reply) {
    self->end(reply.error());
  } else if (*reply) {
    self->enqueue(std::move(**reply));
  }
  co_return ok();
}

// --- upload

Result<void> ServerSession::State::begin_upload(Message offer) {
  if (upload) return nonsense("one upload at a time", name_of(offer));
  std::shared_ptr<Upload> offered;
  const net::Executor executor = channel.executor();
  if (const OfferUpdate* update = std::get_if<OfferUpdate>(&offer)) {
    offered = std::make_shared<Upload>(offer, update->stream, update->update, update->size_bytes,
                                       executor);
  } else {
    const OfferPlan& plan = std::get<OfferPlan>(offer);
    offered = std::make_shared<Upload>(offer, plan.stream, plan.plan, plan.size_bytes, executor);
  }
  if (download && download->stream == offered->stream) {
    return nonsense("a stream of its own for the upload", "that of the download");
  }
  upload = offered;
  tasks.spawn("session upload", take_upload(shared_from_this(), std::move(offered)));
  return ok();
}

Async<void> ServerSession::State::take_upload(std::shared_ptr<State> self,
                                              std::shared_ptr<Upload> upload) {
  Result<Answer> answer = co_await upload_answer(self, upload);
  upload->receiver.reset();
  if (upload->stopped) answer = answer_to(upload->stream, Verdict::not_now, "stopped as asked");
  if (!answer) {
    self->end(answer.error());
  } else {
    self->answer_upload(std::move(*answer));
  }
  co_return ok();
}

// From the offer to its answer; ends early when the peer stops.
Async<Answer> ServerSession::State::upload_answer(std::shared_ptr<State> self,
                                                  std::shared_ptr<Upload> upload) {
  const Answer no_answer;
  Result<std::variant<Expected, Answer>> wanted = co_await self->handler.on_offer(upload->offer);
  if (!wanted) co_return wanted.error();
  if (Answer* answer = std::get_if<Answer>(&*wanted)) co_return std::move(*answer);
  if (upload->stopped) co_return no_answer;

  Result<Receiver> receiver =
      co_await Receiver::open(std::move(std::get<Expected>(*wanted)), self->channel.pool());
  if (upload->stopped) co_return no_answer;
  if (!receiver) {
    Result<Received> failed = receiver.error();
    co_return co_await self->handler.on_received(upload->offer, std::move(failed));
  }
  const Proceed proceed{upload->stream, receiver->position()};
  upload->receiver.emplace(std::move(*receiver));
  upload->proceeding = true;
  self->enqueue(proceed);
  upload->last_came = net::now();
  while (!upload->end && !upload->failure && !upload->stopped) {
    const net::Instant due = upload->last_came + piece_max(self->channel.timing());
    if (net::now() >= due) {
      co_return Error{Errc::timed_out, "nothing more came of the upload that was announced"};
    }
    upload->news.expires_at(due);
    const Result<void> woken = co_await upload->news.wait();
    const auto stop = co_await net::asio::this_coro::cancellation_state;
    if (stop.cancelled() != net::asio::cancellation_type::none) co_return woken.error();
  }
  if (upload->stopped) co_return no_answer;
  Result<Received> received = Error{};
  if (upload->failure) {
    received = *upload->failure;
  } else {
    received = upload->receiver->finish(upload->end->length, upload->end->digest);
  }
  upload->receiver.reset();
  co_return co_await self->handler.on_received(upload->offer, std::move(received));
}

// The upload is over when the peer, too, sends nothing more of it.
void ServerSession::State::answer_upload(Answer answer) {
  answer.stream = upload->stream;
  upload->answered = true;
  if (upload->is_quiet()) upload.reset();
  enqueue(std::move(answer));
}

Result<void> ServerSession::State::handle_data(const DataFrame& data) {
  if (!upload || upload->stream != data.stream || upload->is_quiet()) {
    return nonsense("no data of stream " + std::to_string(data.stream), "some");
  }
  upload->last_came = net::now();
  if (!upload->receiver || upload->failure) return ok();  // the answer and this have crossed
  const Result<void> accepted = upload->receiver->accept(data.offset, data.bytes.view());
  if (accepted) {
    handler.on_progress(upload->offer, upload->receiver->position(), upload->size_bytes);
  } else {
    upload->failure = accepted.error();
    upload->news.cancel();
  }
  return ok();
}

Result<void> ServerSession::State::handle_end(const StreamEnd& end_of_stream) {
  if (!upload || upload->stream != end_of_stream.stream || upload->is_quiet()) {
    return nonsense("no end of stream " + std::to_string(end_of_stream.stream), "one");
  }
  upload->end = end_of_stream;
  upload->news.cancel();
  if (upload->answered) upload.reset();
  return ok();
}

// --- download

Result<void> ServerSession::State::begin_download(const Fetch& fetch) {
  // Who waits for the last frame of one before it asks for the next has at most one that ends.
  if (download || endings >= endings_max) {
    return nonsense("one download at a time", "another asked for");
  }
  if (upload && upload->stream == fetch.stream) {
    return nonsense("a stream of its own for the download", "that of the upload");
  }
  download = std::make_shared<Download>(fetch.stream);
  tasks.spawn("session download", serve_download(shared_from_this(), download, fetch));
  return ok();
}

// The download is over for us before its last frame is sent: the peer may ask for the next at once.
// One that never reads is not allowed to ask on and on.
Async<void> ServerSession::State::serve_download(std::shared_ptr<State> self,
                                                 std::shared_ptr<Download> download, Fetch fetch) {
  Message last;
  Ending ending(self);
  const auto refuse = [&](Verdict verdict, std::string reason) {
    ending.begin();
    last = answer_to(fetch.stream, verdict, std::move(reason));
  };
  Result<Blob> blob = open_blob(self->handler, fetch.digest);
  if (!blob) {
    refuse(verdict_for(blob.error().code), blob.error().detail);
    co_return co_await self->channel.send(std::move(last));
  }
  const std::uint64_t size = blob->size_bytes;
  if (fetch.offset > size) {
    refuse(Verdict::malformed, "expected an offset of at most " + std::to_string(size) + ", saw " +
                                   std::to_string(fetch.offset));
    co_return co_await self->channel.send(std::move(last));
  }
  Message serving = Serving{fetch.stream, size};
  const Result<void> announced = co_await self->channel.send(std::move(serving));
  if (!announced) co_return announced.error();

  Outgoing outgoing(std::move(blob->file), fetch.stream, fetch.offset, size);
  const Result<bool> sent =
      co_await send_file(&self->channel, std::move(outgoing), download->stopped);
  if (self->parting) co_return ok();
  if (sent && *sent) {
    ending.begin();
    co_return co_await self->channel.send_end(fetch.stream, size, fetch.digest);
  }
  if (!sent && sent.error().code != Errc::io) co_return sent.error();
  if (sent) {
    refuse(Verdict::not_now, "stopped as asked");
  } else {
    refuse(Verdict::busy, sent.error().detail);
  }
  co_return co_await self->channel.send(std::move(last));
}

// Of either; when the stream is not there any more, its end or answer has crossed the stop.
void ServerSession::State::stop_stream(std::uint8_t stream) {
  if (download && download->stream == stream) *download->stopped = true;
  if (!upload || upload->stream != stream || upload->end) return;
  upload->stopped = true;
  upload->news.cancel();
  if (upload->answered) upload.reset();
}

}  // namespace entente::protocol
