// SPDX-License-Identifier: MIT

#include <costar/actor/class_actor.hpp>

#include <costar/testing/simulation.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

struct increment {
    int by = 1;
};
struct get {
    using reply = int;
};
struct wait_and_get {
    using reply = int;
    std::chrono::milliseconds pause{};
};
struct wait_and_touch {
    using reply = void;
};
struct ask_other {
    using reply = std::string;
    pid other;
};
struct moved_only {
    using reply = int;
    std::unique_ptr<int> value;
};
struct never_answered {
    using reply = int;
};
struct fail_slowly {
    using reply = int;
};
struct respond_later {
    using reply = int;
};

/// Each kind of call operator.
struct everything {
    int value = 0;

    void operator()(increment m) { value += m.by; }
    int operator()(get) const { return value; }
    task<int> operator()(wait_and_get m)
    {
        co_await sleep_for(m.pause);
        co_return value;
    }
    task<> operator()(wait_and_touch&)
    {
        ++value;
        co_return;
    }
    task<std::string> operator()(context& self, ask_other m)
    {
        co_return co_await self.ask(m.other, greet{self.name()});
    }
    int operator()(context&, moved_only&& m) { return *std::exchange(m.value, nullptr); }
    void operator()(const never_answered&) {}
    task<int> operator()(fail_slowly)
    {
        co_await sleep_for(1s);
        throw std::runtime_error("slowly");
    }
    void operator()(context& self, respond_later) { self.respond(77); }
};

template <class... T>
constexpr bool has_all(message_list<T...>)
{
    return (std::is_same_v<T, increment> || ...) && (std::is_same_v<T, get> || ...) &&
        (std::is_same_v<T, wait_and_get> || ...) && (std::is_same_v<T, wait_and_touch> || ...) &&
        (std::is_same_v<T, ask_other> || ...) && (std::is_same_v<T, moved_only> || ...) &&
        (std::is_same_v<T, never_answered> || ...) && (std::is_same_v<T, fail_slowly> || ...) &&
        (std::is_same_v<T, respond_later> || ...);
}

static_assert(has_all(messages_of<everything>::type{}));
static_assert(actor_class<everything>);
static_assert(handles<everything, get>);
static_assert(handles<everything, ask_other>);
static_assert(handles<everything, moved_only>);
static_assert(!handles<everything, greet>);
static_assert(!handles<everything, int>);
static_assert(!actor_class<increment>);
static_assert(!actor_class<get>);
static_assert(!actor_class<int>);

/// Lists its messages itself, of which some come from a template.
struct lists_them {
    using messages = message_list<get, increment>;
    template <class T>
    int operator()(T&&)
        requires std::is_same_v<std::remove_cvref_t<T>, get>
    {
        return 5;
    }
    void operator()(increment) {}
};

static_assert(actor_class<lists_them>);
static_assert(std::is_same_v<messages_of<lists_them>::type, message_list<get, increment>>);

}  // namespace

