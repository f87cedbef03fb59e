// SPDX-License-Identifier: MIT

#include <costar/kernel/message.hpp>

#include <costar/actor/behaviours.hpp>
#include <costar/core/result.hpp>
#include <costar/core/when.hpp>
#include <costar/testing/simulation.hpp>

#include <array>
#include <iterator>
#include <memory>
#include <optional>
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

struct owned {
    std::unique_ptr<int> value;
};
struct empty {};
struct sixteen {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
};
struct alignas(16) wide {
    float lanes[4] = {};
};
struct kilobyte {
    std::array<char, 1500> bytes{};
};
struct page {
    std::array<char, 5000> bytes{};
};

/// Throws when it is moved for the n-th time.
struct fragile {
    explicit fragile(int moves) : moves(moves) {}
    fragile(fragile&& other) : moves(other.moves - 1)
    {
        if (moves == 0)
            throw std::runtime_error("moved once too often");
    }
    int moves;
};

/// Asks for an answer whose move throws.
struct ask_fragile {
    using reply = fragile;
    int moves;
};

task<> answers_fragile(context& self)
{
    while (auto message = co_await self.receive())
        message.match([](ask_fragile& m) { return fragile(m.moves); });
}

task<> collects(context& self, std::vector<std::string>* seen)
{
    while (auto message = co_await self.receive())
        message.match([&](owned m) { seen->push_back("owned " + std::to_string(*m.value)); },
            [&](const words& m) { seen->push_back("words " + m.text); },
            [&](number&& m) { seen->push_back("number " + std::to_string(m.value)); },
            [&](empty) { seen->push_back("empty"); },
            [&](sixteen& m) { seen->push_back("sixteen " + std::to_string(m.a + m.b)); },
            [&](wide& m) {
                const bool aligned = reinterpret_cast<std::uintptr_t>(&m) % 16 == 0;
                seen->push_back("wide " + std::to_string(m.lanes[3]) + (aligned ? "" : " astray"));
            },
            [&](kilobyte& m) { seen->push_back("kilobyte " + std::string(1, m.bytes[1499])); },
            [&](page& m) { seen->push_back("page " + std::string(1, m.bytes[4999])); });
}

task<> sends_all(context& self, pid to)
{
    self.send(to, owned{std::make_unique<int>(5)});
    const words lasting{"lasting"};
    self.send(to, lasting);
    self.send(to, number{3});
    self.send(to, empty{});
    self.send(to, sixteen{4, 5});
    self.send(to, wide{{1, 2, 3, 4}});
    kilobyte big;
    big.bytes[1499] = 'k';
    self.send(to, big);
    page bigger;
    bigger.bytes[4999] = 'p';
    self.send(to, bigger);
    co_return;
}

task<> one_by_one(context& self, std::vector<std::string>* seen)
{
    while (auto message = co_await self.receive()) {
        seen->push_back(message.type_name() + (message.is<number>() ? " is a number" : " is none"));
        if (message.is<number>())
            seen->push_back(std::to_string(message.get<number>().value));
    }
}

task<> lets_go(context& self)
{
    while (auto message = co_await self.receive()) {
        if (message.is<twice>())
            static_cast<void>(message.get<twice>());  // looked at, never answered
    }
}

task<> answers_wrongly(context& self)
{
    while (auto message = co_await self.receive())
        message.respond(std::string("no number"));
}

task<> answers_twice(context& self, std::vector<bool>* awaited)
{
    while (auto message = co_await self.receive()) {
        awaited->push_back(message.is_request());
        message.respond(1);
        awaited->push_back(message.is_request());
        message.respond(2);
    }
}

/// Keeps what it is sent, and looks at none of it.
task<> collects_unseen(context& self)
{
    std::vector<message> all;
    while (auto received = co_await self.receive())
        all.push_back(std::move(received));
}

/// Everything that can be done with a received message.
using use = void (*)(context& self, message& received);
struct named_use {
    const char* name;
    use call;
    bool only_asks = false;  // whether it is of a type
};
const named_use all_uses[] = {
    {"is", [](context&, message& m) { static_cast<void>(m.is<number>()); }, true},
    {"match", [](context&, message& m) { m.match([](number&) {}, [](words) {}); }, true},
    {"get", [](context&, message& m) { static_cast<void>(m.get<number>()); }},
    {"respond", [](context&, message& m) { m.respond(1); }},
    {"sender", [](context&, message& m) { static_cast<void>(m.sender()); }},
    {"is_request", [](context&, message& m) { static_cast<void>(m.is_request()); }},
    {"type_name", [](context&, message& m) { static_cast<void>(m.type_name()); }},
    {"headers", [](context&, message& m) { static_cast<void>(m.headers()); }},
    {"mark_handled", [](context&, message& m) { m.mark_handled(); }},
    {"forward", [](context& self, message& m) { self.forward(self.pid(), std::move(m)); }},
    {"forward, the long way",
        [](context& self, message& m) {
            self.set_receive_timeout(1h);
            self.forward(self.pid(), std::move(m));
        }},
    {"stash", [](context& self, message& m) { self.stash(std::move(m)); }},
    {"behaviours",
        [](context&, message& m) {
            behaviours mood;
            mood.become([](number&) {});
            mood(m);
        },
        true},
};

