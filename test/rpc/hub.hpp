// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/await.hpp>
#include <costar/rpc/connection.hpp>
#include <costar/rpc/message_stream.hpp>
#include <costar/rpc/service.hpp>

#include <costar/core/spawn.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/with_timeout.hpp>

#include <support/manual_strand.hpp>

#include "../core/running_scheduler.hpp"
#include "hub.capnp.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace support {

namespace rpc = costar::rpc;
using costar::task;

/// Does what schema says; its methods are coroutines where they wait.
class hub_server final : public rpc::service<hub::Hub> {
public:
    kj::Promise<void> echo(EchoContext call) override
    {
        call.getResults().setText(call.getParams().getText());
        return kj::READY_NOW;
    }

    kj::Promise<void> push(PushContext call) override
    {
        ++count_;
        sum_ += call.getParams().getValue();
        return kj::READY_NOW;
    }

    kj::Promise<void> done(DoneContext call) override
    {
        call.getResults().setCount(count_);
        call.getResults().setSum(sum_);
        return kj::READY_NOW;
    }

    kj::Promise<void> fail(FailContext call) override { return answer(call, fails(call)); }

    kj::Promise<void> slow(SlowContext call) override { return answer(call, takes_time(call)); }

    kj::Promise<void> counts(CountsContext call) override
    {
        call.getResults().setBegun(begun);
        call.getResults().setAnswered(answered);
        call.getResults().setCancelled(cancelled);
        return kj::READY_NOW;
    }

    kj::Promise<void> ring(RingContext call) override { return answer(call, rings(call)); }

    kj::Promise<void> bytes(BytesContext call) override
    {
        auto data = call.getResults().initData(call.getParams().getCount());
        for (std::size_t i = 0; i < data.size(); ++i)
            data[i] = static_cast<kj::byte>(i * 7);
        return kj::READY_NOW;
    }

    std::uint32_t begun = 0;
    std::uint32_t answered = 0;
    std::uint32_t cancelled = 0;

private:
    static task<> fails(rpc::call<FailContext> call)
    {
        co_await costar::yield();
        const std::string text = call->getParams().getText().cStr();
        const auto kind = call->getParams().getKind();
        if (kind == 0)
            throw std::runtime_error(text);
        throw rpc::error(static_cast<rpc::errc>(kind), text);
    }

    task<> takes_time(rpc::call<SlowContext> call)
    {
        ++begun;
        try {
            co_await costar::sleep_for(std::chrono::milliseconds(call->getParams().getMilliseconds()));
        } catch (const costar::error&) {
            ++cancelled;
            throw;
        }
        ++answered;
    }

    static task<> rings(rpc::call<RingContext> call)
    {
        auto back = call->getParams().getBack();
        auto request = back.callRequest();
        request.setText(call->getParams().getText());
        auto heard = co_await rpc::send(request);
        call->getResults().setHeard(heard.getText());
    }

    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
};

/// A promise that comes in a later turn of the loop, with what the function gives.
template <class Function>
auto later(Function function)
{
    return rpc::pending(kj::evalLater(std::move(function)));
}

/// Turns what it hears into capitals.
class capitals final : public hub::Callback::Server {
public:
    kj::Promise<void> call(CallContext call) override
    {
        std::string text = call.getParams().getText().cStr();
        for (char& each : text)
            each = static_cast<char>(std::toupper(static_cast<unsigned char>(each)));
        call.getResults().setText(text.c_str());
        return kj::READY_NOW;
    }
};

/// A strand on an `io_context` of the test's own thread.
class lone_strand {
public:
    costar::machine::strand_context& operator*() { return strands_[0]; }
    asio::io_context& io() { return io_; }

    /// Runs a task to its end.
    template <class T>
    T run(task<T> body)
    {
        auto made = asio::use_future;
        auto ended = costar::async_spawn(strands_[0].get_executor(), std::move(body), made);
        io_.restart();
        while (ended.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
            if (io_.run_one() == 0)
                throw std::logic_error("the task waits for ever");
        return ended.get();
    }

    /// Runs what is ready.
    void settle()
    {
        io_.restart();
        io_.poll();
    }

    /// Ends it as an engine ends its strands.
    void end()
    {
        (*strands_).stop();
        strands_[0].tear_down([] {});
        strands_.end();
    }

private:
    asio::io_context io_;
    running strands_{std::vector<asio::any_io_executor>{io_.get_executor()}};
};

using unix_socket = asio::local::stream_protocol::socket;

/// Two sockets that are connected with each other.
inline std::pair<unix_socket, unix_socket> connected_pair(asio::io_context& io)
{
    std::pair<unix_socket, unix_socket> made(io, io);
    asio::local::connect_pair(made.first, made.second);
    return made;
}

/// Two ends of a connection on one strand: the server holds a hub.
class hub_pair {
public:
    explicit hub_pair(asio::io_context& io, const rpc::connection_options& options = {})
    {
        auto [near, far] = connected_pair(io);
        auto made = kj::heap<hub_server>();
        server = made.get();
        served.emplace(rpc::connection::server(std::move(far), kj::mv(made), options));
        calls.emplace(rpc::connection::client(std::move(near), options));
    }

    hub::Hub::Client hub() { return calls->bootstrap<hub::Hub>(); }

    hub_server* server;
    std::optional<rpc::connection> served;
    std::optional<rpc::connection> calls;
};

/// So many calls that take their time.
inline std::vector<kj::Promise<void>> slow_calls(hub::Hub::Client& hub, int count, std::uint32_t milliseconds)
{
    std::vector<kj::Promise<void>> calls;
    for (int i = 0; i < count; ++i) {
        auto request = hub.slowRequest();
        request.setMilliseconds(milliseconds);
        calls.push_back(request.send().ignoreResult());
    }
    return calls;
}

inline task<std::string> echo_of(rpc::nothrow<hub::Hub::Client> hub, std::string text)
{
    auto request = hub->echoRequest();
    request.setText(text.c_str());
    auto answer = co_await rpc::send(request);
    co_return std::string(answer.getText().cStr());
}

}  // namespace support
