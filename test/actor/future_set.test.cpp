// SPDX-License-Identifier: MIT

#include <costar/actor/future_set.hpp>

#include <costar/core/result.hpp>
#include <costar/testing/simulation.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>
#include <support/later.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

TEST_CASE("future_set: several are awaited together", "[actor][future_set]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    const pid to = sim.engine().spawn(on(0), answers_later);
    struct gathers {
        static task<> all(context& self, pid to)
        {
            std::vector<future<int>> asked;
            for (int i = 0; i < 4; ++i)
                asked.push_back(self.ask_future(to, later{i, (4 - i) * 100ms}));
            const std::vector<int> values = co_await all_of(std::move(asked));
            CHECK(values == std::vector{0, 1, 2, 3});
        }
        static task<> any(context& self, pid to)
        {
            std::vector<future<int>> asked;
            for (int i = 0; i < 4; ++i)
                asked.push_back(self.ask_future(to, later{i, (4 - i) * 100ms, i == 3}));
            const int value = co_await any_of(std::move(asked));
            CHECK(value == 2);
        }
        static task<> some(context& self, pid to)
        {
            std::vector<future<int>> asked;
            for (int i = 0; i < 4; ++i)
                asked.push_back(self.ask_future(to, later{i, (4 - i) * 100ms, i == 3}));
            const std::vector<int> values = co_await n_of(2, std::move(asked));
            CHECK(values == std::vector{1, 2});
        }
        static task<> fails(context& self, pid to)
        {
            std::vector<future<int>> asked;
            for (int i = 0; i < 4; ++i)
                asked.push_back(self.ask_future(to, later{i, (4 - i) * 100ms, i == 2}));
            const auto values = co_await as_result(all_of(std::move(asked)));
            CHECK(values.error() == errc::unanswered);
        }
        static task<> each(context& self, pid to)
        {
            std::vector<future<int>> asked;
            for (int i = 0; i < 3; ++i)
                asked.push_back(self.ask_future(to, later{i, 100ms, i == 1}));
            const auto results = co_await results_of(std::move(asked));
            CHECK(results.size() == 3);
            CHECK(results.at(0).value() == 0);
            CHECK(results.at(1).error() == errc::unanswered);
            CHECK(results.at(2).value() == 2);
        }
        static task<> nothing_to_give(context& self, pid to)
        {
            std::vector<future<void>> asked;
            asked.push_back(self.ask_future(to, knock{}));
            asked.push_back(self.ask_future(to, knock{}));
            co_await all_of(std::move(asked));
            std::vector<future<void>> again;
            again.push_back(self.ask_future(to, knock{}));
            co_await any_of(std::move(again));
        }
        static task<> none(context&, pid)
        {
            CHECK((co_await all_of(std::vector<future<int>>{})).empty());
            CHECK((co_await n_of(0, std::vector<future<int>>{})).empty());
            CHECK((co_await results_of(std::vector<future<int>>{})).empty());
            const auto first = co_await as_result(any_of(std::vector<future<int>>{}));
            CHECK(first.error() == errc::no_such_actor);
            const auto more = co_await as_result(n_of(2, std::vector<future<int>>(1)));
            CHECK(more.error() == errc::no_such_actor);
        }
        static task<> empty(context&, pid)
        {
            const auto one = co_await as_result(all_of(std::vector<future<int>>(1)));
            CHECK(one.error() == errc::cancelled);
            CHECK((co_await results_of(std::vector<future<int>>(1))).at(0).error() == errc::cancelled);
        }
    };
    struct way {
        task<> (*body)(context&, pid);
        std::chrono::milliseconds needed;
        std::uint64_t late;
    };
    const way each = GENERATE(way{&gathers::all, 400ms, 0}, way{&gathers::any, 200ms, 2},
        way{&gathers::some, 300ms, 1}, way{&gathers::fails, 200ms, 2}, way{&gathers::each, 100ms, 0},
        way{&gathers::nothing_to_give, 0ms, 0}, way{&gathers::none, 0ms, 0}, way{&gathers::empty, 0ms, 0});
    const pid asker = sim.engine().spawn(on(1), each.body, to);

    if (each.needed > 0ms) {
        sim.advance(each.needed - 1ms);
        CHECK(sim.engine().figures().live == 2);
        sim.advance(1ms);
    }
    sim.run_until_idle();
    CHECK(sim.engine().figures().live == 1);
    sim.advance(1s);

    CHECK(sim.engine().figures().late_replies == each.late);
    static_cast<void>(asker);
}