/// The forms of `receive`.
enum class form {
    any,
    any_in_time,
    of_type,
    of_type_in_time,
    in_branch,
    without_wait
};
constexpr form all_forms[] = {
    form::any, form::any_in_time, form::of_type, form::of_type_in_time, form::in_branch, form::without_wait};

task<message> received(context& self, form how, std::chrono::nanoseconds limit)
{
    switch (how) {
    case form::any:
        co_return co_await self.receive();
    case form::any_in_time:
        co_return co_await self.receive(limit);
    case form::of_type:
        co_return co_await self.receive<number>();
    case form::of_type_in_time:
        co_return co_await self.receive<number>(limit);
    case form::in_branch:
        co_return std::get<0>(co_await when_any(self.receive(), sleep_for(limit)));
    case form::without_wait:
        while (!self.stopping())
            co_await shield(sleep_for(1ms));
        co_return self.try_receive();
    }
    co_return message();
}

/// Handles messages without a look at whether there is one, as a loop that was written in a hurry does.
task<> uses_blindly(context& self, form how, use what)
{
    for (;;) {
        auto taken = co_await received(self, how, 1h);
        what(self, taken);
    }
}

/// Says what the use of a message throws.
std::string thrown_by(context& self, use what, message& used)
{
    try {
        what(self, used);
    } catch (const error& thrown) {
        return thrown.code().message();
    } catch (const std::logic_error& thrown) {
        return thrown.what();
    }
    return "nothing";
}

task<> uses_what_is_late(context& self, form how, use what, std::string* thrown)
{
    auto taken = co_await received(self, how, 1s);
    CHECK(taken.timed_out());
    *thrown = thrown_by(self, what, taken);
}

task<> uses_what_is_gone(context& self, use what, std::string* thrown)
{
    auto taken = co_await self.receive();
    const auto kept = std::move(taken);
    *thrown = thrown_by(self, what, taken);
    message never;
    CHECK(thrown_by(self, what, never) == *thrown);
    message none = self.try_receive();
    CHECK(thrown_by(self, what, none) == *thrown);
}

task<> takes_for_a_number(context& self, std::string* thrown)
{
    auto taken = co_await self.receive();
    *thrown = thrown_by(self, [](context&, message& m) { static_cast<void>(m.get<number>()); }, taken);
}

/// Keeps the requests in their own handlers, and answers them later.
task<> answers_later(context& self)
{
    std::vector<message> kept;
    while (auto taken = co_await self.receive()) {
        taken.match([&](knock&) { kept.push_back(std::move(taken)); },
            [&](number&) {
                for (message& each : kept)
                    each.respond(std::monostate{});
            });
    }
}

task<> holds_then_crashes(context& self)
{
    auto message = co_await self.receive();
    co_await sleep_for(1s);
    throw std::runtime_error("with a message in hand");
}

}  // namespace

TEST_CASE("message: every kind of type arrives as it was sent", "[kernel][message]")
{
    simulation sim;
    std::vector<std::string> seen;
    const auto sender_strand = GENERATE(0U, 1U);
    const pid receiver = sim.engine().spawn(on(1), collects, &seen);
    const std::vector<std::string> all{"owned 5", "words lasting", "number 3", "empty", "sixteen 9",
        "wide 4.000000", "kilobyte k", "page p"};

    SECTION("from an actor")
    {
        sim.engine().spawn(on(sender_strand), sends_all, receiver);
        sim.run_until_idle();

        CHECK(seen == all);
    }
    SECTION("from outside")
    {
        sim.send(receiver, owned{std::make_unique<int>(5)});
        sim.send(receiver, words{"lasting"});
        sim.send(receiver, number{3});
        sim.send(receiver, empty{});
        sim.run_until_idle();

        CHECK(seen == std::vector<std::string>(all.begin(), all.begin() + 4));
    }
}

TEST_CASE(
    "message: one that no handler takes becomes a dead letter, and its asker is told", "[kernel][message]")
{
    simulation sim;
    event_record events(sim.engine());
    std::vector<int> seen;
    const pid receiver = sim.engine().spawn(recorder, &seen);

    sim.send(receiver, words{"what"});
    sim.send(receiver, number{1});
    CHECK_THROWS_MATCHES(
        sim.ask(receiver, twice{2}), error, Catch::Matchers::Message(error(errc::not_understood).what()));

    CHECK(seen == std::vector{1});
    REQUIRE(events.dead.size() == 2);
    CHECK(events.dead[0].to == receiver);
    CHECK(events.dead[0].reason == errc::not_understood);
    CHECK(events.dead[0].type == "support::words");
    CHECK(sim.engine().figures().dead_letters == 2);
}

