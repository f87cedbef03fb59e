// SPDX-License-Identifier: MIT

#include <costar/kernel/middleware.hpp>

#include <costar/actor/passivation.hpp>
#include <costar/post/outgoing.hpp>
#include <costar/testing/simulation.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;
using namespace costar::testing;
using namespace std::chrono_literals;
using namespace support;

namespace {

/// Writes down what it sees.
class scribe : public middleware {
public:
    scribe(std::string name, std::vector<std::string>& seen, bool inherited = false)
        : name_(std::move(name)), seen_(seen), inherited_(inherited)
    {}

    void started(context&) override { note("started"); }
    bool receiving(context&, message& taken) override
    {
        note("receiving " + short_name(taken.type_name()));
        return true;
    }
    void handled(context&, message& done, bool failed) noexcept override
    {
        note((failed ? "failed " : "handled ") + short_name(done.type_name()));
    }
    bool sending(context&, outgoing& sent) override
    {
        note("sending " + short_name(sent.type_name()));
        return true;
    }
    void spawning(context&, spawn_options& child) override { note("spawning " + child.name); }
    void posted(context&, std::string_view, std::size_t size) noexcept override
    {
        note("posted " + std::to_string(size));
    }
    void emptied(context&) noexcept override { note("emptied"); }
    void stopped(context&) noexcept override { note("stopped"); }
    bool inherited() const noexcept override { return inherited_; }

    static std::string short_name(const std::string& type) { return type.substr(type.rfind(':') + 1); }

private:
    void note(const std::string& what) { seen_.push_back(name_ + " " + what); }

    std::string name_;
    std::vector<std::string>& seen_;
    bool inherited_;
};

/// Has middleware and nothing else to say.
spawn_options with(std::vector<std::shared_ptr<middleware>> chain, std::uint32_t strand = 0)
{
    spawn_options options = on(strand);
    options.middleware = std::move(chain);
    return options;
}

std::vector<std::string> with_prefix(const std::vector<std::string>& all, const std::string& prefix)
{
    std::vector<std::string> some;
    for (const auto& each : all)
        if (each.starts_with(prefix))
            some.push_back(each.substr(prefix.size()));
    return some;
}

/// Does what a test says.
class hooks : public middleware {
public:
    std::function<void(context&)> on_started;
    std::function<bool(context&, message&)> on_receiving;
    std::function<void(context&, message&, bool)> on_handled;
    std::function<bool(context&, outgoing&)> on_sending;

    void started(context& self) override
    {
        if (on_started)
            on_started(self);
    }
    bool receiving(context& self, message& taken) override
    {
        return !on_receiving || on_receiving(self, taken);
    }
    void handled(context& self, message& done, bool failed) noexcept override
    {
        if (on_handled)
            on_handled(self, done, failed);
    }
    bool sending(context& self, outgoing& sent) override { return !on_sending || on_sending(self, sent); }
};

/// Notes which messages it is told of when they were let go of.
std::shared_ptr<hooks> notes_handled(std::vector<std::string>& told)
{
    auto noting = std::make_shared<hooks>();
    noting->on_handled = [&](context&, message& done, bool) {
        told.push_back(done ? scribe::short_name(done.type_name()) : "nothing");
    };
    return noting;
}

/// Handles words and who is to be greeted by letting go of them, and fails with the first `failures`.
task<> drops_twice(context& self, int* failures)
{
    while (auto message = co_await self.receive()) {
        if (message.match([](twice& m) { return 2 * m.value; }))
            continue;
        message.mark_handled();
        if (*failures > 0) {
            --*failures;
            throw std::runtime_error("not this one");
        }
    }
}

/// Notes the texts it is sent, and answers who greets it.
task<> takes_texts(context& self, std::vector<std::string>* texts)
{
    while (auto message = co_await self.receive())
        message.match([&](words& m) { texts->push_back(m.text); },
            [&](greet& m) {
                texts->push_back(m.who);
                return "hello, " + m.who;
            });
}

}  // namespace

