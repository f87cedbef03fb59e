// SPDX-License-Identifier: MIT

#include "../../lib/remote/link.hpp"

#include <costar/core/result.hpp>
#include <costar/core/timer.hpp>

#include <optional>
#include <stdexcept>

#include <support/catch.hpp>

#include "places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;
using boost::asio::use_future;

namespace {

/// Keeps what it is asked, and answers nothing.
task<> silent(context& self)
{
    std::vector<message> kept;
    while (message m = co_await self.receive())
        kept.push_back(std::move(m));
}

task<> forgetful(context& self)
{
    while (message m = co_await self.receive())
        m.mark_handled();
}

task<> clumsy(context& self)
{
    const message held = co_await self.receive();
    throw std::runtime_error("dropped it");
}

task<> brief(context& self)
{
    co_await self.receive();
}

/// Watches, and says what it heard.
struct news {
    using reply = std::vector<terminated>;
};
task<> watcher(context& self, std::vector<pid> whom)
{
    std::vector<terminated> told;
    for (const pid each : whom)
        self.watch(each);
    while (message m = co_await self.receive())
        m.match([&](const terminated& end) { told.push_back(end); }, [&](const news&) { return told; },
            [&](const more&) { self.unwatch(whom.front()); });
}

task<> linked(context& self, pid to)
{
    self.link(to);
    while (co_await self.receive())
        ;
}

task<> ties_and_crashes(context& self, pid to)
{
    self.link(to);
    const message held = co_await self.receive();
    throw std::runtime_error("lets go");
}

/// What a watcher has heard when it has heard so much.
std::vector<terminated> heard_by(place& where, pid who, std::size_t count)
{
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    for (;;) {
        auto told = where.actors.ask(who, news{}, 5s, use_future).get();
        if (told.size() >= count || std::chrono::steady_clock::now() > deadline)
            return told;
        std::this_thread::yield();
    }
}

}  // namespace

TEST_CASE("link: a request ends as it would here, whatever its receiver does", "[remote][link]")
{
    place here;
    place there;
    there.actors.spawn("forgetful", forgetful);
    there.actors.spawn("clumsy", clumsy);
    there.actors.spawn("silent", silent);
    there.actors.spawn("brief", brief);
    there.actors.spawn("host", host);

    const auto fails = [&](const std::string& who, auto request, std::chrono::nanoseconds timeout = 10s) {
        const pid far = here.find(there, who);
        return failure_of([&] { here.ask(far, std::move(request), timeout); });
    };
    CHECK(fails("forgetful", greeting{"x"}) == errc::unanswered);
    CHECK(fails("clumsy", greeting{"x"}) == errc::actor_failed);
    CHECK(fails("silent", greeting{"x"}, 20ms) == errc::timed_out);
    CHECK(fails("host", total{}) == errc::not_understood);

    const pid gone = here.find(there, "brief");
    here.actors.send(gone, more{1});
    here.actors.wait(gone, use_future).get();
    CHECK(failure_of([&] { here.ask(gone, greeting{"x"}); }) == errc::no_such_actor);
    heard<dead_letter> lost(there.actors);
    here.actors.send(gone, more{2});
    CHECK(lost.comes([&](const dead_letter& each) { return each.reason == errc::no_such_actor; }));
}

TEST_CASE(
    "link: what has no form on the wire does not leave, what the other side does not know is refused there",
    "[remote][link]")
{
    wire::dictionary more_words = all_words();
    more_words.add<dialect>();
    place here({.listen = "127.0.0.1:0"}, 2, more_words);
    place there;
    there.actors.spawn("host", host);
    const pid far = here.find(there, "host");

    heard<dead_letter> lost_here(here.actors);
    heard<dead_letter> lost_there(there.actors);
    CHECK(failure_of([&] { here.ask(far, local_only{}); }) == errc::no_wire_form);
    CHECK(lost_here.comes([&](const dead_letter& each) {
        return each.reason == errc::no_wire_form && each.type.find("local_only") != std::string::npos;
    }));
    CHECK(failure_of([&] { here.ask(far, dialect{}); }) == errc::no_wire_form);
    CHECK(lost_there.comes([&](const dead_letter& each) { return each.reason == errc::no_wire_form; }));
    CHECK(here.ask(far, greeting{"still there"}) == "hello still there");
}

