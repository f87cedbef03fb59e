// SPDX-License-Identifier: MIT

#include "../../lib/remote/election.hpp"

#include <costar/core/clock.hpp>
#include <costar/remote/node.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>

#include "simulated_places.hpp"

using namespace costar;
using namespace support;
using boost::asio::use_future;
using namespace std::chrono_literals;

namespace {

/// Two nodes that greet over connections which either has dialled, as the schema says it; what one says over
/// a connection arrives in its order, and across connections in any.
class two_sides {
public:
    two_sides(std::uint64_t seed, std::size_t connections) : random_(seed), names_{"a", "b"}
    {
        if (random_.below(4) == 0)
            names_ = {"", ""};  // then the nonce decides
        for (std::size_t i = 0; i < connections; ++i) {
            wire& made = wires_.emplace_back();
            made.dialler = random_.below(2);
            made.nonce = 1 + random_.below(1'000'000);
        }
    }

    /// Until nothing is on its way.
    void run()
    {
        for (;;) {
            std::vector<std::pair<std::size_t, std::size_t>> possible;
            for (std::size_t i = 0; i < wires_.size(); ++i)
                for (const std::size_t side : {0, 1})
                    if (wires_[i].is_new || !wires_[i].ways[side].empty())
                        possible.emplace_back(i, side);
            if (possible.empty())
                return;
            const auto [at, side] = possible[random_.below(possible.size())];
            if (std::exchange(wires_[at].is_new, false))
                dial(at);
            else
                arrive(at, side);
        }
    }

    /// Those that a side uses, or holds.
    std::vector<std::size_t> used_by(std::size_t side) const
    {
        std::vector<std::size_t> all;
        for (std::size_t i = 0; i < wires_.size(); ++i)
            if (const auto* known = sides_[side].find(link(i)); known != nullptr && known->used_since != 0)
                all.push_back(i);
        return all;
    }
    std::size_t held_by(std::size_t side) const
    {
        std::size_t count = 0;
        for (std::size_t i = 0; i < wires_.size(); ++i)
            count += sides_[side].find(link(i)) != nullptr ? 1 : 0;
        return count;
    }
    std::size_t ended() const noexcept { return ended_; }

private:
    enum class kind {
        hello,
        welcome,
        open,
        close
    };
    struct letter {
        kind what;
        std::vector<std::uint64_t> told{};
    };
    struct wire {
        std::size_t dialler = 0;
        std::uint64_t nonce = 0;
        bool is_new = true;
        std::uint64_t asked = 0;
        std::array<std::deque<letter>, 2> ways{};  // to each side
    };

    static pid link(std::size_t at) { return pid(1, 0, static_cast<std::uint32_t>(at + 1), 1); }

    void enter(std::size_t at, std::size_t side)
    {
        const wire& known = wires_[at];
        sides_[side].enter({.link = link(at),
            .nonce = known.nonce,
            .dialler = names_[known.dialler],
            .has_dialled = known.dialler == side});
    }

    void dial(std::size_t at)
    {
        wire& known = wires_[at];
        known.asked = ++turns_[known.dialler];
        known.ways[1 - known.dialler].push_back({kind::hello});
    }

    void arrive(std::size_t at, std::size_t side)
    {
        wire& known = wires_[at];
        const letter next = known.ways[side].front();
        known.ways[side].pop_front();
        switch (next.what) {
        case kind::hello:
            enter(at, side);
            known.ways[1 - side].push_back({kind::welcome, sides_[side].told_to(link(at))});
            break;
        case kind::welcome:
            enter(at, side);
            if (sides_[side].rival_of(link(at), {next.told, known.asked}) != nullptr) {
                sides_[side].forget(link(at));
                known.ways[1 - side].push_back({kind::close});
            } else {
                use(at, side);
                known.ways[1 - side].push_back({kind::open});
            }
            break;
        case kind::open:
            use(at, side);
            break;
        case kind::close:
            sides_[side].forget(link(at));
        }
    }

    void use(std::size_t at, std::size_t side)
    {
        ended_ += sides_[side].use(link(at), ++turns_[side]).size();
    }

    random_source random_;
    std::array<std::string, 2> names_;
    std::vector<wire> wires_;
    remote::election sides_[2];
    std::uint64_t turns_[2] = {0, 0};
    std::size_t ended_ = 0;
};

using taken_list = std::map<std::uint64_t, std::uint64_t>;  // the last of each sender

/// Messages say who has sent them and how many that one has sent before.
task<> takes_from_each(context& self, taken_list* last, std::uint64_t* wrong)
{
    while (message m = co_await self.receive())
        m.match([&](const more& next) {
            const std::uint64_t sender = next.value / 1000;
            *wrong += next.value % 1000 == (*last)[sender] + 1 ? 0 : 1;
            (*last)[sender] = next.value % 1000;
        });
}

task<> sends_some(context& self, pid to, std::uint64_t sender)
{
    for (std::uint64_t number = 1; number <= 300; ++number) {
        self.send(to, more{sender * 1000 + number});
        if (number % 7 == sender % 7)
            co_await sleep_for(500us);
    }
}

void spawn_senders(engine& from, pid to, std::uint64_t first)
{
    for (std::uint64_t i = 0; i < 4; ++i)
        from.spawn(spawn_options{.placement = placement::chosen, .strand = static_cast<std::uint32_t>(i % 2)},
            sends_some, to, first + i);
}

}  // namespace

