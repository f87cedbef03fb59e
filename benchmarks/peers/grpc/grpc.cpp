// SPDX-License-Identifier: MIT

// R3 and R3b with gRPC: a call for each request, on completion queues with one thread in each process; as
// `grpc-callback` with callbacks, which run on threads of its own; and as `grpc-stream` one stream for all
// requests on completion queues, which leaves it to the program to know which answer is for which request.

#include "callbacks.hpp"
#include "harness.hpp"
#include "host.hpp"
#include "second_process.hpp"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "traffic.grpc.pb.h"

namespace {

using bench::completion;
using bench::order;
using bench::outcome;
using bench::second_process;
using clock_type = std::chrono::steady_clock;

/// The requests of a run: how many there are to be, and what has come of them.
class requests {
public:
    requests(std::uint64_t count, bench::latencies* took) : count_(count), took_(took) {}

    /// The number of the next one; nothing where there were enough.
    std::optional<std::uint64_t> next() { return sent_ < count_ ? std::optional(sent_++) : std::nullopt; }

    void take(std::uint64_t number, std::uint64_t answer, clock_type::time_point begin)
    {
        if (took_ != nullptr)
            took_->add(clock_type::now() - begin);
        right_ += answer == number + 1 ? 1 : 0;
        is_over_ = ++answered_ == count_;
    }

    const bool& is_over() const noexcept { return is_over_; }
    std::uint64_t right() const noexcept { return right_; }

private:
    std::uint64_t count_;
    bench::latencies* took_;
    std::uint64_t sent_ = 0;
    std::uint64_t answered_ = 0;
    std::uint64_t right_ = 0;
    bool is_over_ = false;
};

/// A channel to the second process, and the queue of the thread.
struct connection {
    second_process second;  // before there are threads
    std::shared_ptr<grpc::Channel> channel =
        grpc::CreateChannel(second.address(), grpc::InsecureChannelCredentials());
    std::unique_ptr<traffic::Host::Stub> host = traffic::Host::NewStub(channel);
    grpc::CompletionQueue queue;

    explicit connection(void (*serve)(const second_process::door&)) : second(serve)
    {
        if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(5)))
            throw std::runtime_error("gRPC does not connect");
    }
};

/// One call after the other.
class caller final : public completion {
public:
    caller(connection& over, requests& all) : over_(over), all_(all) { call(); }

    void proceed(bool is_done) override
    {
        if (!is_done || !status_.ok())
            throw std::runtime_error("a call of gRPC has failed: " + status_.error_message());
        all_.take(number_, answer_.number(), begin_);
        call();
    }

private:
    void call()
    {
        const std::optional<std::uint64_t> next = all_.next();
        if (!next)
            return;
        begin_ = clock_type::now();
        number_ = *next;
        question_.set_number(number_);
        reader_.reset();
        reader_ = over_.host->AsyncAsk(&context_.emplace(), question_, &over_.queue);
        reader_->Finish(&answer_, &status_, this);
    }

    connection& over_;
    requests& all_;
    std::optional<grpc::ClientContext> context_;
    std::unique_ptr<grpc::ClientAsyncResponseReader<traffic::Answer>> reader_;
    traffic::Question question_;
    traffic::Answer answer_;
    grpc::Status status_;
    clock_type::time_point begin_;
    std::uint64_t number_ = 0;
};

/// So many requests outstanding on one stream.
class talker final : public completion {
public:
    talker(connection& over, requests& all, std::size_t outstanding) : all_(all), outstanding_(outstanding)
    {
        stream_ = over.host->AsyncTalk(&context_, &over.queue, this);
    }

    /// The stream has begun, or an answer has come.
    void proceed(bool is_done) override
    {
        if (!is_done)
            throw std::runtime_error("the stream of gRPC has ended");
        if (!is_begun_) {
            is_begun_ = true;
            for (std::size_t i = 0; i < outstanding_; ++i)
                ask();
        } else {
            const auto [number, begin] = asked_.front();
            asked_.pop_front();
            all_.take(number, answer_.number(), begin);
            ask();
        }
        stream_->Read(&answer_, this);
    }

private:
    class written final : public completion {
    public:
        explicit written(talker& owner) : owner_(owner) {}
        void proceed(bool is_done) override
        {
            owner_.is_writing_ = false;
            if (is_done)
                owner_.write_next();
        }