TEST_CASE("link: a message above the limit is refused, the smaller limit holds, and the link stays",
    "[remote][link]")
{
    place here;
    place there({.listen = "127.0.0.1:0", .message_max = 10'000});
    there.actors.spawn("host", host);
    const pid far = here.find(there, "host");

    CHECK(failure_of([&] { here.ask(far, greeting{std::string(20'000, 'x')}); }) == errc::too_large);
    CHECK(here.ask(far, greeting{std::string(9'000, 'x')}).size() == 9'006);
    // An answer that is too large.
    const pid near = here.actors.spawn("host", host);
    static_cast<void>(near);
    const pid back = there.find(here, "host");
    CHECK(failure_of([&] { there.ask(back, greeting{std::string(9'970, 'x')}); }) == errc::too_large);
    CHECK(there.ask(back, greeting{"bob"}) == "hello bob");
}

TEST_CASE("link: headers travel beside a message", "[remote][link]")
{
    place here;
    place there;
    const auto tells = [](context& self, std::promise<std::string>* told) -> task<> {
        message m = co_await self.receive();
        m.mark_handled();
        told->set_value(std::string(self.headers().find("trace").value_or("none")));
    };
    std::promise<std::string> told;
    there.actors.spawn("tells", +tells, &told);
    const auto sends = [](context& self, pid to) -> task<> {
        self.send(to, more{1}, headers{{"trace", "a\nb"}});
        co_return;
    };
    here.actors.spawn(+sends, here.find(there, "tells"));
    CHECK(told.get_future().get() == "a\nb");
}

TEST_CASE("link: headers count as the message does that they go with, and there is a bound for their number",
    "[remote][link]")
{
    place here;
    place there({.listen = "127.0.0.1:0", .message_max = 10'000});
    there.actors.spawn("host", host);
    const pid far = here.find(there, "host");
    heard<dead_letter> lost(here.actors);
    const auto sends = [](context& self, pid to, headers with) -> task<> {
        self.send(to, greeting{"bob"}, std::move(with));
        co_return;
    };
    const auto is_refused = [&](const headers& with) {
        const std::size_t before = lost.count();
        here.actors.spawn(+sends, far, with);
        CHECK(lost.comes_after(before));
        CHECK(lost.comes([](const dead_letter& each) { return each.reason == errc::too_large; }));
    };
    is_refused({{"trace", std::string(10'000, 'x')}});
    headers many;
    for (int i = 0; i < 257; ++i)
        many.set("name " + std::to_string(i), "");
    is_refused(many);
    CHECK(here.ask(far, greeting{"bob"}) == "hello bob");
}

TEST_CASE("link: ends are told once to each that watches, with their reason", "[remote][link]")
{
    place here;
    place there;
    const pid brief_one = there.actors.spawn("brief", brief);
    const pid clumsy_one = there.actors.spawn("clumsy", clumsy);
    there.actors.spawn("host", host);
    const pid far_brief = here.find(there, "brief");
    const pid far_clumsy = here.find(there, "clumsy");
    const pid far_host = here.find(there, "host");
    const pid first = here.actors.spawn(watcher, std::vector<pid>{far_brief, far_clumsy});
    const pid second = here.actors.spawn(watcher, std::vector<pid>{far_brief, far_host});
    static_cast<void>(heard_by(here, first, 0));
    static_cast<void>(heard_by(here, second, 0));
    CHECK(here.ask(far_host, greeting{"a"}) == "hello a");  // the watches are there

    there.actors.send(brief_one, more{1});
    there.actors.send(clumsy_one, greeting{"x"});
    CHECK(heard_by(here, first, 2).size() == 2);
    CHECK(heard_by(here, second, 1) == std::vector<terminated>{{far_brief, errc::actor_stopped}});
    for (const terminated& each : heard_by(here, first, 2))
        CHECK(each.reason == (each.who == far_clumsy ? errc::actor_failed : errc::actor_stopped));

    // One that is gone already, and one that is watched no more.
    const pid late = here.actors.spawn(watcher, std::vector<pid>{far_brief});
    CHECK(heard_by(here, late, 1) == std::vector<terminated>{{far_brief, errc::no_such_actor}});
    const pid turned = here.actors.spawn(watcher, std::vector<pid>{far_host});
    here.actors.send(turned, more{1});
    static_cast<void>(heard_by(here, turned, 0));
    CHECK(here.ask(far_host, greeting{"b"}) == "hello b");
    there.actors.stop(*there.actors.find("host"), use_future).get();
    CHECK(heard_by(here, second, 2).size() == 2);
    CHECK(heard_by(here, turned, 0).empty());
}

TEST_CASE("link: tied actors of two nodes crash together, whichever is first", "[remote][link]")
{
    place here;
    place there;
    const pid far_clumsy = there.actors.spawn("clumsy", clumsy);
    const pid tied = here.actors.spawn(linked, here.find(there, "clumsy"));
    const pid other_host = there.actors.spawn("other host", host);
    const pid ties = here.actors.spawn(ties_and_crashes, here.find(there, "other host"));
    there.actors.spawn("host", host);
    here.ask(here.find(there, "host"), greeting{"a"});

    here.actors.send(ties, more{1});
    there.actors.wait(other_host, use_future).get();

    there.actors.send(far_clumsy, greeting{"x"});
    here.actors.wait(tied, use_future).get();
}

TEST_CASE("link: actors are stopped from afar where that is permitted", "[remote][link]")
{
    place here;
    place strict;
    place open({.listen = "127.0.0.1:0", .lets_stop = true});
    strict.actors.spawn("host", host);
    open.actors.spawn("host", host);
    const pid kept = here.find(strict, "host");
    const pid ended = here.find(open, "host");

    CHECK(failure_of([&] { here.actors.stop(kept, use_future).get(); }) == errc::not_permitted);
    CHECK(here.ask(kept, greeting{"a"}) == "hello a");
    here.actors.stop(ended, use_future).get();
    CHECK(failure_of([&] { here.ask(ended, greeting{"a"}); }) == errc::no_such_actor);

    // Behind the messages that it has, likewise; an actor is told too.
    open.actors.spawn("second host", host);
    here.actors.poison(here.find(open, "second host"), use_future).get();
    CHECK(failure_of([&] { here.actors.poison(kept, use_future).get(); }) == errc::not_permitted);
    const auto stops = [](context& self, pid whom, std::promise<error_code>* told) -> task<> {
        told->set_value((co_await as_result(self.stop(whom))).error());
    };
    std::promise<error_code> told;
    here.actors.spawn(+stops, kept, &told);
    CHECK(told.get_future().get() == errc::not_permitted);
    CHECK(here.ask(kept, greeting{"a"}) == "hello a");
}

TEST_CASE("link: a former life is gone, for whoever waits, watches or stops", "[remote][link]")
{
    place here;
    std::optional<place> there(std::in_place);
    const std::string address = there->node.address();
    there->actors.spawn("host", host);
    const pid old = here.find(*there, "host");
    heard<remote::peer_lost> lost(here.actors);
    there.reset();
    CHECK(lost.comes());
    there.emplace(remote::node_options{.listen = address});
    there->actors.spawn("host", host);
    const pid young = here.find(*there, "host");

    CHECK(young != old);
    here.actors.wait(old, use_future).get();
    here.actors.stop(old, use_future).get();
    const pid watching = here.actors.spawn(watcher, std::vector<pid>{old});
    CHECK(heard_by(here, watching, 1) == std::vector<terminated>{{old, errc::no_such_actor}});
    CHECK(failure_of([&] { here.ask(old, greeting{"x"}); }) == errc::no_such_actor);
    CHECK(here.ask(young, greeting{"x"}) == "hello x");
}

TEST_CASE("link: when a peer is lost, whoever waits or watches is told", "[remote][link]")
{
    place here;
    std::optional<place> there(std::in_place);
    const std::string address = there->node.address();
    there->actors.spawn("silent", silent);
    const pid far = here.find(*there, "silent");
    const pid watching = here.actors.spawn(watcher, std::vector<pid>{far});
    auto waits = here.actors.ask(far, greeting{"x"}, -1ns, use_future);
    auto ends = here.actors.wait(far, use_future);
    there->actors.spawn("host", host);
    here.ask(here.find(*there, "host"), greeting{"they are there"});
    heard<remote::peer_lost> lost(here.actors);

    there.reset();
    CHECK(lost.comes());
    CHECK(heard_by(here, watching, 1).size() == 1);
    const error_code asked = failure_of([&] { waits.get(); });
    CHECK((asked == errc::link_lost || asked == errc::actor_stopped));
    static_cast<void>(failure_of([&] { ends.get(); }));
    CHECK(failure_of([&] { here.ask(far, greeting{"x"}); }) == errc::unreachable);

    // It comes back at the same place, in another life.
    there.emplace(remote::node_options{.listen = address});
    there->actors.spawn("host", host);
    CHECK(here.ask(here.find(*there, "host"), greeting{"again"}) == "hello again");
    CHECK(failure_of([&] { here.ask(far, greeting{"x"}); }) == errc::no_such_actor);
}
