// SPDX-License-Identifier: MIT

#include <costar/remote/node.hpp>

#include <future>
#include <stdexcept>
#include <thread>

#include <support/catch.hpp>

#include "places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;
using boost::asio::use_future;

namespace {

task<> sends(context& self, pid to, std::uint64_t count)
{
    for (std::uint64_t i = 1; i <= count; ++i)
        self.send(to, more{i});
    co_return;
}

/// Answers what it was told to meet with a greeting to it.
task<> guest(context& self)
{
    while (message m = co_await self.receive()) {
        if (!m.is<meet>())
            continue;
        const pid whom = m.get<meet>().whom;
        m.respond(co_await self.ask(whom, greeting{"guest"}, 10s) == "hello guest");
    }
}

/// Takes numbers from 1 to `last`, and says then how many did not come in their turn.
task<> in_order(context& self, std::uint64_t last)
{
    message asked = co_await self.receive<total>();
    std::uint64_t wrong = 0;
    for (std::uint64_t next = 1; next <= last; ++next) {
        message m = co_await self.receive<more>();
        wrong += m.get<more>().value == next ? 0 : 1;
    }
    asked.respond(wrong);
}

/// Sends a thousand to whom it is told.
task<> sends_when_told(context& self)
{
    message m = co_await self.receive<tell>();
    const pid whom = m.get<tell>().whom;
    for (std::uint64_t i = 1; i <= 1000; ++i)
        self.send(whom, more{i});
}

}  // namespace