TEST_CASE("message: can be looked at without match", "[kernel][message]")
{
    simulation sim;
    event_record events(sim.engine());
    std::vector<std::string> seen;
    const pid receiver = sim.engine().spawn(one_by_one, &seen);

    sim.send(receiver, number{7});
    sim.send(receiver, words{"w"});
    sim.run_until_idle();

    CHECK(seen == std::vector<std::string>{"support::number is a number", "7", "support::words is none"});
    CHECK(events.dead_of(receiver, errc::not_understood) == 1);
}

TEST_CASE("message: a request that is let go of ends as unanswered", "[kernel][message]")
{
    simulation sim;
    const pid receiver = sim.engine().spawn(lets_go);

    CHECK_THROWS_MATCHES(
        sim.ask(receiver, twice{2}), error, Catch::Matchers::Message(error(errc::unanswered).what()));
    CHECK(sim.now() == 0s);
    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE("message: an answer of another type ends the request as wrong", "[kernel][message]")
{
    simulation sim;
    const pid receiver = sim.engine().spawn(answers_wrongly);

    CHECK_THROWS_MATCHES(
        sim.ask(receiver, twice{2}), error, Catch::Matchers::Message(error(errc::wrong_reply).what()));
    CHECK(sim.ask(receiver, greet{"you"}) == "no number");
}

TEST_CASE("message: only the first answer counts", "[kernel][message]")
{
    simulation sim;
    std::vector<bool> awaited;
    const pid receiver = sim.engine().spawn(answers_twice, &awaited);

    CHECK(sim.ask(receiver, twice{2}) == 1);
    sim.send(receiver, number{1});
    sim.run_until_idle();

    CHECK(awaited == std::vector<bool>{true, false, false, false});
    CHECK(sim.engine().figures().late_replies == 0);
}

TEST_CASE("message: one in hand when the actor crashes or stops is no lost one", "[kernel][message]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    const pid receiver = sim.engine().spawn(holds_then_crashes);
    std::optional<error_code> outcome;
    sim.engine().ask(receiver, twice{2}, 5s, [&](error_code code, int) { outcome = code; });
    sim.run_until_idle();

    SECTION("crash")
    {
        sim.advance(1s);
        CHECK(outcome == errc::actor_failed);
        CHECK(events.dead_of(receiver, errc::actor_failed) == 1);
    }
    SECTION("stop")
    {
        sim.stop(receiver);
        CHECK(outcome == errc::actor_stopped);
        CHECK(events.dead_of(receiver, errc::actor_stopped) == 1);
    }
}

TEST_CASE(
    "message: those that an actor has collected are no lost ones when it is stopped", "[kernel][message]")
{
    std::optional<error_code> outcome;
    const bool in_line = GENERATE(false, true);
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid receiver = sim.engine().spawn(on(GENERATE(0U, 1U)), collects_unseen);

    sim.send(receiver, number{1});
    sim.engine().ask(receiver, twice{2}, 5s, [&](error_code code, int) { outcome = code; });
    sim.send(receiver, words{"unseen"});
    sim.run_until_idle();
    CHECK(events.dead.empty());
    if (in_line)
        sim.engine().poison(receiver);
    else
        sim.stop(receiver);
    sim.run_until_idle();

    CHECK(outcome == errc::actor_stopped);
    CHECK(events.dead_of(receiver, errc::actor_stopped) == 3);
    CHECK(events.dead.size() == 3);
}

TEST_CASE("message: an answer whose move throws ends the request, whoever moved it", "[kernel][message]")
{
    // The answer is moved a few times on its way; each of these moves fails in turn, until none does.
    quiet_log quiet;
    const auto moves = GENERATE(range(1, 12));
    const auto strand = GENERATE(0U, 1U);
    simulation sim;
    const pid receiver = sim.engine().spawn(on(1), answers_fragile);
    bool ended = false;

    struct asker {
        static task<> body(context& self, pid to, int moves, bool* ended)
        {
            try {
                static_cast<void>(co_await self.ask(to, ask_fragile{moves}, 5s));
            } catch (const error& thrown) {
                CHECK((thrown.code() == errc::actor_failed || thrown.code() == errc::wrong_reply));
            } catch (const std::runtime_error&) {}
            *ended = true;
        }
    };
    sim.engine().spawn(on(strand), &asker::body, receiver, moves, &ended);
    sim.run_until_idle();

    CHECK(ended);
    CHECK(sim.now() == 0s);
}

TEST_CASE("message: one whose move throws on sending stays with the sender", "[kernel][message]")
{
    simulation sim;
    std::vector<int> seen;
    const pid receiver = sim.engine().spawn(recorder, &seen);

    CHECK_THROWS_AS(sim.send(receiver, fragile(1)), std::runtime_error);
    sim.run_until_idle();

    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE("message: who uses the empty one of a stop ends as one that was told to", "[kernel][message]")
{
    kept_log log;
    simulation sim(GENERATE(1U, 2U));
    event_record events(sim.engine());
    const form how = GENERATE(from_range(std::begin(all_forms), std::end(all_forms)));
    const named_use used = GENERATE(from_range(std::begin(all_uses), std::end(all_uses)));
    INFO(used.name << ", form " << static_cast<int>(how));
    const pid receiver = sim.engine().spawn({.restart = {.limit = 5}}, uses_blindly, how, used.call);
    sim.run_until_idle();

    SECTION("told to stop")
    {
        sim.stop(receiver);
    }
    SECTION("told to stop with messages in the mailbox")
    {
        sim.engine().stop(receiver);
        sim.engine().send(receiver, number{1});
    }
    SECTION("poisoned")
    {
        if (how == form::without_wait)
            return;  // it takes the pill only when it is told to stop
        sim.engine().poison(receiver);
    }
    SECTION("begun anew, then stopped")
    {
        sim.engine().restart(receiver);
        if (how == form::without_wait)
            return;  // it is not told of it
        sim.run_until_idle();
        CHECK(events.restarted.size() == 1);
        sim.stop(receiver);
    }
    sim.advance(1s);

    CHECK(events.ends_of(receiver) == 1);
    REQUIRE(events.stopped.size() == 1);
    CHECK(events.stopped[0].reason == errc::cancelled);
    for (const std::string& line : log.lines)
        CHECK(line.find("crashed") == std::string::npos);
}

TEST_CASE("message: one that did not come in time says no, and cannot be used", "[kernel][message]")
{
    simulation sim;
    const form how = GENERATE(form::any_in_time, form::of_type_in_time);
    const named_use used = GENERATE(from_range(std::begin(all_uses), std::end(all_uses)));
    INFO(used.name);
    std::string thrown;
    sim.engine().spawn(uses_what_is_late, how, used.call, &thrown);
    sim.advance(2s);

    CHECK(thrown == (used.only_asks ? "nothing" : make_error_code(errc::timed_out).message()));
}

TEST_CASE("message: one that was handed on cannot be used", "[kernel][message]")
{
    simulation sim;
    const named_use used = GENERATE(from_range(std::begin(all_uses), std::end(all_uses)));
    INFO(used.name);
    std::string thrown;
    sim.send(sim.engine().spawn(uses_what_is_gone, used.call, &thrown), number{1});
    sim.run_until_idle();

    CHECK(thrown == "there is no message: none was received, or it was handed on");
}

TEST_CASE("message: one that is taken for another says what both are", "[kernel][message]")
{
    simulation sim;
    event_record events(sim.engine());
    std::string thrown;
    const pid receiver = sim.engine().spawn(takes_for_a_number, &thrown);
    sim.send(receiver, words{"not one"});
    sim.run_until_idle();

    CHECK(thrown == "a message of type support::words was taken for one of type support::number");
    CHECK(events.dead_of(receiver, errc::not_understood) == 1);
}

TEST_CASE("message: a handler may keep its own message and answer later", "[kernel][message]")
{
    simulation sim;
    const pid receiver = sim.engine().spawn(answers_later);
    int answered = 0;
    for (int i = 0; i < 2; ++i)
        sim.engine().ask(receiver, knock{}, 5s, [&](error_code code) { answered += code ? 0 : 1; });
    sim.run_until_idle();
    CHECK(answered == 0);

    sim.send(receiver, number{1});
    sim.run_until_idle();

    CHECK(answered == 2);
}

namespace {

int doubled(const twice& m)
{
    return 2 * m.value;
}

struct by_const_reference {
    int operator()(const twice& m) const& { return 3 * m.value; }
};

}  // namespace

TEST_CASE("message: functions and objects handle as lambdas do", "[kernel][message]")
{
    simulation sim;
    const pid plain = sim.engine().spawn([](context& self) -> task<> {
        while (auto message = co_await self.receive())
            message.match(doubled);
    });
    const pid object = sim.engine().spawn([](context& self) -> task<> {
        const by_const_reference handler;
        while (auto message = co_await self.receive())
            message.match(handler);
    });

    CHECK(sim.ask(plain, twice{4}) == 8);
    CHECK(sim.ask(object, twice{4}) == 12);
}