TEST_CASE("middleware: sees the life of an actor and its messages, in order", "[kernel][middleware]")
{
    quiet_log quiet;
    simulation sim;
    std::vector<std::string> seen;
    const pid other = sim.engine().spawn(on(1), helper);
    spawn_options options =
        with({std::make_shared<scribe>("a", seen), std::make_shared<scribe>("b", seen)}, GENERATE(0U, 1U));
    options.restart.limit = 1;
    const pid actor = sim.engine().spawn(
        options,
        [](context& self, pid other) -> task<> {
            while (auto message = co_await self.receive()) {
                if (message.is<greet>()) {
                    const int twice_two = co_await self.ask(other, twice{2});
                    message.respond(std::to_string(twice_two));
                } else {
                    message.match([&](number&) { self.send(other, knock{}); },
                        [](crash&) { throw std::runtime_error("told to"); });
                }
            }
        },
        other);
    CHECK(sim.ask(actor, greet{}) == "4");
    sim.run_until_idle();
    CHECK(with_prefix(seen, "a ") ==
        std::vector<std::string>{
            "started", "posted 1", "emptied", "receiving greet", "sending twice", "handled greet"});
    CHECK(seen[0] == "a started");
    CHECK(seen[1] == "b started");
    CHECK(seen[seen.size() - 2] == "b handled greet");
    CHECK(seen.back() == "a handled greet");

    seen.clear();
    sim.send(actor, crash{});
    sim.run_until_idle();
    CHECK(with_prefix(seen, "b ") ==
        std::vector<std::string>{"posted 1", "emptied", "receiving crash", "failed crash", "started"});
    seen.clear();
    sim.stop(actor);
    CHECK(seen == std::vector<std::string>{"b stopped", "a stopped"});
}

TEST_CASE("middleware: keeps a message from its actor", "[kernel][middleware]")
{
    struct filter : middleware {
        bool receiving(context&, message& taken) override
        {
            return !taken.is<number>() || taken.get<number>().value % 2 == 0;
        }
    };
    simulation sim;
    event_record events(sim.engine());
    std::vector<int> seen;
    const pid actor = sim.engine().spawn(with({std::make_shared<filter>()}), recorder, &seen);
    for (int i = 0; i < 6; ++i)
        sim.send(actor, number{i});
    sim.run_until_idle();
    CHECK(seen == std::vector{0, 2, 4});
    CHECK(events.dead.empty());
}

TEST_CASE("middleware: adds headers, sends elsewhere, and drops", "[kernel][middleware]")
{
    struct post_office : middleware {
        explicit post_office(pid elsewhere) : elsewhere(elsewhere) {}
        bool sending(context&, outgoing& sent) override
        {
            if (sent.get_if<words>() != nullptr)
                return false;
            if (auto* m = sent.get_if<number>(); m != nullptr && m->value > 10)
                sent.redirect(elsewhere);
            sent.headers().set("trace", "7");
            return true;
        }
        pid elsewhere;
    };
    simulation sim;
    event_record events(sim.engine());
    auto near = sim.make_probe();
    auto far = sim.make_probe();
    std::vector<std::string> traces;
    const pid noting = sim.engine().spawn(
        on(GENERATE(0U, 1U)),
        [](context& self, std::vector<std::string>* traces) -> task<> {
            while (auto message = co_await self.receive())
                message.match(
                    [&](number&) { traces->push_back(std::string(*message.headers().find("trace"))); },
                    [&](twice& m) {
                        traces->push_back(std::string(*self.headers().find("trace")));
                        return m.value;
                    });
        },
        &traces);
    sim.engine().spawn(
        with({std::make_shared<post_office>(far.pid())}),
        [](context& self, pid near, pid noting) -> task<> {
            self.send(near, number{1});
            self.send(near, number{11});
            self.send(near, words{"dropped"});
            self.send(noting, number{2});
            co_await self.ask(noting, twice{2});
        },
        near.pid(), noting);
    sim.run_until_idle();
    CHECK(near.expect<number>().value == 1);
    near.expect_none();
    CHECK(far.expect<number>().value == 11);
    CHECK(traces == std::vector<std::string>{"7", "7"});
    CHECK(events.dead.size() == 1);
    CHECK(events.dead[0].reason == errc::cancelled);
}

