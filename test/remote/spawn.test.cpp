// SPDX-License-Identifier: MIT

#include <costar/remote/spawn.hpp>

#include <costar/core/result.hpp>

#include <atomic>
#include <future>
#include <optional>
#include <stdexcept>
#include <thread>

#include <support/catch.hpp>

#include "../../lib/remote/link.hpp"
#include "../../lib/remote/spawning.hpp"
#include "places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;
using boost::asio::use_future;

namespace {

/// Adds up, beginning with what it is given.
task<> adds_from(context& self, more first)
{
    while (message m = co_await self.receive())
        m.match([&](const more& one) { first.value += one.value; }, [&](const total&) { return first.value; },
            [](const tell&) { throw std::runtime_error("told to"); });
}

/// What a node offers that lets everybody spawn.
remote::kinds all_kinds(remote::peers spawned_by = remote::anyone, remote::peers stopped_by = {})
{
    remote::kinds offered;
    offered.add<more>("adder", adds_from, {.spawned_by = spawned_by, .stopped_by = stopped_by});
    offered.add("host", host, {.spawned_by = spawned_by});
    return offered;
}

pid spawned_at(place& here, const place& there, remote::newcomer what, more first)
{
    return here.node.spawn(there.node.address(), std::move(what), first, use_future).get();
}
pid spawned_at(place& here, const place& there, remote::newcomer what)
{
    return here.node.spawn(there.node.address(), std::move(what), use_future).get();
}

/// Spawns an adder, and is tied to it or watches it.
struct outcome {
    pid far;
    std::uint64_t sum = 0;
    std::optional<terminated> end;
};
task<> watches_adder(context& self, std::string where, std::promise<outcome>* told)
{
    outcome came;
    came.far = co_await remote::spawn(self, where, "adder", more{5});
    self.watch(came.far);
    self.send(came.far, more{2});
    came.sum = co_await self.ask(came.far, total{});
    self.send(came.far, poison_pill{});
    message m = co_await self.receive<terminated>();
    came.end = m.get<terminated>();
    told->set_value(came);
}
task<> ties_adder(context& self, std::string where, std::promise<pid>* told)
{
    const pid far =
        co_await remote::spawn(self, where, remote::newcomer{.kind = "adder", .name = "tied"}, more{1});
    self.link(far);
    static_cast<void>(co_await self.ask(far, total{}));  // the tie is there
    told->set_value(far);
    while (co_await self.receive())
        ;
}

}  // namespace

TEST_CASE("spawn: an actor of a kind begins on another node with its arguments", "[remote][spawn]")
{
    place here;
    place there({.listen = "127.0.0.1:0", .kinds = all_kinds()});

    const pid sum = spawned_at(here, there, {.kind = "adder", .name = "sum"}, {40});
    here.actors.send(sum, more{2});
    CHECK(here.ask(sum, total{}) == 42);
    CHECK(here.find(there, "sum") == sum);
    CHECK(there.actors.find("sum").has_value());
    CHECK(here.ask(spawned_at(here, there, {.kind = "host"}), greeting{"bob"}) == "hello bob");

    // By any actor there, and on this node itself, which needs nobody's permission.
    CHECK(here.ask(here.node.spawn(sum, "adder", more{7}, use_future).get(), total{}) == 7);
    here.node.kind<more>("own", adds_from);
    const pid near = here.node.spawn(here.node.address(), "own", more{3}, use_future).get();
    CHECK(near.node() == here.actors.find("sum").value_or(near).node());
    CHECK(here.ask(near, total{}) == 3);
    CHECK(here.ask(here.node.spawn(near, "own", more{4}, use_future).get(), total{}) == 4);
}

