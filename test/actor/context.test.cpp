// SPDX-License-Identifier: MIT

#include <costar/actor/context.hpp>

#include <costar/core/result.hpp>
#include <costar/core/spawn.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

using log_lines = std::vector<std::string>;

task<> introduces_itself(context& self, pid parent, log_lines* seen)
{
    CHECK(self.parent() == parent);
    CHECK_FALSE(self.sender());
    CHECK_FALSE(self.stopping());
    CHECK(self.restart_count() == 0);
    CHECK(self.get_executor().running_in_this_thread());
    seen->push_back(self.name());
    while (auto message = co_await self.receive()) {
        CHECK(message.sender() == self.sender());
        self.respond(self.mailbox_size() == 0 ? 1 : 2);
    }
    CHECK_FALSE(self.sender());
    CHECK(self.stopping());
}

task<> passes_on(context& self, pid to)
{
    while (auto message = co_await self.receive()) {
        self.forward(to, std::move(message));
        CHECK_FALSE(message);
        CHECK_FALSE(self.sender());
    }
}

task<> tells_senders(context& self, std::vector<pid>* senders)
{
    while (auto message = co_await self.receive()) {
        senders->push_back(message.sender());
        message.match([](twice& m) { return 2 * m.value; }, [](number&) {});
    }
}

task<> stops_itself(context& self, log_lines* seen)
{
    self.stop();
    CHECK(self.stopping());
    co_await self.stop(self.pid());  // does not wait for itself
    seen->push_back("stopped itself");
    const auto outcome = co_await as_result(sleep_for(1s));
    CHECK(outcome.error() == errc::cancelled);
    auto message = co_await self.receive();
    CHECK_FALSE(message);
    CHECK_FALSE(message.timed_out());
    seen->push_back("end");
}

task<> one_number(context& self, int* taken, std::chrono::nanoseconds pause)
{
    co_await sleep_for(pause);
    auto message = co_await self.receive<number>();
    if (message)
        *taken = message.get<number>().value;
}

task<> waits_for(context& self, pid target, log_lines* seen)
{
    co_await self.wait(self.pid());  // would wait for ever
    const auto outcome = co_await as_result(self.wait(target));
    seen->push_back(outcome ? "ended at " + std::to_string(self.now().count() / 1'000'000 % 1000)
                            : outcome.error().message());
}

}  // namespace

TEST_CASE("context: waits for the end of an actor without stopping it", "[actor][context]")
{
    simulation sim;
    log_lines seen;
    int taken = 0;
    const auto strand = GENERATE(0U, 1U);
    const pid target = sim.engine().spawn(on(strand), one_number, &taken, 20ms);
    sim.engine().spawn(waits_for, target, &seen);
    const pid impatient = sim.engine().spawn(waits_for, target, &seen);

    sim.advance(10ms);
    sim.stop(impatient);
    CHECK(seen == log_lines{make_error_code(errc::cancelled).message()});
    sim.send(target, number{7});
    sim.advance(50ms);

    CHECK(taken == 7);
    CHECK(seen.size() == 2);
    CHECK(seen.back() == "ended at 20");
    sim.engine().spawn(waits_for, target, &seen);  // gone already
    sim.run_until_idle();
    CHECK(seen.size() == 3);
}

TEST_CASE("context: an actor knows who it is and who wrote", "[actor][context]")
{
    simulation sim;
    log_lines seen;
    const pid actor = sim.engine().spawn("ada", introduces_itself, pid(), &seen);

    CHECK(sim.ask(actor, twice{1}) == 1);
    CHECK(seen == log_lines{"ada"});
    CHECK(sim.engine().figures().dead_letters == 0);
    sim.stop(actor);
}

TEST_CASE("context: forward keeps the first sender and asker", "[actor][context]")
{
    simulation sim;
    std::vector<pid> senders;
    const pid last = sim.engine().spawn(on(0), tells_senders, &senders);
    const auto strand = GENERATE(0U, 1U);
    const pid middle = sim.engine().spawn(on(strand), passes_on, last);
    const pid first = sim.engine().spawn(on(strand), passes_on, middle);
    probe origin = sim.make_probe();

    origin.send(first, number{1});
    sim.run_until_idle();
    CHECK(sim.ask(first, twice{21}) == 42);

    CHECK(senders == std::vector<pid>{origin.pid(), pid()});
}

