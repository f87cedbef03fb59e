// SPDX-License-Identifier: MIT

// Programs that open the namespace may call their own things what the library calls parts of its machine.

#include <costar/actor/engine.hpp>
#include <costar/actor/router.hpp>
#include <costar/actor/stream.hpp>
#include <costar/testing/simulation.hpp>

#include <support/catch.hpp>

using namespace costar;

struct job {
    using reply = int;
    int number = 0;
};
struct cell {};
struct life {};
struct parcel {};
struct launcher {};
struct counter {
    int value = 0;
    int operator()(const job& m) { return value += m.number; }
    void operator()(cell) {}
    void operator()(parcel) {}
};
struct registry {};
struct station {};
struct scope {};
struct recipe {};
struct ring {};
struct arena {};
struct envelope {};
struct attempt {};
struct operation {};
struct scheduler {};
struct something {};

TEST_CASE("names: those of the machine are free for programs", "[actor]")
{
    costar::testing::simulation sim;
    const auto actor = sim.engine().spawn<counter>();
    sim.engine().send(actor, cell());
    sim.engine().send(actor, parcel());
    CHECK(sim.ask(actor, job{2}) == 2);
    CHECK(sim.ask(actor, job{3}) == 5);
    const pid other = sim.engine().spawn([](context& self) -> task<> {
        while (auto message = co_await self.receive())
            message.match([](life) {}, [](launcher) {}, [](envelope) {}, [](job m) { return m.number; });
    });
    sim.engine().send(other, life());
    CHECK(sim.ask(other, job{7}) == 7);
}