TEST_CASE(
    "middleware: goes from a parent to its children, and no further than it should", "[kernel][middleware]")
{
    simulation sim;
    std::vector<std::string> seen;
    struct tree {
        static task<> grow(context& self, int depth)
        {
            if (depth > 0)
                self.spawn("depth" + std::to_string(depth), grow, depth - 1);
            while (co_await self.receive()) {}
        }
    };
    sim.engine().spawn(
        with({std::make_shared<scribe>("all", seen, true), std::make_shared<scribe>("one", seen, false)}),
        &tree::grow, 5);
    sim.run_until_idle();
    CHECK(std::count(seen.begin(), seen.end(), "all started") == 6);
    CHECK(std::count(seen.begin(), seen.end(), "one started") == 1);
    CHECK(std::count(seen.begin(), seen.end(), "all spawning depth1") == 1);
    CHECK(std::count(seen.begin(), seen.end(), "one spawning depth5") == 1);
}

TEST_CASE("middleware: of an engine is for all its actors", "[kernel][middleware]")
{
    std::vector<std::string> seen;
    {
        simulation sim(1,
            {.engine = {.middleware = {std::make_shared<scribe>("engine", seen)}, .dead_letter_lines = 0}});
        const pid actor = sim.engine().spawn(with({std::make_shared<scribe>("own", seen)}, 1), helper);
        sim.engine().spawn(on(0), helper);
        sim.run_until_idle();
        CHECK(std::count(seen.begin(), seen.end(), "engine started") == 2);
        CHECK(seen[0].ends_with("started"));
        seen.clear();
        sim.stop(actor);
        CHECK(seen == std::vector<std::string>{"own stopped", "engine stopped"});
    }
}

TEST_CASE("middleware: what it throws is a crash", "[kernel][middleware]")
{
    struct refuses : middleware {
        bool at_start = false;
        explicit refuses(bool at_start) : at_start(at_start) {}
        void started(context& self) override
        {
            if (at_start && self.restart_count() == 0)
                throw std::runtime_error("not now");
        }
        bool receiving(context&, message&) override { throw std::runtime_error("not this"); }
        bool sending(context&, outgoing&) override { throw std::runtime_error("not that"); }
        void spawning(context&, spawn_options&) override { throw std::runtime_error("no children"); }
    };
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U));
    event_record events(sim.engine());
    spawn_options options = with({std::make_shared<refuses>(GENERATE(true, false))}, GENERATE(0U, 1U));
    const bool at_start = std::static_pointer_cast<refuses>(options.middleware[0])->at_start;
    options.restart.limit = 1;
    bool refused = false;
    const pid actor = sim.engine().spawn(
        options,
        [](context& self, bool* refused) -> task<> {
            try {
                self.spawn(helper);
            } catch (const std::runtime_error&) {
                *refused = true;
            }
            while (auto message = co_await self.receive())
                message.match([](number&) {});
        },
        &refused);
    sim.run_until_idle();
    CHECK(events.restarted.size() == (at_start ? 1U : 0U));
    CHECK(refused);
    sim.send(actor, number{});
    sim.run_until_idle();
    sim.send(actor, number{});
    sim.run_until_idle();
    CHECK(events.ends_of(actor) == 1);
}

TEST_CASE("middleware: headers without content are none", "[kernel][middleware]")
{
    struct looks_at_headers : middleware {
        bool sending(context&, outgoing& sent) override { return sent.headers().empty(); }
    };
    simulation sim;
    const pid noting = sim.engine().spawn(on(GENERATE(0U, 1U)), helper);

    sim.engine().spawn(
        with({std::make_shared<looks_at_headers>()}),
        [](context& self, pid to) -> task<> {
            const int doubled = co_await self.ask(to, twice{2});
            CHECK(doubled == 4);
        },
        noting);
    sim.run_until_idle();

    CHECK(sim.engine().station_at(noting.strand()).find(noting)->extras() == nullptr);
}

