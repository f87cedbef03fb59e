// SPDX-License-Identifier: MIT

// Goal: no set of full rings, parked actors and sleeping strands can stand still, whatever the order of their
// steps. Method: a model of the protocol of docs/design/006-flow-control.md, as small as it can be and still
// fill its rings; all its states are visited, and from each of them the end must be within reach. The same
// search has to find the faults that it exists for when a rule is taken away.

#include <support/catch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

constexpr std::size_t strands_max = 3;
constexpr int slots = 2;

/// What a strand takes into account; the defaults are the protocol.
struct rules {
    bool counts_parked = false;      // messages of a parked actor are part of the backlog
    bool counts_own = false;         // so are messages that never went through a ring
    bool wakes_for_room = true;      // a producer is woken when there is room again
    bool looks_before_sleep = true;  // a strand looks for work once it has said that it sleeps
};

struct world {
    std::size_t strands = 2;
    int budget = 6;     // messages that may still be sent
    int backlog = 1;    // borne messages above which a strand takes no more
    bool busy = false;  // something else is ready on each strand all the time
    int own = 0;        // messages that the actor of each strand sends itself for ever
    rules law;
};

enum class actor_state : std::uint8_t {
    idle,
    ready,
    held
};
enum class strand_state : std::uint8_t {
    awake,
    falling,
    asleep
};

/// One strand with one actor.
struct strand_model {
    actor_state actor = actor_state::ready;
    strand_state rest = strand_state::awake;
    std::uint8_t queued = 0;                          // messages that came through rings
    std::array<std::uint8_t, strands_max> spill{};    // beside the full ring to each other one
    std::array<std::uint8_t, strands_max> filled{};   // of the ring to each other one
    std::array<std::uint8_t, strands_max> visible{};  // of these
    std::array<bool, strands_max> calls{};            // is about to wake the other one
};

struct state {
    std::array<strand_model, strands_max> strand{};
    std::uint8_t budget = 0;
    std::array<bool, strands_max> begun{};  // the first message is handled

    bool is_over(std::size_t count) const
    {
        for (std::size_t i = 0; i < count; ++i) {
            const strand_model& one = strand[i];
            if (!begun[i] || one.queued != 0)
                return false;
            for (std::size_t j = 0; j < count; ++j)
                if (one.spill[j] != 0 || one.filled[j] != 0)
                    return false;
        }
        return true;
    }

    std::string key() const
    {
        std::string bytes;
        for (const strand_model& one : strand) {
            bytes += static_cast<char>(one.actor);
            bytes += static_cast<char>(one.rest);
            bytes += static_cast<char>(one.queued);
            for (std::size_t j = 0; j < strands_max; ++j) {
                bytes += static_cast<char>(one.spill[j]);
                bytes += static_cast<char>(one.filled[j] << 4 | one.visible[j] << 1 | one.calls[j]);
            }
        }
        bytes += static_cast<char>(budget);
        for (const bool each : begun)
            bytes += static_cast<char>(each);
        return bytes;
    }
};

/// All steps that can follow a state.
class steps {
public:
    explicit steps(const world& all) : all_(all) {}

    const std::vector<state>& from(const state& now)
    {
        next_.clear();
        for (std::size_t i = 0; i < all_.strands; ++i) {
            call(now, i);
            if (now.strand[i].rest == strand_state::awake) {
                take(now, i);
                run(now, i);
                flush(now, i);
            }
            rest(now, i);
        }
        return next_;
    }

private:
    static bool is_parked(const strand_model& one)
    {
        for (const std::uint8_t each : one.spill)
            if (each != 0)
                return true;
        return false;
    }

    bool is_anything_ready(const strand_model& one) const
    {
        return all_.busy || one.actor == actor_state::ready;
    }

    int backlog(const strand_model& one) const
    {
        const bool is_counted = one.actor != actor_state::held || all_.law.counts_parked;
        return is_counted ? one.queued + (all_.law.counts_own ? all_.own : 0) : 0;
    }

    bool has_work(const state& now, std::size_t i) const
    {
        const strand_model& one = now.strand[i];
        if (is_anything_ready(one))
            return true;
        for (std::size_t j = 0; j < all_.strands; ++j)
            if (now.strand[j].visible[i] != 0 || (one.spill[j] != 0 && one.filled[j] < slots))
                return true;
        return false;
    }

    /// Wakes those that it has to wake; a step of its own, since others may do theirs before.
    void call(const state& now, std::size_t i)
    {
        for (std::size_t j = 0; j < all_.strands; ++j) {
            if (!now.strand[i].calls[j])
                continue;
            state then = now;
            then.strand[i].calls[j] = false;
            then.strand[j].rest = strand_state::awake;
            next_.push_back(then);
        }
    }

    void take(const state& now, std::size_t i)
    {
        const strand_model& one = now.strand[i];
        if (backlog(one) >= all_.backlog && is_anything_ready(one))
            return;
        for (std::size_t j = 0; j < all_.strands; ++j) {
            if (now.strand[j].visible[i] == 0)
                continue;
            state then = now;
            --then.strand[j].visible[i];
            --then.strand[j].filled[i];
            ++then.strand[i].queued;
            if (then.strand[i].actor == actor_state::idle)
                then.strand[i].actor = actor_state::ready;
            then.strand[i].calls[j] = all_.law.wakes_for_room;
            next_.push_back(then);
        }
    }