    private:
        talker& owner_;
    };

    void ask()
    {
        if (const auto next = all_.next()) {
            asked_.emplace_back(*next, clock_type::now());
            waiting_.push_back(*next);
            write_next();
        }
    }

    void write_next()
    {
        if (is_writing_ || waiting_.empty())
            return;
        is_writing_ = true;
        question_.set_number(waiting_.front());
        waiting_.pop_front();
        // More is behind it: it need not be sent at once.
        stream_->Write(question_,
            waiting_.empty() ? grpc::WriteOptions() : grpc::WriteOptions().set_buffer_hint(), &written_);
    }

    requests& all_;
    std::size_t outstanding_;
    grpc::ClientContext context_;
    std::unique_ptr<grpc::ClientAsyncReaderWriter<traffic::Question, traffic::Answer>> stream_;
    std::deque<std::pair<std::uint64_t, clock_type::time_point>> asked_;
    std::deque<std::uint64_t> waiting_;
    traffic::Question question_;
    traffic::Answer answer_;
    written written_{*this};
    bool is_begun_ = false;
    bool is_writing_ = false;
};

/// How requests are made, and answered: asks so often with so many outstanding, and says how many answers
/// were right.
struct way {
    void (*serve)(const second_process::door&);
    std::uint64_t (*ask)(connection&, std::uint64_t count, std::size_t outstanding, bench::latencies*);
};

std::uint64_t with_calls(
    connection& over, std::uint64_t count, std::size_t outstanding, bench::latencies* took)
{
    requests all(count, took);
    std::deque<caller> callers;
    for (std::size_t i = 0; i < outstanding; ++i)
        callers.emplace_back(over, all);
    bench::work_off(over.queue, all.is_over());
    return all.right();
}

std::uint64_t with_stream(
    connection& over, std::uint64_t count, std::size_t outstanding, bench::latencies* took)
{
    requests all(count, took);
    // The stream need not be taken apart: the process ends.
    auto talking = std::make_unique<talker>(over, all, outstanding);
    bench::work_off(over.queue, all.is_over());
    static_cast<void>(talking.release());
    return all.right();
}

std::uint64_t with_callbacks(
    connection& over, std::uint64_t count, std::size_t outstanding, bench::latencies* took)
{
    return bench::ask_with_callbacks(over.channel, count, outstanding, took);
}

outcome end(connection& over, outcome made, std::uint64_t sent, std::uint64_t received)
{
    made.sent = sent;
    made.received = received;
    made.beside = over.second.end();
    return made;
}

outcome asks(const order& order, way by)
{
    const std::uint64_t count = order.count(20'000);
    bench::latencies took(count);
    auto& over = *std::make_unique<connection>(by.serve).release();  // the process ends
    const bench::stopwatch watch;
    const std::uint64_t right = by.ask(over, count, 1, &took);
    outcome made;
    made.allocations = watch.allocations();
    made.figures = took.figures();
    return end(over, std::move(made), count, right);
}

outcome many_asks(const order& order, way by)
{
    constexpr std::size_t outstanding = 64;
    const std::uint64_t count = order.count(200'000);
    auto& over = *std::make_unique<connection>(by.serve).release();  // the process ends
    const bench::stopwatch watch;
    const std::uint64_t right = by.ask(over, count, outstanding, nullptr);
    return end(over, bench::rate("asks", "asks/s", count, watch), count, right);
}

}  // namespace

int main(int argc, char** argv)
{
    using namespace bench;
    std::vector<workload> all;
    for (const auto& [peer, by] : {std::pair("grpc", way{serve_with_grpc, with_calls}),
             std::pair("grpc-callback", way{serve_with_callbacks, with_callbacks}),
             std::pair("grpc-stream", way{serve_with_grpc, with_stream})}) {
        all.push_back({"R3", peer, {1}, 1, 8, [by](const order& each) { return asks(each, by); }});
        all.push_back({"R3b", peer, {1}, 64, 8, [by](const order& each) { return many_asks(each, by); }});
    }
    return bench::main(argc, argv, all,
        {"grpc", grpc::Version(), "C++",
            "completion queues, one for each process, read by one thread; a call for each request, no TLS, "
            "default arguments of channel and server. grpc-callback: callbacks on threads of gRPC, all of a "
            "process on one core. grpc-stream: all requests on one stream, with the "
            "buffer hint where more is to be written"});
}
