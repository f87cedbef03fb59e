// SPDX-License-Identifier: MIT

#include <costar/post/strand_bound.hpp>

#include <costar/actor/future.hpp>
#include <costar/actor/router.hpp>
#include <costar/actor/sink.hpp>
#include <costar/actor/stream.hpp>
#include <costar/core/result.hpp>
#include <costar/post/outgoing.hpp>
#include <costar/testing/simulation.hpp>

#include <array>
#include <list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

struct errand {
    int number;
    message request;
};
struct nested_errand {
    std::string name;
    std::vector<errand> all;
};
struct rows {
    std::string name;
    stream<int> values;
};
struct plain {
    std::string name;
    std::unique_ptr<int> value;
    std::vector<plain> others;
};
class told {
public:
    explicit told(future<int> hidden) : hidden_(std::move(hidden)) {}

private:
    future<int> hidden_;
};

struct get_values {
    using reply = stream<int>;
};
struct get_future {
    using reply = future<int>;
};

/// Answers the request that it was spawned with.
task<> works(context&, message request)
{
    request.match([](twice& m) { return 2 * m.value; });
    co_return;
}

task<> works_on_errand(context&, errand given)
{
    given.request.match([](twice& m) { return 2 * m.value; });
    co_return;
}

/// Gives each request to a child, and says on which strand.
task<> hands_over(context& self, spawn_options child, bool in_struct, std::string* thrown)
{
    while (auto received = co_await self.receive()) {
        try {
            if (in_struct)
                self.spawn(child, works_on_errand, errand{1, std::move(received)});
            else
                self.spawn(child, works, std::move(received));
        } catch (const std::logic_error& refused) {
            *thrown = refused.what();
        }
    }
}

template <class T>
task<> keeps(context& self, T given)
{
    static_cast<void>(given);
    while (co_await self.receive()) {}
}

template <class T>
task<> takes(context& self, int* taken)
{
    while (auto received = co_await self.receive())
        received.match([&](T) { ++*taken; });
}

/// What an attempt throws.
template <class Attempt>
std::string outcome_of(Attempt attempt)
{
    try {
        attempt();
        return "done";
    } catch (const std::logic_error& thrown) {
        return thrown.what();
    }
}

constexpr const char* refusal = "a message, a future, a sink, or a stream that is being read belongs to its "
                                "strand: it cannot be given to an actor of another one";

task<> gives_futures(context& self, pid shop, std::uint32_t strand, std::vector<std::string>* seen)
{
    seen->push_back(
        outcome_of([&] { self.spawn(on(strand), keeps<future<int>>, self.ask_future(shop, twice{1})); }));
    seen->push_back(outcome_of([&] {
        std::vector<future<int>> several(2);
        several.push_back(self.ask_future(shop, twice{1}));
        self.spawn(on(strand), keeps<std::vector<future<int>>>, std::move(several));
    }));
    seen->push_back(outcome_of([&] {
        self.spawn(on(strand), keeps<std::optional<future<int>>>,
            std::optional<future<int>>(self.ask_future(shop, twice{1})));
    }));
    seen->push_back(outcome_of([&] {
        self.spawn(
            on(strand), keeps<std::pair<int, future<int>>>, std::pair(1, self.ask_future(shop, twice{1})));
    }));
    seen->push_back(
        outcome_of([&] { self.spawn(on(strand), keeps<told>, told(self.ask_future(shop, twice{1}))); }));
    // What is empty belongs to nobody.
    seen->push_back(outcome_of([&] { self.spawn(on(1), keeps<future<int>>, future<int>()); }));
    seen->push_back(outcome_of([&] { self.spawn(on(1), keeps<message>, message()); }));
    co_return;
}

/// All ways to send a future as a message.
task<> sends_futures(context& self, pid shop, pid to, std::vector<std::string>* seen)
{
    const auto made = [&] { return self.ask_future(shop, twice{1}); };
    seen->push_back(outcome_of([&] { self.send(to, made()); }));
    seen->push_back(outcome_of([&] { self.send(to, made(), headers{{"a", "b"}}); }));
    seen->push_back(outcome_of([&] { self.send_as(shop, to, made()); }));
    seen->push_back(outcome_of([&] { self.send_after(0s, to, made()); }));
    seen->push_back(outcome_of([&] { self.engine().send(to, made()); }));
    seen->push_back(outcome_of([&] { self.engine().send_as(shop, to, made()); }));
    std::string last = "done";
    try {
        co_await self.send_async(to, made());
    } catch (const std::logic_error& thrown) {
        last = thrown.what();
    }
    seen->push_back(last);
    co_await sleep_for(1ms);
}