TEST_CASE("middleware: headers travel with a message, also when it is passed on", "[kernel][middleware]")
{
    simulation sim;
    std::vector<std::string> seen;
    const pid last = sim.engine().spawn(
        on(1),
        [](context& self, std::vector<std::string>* seen) -> task<> {
            while (auto message = co_await self.receive())
                message.match([&](twice& m) {
                    for (const auto& [name, value] : message.headers())
                        seen->push_back(name + "=" + value);
                    return 2 * m.value;
                });
        },
        &seen);
    const pid relay = sim.engine().spawn(
        on(0),
        [](context& self, pid last) -> task<> {
            while (auto message = co_await self.receive())
                self.forward(last, std::move(message));
        },
        last);
    std::optional<int> answer;
    sim.engine().spawn(
        on(1),
        [](context& self, pid relay, std::optional<int>* answer) -> task<> {
            *answer = co_await self.ask(relay, twice{4}, headers{{"tenant", "x"}, {"trace", "9"}});
        },
        relay, &answer);
    sim.run_until_idle();
    CHECK(answer == 8);
    CHECK(seen == std::vector<std::string>{"tenant=x", "trace=9"});
    seen.clear();
    CHECK(sim.ask(last, twice{1}) == 2);  // has none
    CHECK(seen.empty());
}

TEST_CASE("middleware: a touch is answered by itself, in line", "[kernel][middleware]")
{
    struct offer {
        using reply = int;
        int auto_reply() const { return 41; }
    };
    simulation sim;
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(on(GENERATE(0U, 1U)), helper);
    CHECK(sim.ask(actor, touch{}) == touched{actor});
    CHECK(sim.ask(actor, offer{}) == 41);
    CHECK(events.dead.empty());
    sim.stop(actor);
    CHECK_THROWS_AS(sim.ask(actor, touch{}), error);
}

TEST_CASE("middleware: a send or a request that it throws at has not begun", "[kernel][middleware]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid other = sim.engine().spawn(on(GENERATE(0U, 1U)), helper);
    const int way = GENERATE(0, 1, 2);
    auto throws = std::make_shared<hooks>();
    throws->on_sending = [](context&, outgoing&) -> bool { throw std::runtime_error("not this one"); };
    int caught = 0;
    const pid actor = sim.engine().spawn(
        with({throws}),
        [](context& self, pid other, int way, int* caught) -> task<> {
            while (auto message = co_await self.receive()) {
                message.mark_handled();
                try {
                    if (way == 0)
                        static_cast<void>(co_await self.ask(other, twice{1}));
                    else if (way == 1)
                        co_await self.send_async(other, knock{});
                    else
                        static_cast<void>(co_await self.ask_future(other, twice{1}));
                } catch (const std::runtime_error&) {
                    ++*caught;
                }
            }
        },
        other, way, &caught);
    for (int i = 0; i < 3; ++i)
        sim.send(actor, number{i});
    sim.run_until_idle();
    sim.advance(1h);

    CHECK(caught == 3);
    CHECK(events.dead_of(other, errc::actor_failed) == 3);
    CHECK(sim.engine().figures().live == 2);
}

TEST_CASE("middleware: may stop the actor that begins anew", "[kernel][middleware]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    auto limits = std::make_shared<hooks>();
    limits->on_started = [](context& self) {
        if (self.restart_count() == 2)
            self.stop();
    };
    spawn_options options = with({limits});
    options.restart.limit = 5;
    options.restart.delay = GENERATE(0ms, 10ms);
    const pid actor = sim.engine().spawn(options, helper);
    const pid other = sim.engine().spawn(on(0), helper);
    for (int i = 0; i < 4; ++i) {
        sim.send(actor, crash{});
        sim.send(other, knock{});
    }
    sim.advance(1s);

    CHECK(events.ends_of(actor) == 1);
    CHECK(events.restarted.size() == 2);
    CHECK(sim.ask(other, twice{2}) == 4);  // its strand goes on
}