TEST_CASE("node: an actor of another node is found, asked and sent to", "[remote][node]")
{
    place here;
    place there;
    there.actors.spawn("host", host);
    there.actors.spawn("adder", adder);

    const pid far = here.find(there, "host");
    CHECK(here.ask(far, greeting{"bob"}) == "hello bob");

    const pid far_sum = here.find(there, "adder");
    here.actors.spawn(sends, far_sum, std::uint64_t{20'000});
    while (here.ask(far_sum, total{}) != std::uint64_t{20'000} * 20'001 / 2)
        std::this_thread::yield();
    CHECK(here.node.counters().sent >= 20'000);
    CHECK(here.node.counters().batches < here.node.counters().sent / 4);
}

TEST_CASE(
    "node: messages of one actor to another arrive in order and once, from every strand", "[remote][node]")
{
    place here({.listen = "127.0.0.1:0"}, 4);
    place there({.listen = "127.0.0.1:0"}, 4);
    std::vector<pid> receivers;
    for (std::uint32_t i = 0; i < 8; ++i) {
        const std::string name = "in_order_" + std::to_string(i);
        there.actors.spawn({.name = name, .placement = placement::spread}, in_order, std::uint64_t{10'000});
        receivers.push_back(here.find(there, name));
        here.actors.spawn({.placement = placement::spread}, sends, receivers.back(), std::uint64_t{10'000});
    }
    for (const pid each : receivers)
        CHECK(here.ask(each, total{}, 60s) == 0);
}

TEST_CASE("node: one that does not listen asks, and is asked", "[remote][node]")
{
    place client({});
    place there;
    there.actors.spawn("guest", guest);
    const pid near = client.actors.spawn(host);

    CHECK(client.node.address().empty());
    CHECK(client.ask(client.find(there, "guest"), meet{near}));
}

TEST_CASE("node: an address in a message works from there, that of a third node too", "[remote][node]")
{
    place first;
    place second;
    place third;
    second.actors.spawn("guest", guest);
    third.actors.spawn("host", host);
    const pid second_guest = first.find(second, "guest");

    CHECK(first.ask(second_guest, meet{first.find(third, "host")}));
    second.actors.spawn("host", host);
    CHECK(first.ask(second_guest, meet{first.find(second, "host")}));
}

TEST_CASE("node: a name that nobody has, and a node that is not there", "[remote][node]")
{
    place here;
    std::string gone;
    {
        place there;
        gone = there.node.address();
        CHECK(failure_of([&] { here.find(there, "nobody"); }) == errc::no_such_actor);
    }
    place nobody({});
    CHECK(failure_of([&] { nobody.find(gone, "host"); }) == errc::unreachable);

    CHECK(failure_of([&] { nobody.node.find("127.0.0.1/host", use_future).get(); }) == errc::unreachable);

    for (const char* wrong :
        {"", "host", "127.0.0.1:1", "127.0.0.1:x/host", "::1:5/host", "127.0.0.1:99999/host", "127.0.0.1:1/"})
        CHECK_THROWS_AS(here.node.find(wrong, use_future), std::invalid_argument);
}

TEST_CASE("node: what cannot listen or be dialled is refused at its start", "[remote][node]")
{
    engine actors({.strands = 1});
    CHECK_THROWS_AS(remote::node(actors, all_words(), {.listen = "127.0.0.1"}), std::invalid_argument);
    CHECK_THROWS_AS(remote::node(actors, all_words(), {.listen = "0.0.0.0:0"}), std::invalid_argument);
    CHECK_THROWS_AS(remote::node(actors, all_words(), {.listen = "127.0.0.1:0", .advertised = "here"}),
        std::invalid_argument);

    const remote::node first(actors, all_words(), {.listen = "127.0.0.1:0"});
    CHECK_THROWS_AS(remote::node(actors, all_words()), std::logic_error);
    engine others({.strands = 1});
    CHECK_THROWS_AS(
        remote::node(others, all_words(), {.listen = first.address()}), boost::system::system_error);
}

TEST_CASE("node: options with which it would reach nobody are refused at its start", "[remote][node]")
{
    CHECK_THROWS_WITH(place({.message_max = 0}), "remote::node_options::message_max must be more than 0");
    CHECK_THROWS_AS(place({.greeting_timeout = 0s}), std::invalid_argument);
    CHECK_THROWS_AS(place({.heartbeat = 0s}), std::invalid_argument);
    CHECK_THROWS_AS(place({.silence_max = -1s}), std::invalid_argument);
    CHECK_THROWS_AS(place({.pause_min = 0s}), std::invalid_argument);
    CHECK_THROWS_AS(place({.pause_min = -1s}), std::invalid_argument);
    CHECK(holds(why_not({.pause_max = 99ms}), "pause_min must not be more than pause_max"));
    CHECK_THROWS_AS(place({.queue_max = 0}), std::invalid_argument);
    CHECK_THROWS_AS(place({.queue_bytes_max = 0}), std::invalid_argument);
    CHECK_THROWS_AS(place({.lives_max = 0}), std::invalid_argument);
    CHECK_THROWS_AS(place({.connections_max = 0}), std::invalid_argument);
    for (const char* nowhere : {"0.0.0.0:4711", "[::]:4711", "*:4711", "127.0.0.1:0", "example.org:0"})
        CHECK(holds(why_not({.listen = "127.0.0.1:0", .advertised = nowhere}), "nobody can dial"));
}

TEST_CASE("node: two with one name do not talk, and both are told", "[remote][node]")
{
    place here({.name = "same", .listen = "127.0.0.1:0"});
    place there({.name = "same", .listen = "127.0.0.1:0"});
    there.actors.spawn("host", host);
    heard<remote::peer_lost> ends_here(here.actors);
    heard<remote::peer_lost> ends_there(there.actors);

    CHECK(failure_of([&] { here.find(there, "host"); }) == errc::unreachable);
    const auto is_the_name = [](const remote::peer_lost& lost) {
        return lost.reason.find("name") != std::string::npos;
    };
    CHECK(ends_here.comes(is_the_name));
    CHECK(ends_there.comes());
}

TEST_CASE("node: it does not talk to itself over the network", "[remote][node]")
{
    place here;
    const pid near = here.actors.spawn("host", host);
    CHECK(here.find(here, "host") == near);
    // The same place by another spelling.
    const std::string address = here.node.address();
    const std::string same = address.starts_with("unix:")
        ? "unix:/." + address.substr(5)
        : "[::ffff:127.0.0.1]" + address.substr(address.rfind(':'));
    CHECK(failure_of([&] { here.find(same, "host"); }) == errc::unreachable);
}

TEST_CASE("node: what waits has arrived when a node has left", "[remote][node]")
{
    place here;
    place there;
    there.actors.spawn("adder", adder);
    const pid far = here.find(there, "adder");
    const pid near_adder = *there.actors.find("adder");
    here.actors.wait(here.actors.spawn(sends, far, std::uint64_t{10'000}), use_future).get();
    here.node.leave(10s, use_future).get();

    while (there.actors.ask(near_adder, total{}, 10s, use_future).get() != std::uint64_t{10'000} * 10'001 / 2)
        std::this_thread::yield();  // it has arrived at the node
    // What is sent afterwards dials anew.
    CHECK(here.ask(far, total{}) > 0);
}

TEST_CASE("node: what a thread has sent before its node leaves has arrived too", "[remote][node]")
{
    place there;
    there.actors.spawn("adder", adder);
    const pid near_adder = *there.actors.find("adder");
    std::uint64_t sent = 0;
    for (int round = 0; round < 20; ++round) {
        place here({}, 2);
        const pid far = here.find(there, "adder");
        for (int i = 0; i < 100; ++i, ++sent)
            here.actors.send(far, more{1});
        here.node.leave(10s, use_future).get();
    }
    CHECK(comes_true([&] { return there.actors.ask(near_adder, total{}, 10s, use_future).get() == sent; }));
}

TEST_CASE("node: what is asked of it after a shutdown completes with that", "[remote][node]")
{
    place there;
    there.actors.spawn("host", host);
    place here;
    here.actors.spawn("host", host);
    const pid far = here.find(there, "host");
    here.actors.shutdown(10s);

    const auto ends_with = [](auto begin) {
        std::promise<error_code> told;
        begin([&](error_code code, auto&&...) { told.set_value(code); });
        return told.get_future().get();
    };
    const auto stopped = make_error_code(errc::engine_stopped);
    for (const place* const each : {&there, &here}) {
        const std::string address = each->node.address();
        CHECK(ends_with([&](auto token) { here.node.find(address, "host", token); }) == stopped);
        CHECK(ends_with([&](auto token) { here.node.spawn(address, "adder", more{1}, token); }) == stopped);
    }
    CHECK(ends_with([&](auto token) { here.node.spawn(far, "adder", token); }) == stopped);
    CHECK(ends_with([&](auto token) { here.node.leave(10s, token); }) == stopped);
    CHECK_THROWS_AS(here.node.find("nowhere", use_future), std::invalid_argument);
}

TEST_CASE("node: two that dial each other at once carry each side's messages in order", "[remote][node]")
{
    for (int round = 0; round < 20; ++round) {
        place here;
        place there;
        here.actors.spawn("in order", in_order, std::uint64_t{1000});
        there.actors.spawn("in order", in_order, std::uint64_t{1000});
        place third({});  // from whom both learn of each other, without a link
        const pid one = third.find(here, "in order");
        const pid other = third.find(there, "in order");
        here.actors.spawn("guest", sends_when_told);
        there.actors.spawn("guest", sends_when_told);
        third.actors.send(third.find(here, "guest"), tell{other});
        third.actors.send(third.find(there, "guest"), tell{one});
        CHECK(third.ask(one, total{}, 30s) == 0);
        CHECK(third.ask(other, total{}, 30s) == 0);
    }
}