TEST_CASE("spawn: who has spawned an actor watches it and is tied to it as to another", "[remote][spawn]")
{
    place here;
    place there({.listen = "127.0.0.1:0", .kinds = all_kinds()});

    std::promise<outcome> told;
    here.actors.spawn(watches_adder, there.node.address(), &told);
    const outcome came = told.get_future().get();
    CHECK(came.sum == 7);
    CHECK(came.end == terminated{came.far, errc::actor_stopped});

    std::promise<pid> tied;
    const pid near = here.actors.spawn(ties_adder, there.node.address(), &tied);
    here.actors.send(tied.get_future().get(), tell{});  // it crashes
    here.actors.wait(near, use_future).get();
}

TEST_CASE(
    "spawn: an actor stays when the link to who had it spawned is lost, unless it is tied", "[remote][spawn]")
{
    place here;
    place there({.listen = "127.0.0.1:0", .kinds = all_kinds()});
    heard<actor_stopped> ends(there.actors);
    std::promise<pid> tied;
    spawned_at(here, there, {.kind = "adder", .name = "free"}, {1});
    const pid near = here.actors.spawn(ties_adder, there.node.address(), &tied);
    static_cast<void>(tied.get_future().get());

    const auto board = here.actors.extensions().find<std::shared_ptr<remote::switchboard>>();
    for (const pid link : (*board)->book().links())
        here.actors.send(link, remote::link_ended{"it is cut"});
    CHECK(ends.comes([](const actor_stopped& each) { return each.name == "tied"; }));
    here.actors.wait(near, use_future).get();  // it crashes on its side too
    place other;
    CHECK(other.ask(other.find(there, "free"), total{}) == 1);
}

TEST_CASE("spawn: nobody spawns what is not offered to it, which is told once", "[remote][spawn]")
{
    place friendly({.name = "friend"});
    place stranger({.name = "stranger"});
    place nameless({});
    place there({.name = "there", .listen = "127.0.0.1:0", .kinds = all_kinds(remote::peers{"friend"})});
    there.node.kind("secret", host);
    heard<remote::peer_denied> refused(there.actors);

    CHECK(friendly.ask(spawned_at(friendly, there, {.kind = "adder"}, {1}), total{}) == 1);
    for (int i = 0; i < 3; ++i) {
        CHECK(
            failure_of([&] { spawned_at(stranger, there, {.kind = "adder"}, {1}); }) == errc::not_permitted);
        CHECK(failure_of([&] { spawned_at(nameless, there, {.kind = "host"}); }) == errc::not_permitted);
        CHECK(failure_of([&] { spawned_at(friendly, there, {.kind = "secret"}); }) == errc::not_permitted);
    }
    CHECK(refused.count() == 3);
    CHECK(refused.comes([](const remote::peer_denied& each) {
        return each.name == "stranger" && each.what.find("adder") != std::string::npos;
    }));
}

