// SPDX-License-Identifier: MIT

#include <costar/rpc/connection.hpp>

#include <costar/core/result.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/with_timeout.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>

#include "../rpc/hub.hpp"
#include "town.costar.hpp"

using costar::task;
using support::lone_strand;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace rpc = costar::rpc;

namespace {

class neighbour final : public town::person_server {
public:
    explicit neighbour(std::string name) : name_(std::move(name)) {}

    task<std::string> say_hello(std::string name) override
    {
        co_await costar::yield();
        co_return name + ", I am " + name_;
    }
    task<std::string> echo(std::string echo) override { co_return echo; }
    task<> wait(std::uint32_t) override { co_return; }
    task<> fail(std::string) override { co_return; }

private:
    std::string name_;
};

class official final : public town::clerk_server {
public:
    explicit official(std::string& said) : said_(said) {}

    task<std::string> say_hello(std::string name) override { co_return "hello " + name; }
    task<std::string> echo(std::string echo) override { co_return echo; }
    task<> wait(std::uint32_t milliseconds) override
    {
        said_ += "began ";
        try {
            co_await costar::sleep_for(std::chrono::milliseconds(milliseconds));
        } catch (const costar::error&) {
            said_ += "cancelled ";
            throw;
        }
        said_ += "ended ";
    }
    task<> fail(std::string why) override
    {
        co_await costar::yield();
        throw std::runtime_error(why);
    }

    task<town::clerk::numbers_result> numbers(bool truth, std::int8_t small, double real, town::tone tone,
        std::string text, std::vector<std::vector<std::int32_t>> list) override
    {
        co_return town::clerk::numbers_result{truth, small, real, tone, std::move(text), std::move(list)};
    }
    task<town::letter> post(town::letter message) override
    {
        message.text += "!";
        co_return message;
    }
    task<town::clerk::sort_result> sort(std::vector<town::letter> letters, zoo::point place) override
    {
        std::ranges::reverse(letters);
        co_return town::clerk::sort_result{std::move(letters), place};
    }
    task<town::clerk::local_result> local(std::int32_t x, std::string anything) override
    {
        co_return town::clerk::local_result{x + 1, anything};
    }
    task<> count(std::vector<std::byte> bytes) override
    {
        counted_ += bytes.size();
        co_return;
    }
    task<std::uint64_t> counted() override { co_return counted_; }
    task<std::string> introduce(rpc::nothrow<proto::Person::Client> who) override
    {
        town::person_client other(who);
        co_return co_await other.say_hello("clerk");
    }
    task<rpc::nothrow<proto::Person::Client>> companion() override
    {
        co_return proto::Person::Client(kj::heap<neighbour>("Ann"));
    }
    task<town::clerk::companions_result> companions() override
    {
        town::clerk::companions_result made;
        made.first = proto::Person::Client(kj::heap<neighbour>("Bob"));
        made.count = 1;
        co_return made;
    }
    task<town::tone> tone(town::tone tone, town::tone) override { co_return tone; }
    task<town::clerk::stamp> stamp(town::clerk::stamp message) override { co_return message; }
    task<std::string> a_method_that_has_a_long_name(
        std::string, std::vector<std::byte>, std::vector<town::letter>) override
    {
        co_return "";
    }
    task<std::vector<std::byte>> seal() override
    {
        std::vector<std::byte> made(2, std::byte{1});
        co_return made;
    }
    task<town::clerk::seals_result> seals() override
    {
        town::clerk::seals_result made;
        made.first.push_back(std::byte{3});
        made.others.resize(2);
        made.others.front().push_back(std::byte{4});
        co_return made;
    }

private:
    std::string& said_;
    std::uint64_t counted_ = 0;
};

/// A clerk at the other end of a connection.
class office {
public:
    explicit office(asio::io_context& io) : office(support::connected_pair(io)) {}

    town::clerk_client clerk() { return town::clerk_client(calls_.bootstrap<proto::Clerk>()); }

    std::string said;

private:
    explicit office(std::pair<support::unix_socket, support::unix_socket> ends)
        : served_(rpc::connection::server(std::move(ends.second), kj::heap<official>(said))),
          calls_(rpc::connection::client(std::move(ends.first)))
    {}

    rpc::connection served_;
    rpc::connection calls_;
};

}  // namespace

