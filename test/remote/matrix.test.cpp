// SPDX-License-Identifier: MIT

// Every operation on an actor, against one on the same strand, on another strand, on another node, and on a
// node to which there is no link yet: the outcome is the same, but where the table says otherwise.

#include <costar/actor/future.hpp>
#include <costar/actor/future_set.hpp>
#include <costar/core/result.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/use_future.hpp>

#include <future>
#include <stdexcept>
#include <string>
#include <string_view>

#include <support/catch.hpp>

#include "places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;
using boost::asio::use_future;

namespace {

namespace matrix {

/// Adds up, greets, and crashes when it is greeted as "crash".
task<> all_rounder(context& self)
{
    std::uint64_t sum = 0;
    while (message m = co_await self.receive())
        m.match([&](const more& one) { sum += one.value; }, [&](const total&) { return sum; },
            [](const greeting& said) {
                if (said.name == "crash")
                    throw std::runtime_error("as it was told");
                return "hello " + said.name;
            });
}

task<std::string> sum_of(context& self, pid whom)
{
    const auto sum = co_await as_result(self.ask(whom, total{}, 10s));
    co_return sum ? std::to_string(*sum) : sum.error().message();
}

// From an actor.

task<std::string> sends(context& self, pid whom)
{
    self.send(whom, more{3});
    self.send(whom, more{4}, headers{{"trace", "7"}});
    self.send_as(pid(), whom, more{5});
    co_return co_await sum_of(self, whom);
}

task<std::string> waits_for_room(context& self, pid whom)
{
    co_await self.send_async(whom, more{3});
    co_return co_await sum_of(self, whom);
}

task<std::string> asks(context& self, pid whom)
{
    co_return co_await self.ask(whom, greeting{"bob"}, 10s);
}

task<std::string> asks_later(context& self, pid whom)
{
    auto answer = self.ask_future(whom, greeting{"bob"}, 10s);
    co_return co_await std::move(answer);
}

task<std::string> asks_all(context& self, pid whom)
{
    auto answers = co_await self.ask_all({whom, whom}, greeting{"bob"}, 10s);
    co_return std::to_string(answers.size());
}

task<> forwards_to(context& self, pid whom)
{
    while (message m = co_await self.receive())
        self.forward(whom, std::move(m));
}

task<std::string> asks_who_forwards(context& self, pid whom)
{
    co_return co_await self.ask(self.spawn(forwards_to, whom), greeting{"bob"}, 10s);
}

task<std::string> watches(context& self, pid whom)
{
    self.watch(whom);
    static_cast<void>(co_await as_result(self.stop(whom)));
    message m = co_await self.receive(10s);
    co_return m.is<terminated>() && m.get<terminated>().who == whom
        ? make_error_code(m.get<terminated>().reason).message()
        : "nothing";
}

task<std::string> watches_no_more(context& self, pid whom)
{
    self.watch(whom);
    self.unwatch(whom);
    static_cast<void>(co_await as_result(self.stop(whom)));
    const message m = co_await self.receive(20ms);
    co_return m.timed_out() ? "nothing" : "told";
}

task<> is_tied_to(context& self, pid whom)
{
    self.link(whom);
    while (co_await self.receive())
        ;
}

task<std::string> is_tied(context& self, pid whom)
{
    const pid tied = self.spawn(is_tied_to, whom);
    self.send(tied, more{1});
    co_await self.ask(whom, greeting{"bob"}, 10s);
    static_cast<void>(co_await as_result(self.ask(whom, greeting{"crash"}, 10s)));
    co_await self.wait(tied);
    co_return "both are gone";
}

task<std::string> stops(context& self, pid whom)
{
    co_await self.stop(whom);
    co_return co_await sum_of(self, whom);
}

task<std::string> poisons(context& self, pid whom)
{
    self.send(whom, more{1});
    co_await self.poison(whom);
    co_return co_await sum_of(self, whom);
}

task<std::string> waits(context& self, pid whom)
{
    self.send(whom, poison_pill{});
    co_await self.wait(whom);
    co_return co_await sum_of(self, whom);
}

task<std::string> restarts(context& self, pid whom)
{
    self.send(whom, more{1});
    static_cast<void>(co_await sum_of(self, whom));
    self.restart(whom);
    co_return co_await sum_of(self, whom);
}

task<std::string> sees_a_crash(context& self, pid whom)
{
    const auto answer = co_await as_result(self.ask(whom, greeting{"crash"}, 10s));
    co_return answer.error().message();
}

task<std::string> is_not_understood(context& self, pid whom)
{
    const auto answer = co_await as_result(self.ask(whom, meet{whom}, 10s));
    co_return answer.error().message();
}

task<std::string> looks_at_mailbox(context& self, pid whom)
{
    const auto state = co_await as_result(self.mailbox_of(whom));
    co_return state ? std::to_string(state->limit) : state.error().message();
}

// From outside of all actors.

std::string sends_from_outside(place& here, pid whom)
{
    here.actors.send(whom, more{3});
    here.actors.send_async(whom, more{4}, use_future).get();
    return std::to_string(here.ask(whom, total{}));
}

std::string stops_from_outside(place& here, pid whom)
{
    here.actors.stop(whom, use_future).get();
    return failure_of([&] { here.ask(whom, total{}); }).message();
}

std::string poisons_from_outside(place& here, pid whom)
{
    here.actors.poison(whom, use_future).get();
    return failure_of([&] { here.ask(whom, total{}); }).message();
}

std::string waits_from_outside(place& here, pid whom)
{
    auto ended = here.actors.wait(whom, use_future);
    here.actors.poison(whom);
    ended.get();
    return failure_of([&] { here.ask(whom, total{}); }).message();
}

std::string restarts_from_outside(place& here, pid whom)
{
    here.actors.send(whom, more{1});
    here.ask(whom, total{});
    here.actors.restart(whom);
    return std::to_string(here.ask(whom, total{}));
}

struct row {
    const char* what;
    task<std::string> (*inside)(context&, pid);
    std::string (*outside)(place&, pid);
    std::string outcome;
    std::string far_outcome{};  // where it differs
};

const std::string gone = make_error_code(errc::no_such_actor).message();

const row table[] = {
    {"send, with headers, in another's name", sends, nullptr, "12"},
    {"send_async", waits_for_room, nullptr, "3"},
    {"ask", asks, nullptr, "hello bob"},
    {"ask_future", asks_later, nullptr, "hello bob"},
    {"ask_all", asks_all, nullptr, "2"},
    {"forward", asks_who_forwards, nullptr, "hello bob"},
    {"watch", watches, nullptr, make_error_code(errc::actor_stopped).message()},
    {"unwatch", watches_no_more, nullptr, "nothing"},
    {"link", is_tied, nullptr, "both are gone"},
    {"stop", stops, nullptr, gone},
    {"poison", poisons, nullptr, gone},
    {"wait", waits, nullptr, gone},
    {"restart", restarts, nullptr, "0"},
    {"ask, and it crashes", sees_a_crash, nullptr, make_error_code(errc::actor_failed).message()},
    {"ask what it does not know", is_not_understood, nullptr,
        make_error_code(errc::not_understood).message()},
    {"mailbox_of", looks_at_mailbox, nullptr, "100", make_error_code(errc::not_local).message()},
    {"outside: send, send_async, ask", nullptr, sends_from_outside, "7"},
    {"outside: stop", nullptr, stops_from_outside, gone},
    {"outside: poison", nullptr, poisons_from_outside, gone},
    {"outside: wait", nullptr, waits_from_outside, gone},
    {"outside: restart", nullptr, restarts_from_outside, "0"},
};

task<> runs(
    context& self, task<std::string> (*what)(context&, pid), pid whom, std::promise<std::string>* outcome)
{
    outcome->set_value(co_await what(self, whom));
}

/// Gives whom it is told of.
task<> collects(context& self, std::promise<pid>* found)
{
    message m = co_await self.receive();
    m.match([&](const tell& news) { found->set_value(news.whom); });
}

remote::node_options open_node()
{
    return {.listen = "127.0.0.1:0", .lets_stop = true};
}

pid spawn_all_rounder(place& where, std::uint32_t strand, const row& of)
{
    spawn_options options;
    options.placement = placement::chosen;
    options.strand = strand;
    options.mailbox.limit = 100;
    if (std::string_view(of.what).find("restart") != std::string_view::npos)
        options.restart.limit = 3;
    return where.actors.spawn("it", options, all_rounder);
}

/// An actor of a third node, of which the second one tells the first.
pid told_of(place& here, place& between, place& third)
{
    std::promise<pid> found;
    here.actors.spawn("collector", collects, &found);
    const pid collector = between.find(here, "collector");
    between.actors.send(collector, tell{between.find(third, "it")});
    return found.get_future().get();
}

std::string outcome_of(const row& of, place& here, pid whom)
{
    if (of.outside != nullptr)
        return of.outside(here, whom);
    std::promise<std::string> outcome;
    spawn_options options;
    options.placement = placement::chosen;
    here.actors.spawn(options, runs, of.inside, whom, &outcome);
    return outcome.get_future().get();
}

}  // namespace matrix

}  // namespace

TEST_CASE("matrix: each operation does the same wherever the actor is", "[remote][matrix]")
{
    using namespace matrix;
    place between(open_node());
    for (const row& each : table) {
        INFO(each.what);
        const std::string& far = each.far_outcome.empty() ? each.outcome : each.far_outcome;
        for (const std::uint32_t strand : {0, 1}) {
            place here(open_node());
            CHECK(outcome_of(each, here, spawn_all_rounder(here, strand, each)) == each.outcome);
        }
        place here(open_node());
        {
            place there(open_node());
            spawn_all_rounder(there, 1, each);
            CHECK(outcome_of(each, here, here.find(there, "it")) == far);
        }
        place third(open_node());
        spawn_all_rounder(third, 1, each);
        CHECK(outcome_of(each, here, told_of(here, between, third)) == far);
    }
}