TEST_CASE("context: forward to nobody tells the asker", "[actor][context]")
{
    simulation sim;
    const pid gone = sim.engine().spawn(helper);
    sim.stop(gone);
    const pid first = sim.engine().spawn(passes_on, gone);

    CHECK_THROWS_MATCHES(
        sim.ask(first, twice{1}), error, Catch::Matchers::Message(error(errc::no_such_actor).what()));
}

TEST_CASE("context: an actor can stop itself", "[actor][context]")
{
    simulation sim;
    event_record events(sim.engine());
    log_lines seen;
    const pid actor = sim.engine().spawn(stops_itself, &seen);

    sim.run_until_idle();

    CHECK(seen == log_lines{"stopped itself", "end"});
    CHECK(events.ends_of(actor) == 1);
    CHECK(sim.now() == 0s);
}

TEST_CASE("context: messages of one sender stay in order, whatever the interleaving", "[actor][context]")
{
    struct stream {
        static task<> sender(context& self, pid to, int from, int count)
        {
            for (int i = 0; i < count; ++i) {
                self.send(to, number{from * 1000 + i});
                if (i % 7 == from % 7)
                    co_await yield();
            }
        }
    };
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        simulation sim(seed);
        std::vector<int> seen;
        const pid receiver = sim.engine().spawn(on(0), recorder, &seen);
        for (int from = 0; from < 4; ++from)
            sim.engine().spawn(on(static_cast<std::uint32_t>(from % 2)), &stream::sender, receiver, from, 20);
        for (int i = 0; i < 20; ++i) {
            sim.send(receiver, number{4000 + i});
            if (i % 5 == 0)
                sim.run_until_idle();
        }
        sim.run_until_idle();

        REQUIRE(seen.size() == 100);
        int next[5] = {};
        for (const int value : seen)
            REQUIRE(value % 1000 == next[value / 1000]++);
    }
}

namespace {

struct step {
    enum class kind {
        send_number,
        send_words,
        take_any,
        take_number,
        take_words
    } what;
    int value;
};

/// Takes messages as it is told and writes down what it got.
task<> obedient(context& self, std::deque<step>* orders, log_lines* seen)
{
    while (!orders->empty()) {
        const step next = orders->front();
        orders->pop_front();
        message got;
        if (next.what == step::kind::take_any)
            got = co_await self.receive(0s);
        else if (next.what == step::kind::take_number)
            got = co_await self.receive<number>(0s);
        else if (next.what == step::kind::take_words)
            got = co_await self.receive<words>(0s);
        else if (next.what == step::kind::send_number)
            self.send(self.pid(), number{next.value});
        else
            self.send(self.pid(), words{std::to_string(next.value)});
        if (got.timed_out())
            seen->push_back("none");
        else if (got)
            got.match([&](number& m) { seen->push_back("number " + std::to_string(m.value)); },
                [&](words& m) { seen->push_back("words " + m.text); });
    }
    while (auto message = co_await self.receive())
        message.match([](number&) {}, [](words&) {});
}

/// The same with a list.
log_lines model(const std::deque<step>& orders)
{
    log_lines seen;
    std::deque<std::string> box;
    const auto take = [&](std::string_view wanted) {
        for (auto it = box.begin(); it != box.end(); ++it) {
            if (it->starts_with(wanted)) {
                seen.push_back(*it);
                box.erase(it);
                return;
            }
        }
        seen.push_back("none");
    };
    for (const step& each : orders) {
        switch (each.what) {
        case step::kind::send_number:
            box.push_back("number " + std::to_string(each.value));
            break;
        case step::kind::send_words:
            box.push_back("words " + std::to_string(each.value));
            break;
        case step::kind::take_any:
            take("");
            break;
        case step::kind::take_number:
            take("number");
            break;
        case step::kind::take_words:
            take("words");
            break;
        }
    }
    return seen;
}

}  // namespace