TEST_CASE("future_set: n of several end as a list of their times says", "[actor][future_set]")
{
    CHECK(rc::check("against a model", [](std::uint64_t seed) {
        const auto fails = *rc::gen::container<std::vector<bool>>(rc::gen::arbitrary<bool>());
        const std::size_t size = fails.size();
        const auto wanted = *rc::gen::inRange<std::size_t>(0, size + 2);
        std::vector<std::size_t> order(size);  // of the answers
        std::iota(order.begin(), order.end(), 0);
        simulation sim(seed);
        for (std::size_t i = size; i > 1; --i)
            std::swap(order[i - 1], order[sim.random().below(i)]);
        std::vector<later> requests(size);
        for (std::size_t i = 0; i < size; ++i)
            requests[order[i]] = {
                static_cast<int>(order[i]), std::chrono::milliseconds(i + 1), fails[order[i]]};

        // The model.
        std::vector<int> values;
        std::size_t failures = 0;
        std::size_t ended = 0;
        while (values.size() < wanted && failures + wanted <= size && ended < size) {
            const later& next = requests[order[ended++]];
            if (next.fails)
                ++failures;
            else
                values.push_back(next.value);
        }
        std::sort(values.begin(), values.end());
        const bool enough = values.size() == wanted;

        struct outcome {
            std::optional<result<std::vector<int>>> values;
            std::chrono::nanoseconds after{};
        };
        outcome seen;
        const std::vector<pid> to{
            sim.engine().spawn(on(0), answers_later), sim.engine().spawn(on(1), answers_later)};
        sim.engine().spawn(
            on(1),
            [](context& self, const std::vector<pid>* to, const std::vector<later>* requests,
                std::size_t wanted, outcome* seen) -> task<> {
                const auto begun = self.now();
                std::vector<future<int>> asked;
                for (std::size_t i = 0; i < requests->size(); ++i)
                    asked.push_back(self.ask_future((*to)[i % 2], (*requests)[i], 1h));
                seen->values = co_await as_result(n_of(wanted, std::move(asked)));
                seen->after = self.now() - begun;
            },
            &to, &requests, wanted, &seen);
        sim.advance(10s);

        RC_ASSERT(seen.values.has_value());
        RC_ASSERT(seen.values->has_value() == enough);
        if (enough)
            RC_ASSERT(seen.values->value() == values);
        else
            RC_ASSERT(seen.values->error() == (wanted > size ? errc::no_such_actor : errc::unanswered));
        RC_ASSERT(seen.after == std::chrono::milliseconds(ended));
        RC_ASSERT(sim.engine().figures().late_replies == size - ended);
    }));
}

TEST_CASE("future_set: a wait for several is cancelled with its actor", "[actor][future_set]")
{
    simulation sim;
    const pid to = sim.engine().spawn(on(0), answers_later);
    std::optional<error_code> failed;
    const pid asker = sim.engine().spawn(
        on(GENERATE(0U, 1U)),
        [](context& self, pid to, std::optional<error_code>* failed) -> task<> {
            std::vector<future<int>> asked;
            for (int i = 0; i < 3; ++i)
                asked.push_back(self.ask_future(to, later{i, i * 1h}, 24h));
            *failed = (co_await as_result(all_of(std::move(asked)))).error();
        },
        to, &failed);
    sim.run_until_idle();
    CHECK(sim.dump().find("replies from " + to.to_string() + ", " + to.to_string()) != std::string::npos);

    sim.stop(asker);

    CHECK(failed == errc::cancelled);
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("future_set: many are asked with one call", "[actor][future_set]")
{
    simulation sim(GENERATE(1U, 2U, 3U));
    std::vector<int> numbers;
    const std::vector<pid> to{sim.engine().spawn(on(0), helper), sim.engine().spawn(on(1), helper),
        sim.engine().spawn(on(0), recorder, &numbers), pid()};
    bool done = false;

    sim.engine().spawn(
        on(1),
        [](context& self, const std::vector<pid>* to, bool* done) -> task<> {
            const auto results = co_await self.ask_all(*to, greet{"all"}, 1s);
            CHECK(results.size() == 4);
            CHECK(results.at(0).value() == "hello, all");
            CHECK(results.at(1).value() == "hello, all");
            CHECK(results.at(2).error() == errc::not_understood);
            CHECK(results.at(3).error() == errc::no_such_actor);
            const auto two = co_await self.ask_all({to->at(0), to->at(1)}, knock{});
            CHECK(two.size() == 2);
            CHECK(two.at(0).has_value());
            const std::vector<address<twice>> typed{address<twice>(to->at(0)), address<twice>(to->at(1))};
            const auto twos = co_await self.ask_all(typed, twice{4});
            CHECK(twos.at(1).value() == 8);
            CHECK((co_await self.ask_all(std::vector<pid>{}, twice{4})).empty());
            *done = true;
        },
        &to, &done);
    sim.run_until_idle();

    CHECK(done);
}