TEST_CASE(
    "middleware: a silence that was watched is forgotten when the beginning fails", "[kernel][middleware]")
{
    quiet_log quiet;
    simulation sim;
    event_record events(sim.engine());
    auto fails = std::make_shared<hooks>();
    fails->on_started = [](context&) { throw std::runtime_error("not today"); };
    const pid actor = sim.engine().spawn(with({std::make_shared<passivation>(5min), fails}), helper);
    sim.run_until_idle();
    CHECK(events.ends_of(actor) == 1);

    const pid next = sim.engine().spawn(with({std::make_shared<passivation>(5min)}), helper);
    sim.advance(1h);
    CHECK(events.ends_of(next) == 1);
}

TEST_CASE("middleware: what it has spawned ends with a beginning that fails", "[kernel][middleware]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    auto spawns = std::make_shared<hooks>();
    spawns->on_started = [](context& self) {
        self.spawn(helper);
        self.spawn(on(1), helper);
        self.spawn_task([](context& self) -> task<> {
            static_cast<void>(self);
            co_await sleep_for(1h);
        }(self));
    };
    int attempts = 0;
    auto fails = std::make_shared<hooks>();
    fails->on_started = [&](context&) {
        if (++attempts < 3)
            throw std::runtime_error("not yet");
    };
    spawn_options options = with({spawns, fails});
    options.restart.limit = GENERATE(0U, 5U);
    sim.engine().spawn(options, helper);
    sim.run_until_idle();

    CHECK(attempts == (options.restart.limit == 0 ? 1 : 3));
    CHECK(sim.engine().figures().live == (options.restart.limit == 0 ? 0U : 3U));
}

TEST_CASE("middleware: endless beginnings leave others their time", "[kernel][middleware]")
{
    quiet_log quiet;
    simulation sim;
    const pid other = sim.engine().spawn(on(0), helper);
    auto fails = std::make_shared<hooks>();
    fails->on_started = [](context&) { throw std::runtime_error("never"); };
    spawn_options options = with({fails});
    options.restart.limit = restart_policy::always;
    const pid actor = sim.engine().spawn(options, helper);

    CHECK(sim.ask(other, twice{2}) == 4);
    sim.stop(actor);
    sim.run_until_idle();
    CHECK(sim.engine().figures().live == 1);
}

TEST_CASE("middleware: what was asked for by its type is not kept away", "[kernel][middleware]")
{
    simulation sim;
    auto refuses = std::make_shared<hooks>();
    refuses->on_receiving = [](context&, message&) { return false; };
    std::string seen;
    const pid actor = sim.engine().spawn(
        with({refuses}),
        [](context& self, std::string* seen) -> task<> {
            auto first = co_await self.receive<words>();
            *seen = first.get<words>().text;
            auto second = co_await self.receive();
            CHECK_FALSE(second.is<words>());
        },
        &seen);
    sim.send(actor, number{1});
    sim.send(actor, words{"wanted"});
    sim.send(actor, words{"kept away"});
    sim.run_until_idle();

    CHECK(seen == "wanted");
}

TEST_CASE("middleware: may stash or forward what an actor would receive", "[kernel][middleware]")
{
    simulation sim;
    std::vector<int> seen;
    std::vector<int> elsewhere;
    const pid other = sim.engine().spawn(on(GENERATE(0U, 1U)), recorder, &elsewhere);
    auto sorts = std::make_shared<hooks>();
    bool aside = true;
    const bool result = GENERATE(true, false);  // it is gone, whatever is said
    sorts->on_receiving = [&](context& self, message& taken) {
        if (!taken.is<number>())
            return true;
        if (taken.get<number>().value % 2 == 1)
            self.forward(other, std::move(taken));
        else if (aside)
            self.stash(std::move(taken));
        else
            return true;
        return result;
    };
    const pid actor = sim.engine().spawn(
        with({sorts}),
        [](context& self, std::vector<int>* seen) -> task<> {
            while (auto message = co_await self.receive())
                message.match([&](number& m) { seen->push_back(m.value); }, [&](knock&) { self.unstash(); });
        },
        &seen);
    for (int i = 1; i <= 4; ++i)
        sim.send(actor, number{i});
    sim.run_until_idle();
    CHECK(seen.empty());
    aside = false;
    sim.ask(actor, knock{});
    sim.run_until_idle();

    CHECK(seen == std::vector{2, 4});
    CHECK(elsewhere == std::vector{1, 3});
    CHECK(sim.engine().figures().dead_letters == 0);
}

