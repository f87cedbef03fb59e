// SPDX-License-Identifier: MIT

#include <costar/kernel/extensions.hpp>

#include <costar/testing/simulation.hpp>

#include <memory>
#include <string>
#include <system_error>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace support;

TEST_CASE("extensions: an engine holds one object of each type", "[kernel][extensions]")
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

TEST_CASE("extensions: outlive the actors that use them", "[kernel][extensions]")
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

TEST_CASE("extensions: an object that is replaced may use them as it ends", "[kernel][extensions]")
{
    struct looks_back {
        looks_back(extensions& all, int* found) : all(all), found(found) {}
        looks_back(const looks_back&) = delete;
        ~looks_back()
        {
            try {
                if (all.find<int>() != nullptr)
                    ++*found;
            } catch (const std::system_error&) {  // the lock is held by this thread
            }
        }
        extensions& all;
        int* found;
    };
    int found = 0;
    {
        extensions all;
        all.emplace<int>(7);
        all.emplace<looks_back>(all, &found);
        all.emplace<looks_back>(all, &found);
        CHECK(found == 1);
    }
    CHECK(found == 1);  // at their end there are no others any more
}
