// SPDX-License-Identifier: MIT

// The six promises of docs/guide/guarantees.md, over thousands of orders of the same small world.

#include <costar/core/result.hpp>
#include <costar/testing/simulation.hpp>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// Numbered by its sender.
struct item {
    int sender;
    int number;
};
struct question {
    using reply = int;
    int value;
};
struct look_at {
    pid who;
};

/// What has happened in one world.
struct ledger {
    int sent = 0;
    int handled = 0;
    int failed = 0;                           // crashed over
    std::map<std::pair<pid, int>, int> last;  // (receiver, sender) to the number received last
    bool ordered = true;
    int asked = 0;
    int answered = 0;
    int refused = 0;
    bool wrong_answer = false;
    int watches = 0;
    std::map<pid, int> ends_heard;
};

/// Handles items in order, crashes over some, answers questions.
task<> worker(context& self, ledger* book)
{
    const pid helping = self.spawn(helper);
    while (auto message = co_await self.receive()) {
        if (message.is<item>()) {
            const item got = message.get<item>();
            int& last = book->last[{self.pid(), got.sender}];
            book->ordered = book->ordered && got.number > last;
            last = got.number;
            if (got.number % 7 == 6) {
                ++book->failed;
                throw std::runtime_error("told to");
            }
            ++book->handled;
        } else if (message.is<question>()) {
            const int value = message.get<question>().value;
            if (value % 11 == 10)
                throw std::runtime_error("asked to");
            if (value % 5 == 4)
                co_await sleep_for(30ms);  // too late for some
            message.respond(co_await self.ask(helping, twice{value}));
        }
    }
}

/// Sends items to all workers, asks them, and watches some.
task<> client(context& self, std::vector<pid> workers, int id, std::uint64_t choices, ledger* book)
{
    for (int number = 1; number <= 8; ++number) {
        for (const pid to : workers) {
            ++book->sent;
            self.send(to, item{id, number});
        }
        const pid asked = workers[(choices >> number) % workers.size()];
        const int value = 10 * id + number;
        ++book->asked;
        const auto answer = co_await as_result(self.ask(asked, question{value}, 20ms));
        if (answer) {
            ++book->answered;
            book->wrong_answer = book->wrong_answer || *answer != 2 * value;
        } else {
            ++book->refused;
        }
    }
}

/// Watches each worker twice and counts the news.
task<> observer(context& self, std::vector<pid> workers, ledger* book)
{
    for (int i = 0; i < 2; ++i)
        for (const pid each : workers)
            self.watch(each);
    book->watches = static_cast<int>(workers.size());
    while (auto message = co_await self.receive())
        message.match([&](terminated& m) { ++book->ends_heard[m.who]; });
}

}  // namespace

TEST_CASE("guarantees: hold over ten thousand orders", "[testing][guarantees]")
{
    quiet_log quiet;
    std::uint64_t dead = 0;
    std::uint64_t restarts = 0;
    std::uint64_t late = 0;
    const std::uint64_t seeds = for_each_seed(10'000, {.strands = 3}, [&](simulation& sim) {
        ledger book;
        event_record events(sim.engine());
        auto& random = sim.random();
        std::vector<pid> workers;
        for (std::uint32_t i = 0; i < 3; ++i) {
            spawn_options options = on(static_cast<std::uint32_t>(random.below(3)));
            options.restart.limit = static_cast<std::uint32_t>(random.below(4));
            workers.push_back(sim.engine().spawn(options, worker, &book));
        }
        const pid watching = sim.engine().spawn(on(0), observer, workers, &book);
        sim.run_until_idle();
        for (int id = 0; id < 3; ++id)
            sim.engine().spawn(on(static_cast<std::uint32_t>(id)), client, workers, id, random.next(), &book);
        sim.advance(std::chrono::milliseconds(random.below(40)));
        if (random.below(2) == 0)
            sim.engine().stop(workers[0]);
        else
            sim.engine().poison(workers[0]);
        sim.advance(1s);

        // 5: control reaches everybody, whatever is in the way.
        CHECK(sim.engine().station_at(workers[0].strand()).find(workers[0]) == nullptr);
        for (const pid each : workers)
            sim.engine().stop(each);
        sim.run_until_idle();
        // 4: each end is told once, to all and to those who watch.
        CHECK(book.ends_heard.size() == 3);
        for (const auto& [who, times] : book.ends_heard)
            CHECK(times == 1);
        sim.stop(watching);
        CHECK(sim.engine().figures().live == 0);
        CHECK(events.started.size() == events.stopped.size());
        std::set<pid> ended;
        for (const actor_stopped& each : events.stopped)
            CHECK(ended.insert(each.who).second);
        // 1: in order, at most once.
        CHECK(book.ordered);
        // 2: each request ends, with its own answer or an error.
        CHECK(book.asked == 24);
        CHECK(book.answered + book.refused == 24);
        CHECK(!book.wrong_answer);
        // 3 and 6: nothing vanishes, and a crash costs the one message it was over.
        const auto dead_items = std::count_if(events.dead.begin(), events.dead.end(),
            [](const dead_letter& each) { return each.type.ends_with("item"); });
        CHECK(book.handled + book.failed + dead_items == book.sent);

        dead += events.dead.size();
        restarts += events.restarted.size();
        late += sim.engine().figures().late_replies;
    });
    std::printf("guarantees: %llu seeds, %llu restarts, %llu dead letters, %llu late replies\n",
        static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(restarts),
        static_cast<unsigned long long>(dead), static_cast<unsigned long long>(late));
    if (seeds >= 1000) {
        CHECK(restarts > seeds / 10);
        CHECK(dead > seeds);
        CHECK(late > 0);
    }
}