    void run(const state& now, std::size_t i)
    {
        const strand_model& one = now.strand[i];
        if (one.actor != actor_state::ready || (now.begun[i] && one.queued == 0))
            return;  // with no message but its own it would only go round
        if (is_parked(one)) {
            state then = now;
            then.strand[i].actor = actor_state::held;
            next_.push_back(then);
            return;
        }
        // It handles a message and sends none, one, or two, to one of the others.
        for (int sent = 0; sent <= 2 && sent <= now.budget; ++sent) {
            for (std::size_t to = 0; to < all_.strands; ++to) {
                if (to == i || (sent == 0 && to != (i + 1) % all_.strands))
                    continue;
                state then = now;
                strand_model& self = then.strand[i];
                if (then.begun[i])
                    --self.queued;
                then.begun[i] = true;
                then.budget = static_cast<std::uint8_t>(then.budget - sent);
                for (int k = 0; k < sent; ++k)
                    ++(self.spill[to] == 0 && self.filled[to] < slots ? self.filled : self.spill)[to];
                self.actor = self.queued != 0 || all_.own != 0 ? actor_state::ready : actor_state::idle;
                next_.push_back(then);
            }
        }
    }

    void flush(const state& now, std::size_t i)
    {
        state then = now;
        strand_model& self = then.strand[i];
        bool has_changed = false;
        for (std::size_t j = 0; j < all_.strands; ++j) {
            for (; self.spill[j] != 0 && self.filled[j] < slots; has_changed = true) {
                --self.spill[j];
                ++self.filled[j];
            }
            if (self.visible[j] != self.filled[j]) {
                self.visible[j] = self.filled[j];
                self.calls[j] = has_changed = true;
            }
        }
        if (!is_parked(self) && self.actor == actor_state::held) {
            self.actor = actor_state::ready;
            has_changed = true;
        }
        if (has_changed)
            next_.push_back(then);
    }

    /// To say that it sleeps and to look whether there is work are two steps.
    void rest(const state& now, std::size_t i)
    {
        const strand_model& one = now.strand[i];
        state then = now;
        if (one.rest == strand_state::awake) {
            for (std::size_t j = 0; j < all_.strands; ++j)
                if (one.visible[j] != one.filled[j] || one.calls[j])
                    return;
            if (is_anything_ready(one))
                return;
            then.strand[i].rest = strand_state::falling;  // others may have come since it looked
        } else if (one.rest == strand_state::falling) {
            const bool stays = all_.law.looks_before_sleep && has_work(now, i);
            then.strand[i].rest = stays ? strand_state::awake : strand_state::asleep;
        } else {
            return;
        }
        next_.push_back(then);
    }

    const world& all_;
    std::vector<state> next_;
};

/// What a search has found.
struct findings {
    std::size_t states = 0;
    std::size_t stuck = 0;  // states from which the end cannot be reached
    int spill_max = 0;
};

findings search(const world& all)
{
    std::unordered_map<std::string, std::uint32_t> known;
    std::vector<state> states;
    std::vector<std::vector<std::uint32_t>> before;
    const auto number_of = [&](const state& one) {
        const auto [at, is_new] = known.try_emplace(one.key(), static_cast<std::uint32_t>(states.size()));
        if (is_new) {
            states.push_back(one);
            before.emplace_back();
        }
        return at->second;
    };
    state first;
    first.budget = static_cast<std::uint8_t>(all.budget);
    number_of(first);

    findings found;
    steps next(all);
    for (std::uint32_t i = 0; i < states.size(); ++i) {
        const state now = states[i];
        for (std::size_t k = 0; k < all.strands; ++k)
            for (const std::uint8_t spill : now.strand[k].spill)
                found.spill_max = std::max<int>(found.spill_max, spill);
        for (const state& then : next.from(now))
            before[number_of(then)].push_back(i);
    }

    std::vector<bool> ends(states.size());
    std::vector<std::uint32_t> open;
    for (std::uint32_t i = 0; i < states.size(); ++i) {
        if (states[i].is_over(all.strands)) {
            ends[i] = true;
            open.push_back(i);
        }
    }
    while (!open.empty()) {
        const std::uint32_t i = open.back();
        open.pop_back();
        for (const std::uint32_t earlier : before[i]) {
            if (!ends[earlier]) {
                ends[earlier] = true;
                open.push_back(earlier);
            }
        }
    }
    found.states = states.size();
    for (const bool each : ends)
        found.stuck += !each;
    return found;
}

}  // namespace

TEST_CASE("flow_model: two strands come to an end from every state", "[core][flow_model]")
{
    world all;
    all.busy = GENERATE(false, true);
    all.backlog = GENERATE(1, 2);
    all.own = GENERATE(0, 3);
    all.budget = 12;

    const findings found = search(all);

    CAPTURE(all.busy, all.backlog, all.own, found.states);
    CHECK(found.states > 1000);
    CHECK(found.spill_max > 0);
    CHECK(found.stuck == 0);
}

TEST_CASE("flow_model: three strands come to an end from every state", "[core][flow_model]")
{
    world all;
    all.strands = 3;
    all.busy = GENERATE(false, true);
    all.budget = all.busy ? 5 : 4;

    const findings found = search(all);

    CAPTURE(all.busy, found.states);
    CHECK(found.states > 10'000);
    CHECK(found.spill_max > 0);
    CHECK(found.stuck == 0);
}

TEST_CASE("flow_model: the search finds what stands still when a rule is taken away", "[core][flow_model]")
{
    world all;
    all.budget = 12;

    SECTION("messages of parked actors in the backlog, while something else is ready")
    {
        all.busy = true;
        all.law.counts_parked = true;
    }
    SECTION("an actor's own messages in the backlog")
    {
        all.own = 3;
        all.law.counts_own = true;
    }
    SECTION("nobody says that there is room again")
    {
        all.law.wakes_for_room = false;
    }
    SECTION("no look for work after the word that one sleeps")
    {
        all.law.looks_before_sleep = false;
    }

    CHECK(search(all).stuck > 0);
}
