// SPDX-License-Identifier: MIT

// Calls a server of another language by costar. It says when it wants to be cut off, and then waits for that.
//
// Usage: desk_caller ADDRESS

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/core/result.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/with_timeout.hpp>
#include <costar/rpc/connection.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "desk.costar.hpp"

namespace rpc = costar::rpc;
using boost::asio::ip::tcp;
using costar::context;
using costar::task;
using namespace std::chrono_literals;

namespace {

void say(const char* name, bool good)
{
    fmt::print("{}: {}\n", name, good ? "ok" : "failed");
    std::fflush(stdout);
}

class callback final : public desk::callback_server {
    task<std::string> call(std::string text) override { co_return "back: " + text; }
    task<> push(std::uint64_t value) override
    {
        sum_ += value;
        co_return;
    }
    task<std::uint64_t> done() override { co_return sum_; }

    std::uint64_t sum_ = 0;
};

/// Does the server hold no more than so many calls, sooner or later?
task<bool> comes_to_hold(desk::desk_client& there, std::uint64_t count)
{
    for (int i = 0; i < 10'000; ++i) {
        const std::uint64_t now = co_await there.holding();
        if (now == count)
            co_return true;
    }
    co_return false;
}

/// Gives up a call: has the server stopped working for it?
task<bool> cancels(desk::desk_client& there)
{
    bool was_held = co_await comes_to_hold(there, 0);
    {
        auto held = there.hold();
        was_held = co_await comes_to_hold(there, 1) && was_held;
    }
    const bool is_free = co_await comes_to_hold(there, 0);
    co_return was_held&& is_free;
}

task<> calls(context& self, std::uint16_t port)
{
    tcp::socket socket(self.get_executor());
    co_await socket.async_connect({boost::asio::ip::address_v4::loopback(), port}, costar::use_task);
    auto connection = rpc::connection::client(std::move(socket));
    desk::desk_client there(connection.bootstrap<desk::Desk>());

    const std::string text = co_await there.greet("costar");
    say("call", text == "hello costar");
    for (std::uint64_t value = 0; value < 100; ++value)
        co_await there.push(value);
    const auto done = co_await there.done();
    say("stream", done.count == 100 && done.sum == 4950);
    rpc::nothrow<desk::Callback::Client> back(kj::heap<callback>());
    const std::string heard = co_await there.ring(back, "x");
    say("callback", heard == "back: desk: x");
    {
        auto waiting = there.hold();
        const auto beside = co_await costar::as_result(costar::with_timeout(10s, there.greet("beside")));
        say("call beside one that waits", beside.has_value() && *beside == "hello beside");
    }
    const auto failed = co_await costar::as_result(there.fail());
    say("error", failed.has_error() && failed.error() == rpc::errc::failed);
    const auto late = co_await costar::as_result(costar::with_timeout(20ms, there.hold()));
    say("deadline", late.has_error() && late.error() == costar::errc::timed_out);
    const bool was_cancelled = co_await cancels(there);
    say("cancel", was_cancelled);
    const std::string again = co_await there.greet("again");
    say("call after a deadline", again == "hello again");

    fmt::print("cut me off\n");
    std::fflush(stdout);
    const auto cut = co_await costar::as_result(costar::with_timeout(10s, there.hold()));
    const auto after = co_await costar::as_result(there.greet("x"));
    say("cut off",
        cut.has_error() && cut.error() == rpc::errc::disconnected && after.has_error() &&
            after.error() == rpc::errc::disconnected);
}

}  // namespace

int main(int count, char** arguments)
{
    if (count != 2)
        return 2;
    costar::set_log_sink([](costar::log_level, std::string_view) {});
    const std::string address(arguments[1]);
    const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    costar::engine actors;
    actors.wait(actors.spawn(calls, port), boost::asio::use_future).get();
}
