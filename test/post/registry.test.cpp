// SPDX-License-Identifier: MIT

#include <costar/post/registry.hpp>

#include <costar/testing/simulation.hpp>

#include <rapidcheck.h>

#include <map>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;
using namespace costar::testing;
using namespace support;

TEST_CASE("registry: a name belongs to one at a time", "[post][registry]")
{
    registry names;
    const pid one(1, 0, 0, 1);
    const pid two(1, 0, 1, 1);

    const auto first = names.insert("ada", one);
    const auto second = names.insert("ada", two);

    REQUIRE(first.made != nullptr);
    CHECK(first.holder == one);
    CHECK(second.made == nullptr);
    CHECK(second.holder == one);
    CHECK(names.find("ada") == one);
    CHECK(registry::name_of(*first.made) == "ada");
    names.erase(*first.made);
    CHECK_FALSE(names.find("ada"));
    CHECK(names.insert("ada", two).made != nullptr);
    CHECK(names.size() == 1);
}

TEST_CASE("registry: tells of a new name before others can find it", "[post][registry]")
{
    registry names;
    std::vector<std::string> told;
    const auto note = [&](registry::entry& made) { told.emplace_back(registry::name_of(made)); };

    names.insert("ada", pid(1, 0, 0, 1), note);
    names.insert("ada", pid(1, 0, 1, 1), note);

    CHECK(told == std::vector<std::string>{"ada"});
}

TEST_CASE("registry: behaves as a map", "[post][registry]")
{
    CHECK(rc::check("insert, erase and find", [](const std::vector<std::pair<std::uint8_t, bool>>& steps) {
        registry names;
        std::map<std::string, std::pair<registry::entry*, pid>> model;
        std::uint32_t next = 0;
        for (const auto& [which, adds] : steps) {
            const std::string name = "actor " + std::to_string(which % 32);
            const auto known = model.find(name);
            if (adds) {
                const auto result = names.insert(name, pid(1, 0, next, 1));
                RC_ASSERT((result.made != nullptr) == (known == model.end()));
                if (result.made != nullptr)
                    model[name] = {result.made, pid(1, 0, next, 1)};
                else
                    RC_ASSERT(result.holder == known->second.second);
                ++next;
            } else if (known != model.end()) {
                names.erase(*known->second.first);
                model.erase(known);
            }
            RC_ASSERT(names.size() == model.size());
            RC_ASSERT(names.find(name).has_value() == (model.count(name) == 1));
        }
        for (const auto& [name, entry] : model)
            RC_ASSERT(names.find(name) == entry.second);
    }));
}

TEST_CASE("registry: actors are found by name and by text form", "[post][registry]")
{
    simulation sim;
    const pid ada = sim.engine().spawn("ada", helper);
    const pid nameless = sim.engine().spawn(helper);

    CHECK(sim.engine().find("ada") == ada);
    CHECK(sim.engine().find(sim.engine().text_of("ada")) == ada);
    CHECK(sim.engine().text_of("ada") == "sim/ada");
    CHECK(sim.engine().find(nameless.to_string()) == nameless);
    CHECK_FALSE(sim.engine().find("bob"));
    CHECK_FALSE(sim.engine().find("sim/bob"));
    CHECK_FALSE(sim.engine().find("other/ada"));
    CHECK_FALSE(sim.engine().find(""));
}

TEST_CASE("registry: an owner is found as its name is", "[post][registry]")
{
    registry names;
    const pid one(1, 0, 0, 1);
    const pid two(1, 0, 1, 1);
    const pid nobody(1, 0, 2, 1);
    const auto first = names.insert("ada", one);

    CHECK(names.name_of(one) == "ada");
    const auto second = names.insert("bob", two);
    CHECK(names.name_of(two) == "bob");
    CHECK(names.told(two) == "bob (" + two.to_string() + ")");
    CHECK(names.name_of(nobody).empty());
    CHECK(names.told(nobody) == nobody.to_string());

    names.erase(*first.made);
    CHECK(names.name_of(one).empty());
    names.erase(*second.made);
    CHECK(names.name_of(two).empty());
}
