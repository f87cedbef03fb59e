// SPDX-License-Identifier: MIT

#include "host.hpp"

#include <fmt/format.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include "traffic.grpc.pb.h"

namespace bench {

namespace {

/// What both kinds of calls need.
struct desk {
    traffic::Host::AsyncService& service;
    grpc::ServerCompletionQueue& queue;
};

/// One call at a time; the next one is asked for when it has been answered.
class answered_call final : public completion {
public:
    explicit answered_call(desk& at) : at_(at) { ask_for_next(); }

    void proceed(bool is_done) override
    {
        if (!is_done)
            return;
        if (is_answered_)
            return ask_for_next();
        is_answered_ = true;
        answer_.set_number(question_.number() + 1);
        writer_->Finish(answer_, grpc::Status::OK, this);
    }

private:
    void ask_for_next()
    {
        is_answered_ = false;
        writer_.reset();
        writer_.emplace(&context_.emplace());
        at_.service.RequestAsk(&*context_, &question_, &*writer_, &at_.queue, &at_.queue, this);
    }

    desk& at_;
    std::optional<grpc::ServerContext> context_;
    std::optional<grpc::ServerAsyncResponseWriter<traffic::Answer>> writer_;
    traffic::Question question_;
    traffic::Answer answer_;
    bool is_answered_ = false;
};

/// The one stream of the first process: reads on while answers are written, one at a time.
class answered_stream final : public completion {
public:
    explicit answered_stream(desk& at) : stream_(&context_)
    {
        at.service.RequestTalk(&context_, &stream_, &at.queue, &at.queue, this);
    }

    /// It was asked for, or a question has come.
    void proceed(bool is_done) override
    {
        if (!is_done)
            return;
        if (is_begun_) {
            waiting_.push_back(question_.number() + 1);
            write_next();
        }
        is_begun_ = true;
        stream_.Read(&question_, this);
    }

private:
    class written final : public completion {
    public:
        explicit written(answered_stream& owner) : owner_(owner) {}
        void proceed(bool is_done) override
        {
            owner_.is_writing_ = false;
            if (is_done)
                owner_.write_next();
        }

    private:
        answered_stream& owner_;
    };

    void write_next()
    {
        if (is_writing_ || waiting_.empty())
            return;
        is_writing_ = true;
        answer_.set_number(waiting_.front());
        waiting_.pop_front();
        // More is behind it: it need not be sent at once.
        stream_.Write(answer_,
            waiting_.empty() ? grpc::WriteOptions() : grpc::WriteOptions().set_buffer_hint(), &written_);
    }

    grpc::ServerContext context_;
    grpc::ServerAsyncReaderWriter<traffic::Answer, traffic::Question> stream_;
    traffic::Question question_;
    traffic::Answer answer_;
    std::deque<std::uint64_t> waiting_;
    written written_{*this};
    bool is_begun_ = false;
    bool is_writing_ = false;
};

}  // namespace

void work_off(grpc::CompletionQueue& queue, const bool& is_over)
{
    void* tag = nullptr;
    bool is_done = false;
    while (!is_over && queue.Next(&tag, &is_done))
        static_cast<completion*>(tag)->proceed(is_done);
}

void serve_with_grpc(const second_process::door& door)
{
    constexpr std::size_t calls_at_a_time = 128;
    traffic::Host::AsyncService service;
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    const std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr)
        throw std::runtime_error("gRPC cannot listen");

    desk here{service, *queue};
    std::deque<answered_call> calls;
    for (std::size_t i = 0; i < calls_at_a_time; ++i)
        calls.emplace_back(here);
    answered_stream stream(here);
    std::thread closing([&] {
        door.open(fmt::format("127.0.0.1:{}", port));
        door.wait();
        server->Shutdown(std::chrono::system_clock::now());
        queue->Shutdown();
    });
    const bool never = false;
    work_off(*queue, never);
    closing.join();
}

}  // namespace bench
