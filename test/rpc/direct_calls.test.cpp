// SPDX-License-Identifier: MIT

#include <costar/rpc/direct_calls.hpp>

#include <costar/core/result.hpp>

#include <capnp/serialize.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>

#include "hub.hpp"

using namespace costar;
using namespace support;
using costar::machine::direct_call;
using costar::machine::direct_calls;
using costar::machine::direct_object;
using costar::machine::direct_outlet;

namespace {

constexpr machine::method_id opening{capnp::typeId<hub::Hub>(), 8};
constexpr std::uint64_t line_id = capnp::typeId<hub::Line>();
constexpr std::uint16_t direct_methods = 2;  // the third one is left to Cap'n Proto

/// What was told to lines, whoever has taken it.
struct heard_here {
    std::vector<std::string> direct;
    std::vector<std::string> by_rpc;
    bool is_deaf = false;
};

class direct_line final : public direct_object {
public:
    explicit direct_line(heard_here& heard) : heard_(&heard) {}

    bool take(std::uint16_t method, capnp::AnyPointer::Reader params,
        capnp::AnyPointer::Builder results) noexcept override
    {
        if (method == 1) {
            results.initAs<hub::Line::HeardResults>().setCount(
                static_cast<std::uint32_t>(heard_->direct.size()));
            return true;
        }
        if (heard_->is_deaf)
            return false;
        heard_->direct.emplace_back(params.getAs<hub::Line::TellParams>().getText().cStr());
        return true;
    }

private:
    heard_here* heard_;
};

class line_server final : public hub::Line::Server {
public:
    explicit line_server(heard_here& heard) : heard_(&heard) {}

private:
    kj::Promise<void> tell(TellContext call) override
    {
        heard_->by_rpc.emplace_back(call.getParams().getText().cStr());
        return kj::READY_NOW;
    }

    kj::Promise<void> heard(HeardContext) override
    {
        kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, "", 0, kj::str("two\nlines")));
    }

    kj::Promise<void> hang(HangContext) override
    {
        heard_->by_rpc.emplace_back("hung up");
        return kj::READY_NOW;
    }

    heard_here* heard_;
};

class exchange_server final : public hub::Hub::Server {
public:
    explicit exchange_server(heard_here& heard) : heard_(&heard) {}

private:
    kj::Promise<void> open(OpenContext call) override
    {
        call.getResults().setLine(kj::heap<line_server>(*heard_));
        return kj::READY_NOW;
    }

    heard_here* heard_;
};

/// One side that calls or is called directly.
struct side final : machine::direct_user {
    side(rpc::connection& over, heard_here& heard)
        : heard(&heard), calls(over.gathering(), opening, line_id, direct_methods, *this)
    {}

    std::unique_ptr<direct_object> new_object() override { return std::make_unique<direct_line>(*heard); }
    void has_more_room(direct_outlet&) noexcept override { ++answers; }
    void has_failed(const std::string& why) noexcept override { failure = why; }

    void tell(direct_outlet& line, const std::string& text)
    {
        direct_call call(line, {line_id, 0});
        call.params<hub::Line::TellParams>().setText(text.c_str());
        calls.send(line, call);
    }

    heard_here* heard;
    int answers = 0;
    std::string failure;
    direct_calls calls;
};

struct both_ends {
    explicit both_ends(asio::io_context& io) : both_ends(connected_pair(io)) {}
    explicit both_ends(std::pair<unix_socket, unix_socket> sockets)
        : server(rpc::connection::server(std::move(sockets.first), kj::heap<exchange_server>(heard))),
          client(rpc::connection::client(std::move(sockets.second))),
          exchange(client.bootstrap<hub::Hub>())
    {}

    heard_here heard;
    rpc::connection server;
    rpc::connection client;
    rpc::nothrow<hub::Hub::Client> exchange;
};

void with_both_ends(task<> (*body)(both_ends&))
{
    lone_strand strand;
    const auto run = [](asio::io_context& io, task<> (*body)(both_ends&)) -> task<> {
        both_ends ends(io);
        co_await body(ends);
    };
    strand.run(run(strand.io(), body));
}

/// A line, held as long as its answer.
task<rpc::answer<hub::Hub::OpenResults>> opens(both_ends& ends)
{
    auto request = ends.exchange->openRequest();
    co_return co_await rpc::send(request);
}

/// What a line has heard. Takes the answer that holds it: GCC 14 breaks down over a client in the full
/// expression of a co_await.
task<std::uint32_t> count_of(rpc::answer<hub::Hub::OpenResults>& opened)
{
    auto request = opened.getLine().heardRequest();
    auto answer = co_await rpc::send(request);
    co_return answer.getCount();
}

std::vector<std::string> numbers(int count)
{
    std::vector<std::string> all;
    for (int i = 0; i < count; ++i)
        all.push_back(std::to_string(i));
    return all;
}

}  // namespace

TEST_CASE("direct_calls: both sides pass by the tables, in order", "[rpc][direct_calls]")
{
    with_both_ends([](both_ends& ends) -> task<> {
        side there(ends.server, ends.heard);
        side here(ends.client, ends.heard);
        auto opened = co_await opens(ends);
        auto line = here.calls.opened({1000, 1000});
        REQUIRE(line.has_value());
        CHECK(here.calls.opened({1000, 1000}) == std::nullopt);
        for (const std::string& each : numbers(100))
            here.tell(*line, each);
        CHECK_FALSE(line->window.has_room());
        const auto count = co_await count_of(opened);
        CHECK(count == 100);
        CHECK(ends.heard.direct == numbers(100));
        CHECK(ends.heard.by_rpc.empty());
        CHECK(here.answers == 100);
        CHECK(line->window.under_way() == 0);
        CHECK(here.failure.empty());
        CHECK(there.failure.empty());
    });
}

