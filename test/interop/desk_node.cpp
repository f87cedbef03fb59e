// SPDX-License-Identifier: MIT

// The node that programs of other languages call. It prints its address, and ends when an actor is told to,
// by destroying the node in front of whoever is connected; after a minute in any case.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "desk.costar.hpp"

namespace rpc = costar::rpc;
using costar::context;
using costar::message;
using costar::task;
using namespace std::chrono_literals;

namespace {

/// The actor `host`.
task<> host(context& self)
{
    while (message m = co_await self.receive())
        m.match([](const desk::hello& said) { return "hello " + said.name; });
}

/// The actor `holder`: keeps requests until it is told to answer them.
task<> holder(context& self)
{
    std::vector<message> held;
    while (message m = co_await self.receive()) {
        if (m.is<desk::hold>()) {
            held.push_back(std::move(m));
        } else if (m.is<desk::release>()) {
            m.mark_handled();
            for (message& each : held)
                each.respond(std::monostate{});
            held.clear();
        } else {
            m.match([&](const desk::late&) { return self.engine().figures().late_replies; });
        }
    }
}

/// The actor of a program: it calls back what it is told, by what the program has passed.
task<> caller_back(context& self, rpc::nothrow<desk::Callback::Client> passed)
{
    desk::callback_client back(*passed);
    while (message m = co_await self.receive()) {
        if (m.is<desk::hello>()) {
            const std::string name = m.get<desk::hello>().name;
            std::string heard = co_await back.call("actor: " + name);
            m.respond(std::move(heard));
        } else if (m.is<desk::pour>()) {
            const std::uint64_t count = m.get<desk::pour>().count;
            for (std::uint64_t value = 0; value < count; ++value)
                co_await back.push(value);
            const std::uint64_t sum = co_await back.done();
            m.respond(sum);
        }
    }
}

/// The actor `end`.
task<> end(context& self, std::promise<void> cut)
{
    message m = co_await self.receive();
    m.match([&](const desk::cut&) { cut.set_value(); });
}

/// The service `desk`: its methods are coroutines, and ask the actors.
class desk_of_node final : public desk::desk_server {
public:
    explicit desk_of_node(costar::engine& actors) : actors_(actors) {}

    task<std::string> greet(std::string name) override
    {
        const auto host = actors_.find("host");
        co_return co_await actors_.ask(*host, desk::hello{std::move(name)}, 5s, costar::use_task);
    }
    task<> push(std::uint64_t value) override
    {
        ++count_;
        sum_ += value;
        co_return;
    }
    task<desk::desk::done_result> done() override { co_return desk::desk::done_result{count_, sum_}; }
    task<std::string> ring(rpc::nothrow<desk::Callback::Client> back, std::string text) override
    {
        auto request = back->callRequest();
        request.setText("desk: " + text);
        auto answer = co_await rpc::send(request);
        co_return std::string(answer.getText().cStr());
    }
    task<> fail() override
    {
        co_await costar::yield();
        throw std::runtime_error("no");
    }
    task<> hold() override
    {
        struct counted {
            std::uint64_t& count;
            ~counted() { --count; }
        };
        const counted here{++holding_};
        co_await costar::sleep_for(1h);
    }
    task<std::uint64_t> holding() override { co_return holding_; }
    task<> enlist(std::string name, rpc::nothrow<desk::Callback::Client> back) override
    {
        actors_.spawn({.name = std::move(name)}, caller_back, std::move(back));
        co_return;
    }

private:
    costar::engine& actors_;
    std::uint64_t holding_ = 0;
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
};

}  // namespace

int main()
{
    costar::set_log_sink([](costar::log_level, std::string_view) {});
    costar::wire::dictionary words;
    words.add<desk::hello, desk::hold, desk::release, desk::late, desk::pour, desk::cut>();
    costar::engine actors;
    auto node = std::make_unique<costar::remote::node>(
        actors, std::move(words), costar::remote::node_options{.listen = "127.0.0.1:0"});
    node->offer("desk", [&actors] { return kj::heap<desk_of_node>(actors); });
    actors.spawn("host", host);
    actors.spawn("holder", holder);
    std::promise<void> cut;
    std::future<void> is_cut = cut.get_future();
    actors.spawn("end", end, std::move(cut));
    fmt::print("{}\n", node->address());
    std::fflush(stdout);
    const bool was_cut = is_cut.wait_for(60s) == std::future_status::ready;
    node.reset();
    return was_cut ? 0 : 1;
}