TEST_CASE("spawn: what cannot be spawned says why", "[remote][spawn]")
{
    place here;
    place there({.listen = "127.0.0.1:0", .message_max = 10'000, .kinds = all_kinds(), .spawned_max = 2});
    const auto fails = [&](remote::newcomer what, more first) {
        return failure_of([&] { spawned_at(here, there, std::move(what), first); });
    };

    CHECK(fails({.kind = "nothing"}, {}) == errc::unknown_kind);
    CHECK(fails({.kind = "host"}, {}) == errc::not_understood);
    CHECK(failure_of([&] { spawned_at(here, there, {.kind = "adder"}); }) == errc::not_understood);
    CHECK(failure_of([&] {
        here.node.spawn(there.node.address(), "adder", greeting{"x"}, use_future).get();
    }) == errc::not_understood);
    CHECK(failure_of([&] {
        here.node.spawn(there.node.address(), "adder", greeting{std::string(20'000, 'x')}, use_future).get();
    }) == errc::too_large);
    CHECK(fails({.kind = "adder", .name = std::string(300, 'x')}, {}) == errc::too_large);
    CHECK(failure_of([&] { here.node.spawn("a node", "adder", more{}, use_future).get(); }) ==
        errc::unreachable);
    CHECK_THROWS_AS(here.node.spawn("127.0.0.1:x", "adder", more{}, use_future), std::invalid_argument);
    const place mute({.listen = "127.0.0.1:0"});
    CHECK(failure_of([&] { spawned_at(here, mute, {.kind = "adder", .timeout = 0ns}, {}); }) ==
        errc::timed_out);

    // As many as may be, and one more when one has ended.
    const pid first = spawned_at(here, there, {.kind = "adder"}, {});
    spawned_at(here, there, {.kind = "adder"}, {});
    CHECK(fails({.kind = "adder"}, {}) == errc::too_many_actors);
    place other({.name = "other"});
    spawned_at(other, there, {.kind = "adder"}, {});  // is counted for itself
    here.actors.stop(first, use_future).get();
    spawned_at(here, there, {.kind = "adder"}, {});
}

TEST_CASE("spawn: arguments are as large as a message, and what is too large is told", "[remote][spawn]")
{
    constexpr std::size_t most = 1'500'000;
    const auto echoes = [](context& self, greeting first) -> task<> {
        while (message m = co_await self.receive())
            m.match([&](const total&) { return std::uint64_t{first.name.size()}; });
    };
    remote::kinds offered;
    offered.add<greeting>("named", +echoes, {.spawned_by = remote::anyone});
    place here;
    place there({.listen = "127.0.0.1:0", .message_max = most, .kinds = std::move(offered)});
    const auto spawned = [&](remote::newcomer what, std::size_t bytes) {
        return here.node
            .spawn(there.node.address(), std::move(what), greeting{std::string(bytes, 'x')}, use_future)
            .get();
    };
    const pid far = spawned({.kind = "named"}, most - 1000);
    CHECK(here.ask(far, total{}) == most - 1000);
    CHECK(failure_of([&] { spawned({.kind = "named"}, most); }) == errc::too_large);
    CHECK(failure_of([&] { spawned({.kind = std::string(5'000'000, 'k')}, 1); }) == errc::too_large);
    CHECK(
        failure_of([&] { spawned({.kind = "named", .name = std::string(256, 'n')}, 1); }) == errc::too_large);
    CHECK(failure_of([&] { here.find(there, std::string(20'000'000, 'n')); }) == errc::too_large);
    CHECK(here.ask(far, total{}) == most - 1000);  // the link has stayed
}

TEST_CASE("spawn: where an actor of a former life was nobody is spawned", "[remote][spawn]")
{
    place here;
    std::optional<place> there(
        std::in_place, remote::node_options{.listen = "127.0.0.1:0", .kinds = all_kinds()});
    const pid anna = spawned_at(here, *there, {.kind = "host"});
    const std::string address = there->node.address();
    const auto spawned_beside = [&](pid who) {
        return here.node.spawn(who, {.kind = "host"}, use_future).get();
    };
    CHECK(here.ask(spawned_beside(anna), greeting{"x"}) == "hello x");
    heard<remote::peer_lost> lost(here.actors);
    there.reset();
    CHECK(lost.comes());
    there.emplace(remote::node_options{.listen = address, .kinds = all_kinds()});
    const auto failure = failure_of([&] { spawned_beside(anna); });
    CHECK((failure == errc::no_such_actor || failure == errc::unreachable));
    spawned_at(here, *there, {.kind = "host"});
    const auto has_three = [&] { return there->actors.figures().live == 3; };  // a listener, a link, a host
    CHECK(comes_true(has_three));
    CHECK(failure_of([&] { spawned_beside(anna); }) == errc::no_such_actor);
    CHECK(comes_true(has_three));
}

TEST_CASE("spawn: of two with one name the second is told who has it", "[remote][spawn]")
{
    place here;
    place there({.listen = "127.0.0.1:0", .kinds = all_kinds()});
    const pid first = spawned_at(here, there, {.kind = "adder", .name = "sum"}, {1});

    CHECK(failure_of([&] { spawned_at(here, there, {.kind = "adder", .name = "sum"}, {2}); }) ==
        errc::name_in_use);
    std::promise<std::pair<error_code, pid>> told;
    here.node.spawn(there.node.address(), {.kind = "host", .name = "sum"},
        [&](error_code code, pid who) { told.set_value({code, who}); });
    CHECK(told.get_future().get() == std::pair(make_error_code(errc::name_in_use), first));

    const auto asks = [](context& self, std::string where, std::promise<pid>* holder) -> task<> {
        try {
            co_await remote::spawn(self, where, remote::newcomer{.kind = "host", .name = "sum"});
        } catch (const name_in_use& taken) {
            holder->set_value(taken.holder());
        }
    };
    std::promise<pid> holder;
    here.actors.spawn(+asks, there.node.address(), &holder);
    CHECK(holder.get_future().get() == first);
    CHECK(here.ask(first, total{}) == 1);

    there.actors.stop(*there.actors.find("sum"), use_future).get();
    const pid second = spawned_at(here, there, {.kind = "adder", .name = "sum"}, {2});
    CHECK(here.find(there, "sum") == second);
    CHECK(here.ask(second, total{}) == 2);
}

TEST_CASE("spawn: who has a name is told where there is no room for another one, too", "[remote][spawn]")
{
    place here;
    place there({.listen = "127.0.0.1:0", .kinds = all_kinds(), .spawned_max = 1});
    there.actors.spawn("native", host);
    const pid first = spawned_at(here, there, {.kind = "adder", .name = "sum"}, {1});

    std::promise<std::pair<error_code, pid>> told;
    here.node.spawn(there.node.address(), {.kind = "adder", .name = "sum"}, more{2},
        [&](error_code code, pid who) { told.set_value({code, who}); });
    CHECK(told.get_future().get() == std::pair(make_error_code(errc::name_in_use), first));
    CHECK(failure_of([&] { spawned_at(here, there, {.kind = "adder", .name = "native"}, {2}); }) ==
        errc::name_in_use);
    CHECK(failure_of([&] { spawned_at(here, there, {.kind = "adder", .name = "other"}, {2}); }) ==
        errc::too_many_actors);
}

/// Stops adders that live until then, as a statement, waiting, and once more: says how many were denied.
task<> stops_adders(context& self, std::string where, int count, std::promise<int>* told)
{
    int denied = 0;
    for (int i = 0; i < count; ++i) {
        const pid far = co_await remote::spawn(self, where, "adder", more{5});
        self.stop(far);
        denied += !co_await as_result(self.stop(far)) ? 1 : 0;
        denied += !co_await as_result(self.stop(far)) ? 1 : 0;
        denied += !co_await as_result(self.poison(far)) ? 1 : 0;
    }
    told->set_value(denied);
}

TEST_CASE("spawn: a stop is harmless where the actor has ended", "[remote][spawn]")
{
    std::promise<int> told;
    std::atomic<int> denials = 0;
    std::promise<void> denied;
    place here({.name = "here"});
    place stranger({.name = "stranger"});
    place there({.name = "there", .listen = "127.0.0.1:0", .kinds = all_kinds()}, 2);
    const auto hears = there.actors.events().subscribe<remote::peer_denied>([&](const remote::peer_denied&) {
        if (++denials == 1)
            denied.set_value();
    });
    here.actors.spawn(stops_adders, there.node.address(), 100, &told);
    CHECK(told.get_future().get() == 0);

    // A stranger learns no more than by a `wait`.
    spawned_at(here, there, {.kind = "host", .name = "passing"});
    const pid passing = stranger.find(there, "passing");
    here.actors.stop(here.find(there, "passing"), use_future).get();
    stranger.actors.stop(passing, use_future).get();
    stranger.actors.poison(passing, use_future).get();
    stranger.actors.restart(passing);
    CHECK(denials == 0);

    spawned_at(here, there, {.kind = "host", .name = "staying"});
    const pid staying = stranger.find(there, "staying");
    stranger.actors.restart(staying);  // nobody waits, and it is told of all the same
    denied.get_future().get();
    CHECK(failure_of([&] { stranger.actors.stop(staying, use_future).get(); }) == errc::not_permitted);
    CHECK(failure_of([&] { stranger.actors.poison(staying, use_future).get(); }) == errc::not_permitted);
    CHECK(denials == 1);  // once for a peer and a thing
    CHECK(stranger.ask(staying, greeting{"x"}) == "hello x");
}

TEST_CASE(
    "spawn: actors are stopped by the node that had them spawned, and by those that may", "[remote][spawn]")
{
    place here({.name = "here"});
    place warden({.name = "warden"});
    place stranger({.name = "stranger"});
    place there({.listen = "127.0.0.1:0", .kinds = all_kinds(remote::anyone, remote::peers{"warden"})});
    const auto stops = [&](place& who, const std::string& whom) {
        const pid far = who.find(there, whom);
        return failure_of([&] { who.actors.stop(far, use_future).get(); });
    };
    for (const char* name : {"first", "second"})
        spawned_at(here, there, {.kind = "adder", .name = name}, {1});
    const pid third = spawned_at(here, there, {.kind = "host", .name = "third"});
    there.actors.spawn("native", host);

    CHECK(stops(stranger, "first") == errc::not_permitted);
    CHECK(stops(warden, "native") == errc::not_permitted);
    CHECK(stops(warden, "third") == errc::not_permitted);  // another kind
    CHECK(stops(here, "native") == errc::not_permitted);
    CHECK(stops(warden, "first") == error_code());
    CHECK(stops(here, "second") == error_code());
    here.actors.poison(third, use_future).get();
    CHECK(failure_of([&] { here.ask(third, greeting{"x"}); }) == errc::no_such_actor);

    // Any actor, by the peers that are named.
    place strict({.listen = "127.0.0.1:0", .lets_stop = remote::peers{"warden"}});
    strict.actors.spawn("host", host);
    const pid kept = here.find(strict, "host");
    CHECK(failure_of([&] { here.actors.stop(kept, use_future).get(); }) == errc::not_permitted);
    warden.actors.stop(warden.find(strict, "host"), use_future).get();
}

TEST_CASE("spawn: one that is restarted has its arguments again, and is restarted from where it was spawned",
    "[remote][spawn]")
{
    place here;
    place there;
    there.node.kind<more>(
        "adder", adds_from, {.spawned_by = remote::anyone, .actor = {.restart = {.limit = 9}}});
    const pid far = spawned_at(here, there, {.kind = "adder"}, {5});
    here.actors.send(far, more{1});
    CHECK(here.ask(far, total{}) == 6);

    here.actors.send(far, tell{});  // it crashes
    CHECK(here.ask(far, total{}) == 5);
    here.actors.send(far, more{1});
    CHECK(here.ask(far, total{}) == 6);
    here.actors.restart(far);
    while (here.ask(far, total{}) != 5)  // news of a link overtake no messages, nor are overtaken by them
        std::this_thread::yield();
}

TEST_CASE("spawn: an engine that is stopping spawns nobody", "[remote][spawn]")
{
    place there({.listen = "127.0.0.1:0", .kinds = all_kinds()});
    const auto board = there.actors.extensions().find<std::shared_ptr<remote::switchboard>>();
    REQUIRE(board != nullptr);
    there.actors.shutdown(10s);
    CHECK(remote::spawn_here(**board, {}, {.kind = "host"}, 0, {}).failure == errc::engine_stopped);

    engine alone({.strands = 1});
    const auto asks = [](context& self, std::promise<bool>* told) -> task<> {
        try {
            co_await remote::spawn(self, "127.0.0.1:1", "host");
        } catch (const std::logic_error&) {
            told->set_value(true);
        }
    };
    std::promise<bool> told;
    alone.spawn(+asks, &told);
    CHECK(told.get_future().get());
}
