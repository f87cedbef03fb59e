// SPDX-License-Identifier: MIT

// Routers whose routees are on other nodes.

#include <costar/actor/router.hpp>
#include <costar/remote/node.hpp>

#include <map>
#include <optional>
#include <set>
#include <thread>

#include <support/catch.hpp>

#include "places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;
using boost::asio::use_future;

namespace {

/// Says who it is.
task<> says_name(context& self, more number)
{
    while (message m = co_await self.receive())
        m.match([&](const greeting& said) { return said.name + " at " + std::to_string(number.value); },
            [&](const more&) {}, [&](const total&) { return number.value; });
}

remote::kinds namers()
{
    remote::kinds offered;
    offered.add<more>("namer", says_name, {.spawned_by = remote::anyone});
    return offered;
}

/// Routees of a node, and numbers for them.
std::vector<pid> routees_at(place& here, const place& there, std::uint64_t first)
{
    std::vector<pid> all;
    for (std::uint64_t number = first; number < first + 3; ++number)
        all.push_back(here.node.spawn(there.node.address(), "namer", more{number}, use_future).get());
    return all;
}

std::map<std::string, std::string> answers_of(place& here, pid router)
{
    std::map<std::string, std::string> all;
    for (int i = 0; i < 60; ++i) {
        const std::string key = "k" + std::to_string(i);
        all[key] = here.ask(router, greeting{key});
    }
    return all;
}

std::size_t size_of(place& here, pid router)
{
    return here.actors.ask(router, get_routees{}, 10s, use_future).get().size();
}

void wait_for_size(place& here, pid router, std::size_t wanted)
{
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (size_of(here, router) != wanted && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    CHECK(size_of(here, router) == wanted);
}

router_options by_key(double load_bound)
{
    return {.strategy = routing::consistent_hash,
        .load_bound = load_bound,
        .keys = hash_keys([](const greeting& said) { return said.name; })};
}

}  // namespace

TEST_CASE("routers: keys lead to the same routees of two other nodes, and away from those that are lost",
    "[remote][routers]")
{
    place here;
    const place one({.listen = "127.0.0.1:0", .kinds = namers()});
    std::optional<place> other(
        std::in_place, remote::node_options{.listen = "127.0.0.1:0", .kinds = namers()});
    const std::string address = other->node.address();
    std::vector<pid> members = routees_at(here, one, 0);
    for (const pid each : routees_at(here, *other, 3))
        members.push_back(each);
    const pid router = spawn_group(here.actors, "namers", members, by_key(0));

    const auto before = answers_of(here, router);
    CHECK(answers_of(here, router) == before);
    std::set<char> used;
    for (const auto& [key, answer] : before)
        used.insert(answer.back());
    CHECK(used == std::set<char>{'0', '1', '2', '3', '4', '5'});

    other.reset();
    wait_for_size(here, router, 3);
    for (const auto& [key, answer] : answers_of(here, router)) {
        CHECK(answer.back() < '3');
        if (before.at(key).back() < '3')
            CHECK(answer == before.at(key));  // who stays keeps its keys
    }

    // The node comes back: its actors are others, and are added as such.
    other.emplace(remote::node_options{.listen = address, .kinds = namers()});
    for (const pid each : routees_at(here, *other, 3))
        here.actors.ask(router, add_routee{each}, 10s, use_future).get();
    CHECK(size_of(here, router) == 6);
    std::size_t moved = 0;
    for (const auto& [key, answer] : answers_of(here, router)) {
        const bool was_there = before.at(key).back() >= '3';
        CHECK((answer.back() >= '3') == was_there);  // the same places, by other actors
        moved += answer != before.at(key) ? 1 : 0;
    }
    CHECK(moved <= 60);
}

TEST_CASE("routers: what is in flight at another node is counted, and let go of", "[remote][routers]")
{
    place here;
    const place one({.listen = "127.0.0.1:0", .kinds = namers()});
    std::vector<pid> members = routees_at(here, one, 0);
    for (const routing strategy : {routing::least_loaded, routing::consistent_hash, routing::round_robin,
             routing::random, routing::broadcast, routing::scatter_gather_first}) {
        router_options options = by_key(1.25);
        options.strategy = strategy;
        const pid router = spawn_group(here.actors, "", members, options);
        for (int i = 0; i < 30; ++i)
            CHECK(here.ask(router, greeting{"x"}).starts_with("x at "));
        if (strategy == routing::consistent_hash)
            continue;  // the others have no key
        for (int i = 0; i < 300; ++i)
            here.actors.send(router, more{1});
        CHECK(here.ask(router, total{}) < 3);
        here.actors.send(router, broadcast(more{1}));
        CHECK(here.ask(router, total{}) < 3);
    }
}

TEST_CASE("routers: a routee of another node that ends leaves, and a request to a lost one ends",
    "[remote][routers]")
{
    place here;
    place one({.listen = "127.0.0.1:0", .kinds = namers()});
    const std::vector<pid> members = routees_at(here, one, 0);
    const pid router = spawn_group(here.actors, "namers", members);
    CHECK(size_of(here, router) == 3);
    here.actors.stop(members[1], use_future).get();
    wait_for_size(here, router, 2);
    here.actors.ask(router, remove_routee{members[0]}, 10s, use_future).get();
    CHECK(here.ask(router, total{}) == 2);
    // A router's name works from another node too.
    CHECK(one.ask(one.node.find(here.node.address() + "/namers", use_future).get(), total{}) == 2);
}
