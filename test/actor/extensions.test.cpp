// SPDX-License-Identifier: MIT

#include <costar/actor/extensions.hpp>

#include <costar/testing/simulation.hpp>

#include <memory>
#include <string>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace support;

TEST_CASE("extensions: an engine holds one object of each type", "[actor][extensions]")
{
    simulation sim;
    auto& all = sim.engine().extensions();
    CHECK(all.find<std::string>() == nullptr);
    all.emplace<std::string>("first");
    all.emplace<int>(7);
    CHECK(*all.emplace<std::string>("second") == "second");

    const pid actor = sim.engine().spawn([](context& self) -> task<> {
        const auto name = self.engine().extensions().find<std::string>();
        while (auto message = co_await self.receive())
            message.match([&](greet&) { return *name; });
    });
    CHECK(sim.ask(actor, greet{}) == "second");
    CHECK(*all.find<int>() == 7);
}

TEST_CASE("extensions: outlive the actors that use them", "[actor][extensions]")
{
    static int alive = 0;
    struct counted {
        counted() { ++alive; }
        counted(const counted&) = delete;
        ~counted() { --alive; }
    };
    {
        simulation sim;
        sim.engine().extensions().emplace<counted>();
        sim.engine().spawn([](context& self) -> task<> {
            struct at_end {
                ~at_end() { CHECK(alive == 1); }
            } guard;
            co_await self.receive();
        });
        sim.run_until_idle();
    }
    CHECK(alive == 0);
}
