// SPDX-License-Identifier: Apache-2.0
//
// A server session as state; its coroutines keep it alive. For server.cpp (begin, end, outbox) and
// server_streams.cpp (what comes in).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "common/net/task_group.hpp"
#include "common/net/timer.hpp"
#include "protocol/server.hpp"

namespace entente::protocol {

// An announced file, from its offer until it is answered and the peer will send nothing more of it.
struct Upload {
  Upload(Message announced, std::uint8_t number, Digest of_whole, std::uint64_t size,
         const net::Executor& executor)
      : offer(std::move(announced)),
        stream(number),
        digest(of_whole),
        size_bytes(size),
        news(executor),
        last_came(net::now()) {}
  Message offer;
  std::uint8_t stream;
  Digest digest;
  std::uint64_t size_bytes;
  net::Timer news;                   // cancelled when one of the following changes
  net::Instant last_came;            // something of it
  std::optional<Receiver> receiver;  // while bytes are wanted
  bool proceeding = false;           // the peer was told to send
  std::optional<StreamEnd> end;      // it has sent all
  bool stopped = false;              // it has stopped
  std::optional<Error> failure;      // the bytes are not wanted any more, and why
  bool answered = false;
  // Nothing more of the stream comes.
  bool is_quiet() const { return !proceeding || end || stopped; }
};

struct Download {
  explicit Download(std::uint8_t number) : stream(number) {}
  std::uint8_t stream;
  std::shared_ptr<bool> stopped = std::make_shared<bool>(false);
};

struct ServerSession::State : std::enable_shared_from_this<ServerSession::State> {
  State(std::unique_ptr<net::Stream> stream, net::BufferPool pool, Timing timing,
        ServerHandler& of);

  // --- server.cpp
  net::Async<void> greet(Welcome welcome);
  net::Async<void> refuse(Message refusal);
  net::Async<void> run();
  net::Async<void> part();
  net::Async<void> until(const bool State::*flag);
  void end(Error why);
  void post(Message message);
  void enqueue(Message message);
  static net::Async<void> read(std::shared_ptr<State> self);
  static net::Async<void> write(std::shared_ptr<State> self);
  static net::Async<void> beat(std::shared_ptr<State> self);

  // --- server_streams.cpp; errors: malformed - the peer broke the rules
  Result<void> handle(Incoming incoming);
  Result<void> handle_message(Message message);
  Result<void> handle_data(const DataFrame& data);
  Result<void> handle_end(const StreamEnd& end_of_stream);
  Result<void> begin_upload(Message offer);
  Result<void> begin_download(const Fetch& fetch);
  void stop_stream(std::uint8_t stream);
  void answer_upload(Answer answer);
  static net::Async<void> answer_request(std::shared_ptr<State> self, Message request);
  static net::Async<void> take_upload(std::shared_ptr<State> self, std::shared_ptr<Upload> upload);
  static net::Async<Answer> upload_answer(std::shared_ptr<State> self,
                                          std::shared_ptr<Upload> upload);
  static net::Async<void> serve_download(std::shared_ptr<State> self,
                                         std::shared_ptr<Download> download, Fetch fetch);

  Channel channel;
  ServerHandler& handler;
  net::TaskGroup tasks;
  std::deque<Message> outbox;
  net::Timer outbox_news;
  net::Timer news;              // of the flags below
  std::optional<Error> ending;  // why
  bool parting = false;         // what still comes in is not looked at
  bool writer_done = false;
  bool reader_done = false;
  bool peer_left = false;
  bool request_open = false;
  std::shared_ptr<Upload> upload;
  std::shared_ptr<Download> download;
  std::size_t endings = 0;  // downloads that are over but for their last frame
};

}  // namespace entente::protocol