TEST_CASE("context: selective receive behaves as taking from a list", "[actor][context]")
{
    CHECK(rc::check("any sequence of sends and receives", [](std::uint64_t seed) {
        const auto choices = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 5));
        std::deque<step> orders;
        for (std::size_t i = 0; i < choices.size(); ++i)
            orders.push_back({static_cast<step::kind>(choices[i]), static_cast<int>(i)});
        const log_lines expected = model(orders);
        simulation sim(seed);
        log_lines seen;

        sim.engine().spawn(obedient, &orders, &seen);
        sim.advance(1s);

        RC_ASSERT(seen == expected);
    }));
}

TEST_CASE("context: a message can be sent in another's name", "[actor][context]")
{
    simulation sim;
    auto owner = sim.make_probe();
    const pid actor = sim.engine().spawn(on(GENERATE(0U, 1U)), [](context& self) -> task<> {
        while (auto message = co_await self.receive())
            message.match([&](number& m) { self.send(message.sender(), number{m.value + 1}); });
    });
    sim.engine().send_as(owner.pid(), actor, number{1});
    CHECK(owner.expect<number>().value == 2);
    sim.engine().spawn(
        [](context& self, pid owner, pid to) -> task<> {
            self.send_as(owner, to, number{5});
            co_return;
        },
        owner.pid(), actor);
    CHECK(owner.expect<number>().value == 6);
}

TEST_CASE("context: a message from nobody stays so, whoever wrote before it", "[actor][context]")
{
    simulation sim;
    auto owner = sim.make_probe();
    std::vector<pid> senders;
    const pid actor = sim.engine().spawn(
        on(GENERATE(0U, 1U)),
        [](context& self, std::vector<pid>* senders) -> task<> {
            while (auto message = co_await self.receive())
                message.match([&](number&) { senders->push_back(self.sender()); });
        },
        &senders);
    sim.engine().send_as(owner.pid(), actor, number{1});
    sim.engine().send(actor, number{2});
    sim.engine().send_as(owner.pid(), actor, number{3});
    sim.run_until_idle();

    CHECK(senders == std::vector{owner.pid(), pid(), owner.pid()});
}

TEST_CASE("context: waits for an end that were given up leave nothing at the other", "[actor][context]")
{
    simulation sim;
    const pid other = sim.engine().spawn(on(GENERATE(0U, 1U)), helper);
    sim.engine().spawn(
        on(0),
        [](context& self, pid other) -> task<> {
            for (int i = 0; i < 10; ++i) {
                const auto ended = co_await as_result(with_timeout(
                    1s, [](context& self, pid other) -> task<> { co_await self.wait(other); }(self, other)));
                CHECK_FALSE(ended);
            }
        },
        other);
    for (int i = 0; i < 5; ++i) {
        asio::cancellation_signal give_up;
        sim.engine().wait(other, asio::bind_cancellation_slot(give_up.slot(), [](error_code) {}));
        sim.run_until_idle();
        give_up.emit(asio::cancellation_type::terminal);
    }
    sim.advance(1min);

    REQUIRE(sim.engine().station_at(other.strand()).find(other)->rare() != nullptr);
    CHECK(sim.engine().station_at(other.strand()).find(other)->rare()->end_waiters.empty());
    sim.stop(other);
    CHECK(sim.engine().figures().late_replies == 0);
}

TEST_CASE("context: an operation that stops its actor while it begins is cancelled", "[actor][context]")
{
    namespace asio = boost::asio;
    const auto begins_and_stops = [](context& self) -> task<> {
        co_await asio::async_initiate<const use_task_t&, void(error_code)>(
            [](auto handler, context* self) {
                self->stop();
                auto slot = asio::get_associated_cancellation_slot(handler);
                slot.assign([kept = std::make_shared<decltype(handler)>(std::move(handler))](
                                asio::cancellation_type) {
                    auto called = std::move(*kept);
                    std::move(called)(asio::error::operation_aborted);
                });
            },
            use_task, &self);
    };
    simulation sim(GENERATE(1U, 2U, 3U));
    sim.engine().spawn(begins_and_stops);

    sim.run_until_idle();

    CHECK(sim.engine().figures().live == 0);
}