TEST_CASE("direct_calls: a peer with Cap'n Proto alone is called", "[rpc][direct_calls]")
{
    with_both_ends([](both_ends& ends) -> task<> {
        side here(ends.client, ends.heard);
        auto opened = co_await opens(ends);
        auto line = here.calls.opened({1000, 1000});
        REQUIRE(line.has_value());
        for (const std::string& each : numbers(100))
            here.tell(*line, each);
        auto hang = opened.getLine().hangRequest();
        co_await rpc::send(hang);
        auto all = numbers(100);
        all.emplace_back("hung up");
        CHECK(ends.heard.by_rpc == all);
        CHECK(here.answers == 100);
        CHECK(line->window.under_way() == 0);
    });
}

TEST_CASE("direct_calls: a peer with Cap'n Proto alone calls", "[rpc][direct_calls]")
{
    with_both_ends([](both_ends& ends) -> task<> {
        side there(ends.server, ends.heard);
        auto opened = co_await opens(ends);
        auto line = opened.getLine();
        for (const std::string& each : numbers(100)) {
            auto request = line.tellRequest();
            request.setText(each.c_str());
            co_await rpc::send(request);
        }
        const auto count = co_await count_of(opened);
        CHECK(count == 100);
        CHECK(ends.heard.direct == numbers(100));
        auto hang = line.hangRequest();  // a method that does not come directly
        co_await rpc::send(hang);
        CHECK(ends.heard.by_rpc == std::vector<std::string>{"hung up"});
        CHECK(there.failure.empty());
    });
}

TEST_CASE("direct_calls: who calls what was only promised stays in order", "[rpc][direct_calls]")
{
    with_both_ends([](both_ends& ends) -> task<> {
        side there(ends.server, ends.heard);
        auto request = ends.exchange->openRequest();
        auto promised = request.send();
        auto line = promised.getLine();
        auto early = line.tellRequest();
        early.setText("0");
        co_await rpc::send(early);
        rpc::pending opened(kj::mv(promised));
        auto answer = co_await kj::mv(opened);
        auto late = answer.getLine().tellRequest();
        late.setText("1");
        co_await rpc::send(late);
        auto hang = answer.getLine().hangRequest();
        co_await rpc::send(hang);
        CHECK(ends.heard.by_rpc == std::vector<std::string>{"0", "1", "hung up"});
        CHECK(ends.heard.direct.empty());
    });
}

TEST_CASE("direct_calls: what cannot be taken yet comes again, in order", "[rpc][direct_calls]")
{
    with_both_ends([](both_ends& ends) -> task<> {
        side there(ends.server, ends.heard);
        side here(ends.client, ends.heard);
        auto opened = co_await opens(ends);
        auto line = here.calls.opened({100'000, 100'000});
        REQUIRE(line.has_value());
        ends.heard.is_deaf = true;
        for (const std::string& each : numbers(10))
            here.tell(*line, each);
        auto by_rpc = opened.getLine().tellRequest();
        by_rpc.setText("10");
        rpc::pending<kj::Promise<void>> last = rpc::send(by_rpc);
        const auto count = co_await count_of(opened);
        CHECK(count == 0);
        CHECK(here.answers == 0);
        ends.heard.is_deaf = false;
        there.calls.go_on();
        co_await kj::mv(last);
        const auto later = co_await count_of(opened);
        CHECK(later == 11);
        CHECK(ends.heard.direct == numbers(11));
        CHECK(here.answers == 10);
        CHECK(line->window.under_way() == 0);
    });
}

TEST_CASE("direct_calls: a peer that sends more than may be held is told of", "[rpc][direct_calls]")
{
    with_both_ends([](both_ends& ends) -> task<> {
        side there(ends.server, ends.heard);
        side here(ends.client, ends.heard);
        auto opened = co_await opens(ends);
        auto line = here.calls.opened({1000, 1000});
        REQUIRE(line.has_value());
        ends.heard.is_deaf = true;
        const std::string long_one(1'000'000, 'x');
        for (int i = 0; i < 24; ++i)
            here.tell(*line, long_one);
        auto count = co_await count_of(opened);
        CHECK(there.failure.empty());
        for (int i = 0; i < 2; ++i)
            here.tell(*line, long_one);
        count = co_await count_of(opened);
        CHECK(count == 0);
        CHECK(there.failure == "it sends more than may be under way");
    });
}

TEST_CASE("direct_calls: a call that fails on the other side is told of", "[rpc][direct_calls]")
{
    with_both_ends([](both_ends& ends) -> task<> {
        side here(ends.client, ends.heard);
        auto opened = co_await opens(ends);
        auto line = here.calls.opened({1000, 1000});
        REQUIRE(line.has_value());
        direct_call call(*line, {line_id, 1});
        call.params<hub::Line::HeardParams>();
        here.calls.send(*line, call);
        auto hang = opened.getLine().hangRequest();
        co_await rpc::send(hang);
        CHECK(here.failure.find("two") != std::string::npos);
        CHECK(here.failure.find('\n') == std::string::npos);
        CHECK(line->window.under_way() == 0);
    });
}

TEST_CASE(
    "direct_calls: an object that is released is gone, and the next one is another", "[rpc][direct_calls]")
{
    with_both_ends([](both_ends& ends) -> task<> {
        side there(ends.server, ends.heard);
        side here(ends.client, ends.heard);
        for (int i = 0; i < 3; ++i) {
            auto opened = co_await opens(ends);
            auto line = here.calls.opened({1000, 1000});
            REQUIRE(line.has_value());
            here.tell(*line, std::to_string(i));
            static_cast<void>(co_await count_of(opened));
        }
        CHECK(ends.heard.direct == numbers(3));
    });
}