TEST_CASE("election: both sides come to use the same connection, whatever crosses", "[remote][election]")
{
    for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
        CAPTURE(seed);
        two_sides sides(seed, 1 + seed % 6);
        sides.run();
        REQUIRE(sides.used_by(0).size() == 1);
        REQUIRE(sides.used_by(0) == sides.used_by(1));
        REQUIRE(sides.held_by(0) == 1);
        REQUIRE(sides.held_by(1) == 1);
        REQUIRE(sides.ended() == 0);  // nothing was used that was let go of
    }
}

TEST_CASE("election: what one side has lost without the other knowing it gives way to the next connection",
    "[remote][election]")
{
    const pid old_link(1, 0, 1, 1);
    const pid new_link(1, 0, 2, 1);
    remote::election here;
    here.enter({.link = old_link, .nonce = 7, .dialler = "a", .has_dialled = true});
    CHECK(here.rival_of(old_link, {{}, 1}) == nullptr);
    CHECK(here.use(old_link, 2).empty());
    CHECK(here.told_to(new_link) == std::vector<std::uint64_t>{7});

    // The peer knows nothing of it when this side dials once more.
    here.enter({.link = new_link, .nonce = 9, .dialler = "a", .has_dialled = true});
    CHECK(here.rival_of(new_link, {{}, 3}) == nullptr);
    CHECK(here.use(new_link, 4) == std::vector{old_link});
    CHECK(here.used()->link == new_link);
    CHECK(here.find(old_link) == nullptr);
}

TEST_CASE("election: nodes that dial each other at once have one connection, and lose and turn round nothing",
    "[remote][election]")
{
    std::uint64_t crossed = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        simulated_pair pair(seed);
        taken_list at_a;
        taken_list at_b;
        std::uint64_t wrong = 0;
        pair.a.actors.spawn("taker", takes_from_each, &at_a, &wrong);
        pair.b->actors.spawn("taker", takes_from_each, &at_b, &wrong);
        heard<remote::peer_connected> met_by_a(pair.a.actors);
        heard<remote::peer_connected> met_by_b(pair.b->actors);
        heard<remote::peer_lost> lost_by_a(pair.a.actors);
        heard<remote::peer_lost> lost_by_b(pair.b->actors);
        const pid there = found(pair.sim, pair.a, "b:1/taker");
        const pid back = found(pair.sim, *pair.b, "a:1/taker");
        for (std::uint64_t round = 0; round < 3; ++round) {
            pair.network.reset("a", "b");
            pair.sim.advance(2s);
            const std::uint64_t before = pair.network.seen().crossed;
            spawn_senders(pair.a.actors, there, 10 * round);
            spawn_senders(pair.b->actors, back, 10 * round);
            pair.sim.advance(1s);
            crossed += pair.network.seen().crossed - before;
            CHECK(pair.network.connections() == 1);
            CHECK(at_a.size() == 4 * (round + 1));
            CHECK(at_b.size() == 4 * (round + 1));
        }
        // Nobody hears of connections that were not used.
        for (const auto& [connected, lost] :
            {std::pair(&met_by_a, &lost_by_a), std::pair(&met_by_b, &lost_by_b)}) {
            CHECK(connected->count() == 4);
            CHECK(lost->count() == 3);
        }
        for (const auto* const taken : {&at_a, &at_b})
            for (const auto& [sender, last] : *taken)
                CHECK(last == 300);
        REQUIRE(wrong == 0);
    }
    CHECK(crossed > 50);
}

TEST_CASE("election: whoever dials a node that is reached already uses the link that there is",
    "[remote][election]")
{
    place here;
    place there;
    there.actors.spawn("host", host);
    here.actors.spawn("host", host);
    heard<remote::peer_lost> lost(here.actors);
    const pid far = here.find(there, "host");
    const std::string address = there.node.address();
    const pid same =
        here.node.find("localhost" + address.substr(address.rfind(':')) + "/host", use_future).get();
    CHECK(same == far);
    CHECK(there.ask(there.find(here, "host"), greeting{"x"}) == "hello x");
    CHECK(here.ask(far, greeting{"y"}) == "hello y");
    CHECK(here.node.peers().front().links == 1);
    CHECK(there.node.peers().front().links == 1);
    CHECK(lost.count() == 0);
}

TEST_CASE("election: what waits for a node that cannot be dialled goes over the link that it dials itself",
    "[remote][election]")
{
    simulated_pair pair(3);
    taken_list taken;
    std::uint64_t wrong = 0;
    pair.a.actors.spawn("host", host);
    // Where the third node says that it is, nobody answers.
    simulated_place c(pair.sim, pair.network, "c", {.advertised = "nowhere:1", .greeting_timeout = 20s});
    c.actors.spawn("taker", takes_from_each, &taken, &wrong);
    pair.network.partition("a", "nowhere");
    const pid back = found(pair.sim, c, "a:1/host");
    const pid there = found(pair.sim, pair.a, "c:1/taker");
    CHECK(pair.a.node->peers().size() == 1);
    pair.network.reset("a", "c");
    pair.sim.advance(3s);
    CHECK(pair.network.connections() == 0);

    spawn_senders(pair.a.actors, there, 1);
    pair.sim.advance(1s);
    CHECK(taken.empty());
    CHECK(greeted(pair.sim, c, back, "c") == "hello c");
    pair.sim.advance(100ms);
    CHECK(taken.size() == 4);
    for (const auto& [sender, last] : taken)
        CHECK(last == 300);
    CHECK(wrong == 0);
    CHECK(pair.network.connections() == 1);
}
