// SPDX-License-Identifier: Apache-2.0
//
// A client's transfers. Each ends with the coordinator's last word on its stream (an answer or an
// end), so that nothing of it can come later.
#include <utility>

#include "protocol/client_state.hpp"

namespace entente::protocol {

using net::Async;
using net::with_deadline;

std::uint8_t Client::State::next_stream() {
  do {
    ++last_stream;
  } while (last_stream == 0 || (uploading && uploading->stream == last_stream) ||
           (downloading && downloading->stream == last_stream));
  return last_stream;
}

// Errors of both: what ended the session; cancelled.
Async<ClientDownload::Event> Client::State::next_event(std::shared_ptr<ClientDownload> download) {
  Result<ClientDownload::Event> event =
      co_await with_deadline(settings.timing.answer_max, download->events.receive());
  if (event || event.error().code == Errc::cancelled) co_return event;
  co_return fail(in_context("waiting for the download", event.error()));
}
Async<ClientUpload::Event> Client::State::next_event(std::shared_ptr<ClientUpload> upload) {
  Result<ClientUpload::Event> event =
      co_await with_deadline(settings.timing.answer_max, upload->events.receive());
  if (event || event.error().code == Errc::cancelled) co_return event;
  co_return fail(in_context("waiting for the answer to the upload", event.error()));
}

// --- fetch

namespace {

// However a transfer ends, its place is free again, and a reader that hands something to it goes
// on.
template <class Transfer>
class Place {
 public:
  Place(std::shared_ptr<Transfer>* place, std::shared_ptr<Transfer> transfer)
      : place_(place), transfer_(transfer) {
    *place_ = std::move(transfer);
  }
  ~Place() {
    transfer_->events.close();
    if (*place_ == transfer_) place_->reset();
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::shared_ptr<Transfer>* place_;
  std::shared_ptr<Transfer> transfer_;
};

Error refused(const Answer& answer) {
  return {Errc::rejected,
          "not served (" + std::string(to_string(answer.verdict)) + "): " + answer.reason};
}

}  // namespace

Async<Received> Client::State::fetch(Digest digest, std::filesystem::path destination,
                                     std::uint64_t size_max, StillWanted still_wanted) {
  const std::shared_ptr<State> self = shared_from_this();
  if (failure) co_return *failure;
  if (downloading) co_return Error{Errc::invalid_argument, "one fetch at a time"};
  auto download = std::make_shared<ClientDownload>(next_stream(), std::move(still_wanted));
  const Place<ClientDownload> place(&downloading, download);
  Expected expected(std::move(destination), digest, size_max);
  Result<Receiver> receiver = co_await Receiver::open(std::move(expected), channel.pool());
  if (!receiver) co_return receiver.error();
  if (failure) co_return *failure;

  CallGuard guard(&cut_short);
  Message fetch{Fetch{download->stream, digest, receiver->position()}};
  const Result<void> asked_for = co_await channel.send(std::move(fetch));
  if (!asked_for) co_return fail(asked_for.error());
  Result<Received> received = co_await fetch_once(download, &*receiver, digest);
  if (received || received.error().code != Errc::cancelled) guard.end();
  co_return received;
}

// From the request to the coordinator's last word.
Async<Received> Client::State::fetch_once(std::shared_ptr<ClientDownload> download,
                                          Receiver* receiver, Digest digest) {
  Result<void> fine = ok();
  bool served = false;
  while (fine && !download->unwanted) {
    Result<ClientDownload::Event> event = co_await next_event(download);
    if (!event) co_return event.error();
    if (const Answer* answer = std::get_if<Answer>(&*event)) {
      // A part that the coordinator's blob is shorter than is no part of it.
      if (answer->verdict == Verdict::malformed) receiver->discard();
      co_return refused(*answer);
    }
    if (const Serving* serving = std::get_if<Serving>(&*event)) {
      if (served || serving->size_bytes < receiver->position()) {
        co_return fail(
            {Errc::malformed, "expected to be served what was asked for, saw another size"});
      }
      served = true;
      fine = receiver->announce(serving->size_bytes);
    } else if (!served && !std::holds_alternative<Unwanted>(*event)) {
      co_return fail({Errc::malformed, "expected Serving before its data"});
    } else if (const DataFrame* data = std::get_if<DataFrame>(&*event)) {
      fine = receiver->accept(data->offset, data->bytes.view());
    } else if (const StreamEnd* whole = std::get_if<StreamEnd>(&*event)) {
      co_return receiver->finish(whole->length, whole->digest);
    }
  }
  // Not wanted any more, by the agenda or by this machine's disk.
  Message stop{StopStream{download->stream}};
  const Result<void> stopped = co_await channel.send(std::move(stop));
  if (!stopped) co_return fail(stopped.error());
  const Result<void> ended = co_await end_download(download);
  if (!ended) co_return ended.error();
  if (!fine) co_return fine.error();
  co_return Error{Errc::rejected, "no longer wanted: " + digest.short_hex()};
}

Async<void> Client::State::end_download(std::shared_ptr<ClientDownload> download) {
  for (;;) {
    const Result<ClientDownload::Event> event = co_await next_event(download);
    if (!event) co_return event.error();
    if (std::holds_alternative<Answer>(*event) || std::holds_alternative<StreamEnd>(*event)) {
      co_return ok();
    }
  }
}

// --- upload

Async<Answer> Client::State::upload(Message offer, std::filesystem::path path,
                                    StillWanted still_wanted) {
  const std::shared_ptr<State> self = shared_from_this();
  if (failure) co_return *failure;
  if (uploading) co_return Error{Errc::invalid_argument, "one upload at a time"};
  OfferUpdate* update = std::get_if<OfferUpdate>(&offer);
  OfferPlan* plan = std::get_if<OfferPlan>(&offer);
  if (update == nullptr && plan == nullptr) {
    co_return Error{Errc::invalid_argument,
                    "expected an offer, saw " + std::string(name_of(offer))};
  }
  const Digest digest = update != nullptr ? update->update : plan->plan;
  const std::uint64_t announced = update != nullptr ? update->size_bytes : plan->size_bytes;
  Result<File> file = File::open(path, File::Mode::read);
  if (!file) co_return Error{Errc::io, file.error().detail};
  const Result<std::uint64_t> size = file->size_bytes();
  if (!size) co_return size.error();
  if (*size != announced) {
    co_return Error{Errc::io, path.string() + ": expected " + std::to_string(announced) +
                                  " bytes as announced, saw " + std::to_string(*size)};
  }
  auto upload = std::make_shared<ClientUpload>(next_stream(), std::move(still_wanted));
  const Place<ClientUpload> place(&uploading, upload);
  (update != nullptr ? update->stream : plan->stream) = upload->stream;
  CallGuard guard(&cut_short);
  Result<Answer> answer =
      co_await send_offered(upload, std::move(offer), std::move(*file), *size, digest);
  if (answer || answer.error().code != Errc::cancelled) guard.end();
  co_return answer;
}

// Offer, data, end or stop; until the answer.
Async<Answer> Client::State::send_offered(std::shared_ptr<ClientUpload> upload, Message offer,
                                          File file, std::uint64_t size, Digest digest) {
  const Result<void> offered = co_await channel.send(std::move(offer));
  if (!offered && offered.error().code == Errc::invalid_argument) co_return offered.error();
  if (!offered) co_return fail(offered.error());
  bool unwanted = false;
  bool sending_over = false;  // ended or stopped
  std::optional<Error> unreadable;
  for (;;) {
    Result<ClientUpload::Event> event = co_await next_event(upload);
    if (!event) co_return event.error();
    if (Answer* answer = std::get_if<Answer>(&*event)) {
      if (unreadable) co_return *unreadable;
      co_return std::move(*answer);
    }
    if (std::holds_alternative<Unwanted>(*event)) {
      unwanted = true;
      if (sending_over) continue;
      Message stop{StopStream{upload->stream}};
      const Result<void> stopped = co_await channel.send(std::move(stop));
      if (!stopped) co_return fail(stopped.error());
      sending_over = true;
      continue;
    }
    const Proceed& proceed = std::get<Proceed>(*event);
    if (proceed.offset > size) {
      co_return fail({Errc::malformed, "expected to go on within " + std::to_string(size) +
                                           " bytes, saw " + std::to_string(proceed.offset)});
    }
    if (sending_over || unwanted) continue;
    sending_over = true;  // so this happens once
    // NOLINTNEXTLINE(bugprone-use-after-move)
    Outgoing outgoing(std::move(file), upload->stream, proceed.offset, size);
    const Result<bool> sent = co_await send_file(&channel, std::move(outgoing), upload->stopped);
    if (!sent && sent.error().code != Errc::io) {
      if (sent.error().code == Errc::cancelled) co_return sent.error();
      co_return fail(sent.error());
    }
    if (!sent) unreadable = sent.error();
    Result<void> last = ok();
    if (sent && *sent) {
      last = co_await channel.send_end(upload->stream, size, digest);
    } else {
      Message stop{StopStream{upload->stream}};
      last = co_await channel.send(std::move(stop));
    }
    if (!last) co_return fail(last.error());
  }
}

}  // namespace entente::protocol
