// SPDX-License-Identifier: MIT

// What can be moved from can be used once too often, and what can be made of nothing can be used before there
// is anything in it. Each such value of the actor room is used here in every way it has: that may say no, or
// throw, but the process goes on.

#include <costar/actor/address.hpp>
#include <costar/actor/behaviours.hpp>
#include <costar/actor/engine.hpp>
#include <costar/actor/future.hpp>
#include <costar/actor/future_set.hpp>
#include <costar/actor/offload.hpp>
#include <costar/actor/router.hpp>
#include <costar/actor/schedule.hpp>
#include <costar/actor/stream.hpp>
#include <costar/core/result.hpp>
#include <costar/core/spawn.hpp>
#include <costar/testing/simulation.hpp>

#include <boost/asio/detached.hpp>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// What awaiting something throws, "nothing" when it ends well.
template <class Awaitable>
task<std::string> end_of(Awaitable awaitable)
{
    try {
        static_cast<void>(co_await std::move(awaitable));
    } catch (const error& thrown) {
        co_return thrown.code().message();
    } catch (const std::logic_error&) {
        co_return "a mistake";
    } catch (const std::bad_function_call&) {
        co_return "no function";
    }
    co_return "nothing";
}

template <class Attempt>
std::string outcome_of(Attempt attempt)
{
    try {
        attempt();
    } catch (const error& thrown) {
        return thrown.code().message();
    } catch (const std::invalid_argument&) {
        return "a wrong argument";
    } catch (const std::logic_error&) {
        return "a mistake";
    }
    return "nothing";
}

const std::string cancelled = make_error_code(errc::cancelled).message();
const std::string nobody = make_error_code(errc::no_such_actor).message();

/// Runs a body in an actor beside a helper, and sees to it that it came to its end.
using walk = task<> (*)(context& self, pid peer, bool* done);

void run(walk body)
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U));
    bool done = false;
    const pid peer = sim.engine().spawn(on(GENERATE(0U, 1U)), helper);
    sim.engine().spawn(on(0), body, peer, &done);
    sim.advance(10s);
    CHECK(done);
    CHECK(sim.ask(peer, twice{2}) == 4);
}

/// Checks what comes of one await; inside of a CHECK, GCC awaits again.
task<> expect(task<std::string> awaited, std::string wanted)
{
    const std::string came = co_await std::move(awaited);
    CHECK(came == wanted);
}

task<> nothing_at_all()
{
    co_return;
}

task<> uses_futures(context& self, pid peer, bool* done)
{
    auto moved = self.ask_future(peer, twice{1});
    auto kept = std::move(moved);
    future<int> never;
    for (future<int>* each : {&moved, &never}) {
        future<int>& empty = *each;
        CHECK_FALSE(empty);
        CHECK(empty.ready());
        CHECK(empty.bound_to() == nullptr);
        empty.cancel();
        empty.pipe_to(peer);
        empty.pipe_to(peer, self.pid());
        std::move(empty).pipe_to(peer);
        co_await expect(end_of(empty.wait()), "nothing");
        const auto value = co_await as_result(std::move(empty));
        CHECK(value.error() == errc::cancelled);
        const auto reference = co_await as_result(with_timeout(1s, std::move(empty)));
        CHECK(reference.error() == errc::cancelled);
        std::vector<future<int>> several;
        several.push_back(std::move(empty));
        co_await expect(end_of(any_of(std::move(several))), cancelled);
        several.clear();
        several.push_back(std::move(empty));
        co_await expect(end_of(all_of(std::move(several))), cancelled);
        several.clear();
        several.push_back(std::move(empty));
        const auto results = co_await results_of(std::move(several));
        CHECK(results.at(0).error() == errc::cancelled);
        several.clear();
        co_await expect(end_of(all_of(std::move(several))), "nothing");
        empty.swap(empty);
        empty = future<int>();
    }
    CHECK(co_await kept == 2);
    *done = true;
}

task<> puts_two(context&, sink<int> out)
{
    auto moved = out;
    const auto kept = std::move(moved);
    co_await moved.put(1);  // it has a share in its stream still
    co_await kept.put(2);
    auto put = kept.put(3);
    const auto other = std::move(put);
    static_cast<void>(other);
}

