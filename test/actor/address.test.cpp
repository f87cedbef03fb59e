// SPDX-License-Identifier: MIT

#include <costar/actor/address.hpp>

#include <costar/testing/simulation.hpp>

#include <string>
#include <type_traits>
#include <utility>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace support;

namespace {

struct doubler {
    int operator()(twice m) { return 2 * m.value; }
    void operator()(knock) {}
};

template <class To, class Message>
concept engine_sends = requires(engine& from, To to, Message message) { from.send(to, std::move(message)); };
template <class To, class Message>
concept actor_sends = requires(context& from, To to, Message message) { from.send(to, std::move(message)); };
template <class To, class Message>
concept engine_asks = requires(
    engine& from, To to, Message message) { from.ask(to, std::move(message), [](error_code, auto...) {}); };
template <class To, class Message>
concept actor_asks = requires(context& from, To to, Message message) { from.ask(to, std::move(message)); };

// An address takes what is listed, or what the class takes, and nothing else.
static_assert(engine_sends<address<greet, number>, greet>);
static_assert(engine_sends<address<greet, number>, number>);
static_assert(!engine_sends<address<greet, number>, twice>);
static_assert(actor_sends<address<greet, number>, number>);
static_assert(!actor_sends<address<greet, number>, twice>);
static_assert(engine_asks<address<greet, number>, greet>);
static_assert(!engine_asks<address<greet, number>, twice>);
static_assert(!engine_asks<address<greet, number>, number>);  // no request
static_assert(actor_asks<address<greet, number>, greet>);
static_assert(!actor_asks<address<greet, number>, twice>);
static_assert(!actor_asks<address<greet, number>, number>);
static_assert(engine_sends<address<doubler>, twice>);
static_assert(actor_asks<address<doubler>, knock>);
static_assert(!engine_sends<address<doubler>, greet>);
static_assert(!actor_asks<address<doubler>, greet>);
static_assert(!engine_sends<address<>, number>);

// A plain pid takes all.
static_assert(engine_sends<pid, number>);
static_assert(actor_asks<pid, greet>);
static_assert(!actor_asks<pid, number>);
static_assert(!engine_sends<int, number>);

// One that accepts more becomes one that accepts less, and every one a pid; not the other way round.
static_assert(std::is_convertible_v<address<greet, number>, address<number>>);
static_assert(std::is_convertible_v<address<greet, number>, address<number, greet>>);
static_assert(std::is_convertible_v<address<doubler>, address<twice>>);
static_assert(std::is_convertible_v<address<doubler>, address<twice, knock>>);
static_assert(!std::is_convertible_v<address<number>, address<greet, number>>);
static_assert(!std::is_convertible_v<address<doubler>, address<greet>>);
static_assert(std::is_convertible_v<address<doubler>, pid>);
static_assert(std::is_convertible_v<address<number>, address<>>);
static_assert(!std::is_convertible_v<pid, address<doubler>>);
static_assert(std::is_constructible_v<address<doubler>, pid>);
static_assert(std::is_trivially_copyable_v<address<doubler>>);
static_assert(sizeof(address<doubler, greet>) == sizeof(pid));

}  // namespace

TEST_CASE("address: leads to its actor, however it was converted", "[actor][address]")
{
    simulation sim;
    const address<doubler> whole = sim.engine().spawn<doubler>();
    const address<twice> part = whole;
    const pid plain = part;

    CHECK(sim.ask(whole, twice{2}) == 4);
    CHECK(sim.ask(part, twice{3}) == 6);
    CHECK(sim.ask(plain, twice{4}) == 8);
    CHECK(plain == whole.plain());
    CHECK(address<twice>(plain) == part);
    CHECK(whole);
    CHECK_FALSE(address<twice>());
    sim.stop(whole);
}
