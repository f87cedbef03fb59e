// SPDX-License-Identifier: MIT

#include "callbacks.hpp"

#include <fmt/format.h>
#include <grpcpp/client_context.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "traffic.grpc.pb.h"

namespace bench {

namespace {

using clock_type = std::chrono::steady_clock;

class host final : public traffic::Host::CallbackService {
public:
    grpc::ServerUnaryReactor* Ask(grpc::CallbackServerContext* context, const traffic::Question* question,
        traffic::Answer* answer) override
    {
        answer->set_number(question->number() + 1);
        grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }
};

/// What all callers share.
///
/// Thread safety: any thread, but for `took`.
struct errand {
    traffic::Host::Stub& host;
    std::uint64_t count;
    latencies* took;
    std::atomic<std::uint64_t> asked{0};
    std::atomic<std::uint64_t> answered{0};
    std::atomic<std::uint64_t> right{0};
    std::promise<void> over{};
};

/// One call after the other.
///
/// Thread safety: on the thread that calls back, one at a time.
class caller {
public:
    explicit caller(errand& all) : all_(all) {}

    void call()
    {
        const std::uint64_t number = all_.asked++;
        if (number >= all_.count)
            return;
        begin_ = clock_type::now();
        question_.set_number(number);
        context_.emplace();
        all_.host.async()->Ask(
            &*context_, &question_, &answer_, [this](const grpc::Status& status) { take(status); });
    }

private:
    void take(const grpc::Status& status)
    {
        if (all_.took != nullptr)
            all_.took->add(clock_type::now() - begin_);
        all_.right += status.ok() && answer_.number() == question_.number() + 1 ? 1 : 0;
        if (++all_.answered == all_.count)
            all_.over.set_value();
        else
            call();
    }

    errand& all_;
    std::optional<grpc::ClientContext> context_;
    traffic::Question question_;
    traffic::Answer answer_;
    clock_type::time_point begin_;
};

}  // namespace

void serve_with_callbacks(const second_process::door& door)
{
    host service;
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr)
        throw std::runtime_error("gRPC cannot listen");
    door.open(fmt::format("127.0.0.1:{}", port));
    door.wait();
    server->Shutdown(std::chrono::system_clock::now());
}

std::uint64_t ask_with_callbacks(
    const std::shared_ptr<grpc::Channel>& over, std::uint64_t count, std::size_t outstanding, latencies* took)
{
    // Nothing of it is taken apart, since the last callback may still be on its way out: the process ends.
    auto& all = *new errand{*traffic::Host::NewStub(over).release(), count, took};
    auto& callers = *new std::deque<caller>;
    for (std::size_t i = 0; i < outstanding; ++i)
        callers.emplace_back(all);
    for (caller& each : callers)
        each.call();
    all.over.get_future().get();
    return all.right;
}

}  // namespace bench