TEST_CASE("class_actor: every kind of call operator takes its message and answers", "[actor][class_actor]")
{
    simulation sim;
    const auto actor = sim.engine().spawn<everything>("it", on(GENERATE(0U, 1U)));
    const pid other = sim.engine().spawn(helper);

    sim.send(actor, increment{3});
    CHECK(sim.ask(actor, get{}) == 3);
    CHECK(sim.ask(actor, wait_and_get{500ms}) == 3);
    CHECK(sim.now() == 500ms);
    sim.ask(actor, wait_and_touch{});
    CHECK(sim.ask(actor, get{}) == 4);
    CHECK(sim.ask(actor, ask_other{other}) == "hello, it");
    CHECK(sim.ask(actor, moved_only{std::make_unique<int>(9)}) == 9);
    CHECK(sim.ask(actor, respond_later{}) == 77);
    CHECK_THROWS_MATCHES(
        sim.ask(actor, never_answered{}), error, Catch::Matchers::Message(error(errc::unanswered).what()));
    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE("class_actor: a message it has no operator for becomes a dead letter", "[actor][class_actor]")
{
    simulation sim;
    event_record events(sim.engine());
    const auto actor = sim.engine().spawn<everything>();

    CHECK_THROWS_MATCHES(sim.ask(actor.plain(), greet{"you"}), error,
        Catch::Matchers::Message(error(errc::not_understood).what()));

    CHECK(events.dead_of(actor, errc::not_understood) == 1);
    CHECK(sim.ask(actor, get{}) == 0);
}

TEST_CASE("class_actor: takes messages one at a time, also while it awaits", "[actor][class_actor]")
{
    simulation sim;
    const auto actor = sim.engine().spawn<everything>();
    std::vector<int> answers;
    sim.engine().ask(
        actor, wait_and_get{100ms}, 1s, [&](error_code, int value) { answers.push_back(value); });
    sim.send(actor, increment{1});
    sim.engine().ask(actor, get{}, 1s, [&](error_code, int value) { answers.push_back(value + 10); });

    sim.advance(99ms);
    CHECK(answers.empty());
    sim.advance(1ms);

    CHECK(answers == std::vector{0, 11});
}

TEST_CASE("class_actor: an exception of an awaiting operator reaches its asker as a failure",
    "[actor][class_actor]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    const auto actor = sim.engine().spawn<everything>({.restart = {.limit = 1}});
    sim.send(actor, increment{1});

    CHECK_THROWS_MATCHES(
        sim.ask(actor, fail_slowly{}), error, Catch::Matchers::Message(error(errc::actor_failed).what()));

    CHECK(sim.now() == 1s);
    CHECK(sim.ask(actor, get{}) == 0);  // a new object
    CHECK(events.restarted.size() == 1);
}

TEST_CASE("class_actor: a class may list its messages", "[actor][class_actor]")
{
    simulation sim;
    const auto actor = sim.engine().spawn<lists_them>();

    sim.send(actor, increment{});
    CHECK(sim.ask(actor, get{}) == 5);
}

TEST_CASE("class_actor: the object is made and destroyed in the actor's own turn", "[actor][class_actor]")
{
    static int alive = 0;
    struct counted {
        explicit counted(int) { ++alive; }
        counted(const counted&) = delete;
        ~counted() { --alive; }
        void operator()(crash) { throw std::runtime_error("told to"); }
        int operator()(get) { return alive; }
    };
    quiet_log quiet;
    simulation sim;
    alive = 0;

    const auto actor = sim.engine().spawn<counted>({.restart = {.limit = 1}}, 1);
    CHECK(alive == 0);
    CHECK(sim.ask(actor, get{}) == 1);
    sim.send(actor, crash{});
    CHECK(sim.ask(actor, get{}) == 1);
    sim.stop(actor);

    CHECK(alive == 0);
}

namespace {

/// Writes down the turns of its life.
struct mortal {
    explicit mortal(std::vector<std::string>* seen) : seen(seen) { seen->push_back("made"); }
    ~mortal() { seen->push_back("destroyed"); }
    mortal(const mortal&) = delete;

    task<> started(context& self)
    {
        note("started");
        self.spawn(
            [](context& self, std::vector<std::string>* seen) -> task<> {
                while (co_await self.receive()) {}
                seen->push_back("child ended");
            },
            seen);
        co_return;
    }
    void restarting() { note("restarting"); }
    task<> stopping(context&)
    {
        note("stopping");
        co_await sleep_for(1ms);  // the actor is being stopped, and this still waits
        note("still stopping");
    }
    void stopped(context& self)
    {
        CHECK(self.children().empty());
        note("stopped");
    }

    void operator()(number) { note("number"); }
    void operator()(crash) { throw std::runtime_error("told to"); }

    void note(const char* what) { seen->push_back(what); }
    std::vector<std::string>* seen;
};

}  // namespace

TEST_CASE(
    "class_actor: the turns of its life come in order and once, on every way to end", "[actor][class_actor]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    std::vector<std::string> seen;
    spawn_options options = on(0);
    options.restart.limit = 1;
    const pid actor = sim.engine().spawn<mortal>(options, &seen);
    sim.send(actor, number{});
    sim.run_until_idle();
    CHECK(seen == std::vector<std::string>{"made", "started", "number"});

    const std::vector<std::string> ends{"stopping", "still stopping", "child ended", "stopped", "destroyed"};
    SECTION("stop")
    {
        seen.clear();
        sim.stop(actor);
        sim.engine().stop(actor);
        sim.advance(1s);
        CHECK(seen == ends);
    }
    SECTION("poison")
    {
        sim.engine().poison(actor);
        sim.send(actor, number{});
        seen.clear();
        sim.advance(1s);
        CHECK(seen == ends);
    }
    SECTION("crash, restart, and the last crash")
    {
        seen.clear();
        sim.send(actor, crash{});
        sim.run_until_idle();
        CHECK(seen == std::vector<std::string>{"restarting", "destroyed", "child ended", "made", "started"});
        seen.clear();
        sim.send(actor, crash{});
        sim.advance(1s);
        CHECK(seen == ends);
        CHECK(events.limits.size() == 1);
    }
    SECTION("a restart asked for, and a stop that wins over it")
    {
        seen.clear();
        sim.engine().restart(actor);
        sim.run_until_idle();
        CHECK(seen == std::vector<std::string>{"restarting", "destroyed", "child ended", "made", "started"});
        seen.clear();
        sim.engine().stop(actor);
        sim.engine().restart(actor);
        sim.advance(1s);
        CHECK(seen == ends);
    }
    SECTION("shutdown")
    {
        seen.clear();
        bool done = false;
        sim.engine().async_shutdown(1min, [&](error_code, shutdown_report) { done = true; });
        sim.advance(1s);
        CHECK(done);
        CHECK(seen == ends);
    }
    CHECK(events.ends_of(actor) <= 1);
}

TEST_CASE("class_actor: a crash while it ends does not bring it back", "[actor][class_actor]")
{
    quiet_log quiet;
    struct clumsy {
        bool early;
        void stopping()
        {
            if (early)
                throw std::runtime_error("stumbled");
        }
        void stopped() { throw std::runtime_error("fell"); }
        void operator()(number) {}
    };
    simulation sim;
    event_record events(sim.engine());
    spawn_options options = on(0);
    options.restart.limit = 5;
    const pid actor = sim.engine().spawn<clumsy>(options, GENERATE(true, false));
    sim.run_until_idle();
    sim.stop(actor);
    CHECK(events.ends_of(actor) == 1);
    CHECK(events.restarted.empty());
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("class_actor: a hook that receives beyond the end leaves the reason of the end as it was",
    "[actor][class_actor]")
{
    quiet_log quiet;
    struct draining {
        bool* is_stopped;
        void operator()(crash) { throw std::runtime_error("boom"); }
        task<> stopping(context& self) { return drain(self); }
        task<> stopped(context& self)
        {
            *is_stopped = true;
            return drain(self);
        }
        static task<> drain(context& self)
        {
            while (co_await self.receive()) {}
            co_await self.receive();
        }
    };
    simulation sim;
    std::vector<errc> ends;
    const auto subscription = sim.engine().events().subscribe<actor_stopped>(
        [&](const actor_stopped& event) { ends.push_back(event.reason); });
    bool is_stopped = false;
    const bool crashes = GENERATE(true, false);
    const pid actor = sim.engine().spawn<draining>(on(0), &is_stopped);
    if (crashes)
        sim.engine().send(actor, crash{});
    sim.run_until_idle();
    sim.stop(actor);

    CHECK(ends == std::vector{crashes ? errc::actor_failed : errc::cancelled});
    CHECK(is_stopped);
}

TEST_CASE("class_actor: a hook that throws at the start is a crash", "[actor][class_actor]")
{
    quiet_log quiet;
    struct nervous {
        void started(context& self)
        {
            if (self.restart_count() == 0)
                throw std::runtime_error("stage fright");
        }
        int operator()(twice m) { return 2 * m.value; }
    };
    simulation sim;
    spawn_options options = on(0);
    options.restart.limit = 1;
    const pid actor = sim.engine().spawn<nervous>(options);
    CHECK(sim.ask(actor, twice{2}) == 4);
    CHECK(sim.engine().figures().restarts == 1);
}
