// SPDX-License-Identifier: MIT

#include <costar/kernel/gateway.hpp>

#include <costar/testing/simulation.hpp>

#include <utility>
#include <variant>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

using kind = machine::outbound_signal::kind;

/// Another node, which answers requests with one more and keeps the rest.
class other_node final : public machine::gateway {
public:
    explicit other_node(engine& of) : shared_(of.station_at(0).shared()) { shared_.way_out = this; }
    ~other_node() { shared_.way_out = nullptr; }

    void send(machine::post_office& from, machine::outbound message) override
    {
        if (const std::uint64_t asked = std::exchange(message.sent->reply, 0))
            from.answer(asked, 41);
        if (message.token != 0 && has_room)
            from.answer(message.token, std::monostate{});
        messages.push_back(std::move(message));
    }
    void withdraw(machine::post_office&, pid, std::uint64_t token) override { withdrawn.push_back(token); }
    void signal(machine::post_office& from, const machine::outbound_signal& news) override
    {
        if (news.token != 0 && news.what != kind::forget_end)
            from.answer(news.token, std::monostate{});
        signals.push_back(news);
    }

    std::vector<machine::outbound> messages;
    std::vector<machine::outbound_signal> signals;
    std::vector<std::uint64_t> withdrawn;
    bool has_room = true;

private:
    machine::commons& shared_;
};

const pid far_away(1'000'000, 3, 4, 5);

}  // namespace

TEST_CASE("gateway: messages for another node go there, from each way to send", "[kernel][gateway]")
{
    simulation sim;
    other_node there(sim.engine());
    const auto sends = [](context& self, pid to) -> task<> {
        self.send(to, number{1});
        self.send(to, words{"boxed"});
        self.send(to, number{2}, headers{{"trace", "x"}});
        co_await self.send_async(to, number{3});
        self.send(to, number{co_await self.ask(to, twice{20})});
        message m = co_await self.receive();
        self.forward(to, std::move(m));
    };
    const pid sender = sim.engine().spawn(+sends, far_away);
    sim.run_until_idle();
    sim.send(sender, number{42});
    sim.run_until_idle();
    sim.send(far_away, number{43});
    sim.run_until_idle();

    REQUIRE(there.messages.size() == 8);
    for (const machine::outbound& each : there.messages)
        CHECK(each.to == far_away);
    CHECK(there.messages[0].sent->as<number>().value == 1);
    CHECK(there.messages[0].sent->sender == sender);
    CHECK(there.messages[1].sent->type == &machine::type_of<words>);
    CHECK(there.messages[2].with->find("trace") == "x");
    CHECK(there.messages[5].sent->as<number>().value == 41);
    CHECK(there.messages[6].sent->as<number>().value == 42);
    CHECK_FALSE(there.messages[7].sent->sender);
    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE("gateway: what is said of ends goes there too", "[kernel][gateway]")
{
    simulation sim;
    other_node there(sim.engine());
    const auto says = [](context& self, pid to) -> task<> {
        self.watch(to);
        self.unwatch(to);
        self.link(to);
        self.restart(to);
        co_await self.stop(to);
        co_await self.wait(to);
    };
    const pid sayer = sim.engine().spawn(+says, far_away);
    sim.run_until_idle();

    std::vector<kind> said;
    for (const machine::outbound_signal& each : there.signals) {
        said.push_back(each.what);
        CHECK(each.to == far_away);
    }
    // An awaited stop is said twice; the tie ends with the actor.
    const std::vector<kind> expected{kind::watch, kind::unwatch, kind::watch, kind::restart, kind::stop,
        kind::stop, kind::await_end, kind::ended, kind::unwatch};
    CHECK(said == expected);
    CHECK(there.signals[0].about == sayer);
    CHECK(there.signals[2].is_linked);
}

TEST_CASE("gateway: who gives up waiting for room says so there", "[kernel][gateway]")
{
    simulation sim;
    other_node there(sim.engine());
    there.has_room = false;
    const auto waits = [](context& self, pid to) -> task<> { co_await self.send_async(to, number{1}); };
    const pid waiting = sim.engine().spawn(+waits, far_away);
    sim.run_until_idle();
    REQUIRE(there.messages.size() == 1);
    CHECK(there.messages[0].token != 0);
    CHECK(there.withdrawn.empty());
    sim.stop(waiting);
    sim.run_until_idle();
    CHECK(there.withdrawn == std::vector<std::uint64_t>{there.messages[0].token});
}

TEST_CASE("gateway: an actor of this node is watched from there", "[kernel][gateway]")
{
    simulation sim;
    other_node there(sim.engine());
    const pid watched = sim.engine().spawn(helper);
    sim.run_until_idle();
    sim.engine().station_at(watched.strand()).add_watcher(watched, {far_away, false});
    sim.stop(watched);
    sim.run_until_idle();

    REQUIRE(there.signals.size() == 1);
    CHECK(there.signals[0].what == kind::ended);
    CHECK(there.signals[0].about == watched);
    CHECK(there.signals[0].reason == errc::actor_stopped);
}