TEST_CASE("middleware: sees what is sent in another's name", "[kernel][middleware]")
{
    simulation sim;
    auto probe = sim.make_probe();
    auto counts = std::make_shared<hooks>();
    int sent = 0;
    counts->on_sending = [&](context&, outgoing&) { return ++sent != 0; };
    sim.engine().spawn(
        with({counts}),
        [](context& self, pid to) -> task<> {
            self.send_as(pid(), to, number{1});
            co_return;
        },
        probe.pid());
    CHECK(probe.expect<number>().value == 1);
    CHECK(sent == 1);
}

TEST_CASE("middleware: an automatic reply that throws fails its request", "[kernel][middleware]")
{
    struct unlucky {
        using reply = int;
        int auto_reply() const { throw std::runtime_error("no answer"); }
    };
    simulation sim;
    const pid actor = sim.engine().spawn(on(1), helper);
    CHECK_THROWS_AS(sim.ask(actor, unlucky{}), error);
    CHECK(sim.ask(actor, twice{2}) == 4);
}

TEST_CASE(
    "middleware: who asked is told when it throws at a request that is passed on", "[kernel][middleware]")
{
    quiet_log quiet;
    simulation sim;
    const pid other = sim.engine().spawn(on(1), helper);
    auto throws = std::make_shared<hooks>();
    throws->on_sending = [](context&, outgoing&) -> bool { throw std::runtime_error("not this one"); };
    const pid actor = sim.engine().spawn(
        with({throws}),
        [](context& self, pid other) -> task<> {
            while (auto message = co_await self.receive()) {
                if (message.is<twice>())
                    self.forward(other, std::move(message));
            }
        },
        other);
    std::optional<error_code> ended;
    sim.engine().ask(actor, twice{1}, 1h, [&](error_code code, int) { ended = code; });
    sim.run_until_idle();
    CHECK(ended == make_error_code(errc::actor_failed));
    CHECK(sim.now() == 0s);
}

TEST_CASE("middleware: may stop an actor and throw while that sends", "[kernel][middleware]")
{
    quiet_log quiet;
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid other = sim.engine().spawn(on(GENERATE(0U, 1U)), helper);
    const bool asks = GENERATE(true, false);
    auto stops = std::make_shared<hooks>();
    stops->on_sending = [](context& self, outgoing&) -> bool {
        self.stop();
        throw std::runtime_error("enough");
    };
    const pid actor = sim.engine().spawn(
        with({stops}),
        [](context& self, pid other, bool asks) -> task<> {
            co_await self.receive<number>();
            if (asks)
                static_cast<void>(co_await self.ask(other, twice{1}));
            else
                co_await self.send_async(other, knock{});
        },
        other, asks);
    sim.send(actor, number{1});
    sim.run_until_idle();
    CHECK(events.ends_of(actor) == 1);
    CHECK(sim.ask(other, twice{2}) == 4);
}

TEST_CASE("middleware: does not keep a poison pill back", "[kernel][middleware]")
{
    simulation sim;
    const pid other = sim.engine().spawn(helper);
    auto drops = std::make_shared<hooks>();
    drops->on_sending = [](context&, outgoing&) { return false; };
    sim.engine().spawn(
        with({drops}),
        [](context& self, pid other) -> task<> {
            self.send(other, poison_pill{});
            co_return;
        },
        other);
    sim.run_until_idle();
    CHECK(sim.engine().figures().live == 0);
}