task<> sends_what_awaited(context& self, pid server, pid to, std::vector<std::string>* seen)
{
    auto fresh = co_await self.ask(server, get_values{});
    seen->push_back(outcome_of([&] { self.send(to, std::move(fresh)); }));
    auto read = co_await self.ask(server, get_values{});
    static_cast<void>(co_await as_result(with_timeout(1ms, read.next(self))));
    seen->push_back(outcome_of([&] { self.send(to, std::move(read)); }));
    CHECK(fresh.producer() == pid());
}

task<> never_puts(context&, sink<int>)
{
    co_await sleep_for(1h);
}

task<> serves_streams(context& self)
{
    while (auto received = co_await self.receive())
        received.match([&](get_values&) { return make_stream<int>(self, never_puts); });
}

/// A producer that has a child put its values.
task<> puts_by_child(context& self, sink<int> out, std::uint32_t strand, std::string* seen)
{
    *seen = outcome_of([&] { self.spawn(on(strand), keeps<sink<int>>, out); });
    co_return;
}

task<> reads_one(context& self, std::uint32_t strand, std::string* seen)
{
    auto values = make_stream<int>(self, puts_by_child, strand, seen);
    CHECK_FALSE(co_await values.next(self));
}

task<> answers_with_future(context& self, pid shop)
{
    while (auto received = co_await self.receive())
        received.match([&](get_future&) { return self.ask_future(shop, twice{4}); });
}

task<> asks_for_future(context& self, pid server, std::string* seen)
{
    const auto answer = co_await as_result(self.ask(server, get_future{}));
    if (answer)
        *seen = std::to_string(co_await *answer);
    else
        *seen = answer.error().message();
}

task<> passes_on(context& self, pid to)
{
    while (auto received = co_await self.receive())
        self.forward(to, std::move(received));
}

task<> sends_one_future(context& self, pid shop, pid to)
{
    self.send(to, self.ask_future(shop, twice{1}));
    co_await sleep_for(1ms);
}

/// Sends everything somewhere else.
struct redirects final : middleware {
    explicit redirects(pid to) : to(to) {}
    bool sending(context&, outgoing& sent) override
    {
        if (sent.type_name().find("future") != std::string::npos)
            sent.redirect(to);
        return true;
    }
    pid to;
};

}  // namespace

template <>
inline constexpr bool costar::is_strand_bound<told> = true;

TEST_CASE("strand_bound: is seen in what holds it", "[post][strand_bound]")
{
    STATIC_REQUIRE(is_strand_bound<message>);
    STATIC_REQUIRE(is_strand_bound<future<int>>);
    STATIC_REQUIRE(is_strand_bound<future<void>>);
    STATIC_REQUIRE(is_strand_bound<sink<std::string>>);
    STATIC_REQUIRE(is_strand_bound<std::vector<message>>);
    STATIC_REQUIRE(is_strand_bound<std::list<std::optional<future<int>>>>);
    STATIC_REQUIRE(is_strand_bound<std::array<future<int>, 2>>);
    STATIC_REQUIRE(is_strand_bound<std::pair<int, message>>);
    STATIC_REQUIRE(is_strand_bound<std::tuple<int, std::string, sink<int>>>);
    STATIC_REQUIRE(is_strand_bound<errand>);
    STATIC_REQUIRE(is_strand_bound<nested_errand>);
    STATIC_REQUIRE(is_strand_bound<told>);

    STATIC_REQUIRE_FALSE(is_strand_bound<int>);
    STATIC_REQUIRE_FALSE(is_strand_bound<std::string>);
    STATIC_REQUIRE_FALSE(is_strand_bound<plain>);
    STATIC_REQUIRE_FALSE(is_strand_bound<stream<int>>);  // only while it is being read
    STATIC_REQUIRE_FALSE(is_strand_bound<rows>);
    STATIC_REQUIRE_FALSE(is_strand_bound<words>);
    STATIC_REQUIRE_FALSE(is_strand_bound<std::vector<std::unique_ptr<int>>>);
}

TEST_CASE("strand_bound: a received message is given to children of its strand only", "[post][strand_bound]")
{
    simulation sim;
    event_record events(sim.engine());
    const std::uint32_t strand = GENERATE(0U, 1U);
    const bool in_struct = GENERATE(false, true);
    std::string thrown;
    const pid parent = sim.engine().spawn(on(0), hands_over, on(strand), in_struct, &thrown);

    if (strand == 0) {
        CHECK(sim.ask(parent, twice{4}) == 8);
        CHECK(thrown.empty());
    } else {
        CHECK_THROWS_AS(sim.ask(parent, twice{4}), error);  // at once: it was let go of
        CHECK(thrown == refusal);
        CHECK(sim.now() == 0s);
        CHECK(events.started.size() == 1);
    }
}