task<> uses_streams(context& self, pid, bool* done)
{
    auto moved = make_stream<int>(self, puts_two);
    auto kept = std::move(moved);
    stream<int> never;
    for (stream<int>* each : {&moved, &never}) {
        CHECK(each->producer() == pid());
        CHECK(each->bound_to() == nullptr);
        each->window(3);
        CHECK_FALSE(co_await each->next(self));
        CHECK_FALSE(co_await with_timeout(1s, each->next(self)));
        each->swap(*each);
        *each = stream<int>();
    }
    const auto first = co_await kept.next(self);
    CHECK(first == 1);
    const auto second = co_await kept.next(self);
    CHECK(second == 2);
    CHECK_FALSE(co_await kept.next(self));
    CHECK_FALSE(co_await kept.next(self));
    *done = true;
}

task<> uses_requests(context& self, pid peer, bool* done)
{
    auto asked = self.ask(peer, twice{1});
    auto kept = std::move(asked);
    co_await expect(end_of(std::move(asked)), "a mistake");
    const int doubled = co_await std::move(kept);
    CHECK(doubled == 2);
    co_await expect(end_of(std::move(kept)), "a mistake");  // for the second time

    auto sent = self.send_async(peer, number{1});
    auto kept_send = std::move(sent);
    co_await expect(end_of(std::move(sent)), "a mistake");
    co_await std::move(kept_send);
    co_await expect(end_of(std::move(kept_send)), "a mistake");

    auto offloaded = self.offload(std::function<int()>([] { return 1; }));
    auto kept_work = std::move(offloaded);
    co_await expect(end_of(std::move(offloaded)), "no function");
    const int worked = co_await std::move(kept_work);
    CHECK(worked == 1);
    *done = true;
}

task<> uses_pids(context& self, pid, bool* done)
{
    const pid none;
    const address<twice> no_address;
    CHECK_FALSE(none);
    self.send(none, number{1});
    self.send(no_address, twice{1});
    self.send_after(1ms, none, number{1});
    self.send_as(none, none, number{1});
    co_await expect(end_of(self.ask(none, twice{1})), nobody);
    co_await expect(end_of(self.ask(no_address, twice{1})), nobody);
    co_await expect(end_of(self.ask_future(none, twice{1})), nobody);
    co_await expect(end_of(self.send_async(none, number{1})), nobody);
    co_await expect(end_of(self.mailbox_of(none)), nobody);
    co_await expect(end_of(self.wait(none)), "nothing");
    co_await expect(end_of(self.stop(none)), "nothing");
    co_await expect(end_of(self.poison(none)), "nothing");
    self.restart(none);
    self.unwatch(none);
    self.watch(none);
    self.unlink(none);
    self.respond(1);  // to nobody
    const auto news = co_await self.receive<terminated>();
    CHECK(news.sender() == none);
    const auto group = spawn_group(self, "", {none});
    self.send(group, number{1});
    co_await expect(end_of(self.stop(group)), "nothing");
    *done = true;
}

task<> uses_schedules(context& self, pid peer, bool* done)
{
    schedule never;
    never.cancel();
    CHECK_FALSE(never.active());
    CHECK(never.skipped() == 0);
    auto first = self.send_after(1ms, peer, number{1});
    auto second = std::move(first);
    second.cancel();
    first.cancel();
    CHECK_FALSE(first.active());
    *done = true;
    co_return;
}

task<> uses_tasks(context& self, pid, bool* done)
{
    task<> empty;
    auto moved = nothing_at_all();
    co_await std::move(moved);
    CHECK_FALSE(empty);
    co_await expect(end_of(std::move(empty)), "a mistake");
    co_await expect(end_of(when_all(std::move(empty), nothing_at_all())), "a mistake");
    co_await expect(end_of(when_any(nothing_at_all(), std::move(empty))), "a mistake");
    co_await expect(end_of(when_any(std::move(empty), self.receive())), "a mistake");
    co_await expect(end_of(when_any(sleep_for(1ms), std::move(empty))), "a mistake");
    co_await expect(end_of(with_timeout(1s, std::move(empty))), "a mistake");
    co_await expect(end_of(shield(std::move(empty))), "a mistake");
    std::vector<task<>> several(2);
    co_await expect(end_of(when_all(std::move(several))), "a mistake");
    auto both = when_all(nothing_at_all(), nothing_at_all());
    co_await std::move(both);
    co_await expect(end_of(std::move(both)), "a mistake");  // for the second time
    CHECK(outcome_of([&] { self.spawn_task(std::move(empty)); }) == "a mistake");
    CHECK(outcome_of([&] { async_spawn(self.get_executor(), std::move(empty), boost::asio::detached); }) ==
        "a mistake");
    *done = true;
}