TEST_CASE("middleware: a dump from a beginning says what it can", "[kernel][middleware]")
{
    quiet_log quiet;
    simulation sim;
    std::vector<std::string> dumps;
    auto looks = std::make_shared<hooks>();
    looks->on_started = [&](context& self) { dumps.push_back(self.engine().dump_stopped()); };
    spawn_options options = with({looks});
    options.restart.limit = 1;
    const pid actor = sim.engine().spawn(options, helper);
    sim.send(actor, crash{});
    sim.run_until_idle();
    REQUIRE(dumps.size() == 2);
    CHECK(dumps[1].find(actor.to_string()) == 0);
}

TEST_CASE("middleware: may pass on what its actor has let go of", "[kernel][middleware]")
{
    const std::string long_text = "a text that is too long to be kept in place";
    const std::string long_name = "Ada Lovelace, countess of the same name";
    quiet_log quiet;
    std::vector<std::string> by_inner;
    std::vector<std::string> by_outer;
    std::vector<std::string> texts;
    std::string greeting;
    int doubled = 0;
    pid other;
    int failures = GENERATE(0, 2);
    const std::size_t restarts = static_cast<std::size_t>(failures);
    auto takes = std::make_shared<hooks>();
    takes->on_handled = [&](context& self, message& done, bool) {
        if (!done.is<twice>())
            self.forward(other, std::move(done));
    };
    spawn_options options = with({notes_handled(by_outer), takes, notes_handled(by_inner)});
    options.restart.limit = 5;
    options.failing.redeliveries = GENERATE(0U, 3U);
    const std::uint32_t strand = GENERATE(0U, 1U);
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    other = sim.engine().spawn(on(strand), takes_texts, &texts);
    const pid actor = sim.engine().spawn(options, drops_twice, &failures);

    sim.send(actor, words{long_text});
    sim.run_until_idle();
    sim.engine().ask(
        actor, greet{long_name}, 10s, [&](error_code, std::string answer) { greeting = std::move(answer); });
    sim.run_until_idle();
    sim.engine().ask(actor, twice{2}, 10s, [&](error_code, int answer) { doubled = answer; });
    sim.run_until_idle();

    CHECK(by_inner == std::vector<std::string>{"words", "greet", "twice"});
    CHECK(by_outer == std::vector<std::string>{"twice"});  // the others were gone by then
    CHECK(texts == std::vector{long_text, long_name});
    CHECK(greeting == "hello, " + long_name);
    CHECK(doubled == 4);
    CHECK(events.dead.empty());
    CHECK(events.stopped.empty());
    CHECK(events.restarted.size() == restarts);
    CHECK(sim.now() == 0s);
}

TEST_CASE("middleware: may put aside what its actor has let go of", "[kernel][middleware]")
{
    const std::string long_name = "Ada Lovelace, countess of the same name";
    quiet_log quiet;
    std::vector<std::string> by_outer;
    std::vector<std::string> texts;
    std::string greeting;
    bool refused = false;
    auto takes = std::make_shared<hooks>();
    takes->on_handled = [&](context& self, message& done, bool failed) {
        if (failed)
            self.stash(std::move(done));
    };
    spawn_options options = with({notes_handled(by_outer), takes});
    options.restart.limit = 5;
    options.failing.redeliveries = GENERATE(0U, 3U);
    simulation sim(GENERATE(1U, 2U, 3U));
    event_record events(sim.engine());
    const pid actor = sim.engine().spawn(
        options,
        [](context& self, std::vector<std::string>* texts, bool* refused) -> task<> {
            while (auto message = co_await self.receive())
                message.match([&](greet& m) {
                    texts->push_back(m.who);
                    if (!std::exchange(*refused, true))
                        throw std::runtime_error("not yet");
                    return "hello, " + m.who;
                });
        },
        &texts, &refused);

    sim.engine().ask(
        actor, greet{long_name}, 10s, [&](error_code, std::string answer) { greeting = std::move(answer); });
    sim.run_until_idle();

    CHECK(texts == std::vector{long_name, long_name});  // what is aside comes back before a restart
    CHECK(greeting == "hello, " + long_name);
    CHECK(by_outer == std::vector<std::string>{"greet"});
    CHECK(events.dead.empty());
    CHECK(events.restarted.size() == 1);
}