TEST_CASE("strand_bound: futures are given to children of their strand only", "[post][strand_bound]")
{
    simulation sim;
    const std::uint32_t strand = GENERATE(0U, 1U);
    std::vector<std::string> seen;
    const pid shop = sim.engine().spawn(on(GENERATE(0U, 1U)), helper);
    sim.engine().spawn(on(0), gives_futures, shop, strand, &seen);
    sim.run_until_idle();

    std::vector<std::string> expected(5, strand == 0 ? "done" : refusal);
    expected.insert(expected.end(), 2, "done");
    CHECK(seen == expected);
}

TEST_CASE("strand_bound: futures are sent to actors of their strand only", "[post][strand_bound]")
{
    simulation sim;
    const std::uint32_t strand = GENERATE(0U, 1U);
    const bool the_long_way = GENERATE(false, true);
    std::vector<std::string> seen;
    int taken = 0;
    const pid shop = sim.engine().spawn(on(0), helper);
    const pid to = sim.engine().spawn(on(strand), takes<future<int>>, &taken);
    spawn_options sender = on(0);
    if (the_long_way)
        sender.middleware = {std::make_shared<middleware>()};
    sim.engine().spawn(sender, sends_futures, shop, to, &seen);
    sim.advance(1s);

    CHECK(seen == std::vector<std::string>(7, strand == 0 ? "done" : refusal));
    CHECK(taken == (strand == 0 ? 7 : 0));
}

TEST_CASE("strand_bound: a stream may travel until it is being read", "[post][strand_bound]")
{
    simulation sim;
    const std::uint32_t strand = GENERATE(0U, 1U);
    std::vector<std::string> seen;
    int taken = 0;
    const pid server = sim.engine().spawn(on(1), serves_streams);
    const pid to = sim.engine().spawn(on(strand), takes<stream<int>>, &taken);
    sim.engine().spawn(on(0), sends_what_awaited, server, to, &seen);
    sim.advance(1s);

    CHECK(seen == std::vector<std::string>{"done", strand == 0 ? "done" : refusal});
    CHECK(taken == (strand == 0 ? 2 : 1));
}

TEST_CASE("strand_bound: a sink is given to children of its strand only", "[post][strand_bound]")
{
    simulation sim;
    const std::uint32_t strand = GENERATE(0U, 1U);
    std::string seen;
    sim.engine().spawn(on(0), reads_one, strand, &seen);
    sim.advance(1s);

    CHECK(seen == (strand == 0 ? "done" : refusal));
}

TEST_CASE("strand_bound: a future is no answer for another strand", "[post][strand_bound]")
{
    quiet_log quiet;
    simulation sim;
    const std::uint32_t strand = GENERATE(0U, 1U);
    std::string seen;
    const pid shop = sim.engine().spawn(on(0), helper);
    const pid server = sim.engine().spawn(on(0), answers_with_future, shop);
    sim.engine().spawn(on(strand), asks_for_future, server, &seen);
    sim.advance(1s);

    CHECK(seen == (strand == 0 ? "8" : make_error_code(errc::actor_failed).message()));
}

TEST_CASE("strand_bound: what is passed on to another strand becomes a dead letter", "[post][strand_bound]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    const std::uint32_t strand = GENERATE(0U, 1U);
    int taken = 0;
    const pid shop = sim.engine().spawn(on(0), helper);
    const pid to = sim.engine().spawn(on(strand), takes<future<int>>, &taken);
    spawn_options sender = on(0);
    pid first;
    SECTION("forwarded")
    {
        first = sim.engine().spawn(on(0), passes_on, to);
    }
    SECTION("forwarded the long way")
    {
        spawn_options special = on(0);
        special.middleware = {std::make_shared<middleware>()};
        first = sim.engine().spawn(special, passes_on, to);
    }
    SECTION("redirected by middleware")
    {
        sender.middleware = {std::make_shared<redirects>(to)};
        first = shop;
    }
    SECTION("routed")
    {
        first = spawn_group(sim.engine(), "group", {to}, {.actor = on(0)});
    }
    SECTION("routed and counted")
    {
        first = spawn_group(sim.engine(), "group", {to}, {.strategy = routing::least_loaded, .actor = on(0)});
    }
    sim.engine().spawn(sender, sends_one_future, shop, first);
    sim.advance(1s);

    CHECK(taken == (strand == 0 ? 1 : 0));
    CHECK(events.dead_of(to, errc::not_understood) == (strand == 0 ? 0 : 1));
}
