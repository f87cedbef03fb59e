// SPDX-License-Identifier: MIT

#include <costar/testing/linearizable.hpp>

#include <costar/testing/simulation.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// A register: reads give what was written last.
struct deed {
    bool writes;
    int value;
};

int apply(int& state, const deed& call)
{
    if (call.writes)
        state = call.value;
    return state;
}

/// Tries all orders.
bool brute_force(const history<deed, int>& all)
{
    const auto& records = all.records();
    std::vector<std::size_t> order(records.size());
    std::iota(order.begin(), order.end(), 0U);
    do {
        bool fits = true;
        int state = 0;
        for (std::size_t i = 0; i < order.size() && fits; ++i) {
            for (std::size_t j = i + 1; j < order.size(); ++j)
                fits = fits && records[order[j]].ended > records[order[i]].began;
            fits = fits && apply(state, records[order[i]].call) == *records[order[i]].reply;
        }
        if (fits)
            return true;
    } while (std::next_permutation(order.begin(), order.end()));
    return false;
}

}  // namespace

TEST_CASE("linearizable: knows what one server could have answered", "[testing][linearizable]")
{
    history<deed, int> one;
    const auto write = one.begin({true, 5});
    const auto read = one.begin({false, 0});
    one.end(read, 5);
    one.end(write, 5);
    CHECK(is_linearizable(one, 0, apply));

    history<deed, int> late;
    late.end(late.begin({true, 5}), 5);
    late.end(late.begin({false, 0}), 0);  // reads what was before
    CHECK(!is_linearizable(late, 0, apply));

    history<deed, int> open;
    open.begin({true, 5});  // never answered: before, between or never
    open.end(open.begin({false, 0}), 0);
    open.end(open.begin({false, 0}), 5);
    CHECK(is_linearizable(open, 0, apply));
    open.end(open.begin({false, 0}), 0);
    CHECK(!is_linearizable(open, 0, apply));
}

TEST_CASE("linearizable: agrees with trying all orders", "[testing][linearizable]")
{
    CHECK(rc::check(
        "is_linearizable is what all permutations say", [](const std::vector<std::uint8_t>& choices) {
            history<deed, int> all;
            std::vector<std::size_t> open;
            std::size_t count = 0;
            for (const std::uint8_t choice : choices) {
                if (choice % 2 == 0 && count < 6) {
                    open.push_back(all.begin({choice % 4 == 0, choice / 64}));
                    ++count;
                } else if (!open.empty()) {
                    const std::size_t which = choice % open.size();
                    all.end(open[which], choice / 64);
                    open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
                }
            }
            for (const std::size_t left : open)
                all.end(left, 0);
            RC_ASSERT(is_linearizable(all, 0, apply) == brute_force(all));
        }));
}

namespace {

struct put {
    using reply = int;
    int value;
};
struct fetch {
    using reply = int;
};

/// Keeps a value; a careless one answers reads from a copy that is renewed now and then.
task<> keeper(context& self, bool careless)
{
    int value = 0;
    int copy = 0;
    int reads = 0;
    while (auto message = co_await self.receive())
        message.match(
            [&](put& m) {
                value = m.value;
                return value;
            },
            [&](fetch&) {
                if (!careless || ++reads % 3 == 0)
                    copy = value;
                return copy;
            });
}

task<> client(context& self, pid server, int id, history<deed, int>* seen)
{
    for (int i = 0; i < 5; ++i) {
        const bool writes = i % 2 == id % 2;
        const auto number = seen->begin({writes, 10 * id + i});
        if (writes)
            seen->end(number, co_await self.ask(server, put{10 * id + i}));
        else
            seen->end(number, co_await self.ask(server, fetch{}));
    }
}

std::size_t violations(bool careless)
{
    std::size_t found = 0;
    for_each_seed(50, {.strands = 3}, [&](simulation& sim) {
        history<deed, int> seen;
        const pid server = sim.engine().spawn(on(0), keeper, careless);
        for (int id = 1; id <= 3; ++id)
            sim.engine().spawn(on(static_cast<std::uint32_t>(id - 1)), client, server, id, &seen);
        sim.run_until_idle();
        found += !is_linearizable(seen, 0, apply);
    });
    return found;
}

}  // namespace

TEST_CASE("linearizable: finds an actor that answers from an old copy", "[testing][linearizable]")
{
    CHECK(violations(false) == 0);
    CHECK(violations(true) > 10);
}