task<> uses_behaviours(context& self, pid, bool* done)
{
    self.send(self.pid(), number{1});
    auto received = co_await self.receive();
    behaviours none;
    CHECK_FALSE(none(received));
    none.unbecome();
    none.become([](number&) {});
    behaviours moved = std::move(none);
    CHECK(moved(received));
    CHECK_FALSE(none.has_become());
    CHECK_FALSE(none(received));
    *done = true;
}

task<> uses_broadcasts(context& self, pid peer, bool* done)
{
    const pid router = spawn_group(self, "", {peer});
    broadcast sent{number{1}};
    broadcast kept(std::move(sent));
    CHECK(sent.release() == nullptr);
    self.send(router, std::move(sent));
    self.send(peer, std::move(sent));  // to one that is no router
    self.send(router, std::move(kept));
    CHECK(co_await self.ask(router, twice{2}) == 4);
    *done = true;
}

/// Hands on what its router has done with.
struct hands_on final : middleware {
    explicit hands_on(pid to) : to(to) {}
    void handled(context& self, message& done, bool) noexcept override
    {
        if (done.is<broadcast>())
            self.forward(to, std::move(done));
    }
    pid to;
};

}  // namespace

TEST_CASE("empty values: a future is cancelled", "[actor][empty_values]")
{
    run(uses_futures);
}

TEST_CASE("empty values: a stream has no values", "[actor][empty_values]")
{
    run(uses_streams);
}

TEST_CASE("empty values: a request is a mistake", "[actor][empty_values]")
{
    run(uses_requests);
}

TEST_CASE("empty values: a pid and an address are nobody", "[actor][empty_values]")
{
    run(uses_pids);
}

TEST_CASE("empty values: a schedule does nothing", "[actor][empty_values]")
{
    run(uses_schedules);
}

TEST_CASE("empty values: a task is a mistake", "[actor][empty_values]")
{
    run(uses_tasks);
}

TEST_CASE("empty values: a behaviour takes no message", "[actor][empty_values]")
{
    run(uses_behaviours);
}

TEST_CASE("empty values: a broadcast is a dead letter", "[actor][empty_values]")
{
    run(uses_broadcasts);

    // As it is when it was handled by another router before.
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    std::vector<int> seen;
    const pid member = sim.engine().spawn(recorder, &seen);
    const pid second = spawn_group(sim.engine(), "second", {member});
    const pid first = spawn_group(
        sim.engine(), "first", {member}, {.actor = {.middleware = {std::make_shared<hands_on>(second)}}});
    sim.send(first, broadcast(number{1}));
    sim.run_until_idle();

    CHECK(seen == std::vector{1});
    CHECK(events.dead_of(second, errc::not_understood) == 1);
    CHECK(events.dead.at(0).type == "costar::broadcast");
}

TEST_CASE("empty values: subscriptions and receivers of events are harmless", "[actor][empty_values]")
{
    kept_log log;
    simulation sim;
    event_stream::subscription never;
    never.cancel();
    auto first = sim.engine().events().subscribe<words>([](const words&) {});
    auto second = std::move(first);
    first.cancel();
    first = std::move(second);
    second.cancel();
    const auto empty = sim.engine().events().subscribe<number>(std::function<void(const number&)>());
    sim.engine().events().publish(number{1});
    sim.engine().events().publish(words{"heard"});

    REQUIRE(log.lines.size() == 1);
    CHECK(log.lines[0].find("a subscriber of events threw") != std::string::npos);
}

TEST_CASE("empty values: middleware that is null is refused where it is named", "[actor][empty_values]")
{
    simulation sim;
    CHECK(outcome_of([&] { sim.engine().spawn({.middleware = {nullptr}}, helper); }) == "a wrong argument");
    CHECK(outcome_of([] { engine never(machine::scheduler::manual{}, {.middleware = {nullptr}}); }) ==
        "a wrong argument");
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("empty values: deciders and supervisors that were moved from decide as those of nothing",
    "[actor][empty_values]")
{
    decider first([](const std::exception_ptr&) { return directive::restart; });
    decider second(std::move(first));
    CHECK(second(nullptr) == directive::restart);
    CHECK(first(nullptr) == decider()(nullptr));
}
