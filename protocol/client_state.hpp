// SPDX-License-Identifier: Apache-2.0
//
// A client's session as state; its coroutines keep it alive. For client.cpp (begin, end, requests,
// what comes in) and client_streams.cpp (fetch and upload).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "common/net/mailbox.hpp"
#include "common/net/task_group.hpp"
#include "protocol/client.hpp"

namespace entente::protocol {

// The agenda has changed and the transfer is not wanted any more.
struct Unwanted {};

// A transfer under way, as the reader sees it.
struct ClientUpload {
  using Event = std::variant<Proceed, Answer, Unwanted>;  // each comes at most once
  ClientUpload(std::uint8_t number, StillWanted wanted)
      : stream(number), still_wanted(std::move(wanted)) {}
  std::uint8_t stream;
  StillWanted still_wanted;
  std::shared_ptr<bool> stopped = std::make_shared<bool>(false);  // send no more
  net::Mailbox<Event> events{4};
};
struct ClientDownload {
  using Event = std::variant<Serving, Answer, DataFrame, StreamEnd, Unwanted>;
  ClientDownload(std::uint8_t number, StillWanted wanted)
      : stream(number), still_wanted(std::move(wanted)) {}
  std::uint8_t stream;
  StillWanted still_wanted;
  bool unwanted = false;
  net::Mailbox<Event> events{2};  // the reader waits for room: back-pressure
};

struct Client::State : std::enable_shared_from_this<Client::State> {
  State(std::unique_ptr<net::Stream> stream, net::BufferPool pool, ClientSettings given)
      : channel(std::move(stream), std::move(pool), given.timing),
        settings(std::move(given)),
        tasks(channel.executor()),
        agenda_news(channel.executor()),
        reader_news(channel.executor()),
        asking(channel.executor(), 1) {}

  // --- client.cpp
  net::Async<void> greet();
  Result<void> check(const Welcome& said) const;
  static net::Async<void> read(std::shared_ptr<State> self);
  static net::Async<void> beat(std::shared_ptr<State> self);
  net::Async<void> take(Incoming incoming);
  Result<void> take_message(Message message);
  Result<void> take_answer(Answer answer);
  void take_agenda(Agenda agenda);
  net::Async<void> take_download(std::uint8_t stream, ClientDownload::Event event);
  net::Async<std::variant<Answer, Status>> ask(Message message);
  net::Async<Agenda> next_agenda();
  net::Async<void> close(std::string reason);
  net::Async<void> until_read();
  // The first failure is what every call reports; the stream is closed, everybody woken.
  Error fail(Error why);
  // What a call says when its mailbox was closed under it.
  Error or_failure(Error error) const { return failure ? *failure : error; }

  // --- client_streams.cpp
  net::Async<Received> fetch(Digest digest, std::filesystem::path destination,
                             std::uint64_t size_max, StillWanted still_wanted);
  net::Async<Received> fetch_once(std::shared_ptr<ClientDownload> download, Receiver* receiver,
                                  Digest digest);
  net::Async<void> end_download(std::shared_ptr<ClientDownload> download);
  net::Async<ClientDownload::Event> next_event(std::shared_ptr<ClientDownload> download);
  net::Async<ClientUpload::Event> next_event(std::shared_ptr<ClientUpload> upload);
  net::Async<Answer> upload(Message offer, std::filesystem::path file, StillWanted still_wanted);
  net::Async<Answer> send_offered(std::shared_ptr<ClientUpload> upload, Message offer, File file,
                                  std::uint64_t size, Digest digest);
  std::uint8_t next_stream();

  Channel channel;
  ClientSettings settings;
  net::TaskGroup tasks;
  Welcome welcome;
  std::optional<Error> failure;
  bool cut_short = false;  // a call was cancelled: what comes for it is not nonsense
  bool reader_done = false;
  std::optional<Agenda> agenda;
  bool agenda_is_new = false;
  net::Timer agenda_news;
  net::Timer reader_news;
  net::Permits asking;
  bool asked = false;
  net::Mailbox<std::variant<Answer, Status>> answers{1};
  std::uint8_t last_stream = 0;
  std::shared_ptr<ClientUpload> uploading;
  std::shared_ptr<ClientDownload> downloading;
};

// Marks a call as cut short unless it came to its end.
class CallGuard {
 public:
  explicit CallGuard(bool* cut_short) : cut_short_(cut_short) {}
  ~CallGuard() {
    if (!ended_) *cut_short_ = true;
  }
  CallGuard(const CallGuard&) = delete;
  CallGuard& operator=(const CallGuard&) = delete;
  void end() { ended_ = true; }

 private:
  bool* cut_short_;
  bool ended_ = false;
};

}  // namespace entente::protocol