TEST_CASE("capnpc: what a method is given arrives, and what it gives comes back", "[capnpc][interfaces]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        office office(io);
        auto clerk = office.clerk();
        const std::string hello = co_await clerk.say_hello("world");
        CHECK(hello == "hello world");
        const std::string echo = co_await clerk.echo(std::string("a\0b", 3));
        CHECK(echo == std::string("a\0b", 3));

        // Named, since GCC makes no list of values in what is awaited.
        const std::vector<std::vector<std::int32_t>> list = {{1, 2}, {}};
        const auto numbers = co_await clerk.numbers(true, -3, 0.5, town::tone::soft, "", list);
        const town::clerk::numbers_result same{true, -3, 0.5, town::tone::soft, "", list};
        CHECK(numbers == same);
        const town::letter dear{"dear", {{std::byte{1}}}};
        const auto letter = co_await clerk.post(dear);
        CHECK(letter.text == "dear!");
        CHECK(letter.pages == dear.pages);
        const std::vector<town::letter> letters = {dear, letter};
        const auto sorted = co_await clerk.sort(letters, zoo::point{1, 2});
        CHECK(sorted.letters == std::vector<town::letter>(letters.rbegin(), letters.rend()));
        CHECK(sorted.place == zoo::point{1, 2});
        const auto local = co_await clerk.local(1, "x");
        CHECK(local.x == 2);
        CHECK(local.anything == "x");
        const auto tone = co_await clerk.tone(static_cast<town::tone>(9), town::tone::loud);
        CHECK(tone == static_cast<town::tone>(9));
        const auto stamp = co_await clerk.stamp(town::clerk::stamp{80});
        CHECK(stamp.cents == 80);
    };

    strand.run(body(strand.io()));
}

TEST_CASE("capnpc: a method gives bytes, alone and beside others", "[capnpc][interfaces]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        office office(io);
        auto clerk = office.clerk();
        const std::vector<std::byte> seal = co_await clerk.seal();
        CHECK(seal == std::vector<std::byte>(2, std::byte{1}));
        const auto seals = co_await clerk.seals();
        CHECK(seals.first == std::vector<std::byte>(1, std::byte{3}));
        const std::vector<std::vector<std::byte>> others = {std::vector<std::byte>(1, std::byte{4}), {}};
        CHECK(seals.others == others);
    };

    strand.run(body(strand.io()));
}

TEST_CASE(
    "capnpc: a call is sent when it is made, whatever becomes of what it was given", "[capnpc][interfaces]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        office office(io);
        auto clerk = office.clerk();
        auto text = std::make_unique<std::string>("first");
        auto first = clerk.echo(*text);
        text.reset();
        auto second = clerk.echo("second");
        const std::string late = co_await std::move(second);
        CHECK(late == "second");
        const std::string early = co_await std::move(first);
        CHECK(early == "first");
    };

    strand.run(body(strand.io()));
}

TEST_CASE("capnpc: capabilities go in both directions", "[capnpc][interfaces]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        office office(io);
        auto clerk = office.clerk();
        rpc::nothrow<proto::Person::Client> eve = kj::heap<neighbour>("Eve");
        const std::string greeted = co_await clerk.introduce(eve);
        CHECK(greeted == "clerk, I am Eve");

        auto companion = co_await clerk.companion();
        town::person_client ann(*companion);
        const std::string from_ann = co_await ann.say_hello("you");
        CHECK(from_ann == "you, I am Ann");
        auto companions = co_await clerk.companions();
        CHECK(companions.count == 1);
        town::person_client bob(*companions.first);
        const std::string from_bob = co_await bob.say_hello("you");
        CHECK(from_bob == "you, I am Bob");

        town::person_client base(*clerk);
        const std::string hello = co_await base.say_hello("base");
        CHECK(hello == "hello base");
    };

    strand.run(body(strand.io()));
}

TEST_CASE("capnpc: streamed calls arrive before the next one", "[capnpc][interfaces]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        office office(io);
        auto clerk = office.clerk();
        const std::vector<std::byte> bytes(100);
        for (int i = 0; i < 10; ++i)
            co_await clerk.count(bytes);
        const std::uint64_t counted = co_await clerk.counted();
        CHECK(counted == 1000);
    };

    strand.run(body(strand.io()));
}

TEST_CASE("capnpc: an exception of a method is what its caller is told", "[capnpc][interfaces]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        office office(io);
        auto clerk = office.clerk();
        const auto ended = co_await costar::as_result(clerk.fail("no stamps"));
        CHECK(ended.error() == rpc::errc::failed);
    };

    strand.run(body(strand.io()));
}

TEST_CASE("capnpc: a caller that gives up cancels the method's task", "[capnpc][interfaces]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        office office(io);
        auto clerk = office.clerk();
        const auto ended = co_await costar::as_result(costar::with_timeout(5ms, clerk.wait(3'600'000)));
        CHECK(ended.error() == costar::errc::timed_out);
        while (office.said != "began cancelled ")
            co_await clerk.echo("on");
        co_await clerk.wait(1);
        CHECK(office.said == "began cancelled began ended ");
    };

    strand.run(body(strand.io()));
}
