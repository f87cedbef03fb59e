// SPDX-License-Identifier: MIT

#include <support/world.hpp>

#include <costar/actor/passivation.hpp>
#include <costar/actor/router.hpp>
#include <costar/actor/stream.hpp>
#include <costar/core/result.hpp>
#include <costar/core/spawn.hpp>
#include <costar/kernel/middleware.hpp>
#include <costar/post/outgoing.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <utility>
#include <variant>

namespace support {

namespace {

namespace asio = boost::asio;
using namespace costar;
using namespace costar::machine;
using namespace std::chrono_literals;

// Messages
// ---------------------------------------------------------------------------------------------------------

/// Copied from strand to strand. `number` grows with each message of one sender.
struct small_item {
    std::uint32_t sender;
    std::uint32_t number;
    std::uint32_t item;
    std::uint32_t is_direct;

    std::uint64_t hash_key() const noexcept { return item % 7; }
};

/// Travels in an envelope.
struct big_item {
    small_item is;
    std::string text;
    counted alive;

    std::uint64_t hash_key() const noexcept { return is.hash_key(); }
};

/// Not equal to others where mailboxes have an order.
struct urgent {
    int level;
    int priority() const noexcept { return level; }
};

struct tick {
    static constexpr bool leaves_idle = true;
};

struct question {
    using reply = int;
    int value;

    std::uint64_t hash_key() const noexcept { return static_cast<std::uint64_t>(value) % 5; }
};
struct long_question {
    using reply = std::string;
    std::string text;
    counted alive;
};
struct get_numbers {
    using reply = stream<int>;
    int count;
};
struct crash_now {};
struct stop_now {};

/// An event of the world's own.
struct gossip {
    int depth;
};

int answer_to(int value) noexcept
{
    return value ^ 0x5a5a;
}

class injected : public std::runtime_error {
public:
    injected() : std::runtime_error("told to") {}
};

// Actors
// -----------------------------------------------------------------------------------------------------------

/// What an actor of the world is through all its lives. Used on its strand.
struct role {
    role(world_book& book, std::uint64_t seed, int depth)
        : book(book), seed(seed), depth(depth), sender(book.next_sender())
    {}

    /// A message from a sender must come behind those that came before, of the same type.
    void check_order(const small_item& got, int type)
    {
        if (!is_ordered || got.is_direct == 0)
            return;
        std::uint32_t& before = last[{got.sender, type}];
        if (got.number <= before)
            book.blame(fmt::format(
                "sender {}: number {} came after number {} (type {})", got.sender, got.number, before, type));
        before = got.number;
    }

    void note(const small_item& got, int type)
    {
        check_order(got, type);
        book.note(
            got.item, keeps_failing ? world_book::handled | world_book::repeatable : world_book::handled);
    }

    world_book& book;
    const std::uint64_t seed;
    const int depth;
    const std::uint32_t sender;
    std::uint32_t sent = 0;
    std::map<std::pair<std::uint32_t, int>, std::uint32_t> last;
    std::map<pid, bool> watched;  // and were alive then
    bool is_ordered = true;
    bool keeps_failing = false;
};

using role_pointer = std::shared_ptr<role>;

/// One life of an actor, or one errand beside it.
struct life {
    life(context& self, role_pointer who, std::uint64_t seed, bool in_body)
        : self(self), me(std::move(who)), random(seed), in_body(in_body), alive(me->book)
    {}

    world_book& book() const noexcept { return me->book; }
    pid somebody() { return direct().who; }

    world_book::acquaintance anybody() { return book().anybody(random); }
    world_book::acquaintance direct()
    {
        world_book::acquaintance found = anybody();
        for (int i = 0; i < 4 && found.is_detour; ++i)
            found = anybody();
        return found;
    }

    bool chance(std::uint64_t one_in) { return random.below(one_in) == 0; }
    std::chrono::nanoseconds soon() { return std::chrono::microseconds(1 + random.below(20'000)); }

    context& self;
    role_pointer me;
    random_source random;
    const bool in_body;
    bool is_over = false;
    std::vector<future<int>> futures;
    std::vector<schedule> schedules;
    std::vector<event_stream::subscription> subscriptions;
    std::vector<message> kept;
    std::vector<stream<int>> streams;
    counted alive;
};

/// A wait that must end by itself, within a time if it has one.
class waiting {
public:
    waiting(life& l, const char* what, std::chrono::nanoseconds limit = std::chrono::nanoseconds::max())
        : l_(l), what_(what), limit_(limit), began_(l.self.now())
    {
        ++l_.book().under_way;
    }
    waiting(const waiting&) = delete;
    ~waiting()
    {
        --l_.book().under_way;
        if (limit_ != std::chrono::nanoseconds::max())
            l_.book().check_end(limit_, l_.self.now() - began_, what_);
    }

private:
    life& l_;
    const char* what_;
    std::chrono::nanoseconds limit_;
    std::chrono::nanoseconds began_;
};

task<> act(life& l);
task<> citizen(context& self, role_pointer me);

/// Hands out the next message of a sender.
template <class Send>
void send_item(world_book& book, random_source& random, std::uint32_t sender, std::uint32_t& sent,
    world_book::acquaintance to, Send&& send)
{
    const std::uint32_t item = book.next_item();
    if (item == world_book::no_item)
        return;
    const small_item made{sender, ++sent, item, to.is_detour ? 0U : 1U};
    if (to.is_detour)
        book.note(item, world_book::repeatable);
    try {
        if (random.below(2) == 0)
            send(made);
        else
            send(big_item{made, std::string(random.below(40), 'x'), counted(book)});
    } catch (...) {
        book.note(item, world_book::refused);  // its sender knows
        throw;
    }
}

template <class Send>
void send_item(life& l, world_book::acquaintance to, Send&& send)
{
    send_item(l.book(), l.random, l.me->sender, l.me->sent, to, std::forward<Send>(send));
}

const small_item& item_of(const small_item& sent) noexcept
{
    return sent;
}
const small_item& item_of(const big_item& sent) noexcept
{
    return sent.is;
}

/// What became of an item whose sender waited for room.
void note_admission(world_book& book, std::uint32_t item, const error_code& code)
{
    if (code == errc::cancelled)
        book.note(item, world_book::open);
    else if (code)
        book.note(item, world_book::refused);
}

/// How the names begin of actors that the world leaves alone.
constexpr std::string_view spared = "pulse";

/// Does strange things to the actors that it stands before, as long as the world acts.
class hostile final : public middleware {
public:
    hostile(world_book& book, std::uint64_t seed, bool is_inherited)
        : book_(book), seed_(seed), is_inherited_(is_inherited)
    {}

    void started(context& self) override
    {
        if (chance(self, 64))
            throw injected();
    }

    bool receiving(context& self, message& taken) override
    {
        if (chance(self, 64))
            throw injected();
        if (chance(self, 128))
            self.stop();
        if (!chance(self, 32))
            return true;
        if (taken.is<small_item>())
            book_.note(taken.get<small_item>().item, world_book::withheld);
        else if (taken.is<big_item>())
            book_.note(taken.get<big_item>().is.item, world_book::withheld);
        return false;
    }

    void handled(context& self, message&, bool) noexcept override
    {
        if (chance(self, 32))
            self.engine().send(anybody(), tick{});
    }

    bool sending(context& self, outgoing& sent) override
    {
        if (chance(self, 64))
            throw injected();
        if (chance(self, 128))
            self.stop();
        if (chance(self, 32))
            sent.headers().set("by", "hostile");
        if (chance(self, 32))
            if (const pid other = anybody())
                sent.redirect(other);
        return !chance(self, 64);
    }

    void spawning(context& self, spawn_options& child) override
    {
        if (chance(self, 32))
            throw injected();
        if (chance(self, 32))
            child.mailbox = {.limit = 2, .when_full = overflow::wait};
    }

    void posted(context& self, std::string_view, std::size_t) noexcept override
    {
        if (chance(self, 64))
            self.engine().send(anybody(), tick{});
    }

    void emptied(context& self) noexcept override
    {
        if (chance(self, 128))
            self.engine().stop(self.pid());
    }

    void stopped(context& self) noexcept override
    {
        if (chance(self, 8))
            self.engine().events().publish(gossip{2});
    }

    bool inherited() const noexcept override { return is_inherited_; }

private:
    std::uint64_t draw() noexcept { return random_source(seed_ + drawn_.fetch_add(1)).next(); }
    bool chance(context& self, std::uint64_t one_in)
    {
        return draw() % one_in == 0 && book_.is_acting() && !self.name().starts_with(spared);
    }
    pid anybody() noexcept
    {
        random_source random(draw());
        const world_book::acquaintance found = book_.anybody(random);
        return found.is_detour ? pid() : found.who;
    }

    world_book& book_;
    const std::uint64_t seed_;
    const bool is_inherited_;
    std::atomic<std::uint64_t> drawn_{0};
};

/// Answers a request when its time has come.
task<> answers_one(context&, message request, std::chrono::nanoseconds delay)
{
    co_await sleep_for(delay);
    if (request.is<question>())
        request.respond(answer_to(request.get<question>().value));
}

task<> errand(context& self, role_pointer me, std::uint64_t seed)
{
    life l(self, std::move(me), seed, false);
    for (std::uint64_t i = l.random.below(4); i > 0; --i)
        co_await act(l);
}

task<> puts_numbers(context& self, sink<int> out, int count)
{
    for (int i = 0; i < count; ++i) {
        if (i % 8 == 7)
            co_await sleep_for(1ms);
        if (i == 29)
            throw injected();
        co_await out.put(i);
    }
    static_cast<void>(self);
}

void answer(life& l, message got)
{
    const int value = got.get<question>().value;
    switch (l.random.below(16)) {
    case 0:
        l.kept.push_back(std::move(got));
        break;
    case 1:
        l.self.spawn_task(answers_one(l.self, std::move(got), l.soon()));
        break;
    case 2:
        try {
            const auto where = static_cast<placement>(l.random.below(2));
            l.self.spawn({.placement = where}, answers_one, std::move(got), l.soon());
        } catch (const std::logic_error&) {
            // The child would have lived on another strand than the message.
        }
        break;
    case 3:
        break;  // unanswered
    case 4:
        got.respond(std::string("of another type"));
        break;
    case 5:
        if (l.book().is_acting())
            throw injected();
        break;
    default:
        got.respond(answer_to(value));
        got.respond(answer_to(value) + 1);  // nobody waits any more
    }
}

/// Deals with a message; what it throws is a crash.
void handle(life& l, message got)
{
    role& me = *l.me;
    if (got.is<question>()) {
        if (l.chance(8))
            l.self.forward(l.somebody(), std::move(got));
        else
            answer(l, std::move(got));
        return;
    }
    if (l.in_body && l.chance(24) && !got.is<terminated>()) {
        me.is_ordered = false;
        try {
            l.self.stash(std::move(got));
        } catch (const error&) {
            // It is still here.
        }
        if (!got)
            return;
    }
    const bool fails = l.book().is_acting() && l.chance(40);
    got.match(
        [&](small_item& m) {
            me.note(m, 0);
            if (fails)
                throw injected();
        },
        [&](big_item m) {
            me.note(m.is, 1);
            if (fails)
                throw injected();
        },
        [&](long_question& m) { return m.text + "!"; },
        [&](get_numbers& m) {
            stream_options options{.idle = l.chance(3) ? l.soon() : 0ns};
            options.actor.placement = l.chance(2) ? placement::beside : placement::spread;
            return make_stream<int>(l.self, options, puts_numbers, m.count);
        },
        [&](terminated& m) {
            const auto found = me.watched.find(m.who);
            if (found == me.watched.end())
                me.book.blame("a terminated came unasked or twice");
            else if (found->second && me.book.is_alive(m.who))
                me.book.blame("a terminated came before the end");
            me.watched.erase(m.who);
        },
        [&](crash_now&) {
            if (l.book().is_acting())
                throw injected();
        },
        [&](stop_now&) { l.self.stop(); }, [](tick&) {}, [](urgent&) {}, [](receive_timeout&) {},
        [](failed_ask&) {}, [](int&) {}, [](std::monostate&) {}, [](gossip&) {}, [](actor_stopped&) {});
}

/// In a branch of `when_any`, which is cancelled with the actor and for no other reason.
task<message> takes_in_branch(life& l)
{
    context& self = l.self;
    try {
        if (l.chance(2)) {
            auto first = co_await when_any(self.receive(), sleep_for(l.soon()));
            co_return first.index() == 0 ? std::get<0>(std::move(first)) : message::none_in_time();
        }
        auto first = co_await when_any(sleep_for(l.soon()), self.receive<small_item>(l.soon()));
        co_return first.index() == 1 ? std::get<1>(std::move(first)) : message::none_in_time();
    } catch (const error& failure) {
        if (failure.code() != errc::cancelled)
            throw;
    }
    if (co_await as_result(sleep_for(0s)))
        l.book().blame("a receive was cancelled, and nothing else");
    throw error(errc::cancelled);
}

/// Waits for the next message in one of many ways.
task<message> takes(life& l)
{
    context& self = l.self;
    switch (l.random.below(12)) {
    case 0:
        co_return co_await self.receive(l.soon());
    case 1:
        if (l.chance(2))
            co_return co_await self.receive<small_item>(l.soon());
        co_return co_await self.receive<tick>();
    case 2: {
        std::vector<message> all = co_await self.receive_batch(1 + l.random.below(6));
        if (all.empty())
            co_return message();
        l.me->is_ordered = false;  // the first comes last
        for (std::size_t i = 1; i < all.size(); ++i)
            handle(l, std::move(all[i]));
        co_return std::move(all.front());
    }
    case 3:
        co_return co_await takes_in_branch(l);
    case 4:
        if (message there = self.try_receive())
            co_return there;
        co_return co_await self.receive();
    default:
        co_return co_await self.receive();
    }
}

task<> citizen(context& self, role_pointer me)
{
    me->book.begun(self.pid(), self.parent());
    me->is_ordered = me->is_ordered && !me->keeps_failing;
    life l(self, me, me->seed + self.restart_count(), true);
    if (l.book().is_acting() && l.chance(48))
        throw injected();
    // It keeps itself busy as long as anything is to be done.
    const auto interval = l.book().options().simulated ? 500us + l.soon() / 8 : 20us + l.soon() / 64;
    schedule pace = self.send_every(interval, self.pid(), tick{});
    while (!l.is_over) {
        if (!l.book().is_acting())
            pace.cancel();
        message got = message::none_in_time();
        bool is_refused = false;
        try {
            got = co_await takes(l);
        } catch (const std::logic_error&) {
            is_refused = true;  // a task of its own receives
        }
        if (is_refused)
            co_await sleep_for(1ms);
        if (!got && !got.timed_out())
            break;
        if (got)
            handle(l, std::move(got));
        if (!l.chance(3) && !self.stopping())
            co_await act(l);
    }
    if (l.chance(4))  // last words
        co_await act(l);
}

/// Passes on what it gets.
task<> relay(context& self, role_pointer me)
{
    life l(self, std::move(me), 1, true);
    l.book().begun(self.pid(), self.parent());
    while (message got = co_await self.receive())
        self.forward(l.somebody(), std::move(got));
}

/// One of several behind a router.
task<> routee(context& self, world_book* book)
{
    const counted alive(*book);
    random_source random(self.pid().key());
    while (message got = co_await self.receive()) {
        if (random.below(8) == 0)
            co_await sleep_for(1ms);
        got.match([&](small_item& m) { book->note(m.item, world_book::handled); },
            [&](big_item& m) { book->note(m.is.item, world_book::handled); },
            [](question& m) { return answer_to(m.value); },
            [&](crash_now&) {
                if (book->is_acting())
                    throw injected();
            },
            [](tick&) {});
    }
}

/// An actor of a class, with everything that a class may have.
class resident : public behaviours {
public:
    resident(role_pointer me) : me_(std::move(me)), alive_(me_->book) {}

    task<> started(context& self)
    {
        me_->book.begun(self.pid(), self.parent());
        co_await sleep_for(10us);
    }
    void restarting() {}
    task<> stopping(context& self)
    {
        co_await sleep_for(100us);
        self.engine().events().publish(gossip{1});
    }
    void stopped() {}

    void operator()(small_item& m) { me_->note(m, 0); }
    void operator()(big_item m) { me_->note(m.is, 1); }
    int operator()(question& m) { return answer_to(m.value); }
    task<std::string> operator()(context& self, long_question& m)
    {
        std::string text = m.text;
        const pid child = self.spawn([](context& self) -> task<> {
            while (co_await self.receive()) {}
        });
        co_await yield();
        co_await self.stop(child);
        co_return text + "!";
    }
    void operator()(tick&)
    {
        become_stacked([this](tick&) { unbecome(); });
    }
    void operator()(crash_now&)
    {
        if (me_->book.is_acting())
            throw injected();
    }
    void operator()(context& self, stop_now&) { self.stop(); }

private:
    role_pointer me_;
    counted alive_;
};

// What an actor may do
// --------------------------------------------------------------------------------------------

spawn_options random_options(world_book& book, random_source& random, std::size_t strands)
{
    const auto chance = [&](std::uint64_t one_in) { return random.below(one_in) == 0; };
    spawn_options options;
    options.placement = static_cast<placement>(random.below(3));
    options.strand = static_cast<std::uint32_t>(random.below(strands));
    if (chance(6))
        options.name = "citizen " + std::to_string(random.below(6));
    if (chance(2)) {
        options.restart.limit = static_cast<std::uint32_t>(random.below(4));
        options.restart.delay = std::chrono::microseconds(random.below(2) * random.below(5000));
        options.restart.jitter = chance(2) ? 0.5 : 0;
        options.restart.keep_children = chance(4) && !book.options().without.contains("keep children");
    }
    if (chance(8))
        options.decide = costar::on<injected>(static_cast<directive>(random.below(4)));
    if (chance(6)) {
        options.failing.redeliveries = static_cast<std::uint32_t>(random.below(3));
        options.failing.becomes_dead_letter = chance(2);
    }
    if (chance(3)) {
        options.mailbox.limit = static_cast<std::uint32_t>(1 + random.below(8));
        options.mailbox.when_full = static_cast<overflow>(random.below(5));
        options.mailbox.by_priority = chance(3);
        options.mailbox.stash_limit = static_cast<std::uint32_t>(random.below(4));
    }
    if (chance(4))
        options.middleware.push_back(std::make_shared<hostile>(book, random.next(), chance(2)));
    if (chance(8))
        options.middleware.push_back(std::make_shared<passivation>(2ms));
    return options;
}

/// Spawns a citizen or a resident, as an actor or from outside.
template <class Where>
void spawn_somebody(Where& where, world_book& book, random_source& random, engine& engine, int depth)
{
    if (engine.figures().live > 200)
        return;
    spawn_options options = random_options(book, random, engine.size());
    const auto child = std::make_shared<role>(book, random.next(), depth);
    child->keeps_failing = options.failing.redeliveries != 0 || options.failing.becomes_dead_letter;
    try {
        switch (random.below(6)) {
        case 0:
            book.introduce({where.template spawn<resident>(std::move(options), child)});
            break;
        case 1:
            options = {.placement = placement::spread};
            book.introduce({where.spawn(std::move(options), relay, child), true});
            break;
        case 2:
            child->keeps_failing = false;
            book.introduce({where.spawn(citizen, child)});
            break;
        default:
            book.introduce({where.spawn(std::move(options), citizen, child)});
        }
    } catch (const name_in_use&) {
        // Another one is faster.
    }
}

template <class Where>
void spawn_router(Where& where, world_book& book, random_source& random, engine& engine)
{
    if (engine.figures().live > 200)
        return;
    router_options options;
    options.strategy = static_cast<routing>(random.below(6));
    options.seed = random.next();
    options.actor.placement = static_cast<placement>(random.below(2));
    options.routee.placement = static_cast<placement>(random.below(2));
    if (random.below(2) == 0)
        options.actor.restart = {.limit = 3, .keep_children = random.below(2) == 0};
    if (random.below(2) == 0) {
        options.routee.restart = {.limit = 2};
        const std::size_t size = random.below(4);
        book.introduce({spawn_pool(where, "", size, options, routee, &book), true});
    } else {
        std::vector<pid> members;
        for (std::uint64_t i = random.below(4); i > 0; --i)
            if (const auto found = book.anybody(random); found.who && !found.is_detour)
                members.push_back(found.who);
        book.introduce({spawn_group(where, "", members, options), true});
    }
}

task<> sends(life& l)
{
    const auto to = l.anybody();
    send_item(l, to, [&](auto&& item) { l.self.send(to.who, std::move(item)); });
    co_return;
}

task<> sends_burst(life& l)
{
    const auto to = l.anybody();
    for (std::uint64_t i = l.random.below(24); i > 0; --i)
        send_item(l, to, [&](auto&& item) { l.self.send(to.who, std::move(item)); });
    co_return;
}

/// Keeps its strand busy without end, as it looks to others: something is always ready there.
task<> keeps_busy(life& l)
{
    const waiting wait(l, "being busy");
    for (int i = l.book().options().simulated ? 20 : 2000; i > 0 && l.book().is_acting(); --i) {
        l.self.send(l.self.pid(), tick{});
        co_await yield();
        if (l.self.stopping() || l.self.mailbox_size() > 1000)
            break;
    }
}

task<> sends_to_itself(life& l)
{
    for (std::uint64_t i = l.random.below(32); i > 0; --i)
        send_item(l, {l.self.pid()}, [&](auto&& item) { l.self.send(l.self.pid(), std::move(item)); });
    co_return;
}

task<> sends_headers(life& l)
{
    const auto to = l.anybody();
    send_item(l, to, [&](auto&& item) { l.self.send(to.who, std::move(item), headers{{"trace", "1"}}); });
    co_return;
}

task<> sends_as(life& l)
{
    const auto to = l.anybody();
    send_item(l, to, [&](auto&& item) { l.self.send_as(l.somebody(), to.who, std::move(item)); });
    co_return;
}

task<> sends_plainly(life& l)
{
    switch (l.random.below(4)) {
    case 0:
        l.self.send(l.somebody(), urgent{static_cast<int>(l.random.below(8))});
        break;
    case 1:
        l.self.send(l.somebody(), crash_now{});
        break;
    case 2:
        l.self.send(l.somebody(), std::string("not understood"));
        break;
    default:
        l.self.send(l.somebody(), stop_now{});
    }
    co_return;
}

task<> sends_async(life& l)
{
    const auto to = l.anybody();
    const bool in_time = l.chance(2);
    std::optional<send_request> sending;
    std::uint32_t item = world_book::no_item;
    send_item(l, to, [&](auto&& made) {
        item = item_of(made).item;
        sending.emplace(l.self.send_async(to.who, std::move(made)));
    });
    if (!sending)
        co_return;
    error_code ended = errc::cancelled;
    try {
        if (in_time) {
            const waiting wait(l, "send_async in time", 5ms);
            co_await with_timeout(5ms, std::move(*sending));
        } else {
            co_await std::move(*sending);
        }
        ended = {};
    } catch (const boost::system::system_error& thrown) {
        ended = thrown.code() == errc::timed_out ? error_code(errc::cancelled) : thrown.code();
    } catch (...) {
        l.book().note(item, world_book::refused);  // by middleware
        throw;
    }
    note_admission(l.book(), item, ended);
}

task<> asks(life& l)
{
    const int value = static_cast<int>(l.random.below(1000));
    const auto limit = l.soon();
    const waiting wait(l, "ask", limit);
    const pid to = l.anybody().who;
    const auto answered = l.chance(4)
        ? co_await as_result(l.self.ask(to, question{value}, headers{{"trace", "2"}}, limit))
        : co_await as_result(l.self.ask(to, question{value}, limit));
    if (answered && *answered != answer_to(value))
        l.book().blame("an ask got the answer to another one");
}

task<> asks_long(life& l)
{
    const auto limit = l.soon();
    const waiting wait(l, "ask of text", limit);
    const std::string text = std::to_string(l.random.next());
    const auto answered =
        co_await as_result(l.self.ask(l.somebody(), long_question{text, counted(l.book())}, limit));
    if (answered && *answered != text + "!")
        l.book().blame("an ask got the text of another one");
}

task<> asks_in_time(life& l)
{
    const waiting wait(l, "ask within a timeout", 2ms);
    const int value = static_cast<int>(l.random.below(1000));
    const auto answered =
        co_await as_result(with_timeout(2ms, l.self.ask(l.somebody(), question{value}, 1s)));
    if (answered && *answered != answer_to(value))
        l.book().blame("an ask in time got the answer to another one");
}

task<> asks_at_once(life& l)
{
    const auto limit = l.soon();
    const waiting wait(l, "asks at once", limit);
    std::vector<future<int>> all;
    const std::size_t count = 1 + l.random.below(4);
    for (std::size_t i = 0; i < count; ++i)
        all.push_back(l.self.ask_future(l.anybody().who, question{7}, limit));
    switch (l.random.below(4)) {
    case 0:
        static_cast<void>(co_await as_result(all_of(std::move(all))));
        break;
    case 1:
        static_cast<void>(co_await as_result(any_of(std::move(all))));
        break;
    case 2:
        static_cast<void>(co_await as_result(n_of(2, std::move(all))));
        break;
    default:
        for (const auto& each : co_await results_of(std::move(all)))
            if (each && *each != answer_to(7))
                l.book().blame("one of several asks got another answer");
    }
}

task<> asks_all(life& l)
{
    const auto limit = l.soon();
    const waiting wait(l, "asks of all", limit);
    const std::vector<pid> all{l.anybody().who, l.anybody().who, l.self.pid()};
    for (const auto& each : co_await l.self.ask_all(all, question{9}, limit))
        if (each && *each != answer_to(9))
            l.book().blame("one of all asks got another answer");
}

task<> touches(life& l)
{
    const waiting wait(l, "touch", 3ms);
    static_cast<void>(co_await as_result(l.self.ask(l.anybody().who, touch{}, 3ms)));
}

task<> asks_both(life& l)
{
    const auto limit = l.soon();
    const waiting wait(l, "two asks", limit);
    const auto both = co_await when_all(as_result(l.self.ask(l.somebody(), question{1}, limit)),
        as_result(l.self.ask(l.somebody(), question{2}, limit)));
    if ((std::get<0>(both) && *std::get<0>(both) != answer_to(1)) ||
        (std::get<1>(both) && *std::get<1>(both) != answer_to(2)))
        l.book().blame("one of two asks got the other's answer");
}

task<> asks_future(life& l)
{
    l.futures.push_back(l.self.ask_future(l.anybody().who, question{3}, l.soon()));
    if (l.futures.size() > 8)
        l.futures.erase(l.futures.begin());
    co_return;
}

task<> uses_future(life& l)
{
    if (l.futures.empty())
        co_return;
    future<int> taken = std::move(l.futures.back());
    l.futures.pop_back();
    const waiting wait(l, "future", 20ms);
    switch (l.random.below(5)) {
    case 0:
        if (const auto answered = co_await as_result(std::move(taken)); answered && *answered != answer_to(3))
            l.book().blame("a future got another answer");
        break;
    case 1:
        taken.cancel();
        break;
    case 2:
        taken.pipe_to(l.somebody(), l.somebody());
        break;
    case 3:
        std::move(taken).pipe_to(l.somebody());
        break;
    default:
        co_await taken.wait();
    }
}

task<> stops(life& l)
{
    const pid target = l.chance(12) ? l.self.pid() : l.anybody().who;
    const bool was_alive = l.book().is_alive(target);
    if (!l.in_body || l.chance(2)) {
        l.self.stop(target);
        co_return;
    }
    const waiting wait(l, "stop");
    co_await l.self.stop(target);
    if (was_alive && target != l.self.pid() && l.book().is_alive(target))
        l.book().blame("a stop was over before the end");
}

task<> poisons(life& l)
{
    const pid target = l.anybody().who;
    const bool was_alive = l.book().is_alive(target);
    if (l.chance(2)) {
        l.self.poison(target);
        co_return;
    }
    co_await with_timeout(5ms, l.self.poison(target));
    if (was_alive && target != l.self.pid() && l.book().is_alive(target))
        l.book().blame("a poison was over before the end");
}

task<> waits(life& l)
{
    const pid target = l.anybody().who;
    const bool was_alive = l.book().is_alive(target);
    const waiting wait(l, "wait", 3ms);
    co_await with_timeout(3ms, l.self.wait(target));
    if (was_alive && target != l.self.pid() && l.book().is_alive(target))
        l.book().blame("a wait was over before the end");
}

task<> stops_children(life& l)
{
    for (const pid each : l.self.children())
        if (l.chance(2))
            l.self.stop(each);
    co_return;
}

task<> watches(life& l)
{
    const pid target = l.anybody().who;
    // Beside the body a terminated may be in its hands, so that one more is asked for.
    if (!l.in_body || !target || target == l.self.pid())
        co_return;
    l.me->watched.emplace(target, l.book().is_alive(target));
    l.self.watch(target);
    l.self.watch(target);
}

task<> unwatches(life& l)
{
    if (!l.in_body || l.me->watched.empty())
        co_return;
    const pid target = l.me->watched.begin()->first;
    l.me->watched.erase(target);
    l.self.unwatch(target);
}

task<> links(life& l)
{
    const pid target = l.anybody().who;
    if (l.chance(2))
        l.self.link(target);
    else
        l.self.unlink(target);
    co_return;
}

task<> restarts(life& l)
{
    l.self.restart(l.anybody().who);
    co_return;
}

task<> crashes(life& l)
{
    if (l.chance(3))
        throw injected();
    co_return;
}

task<> spawns(life& l)
{
    if (l.me->depth > 3)
        co_return;
    spawn_somebody(l.self, l.book(), l.random, l.self.engine(), l.me->depth + 1);
}

task<> spawns_router(life& l)
{
    spawn_router(l.self, l.book(), l.random, l.self.engine());
    co_return;
}

task<> changes_router(life& l)
{
    const auto to = l.anybody();
    switch (l.random.below(5)) {
    case 0:
        l.self.send(to.who, add_routee{l.somebody()});
        break;
    case 1:
        l.self.send(to.who, remove_routee{l.somebody()});
        break;
    case 2:
        l.self.send(to.who, resize_pool{l.random.below(5)});
        break;
    case 3: {
        broadcast all(tick{});
        if (l.chance(4))
            static_cast<void>(all.release());  // nothing is left of it
        l.self.send(to.who, std::move(all));
        break;
    }
    default: {
        const waiting wait(l, "routees", 5ms);
        static_cast<void>(co_await as_result(l.self.ask(to.who, get_routees{}, 5ms)));
    }
    }
}

task<> unstashes(life& l)
{
    if (l.in_body)
        l.self.unstash(l.chance(2) ? SIZE_MAX : l.random.below(3));
    co_return;
}

task<> schedules(life& l)
{
    schedule made;
    switch (l.random.below(4)) {
    case 0:
        made = l.self.send_after(l.soon(), l.somebody(), tick{});
        break;
    case 1:
        made = l.self.send_every(std::chrono::microseconds(200 + l.random.below(5000)), l.somebody(), tick{},
            {.pace = static_cast<pace>(l.random.below(2)),
                .overlap = static_cast<overlap>(l.random.below(2)),
                .missed = static_cast<missed>(l.random.below(3))});
        break;
    case 2:
        made = l.self.send_at_cron("* * * * *", l.somebody(), tick{});
        break;
    default:
        made = l.self.send_after(0ns, l.self.pid(), tick{});
    }
    l.schedules.push_back(made);
    co_return;
}

task<> unschedules(life& l)
{
    for (schedule& each : l.schedules) {
        static_cast<void>(each.skipped());
        if (each.active() && l.chance(2))
            each.cancel();
    }
    co_return;
}

task<> opens_stream(life& l)
{
    const waiting wait(l, "stream", 5ms);
    auto opened =
        co_await as_result(l.self.ask(l.somebody(), get_numbers{static_cast<int>(l.random.below(40))}, 5ms));
    if (!opened)
        co_return;
    opened->window(static_cast<std::uint32_t>(l.random.below(20)));
    l.streams.push_back(std::move(*opened));
}

task<> reads_stream(life& l)
{
    if (l.streams.empty())
        co_return;
    stream<int> read = std::move(l.streams.back());
    l.streams.pop_back();
    const waiting wait(l, "reading a stream");
    try {
        for (std::uint64_t i = l.random.below(40); i > 0; --i)
            if (!co_await with_timeout(5ms, read.next(l.self)))
                co_return;
    } catch (const error& thrown) {
        if (thrown.code() == errc::cancelled)
            throw;
    }
    if (l.chance(2))
        l.streams.push_back(std::move(read));
}

task<> offloads(life& l)
{
    const waiting wait(l, "offload");
    engine& where = l.self.engine();
    const pid to = l.somebody();
    const auto kind = l.random.below(3);
    const auto done = co_await as_result(l.self.offload([&where, to, kind] {
        if (kind == 0)
            where.send(to, tick{});
        if (kind == 1)
            throw injected();
        return 42;
    }));
    if (done && *done != 42)
        l.book().blame("an offloaded function gave another value");
}

task<> publishes(life& l)
{
    l.self.engine().events().publish(gossip{static_cast<int>(l.random.below(3))});
    co_return;
}

task<> subscribes(life& l)
{
    if (l.chance(2))
        l.subscriptions.push_back(l.self.engine().subscribe<gossip>(l.self.pid()));
    else
        l.subscriptions.push_back(l.self.engine().subscribe<actor_stopped>(l.somebody()));
    if (l.subscriptions.size() > 3)
        l.subscriptions.erase(l.subscriptions.begin());
    co_return;
}

task<> runs_errand(life& l)
{
    l.self.spawn_task(errand(l.self, l.me, l.random.next()));
    co_return;
}

/// A task that ends in a crash when the actor ends, or begins anew.
task<> throws_at_the_end(context&)
{
    try {
        co_await sleep_for(1h);
    } catch (const error&) {
        throw injected();
    }
}

task<> leaves_a_thrower(life& l)
{
    if (l.chance(4))
        l.self.spawn_task(throws_at_the_end(l.self));
    co_return;
}

/// Receives in a task; whoever comes second, this or the body, is refused.
task<> receives_beside(life& l)
{
    if (l.in_body)
        co_return;
    l.me->is_ordered = false;
    const auto limit = l.soon();
    const waiting wait(l, "receive in a task", limit);
    try {
        if (message got = co_await l.self.receive(limit))
            handle(l, std::move(got));
    } catch (const std::logic_error&) {
        // The body waits.
    }
}

task<> ends_children(life& l)
{
    if (!l.in_body || !l.chance(4))
        co_return;
    l.is_over = true;
    const waiting wait(l, "end of children");
    co_await l.self.end_children();
}

task<> returns(life& l)
{
    l.is_over = l.chance(4);
    co_return;
}

task<> rests(life& l)
{
    const auto length = l.soon();
    const waiting wait(l, "sleep", length);
    switch (l.random.below(3)) {
    case 0:
        co_await sleep_for(length);
        break;
    case 1:
        co_await sleep_for(0ns);
        break;
    default:
        co_await yield();
    }
}

task<> shields(life& l)
{
    const waiting wait(l, "shield", 2ms);
    co_await shield(sleep_for(std::chrono::microseconds(l.random.below(2000))));
}

task<> looks_at_mailbox(life& l)
{
    const waiting wait(l, "a look at a mailbox");
    static_cast<void>(co_await as_result(l.self.mailbox_of(l.anybody().who)));
    static_cast<void>(l.self.mailbox_size());
}

task<> watches_silence(life& l)
{
    switch (l.random.below(3)) {
    case 0:
        l.self.set_receive_timeout(l.soon(), l.chance(2));
        break;
    case 1:
        l.self.set_receive_timeout(0ns);
        break;
    default:
        l.self.stop_when_idle(l.chance(2) ? 0ns : l.soon());
    }
    co_return;
}

task<> supervises(life& l)
{
    switch (l.random.below(4)) {
    case 0:
        l.self.supervise(one_for_one({.limit = 3}));
        break;
    case 1:
        l.self.supervise(all_for_one({.limit = 3}));
        break;
    case 2:
        l.self.supervise(rest_for_one({.limit = 2, .delay = 1ms}));
        break;
    default:
        l.self.supervise(exponential_backoff(100us, 2ms));
    }
    co_return;
}

task<> answers_kept(life& l)
{
    while (!l.kept.empty()) {
        message late = std::move(l.kept.back());
        l.kept.pop_back();
        late.respond(answer_to(late.get<question>().value));
    }
    co_return;
}

task<> posts(life& l)
{
    engine& where = l.self.engine();
    const pid to = l.somebody();
    asio::post(where.get_executor(l.random.below(where.size())), [&where, to] { where.send(to, tick{}); });
    co_return;
}

task<> finds(life& l)
{
    engine& where = l.self.engine();
    static_cast<void>(where.find("citizen 1"));
    static_cast<void>(l.self.name());
    static_cast<void>(where.figures());
    co_return;
}

struct operation {
    std::string_view name;
    task<> (*run)(life&);
};

constexpr operation actor_operations[] = {
    {"send", sends},
    {"burst", sends_burst},
    {"busy", keeps_busy},
    {"send to itself", sends_to_itself},
    {"send with headers", sends_headers},
    {"send as", sends_as},
    {"send plainly", sends_plainly},
    {"send async", sends_async},
    {"ask", asks},
    {"ask of text", asks_long},
    {"ask in time", asks_in_time},
    {"asks at once", asks_at_once},
    {"asks of all", asks_all},
    {"touch", touches},
    {"two asks", asks_both},
    {"ask future", asks_future},
    {"use future", uses_future},
    {"stop", stops},
    {"poison", poisons},
    {"wait", waits},
    {"stop children", stops_children},
    {"watch", watches},
    {"unwatch", unwatches},
    {"link", links},
    {"restart", restarts},
    {"crash", crashes},
    {"spawn", spawns},
    {"spawn router", spawns_router},
    {"change router", changes_router},
    {"unstash", unstashes},
    {"schedule", schedules},
    {"unschedule", unschedules},
    {"open stream", opens_stream},
    {"read stream", reads_stream},
    {"offload", offloads},
    {"publish", publishes},
    {"subscribe", subscribes},
    {"errand", runs_errand},
    {"thrower", leaves_a_thrower},
    {"receive beside", receives_beside},
    {"end children", ends_children},
    {"return", returns},
    {"rest", rests},
    {"shield", shields},
    {"mailbox of", looks_at_mailbox},
    {"silence", watches_silence},
    {"supervise", supervises},
    {"answer kept", answers_kept},
    {"post", posts},
    {"find", finds},
};

/// Does one thing, if there is anything left to do.
task<> act(life& l)
{
    const std::size_t which = l.random.below(std::size(actor_operations));
    const operation& chosen = actor_operations[which];
    if (l.book().options().without.contains(chosen.name) || !l.book().begin_action())
        co_return;
    ++l.book().performed[which];
    try {
        co_await chosen.run(l);
    } catch (const error& thrown) {
        if (thrown.code() == errc::cancelled || l.chance(4))
            throw;
    }
}

}  // namespace

// From outside
// ----------------------------------------------------------------------------------------------------

/// A thread that is in no strand's turn, a handler, or a subscriber, in the middle of whatever happened.
class outsider {
public:
    outsider(world& where, std::uint64_t seed)
        : world_(where),
          book_(*where.book_),
          engine_(*where.engine_),
          random_(seed),
          sender_(book_.next_sender())
    {}

    void act();

    static std::vector<std::string_view> names();

private:
    struct operation {
        std::string_view name;
        void (outsider::*run)();
    };
    static const operation operations[];

    /// A handler that is called once.
    class call {
    public:
        call(world_book& book, std::chrono::nanoseconds limit) : state_(std::make_shared<state>(book, limit))
        {}

        void operator()(const error_code& code) const
        {
            if (state_->calls.fetch_add(1) != 0)
                state_->book.blame("a handler was called twice");
            else
                state_->end(code);
        }
        void operator()(const error_code& code, int value) const
        {
            if (!code && value != answer_to(3))
                state_->book.blame("a request from outside got another answer");
            (*this)(code);
        }
        void operator()(const error_code& code, const mailbox_state&) const { (*this)(code); }

        std::uint32_t item = world_book::no_item;
        void settle(std::uint32_t sent) { state_->item = sent; }

    private:
        struct state {
            state(world_book& book, std::chrono::nanoseconds limit) : book(book), limit(limit)
            {
                ++book.outside;
            }
            ~state()
            {
                if (calls == 0)
                    book.blame("a handler was destroyed uncalled");
            }
            void end(const error_code& code)
            {
                if (item != world_book::no_item)
                    note_admission(book, item, code);
                if (limit != std::chrono::nanoseconds::max())
                    book.check_end(limit, std::chrono::steady_clock::now() - began, "request from outside");
                --book.outside;
            }

            world_book& book;
            std::chrono::nanoseconds limit;
            std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
            std::atomic<int> calls{0};
            std::uint32_t item = world_book::no_item;
        };
        std::shared_ptr<state> state_;
    };

    call one_call(std::chrono::nanoseconds limit = std::chrono::nanoseconds::max())
    {
        // In a simulation time stands still while it runs.
        return call(book_, book_.options().simulated ? std::chrono::nanoseconds::max() : limit);
    }
    auto ended(pid who)
    {
        const bool was_alive = book_.is_alive(who);
        return [done = one_call(), who, was_alive, &book = book_](const error_code& code) {
            if (!code && was_alive && book.is_alive(who))
                book.blame(fmt::format("a wait from outside for {} was over before the end", who));
            done(code);
        };
    }
    bool chance(std::uint64_t one_in) { return random_.below(one_in) == 0; }
    std::chrono::nanoseconds soon() { return std::chrono::microseconds(1 + random_.below(20'000)); }
    world_book::acquaintance anybody() { return book_.anybody(random_); }

    template <class Send>
    void item(world_book::acquaintance to, Send&& send)
    {
        send_item(book_, random_, sender_, sent_, to, std::forward<Send>(send));
    }

    void send()
    {
        const auto to = anybody();
        item(to, [&](auto&& made) { engine_.send(to.who, std::move(made)); });
    }
    void burst()
    {
        const auto to = anybody();
        for (std::uint64_t i = random_.below(48); i > 0; --i)
            item(to, [&](auto&& made) { engine_.send(to.who, std::move(made)); });
    }
    void send_as()
    {
        const auto to = anybody();
        item(to, [&](auto&& made) { engine_.send_as(anybody().who, to.who, std::move(made)); });
    }
    void send_async()
    {
        const auto to = anybody();
        item(to, [&](auto&& made) {
            call done = one_call();
            done.settle(item_of(made).item);
            engine_.send_async(to.who, std::move(made), done);
        });
    }
    void ask()
    {
        const auto limit = soon();
        engine_.ask(anybody().who, question{3}, limit, one_call(limit));
    }
    void ask_and_cancel()
    {
        const pid to = anybody().who;
        if (!to)
            return;
        auto signal = std::make_shared<asio::cancellation_signal>();
        engine_.ask(to, question{3}, 50ms,
            asio::bind_cancellation_slot(signal->slot(),
                [done = one_call(50ms), signal](const error_code& code, int value) { done(code, value); }));
        asio::post(
            engine_.get_executor(to.strand()), [signal] { signal->emit(asio::cancellation_type::terminal); });
    }
    void ask_and_wait()
    {
        if (!may_wait())
            return;
        auto answered = engine_.ask(anybody().who, question{3}, soon(), asio::use_future);
        ++book_.outside;
        try {
            if (answered.get() != answer_to(3))
                book_.blame("a future from outside got another answer");
        } catch (const boost::system::system_error&) {
            // Nobody answered.
        }
        --book_.outside;
    }
    void stop()
    {
        const pid to = anybody().who;
        if (chance(2))
            engine_.stop(to);
        else
            engine_.stop(to, ended(to));
    }
    void poison()
    {
        const pid to = anybody().who;
        if (chance(2))
            engine_.poison(to);
        else
            engine_.poison(to, ended(to));
    }
    void wait()
    {
        // One that ends in the end.
        const pid to = anybody().who;
        engine_.wait(to, ended(to));
    }
    void restart() { engine_.restart(anybody().who); }
    void spawn() { spawn_somebody(engine_, book_, random_, engine_, 0); }
    void spawn_routers() { spawn_router(engine_, book_, random_, engine_); }
    void mailbox_of() { engine_.mailbox_of(anybody().who, one_call()); }
    void look()
    {
        static_cast<void>(engine_.find("citizen 2"));
        static_cast<void>(engine_.figures());
        if (book_.options().simulated)
            static_cast<void>(engine_.dump_stopped());
        else if (may_wait() && chance(8))
            static_cast<void>(engine_.dump());
    }
    void publish() { engine_.events().publish(gossip{static_cast<int>(random_.below(3))}); }
    void subscribe()
    {
        event_stream& events = engine_.events();
        event_stream::subscription made;
        switch (random_.below(4)) {
        case 0:
            made = events.subscribe<gossip>([](const gossip&) { throw injected(); });
            break;
        case 1:
            made = events.subscribe<gossip>(
                [](const gossip& event) { return event.depth == 1; }, [](const gossip&) {});
            break;
        case 2:
            made = events.subscribe<gossip>(
                engine_.get_executor(random_.below(engine_.size())), [](const gossip&) {});
            break;
        default:
            made = engine_.subscribe<gossip>(anybody().who);
        }
        // A few at a time: each of them is told of what the others bring about.
        event_stream::subscription old;
        const std::lock_guard lock(world_.mutex_);
        event_stream::subscription& place = world_.passing_[random_.below(std::size(world_.passing_))];
        old = std::exchange(place, std::move(made));
    }
    void post()
    {
        asio::post(engine_.get_executor(random_.below(engine_.size())),
            [&there = world_, seed = random_.next()] { there.act_from_outside(seed, 2); });
    }
    void run_task()
    {
        async_spawn(
            engine_.get_executor(random_.below(engine_.size())),
            [](world* there, std::uint64_t seed) -> task<> {
                const counted alive(there->book());
                co_await sleep_for(1ms);
                there->act_from_outside(seed, 1);
            }(&world_, random_.next()),
            asio::detached);
    }
    void extend()
    {
        engine_.extensions().emplace<int>(1);
        static_cast<void>(engine_.extensions().find<int>());
    }

    /// Is it a thread that no strand waits for?
    bool may_wait() const { return !book_.options().simulated && strand_context::current() == nullptr; }

    world& world_;
    world_book& book_;
    engine& engine_;
    random_source random_;
    const std::uint32_t sender_;
    std::uint32_t sent_ = 0;
};

const outsider::operation outsider::operations[] = {
    {"outside: send", &outsider::send},
    {"outside: burst", &outsider::burst},
    {"outside: send as", &outsider::send_as},
    {"outside: send async", &outsider::send_async},
    {"outside: ask", &outsider::ask},
    {"outside: ask and cancel", &outsider::ask_and_cancel},
    {"outside: ask and wait", &outsider::ask_and_wait},
    {"outside: stop", &outsider::stop},
    {"outside: poison", &outsider::poison},
    {"outside: wait", &outsider::wait},
    {"outside: restart", &outsider::restart},
    {"outside: spawn", &outsider::spawn},
    {"outside: spawn router", &outsider::spawn_routers},
    {"outside: mailbox of", &outsider::mailbox_of},
    {"outside: look", &outsider::look},
    {"outside: publish", &outsider::publish},
    {"outside: subscribe", &outsider::subscribe},
    {"outside: post", &outsider::post},
    {"outside: run task", &outsider::run_task},
    {"outside: extend", &outsider::extend},
};

void outsider::act()
{
    const std::size_t which = random_.below(std::size(operations));
    const operation& chosen = operations[which];
    if (book_.options().without.contains(chosen.name) || !book_.begin_action())
        return;
    ++book_.performed[std::size(actor_operations) + which];
    try {
        (this->*chosen.run)();
    } catch (const error&) {
        // The engine has ended, or a name is in use.
    }
}

std::vector<std::string_view> outsider::names()
{
    std::vector<std::string_view> all;
    for (const operation& each : operations)
        all.push_back(each.name);
    return all;
}

// The book
// --------------------------------------------------------------------------------------------------------

world_book::world_book(const world_options& options)
    : options_(options), actions_(options.actions), fates_(options.items)
{}

std::uint32_t world_book::next_item() noexcept
{
    if (items_.load(std::memory_order_relaxed) >= options_.items)
        return no_item;
    const std::uint32_t item = items_.fetch_add(1, std::memory_order_relaxed);
    return item < options_.items ? item : no_item;
}

void world_book::note(std::uint32_t item, unsigned what)
{
    const unsigned before = fates_[item].fetch_or(static_cast<std::uint8_t>(what));
    const unsigned all = before | what;
    if ((all & repeatable) != 0)
        return;
    if ((what & handled) != 0 && (before & handled) != 0)
        blame(fmt::format("item {} was handled twice", item));
    if ((all & handled) != 0 && (all & dead) != 0 && (all & withheld) == 0)
        blame(fmt::format("item {} was handled and became a dead letter", item));
    if ((what & dead) != 0 && (before & dead) != 0)
        blame(fmt::format("item {} became a dead letter twice", item));
}

void world_book::check_end(std::chrono::nanoseconds limit, std::chrono::nanoseconds spent, const char* what)
{
    if (spent > limit + options_.lateness)
        blame(fmt::format("{}: took {} us where {} us were set", what, spent / 1us, limit / 1us));
}

void world_book::begun(pid who, pid parent)
{
    if (!parent)
        return;
    const std::lock_guard lock(mutex_);
    if (!parents_.emplace(who, parent).second)
        return;  // it was begun anew
    ++children_[parent];
}

bool world_book::is_alive(pid who)
{
    const std::lock_guard lock(mutex_);
    return made_.contains(who) && !ended_.contains(who);
}

void world_book::made(const actor_initialized& event)
{
    const std::lock_guard lock(mutex_);
    made_.insert(event.who);
}

void world_book::ended(const actor_stopped& event)
{
    const std::lock_guard lock(mutex_);
    const bool is_new = ended_.insert(event.who).second;
    const bool is_last = children_[event.who] == 0;
    children_.erase(event.who);
    if (const auto found = parents_.find(event.who); found != parents_.end()) {
        --children_[found->second];
        parents_.erase(found);
    }
    if (!is_new || !is_last) {
        ++blames_;
        blamed_ +=
            fmt::format("{} {}\n", event.who, is_new ? "ended before its children" : "was seen to end twice");
    }
}

void world_book::died(const dead_letter& event)
{
    ++told_;
    if (event.message == nullptr)
        return;
    if (const auto* small = event.message->get_if<small_item>())
        note(small->item, dead);
    else if (const auto* big = event.message->get_if<big_item>())
        note(big->is.item, dead);
}

void world_book::introduce(acquaintance known)
{
    constexpr std::size_t most = 48;
    const std::lock_guard lock(mutex_);
    if (known_.size() < most)
        known_.push_back(known);
    else
        known_[known.who.key() * 31 % most] = known;
}

world_book::acquaintance world_book::anybody(random_source& random)
{
    const std::uint64_t drawn = random.next();
    const std::lock_guard lock(mutex_);
    return known_.empty() ? acquaintance() : known_[drawn % known_.size()];
}

void world_book::blame(const std::string& what)
{
    const std::lock_guard lock(mutex_);
    if (++blames_ <= 20)
        blamed_ += what + "\n";
}

std::string world_book::blamed()
{
    const std::lock_guard lock(mutex_);
    return blames_ > 20 ? blamed_ + fmt::format("and {} more\n", blames_ - 20) : blamed_;
}

void world_book::close(engine& ended)
{
    const station_figures seen = ended.figures();
    if (seen.live != 0)
        blame(fmt::format("{} actors are alive", seen.live));
    {
        const std::lock_guard lock(mutex_);
        if (ended_.size() != seen.spawned) {
            ++blames_;
            blamed_ += fmt::format("{} actors were spawned, {} seen to end\n", seen.spawned, ended_.size());
        }
    }
    if (told_ != seen.dead_letters)
        blame(fmt::format("{} dead letters were counted, {} told", seen.dead_letters, told_.load()));
    if (outside != 0)
        blame(fmt::format("{} requests from outside did not end", outside.load()));
    if (under_way != 0)
        blame(fmt::format("{} waits did not end", under_way.load()));
    std::uint64_t lost = 0;
    std::uint32_t first = 0;
    for (std::uint32_t i = items(); i-- > 0;)
        if ((fates_[i] & (handled | dead | refused | open | withheld)) == 0) {
            ++lost;
            first = i;
        }
    if (lost > seen.dropped)
        blame(fmt::format(
            "{} items vanished, the first is {}; {} messages were dropped", lost, first, seen.dropped));
}

// The world
// -------------------------------------------------------------------------------------------------------

namespace {

/// Waits for what is asked from outside.
task<> answers_pulse(context& self)
{
    while (message got = co_await self.receive())
        got.match([](pulse& m) { return m.value; });
}

/// A pid of this engine that is nobody's.
pid nobody_at(const engine& where, pid known, std::size_t strand)
{
    static_cast<void>(where);
    return {known.node(), static_cast<std::uint16_t>(strand), 0, 2};
}

}  // namespace

world::world(const world_options& options)
    : book_(std::make_unique<world_book>(options)), random_(options.seed)
{}

world::~world() = default;

engine_options world::engine_options()
{
    costar::engine_options options{.name = "world", .dead_letter_lines = 0};
    options.ask_timeout = 50ms;
    options.offload_queue = 1 + random_.below(8);
    options.offload_threads = 1 + random_.below(2);
    if (random_.below(8) == 0)
        options.turn.hog_limit = 1s;
    if (random_.below(3) == 0)
        options.guardian = one_for_one({.limit = 5, .within = 100ms});
    if (random_.below(3) == 0)
        options.middleware.push_back(std::make_shared<hostile>(*book_, random_.next(), false));
    return options;
}

void world::begin(engine& engine)
{
    engine_ = &engine;
    std::vector<event_stream::subscription> made;
    // What is told is written down first; then something is done in the middle of it, now and then.
    const auto interfere = [this, drawn = std::make_shared<std::atomic<std::uint64_t>>(random_.next())] {
        // Not within itself without end.
        static thread_local int depth = 0;
        random_source random(drawn->fetch_add(1));
        if (depth < 2 && book_->is_acting() && random.below(24) == 0) {
            ++depth;
            act_from_outside(random.next(), 1);
            --depth;
        }
    };
    const auto listen = [&]<class Event>(std::in_place_type_t<Event>) {
        made.push_back(engine.events().subscribe<Event>([interfere](const Event&) { interfere(); }));
    };
    made.push_back(engine.events().subscribe<actor_initialized>(
        [this](const actor_initialized& event) { book_->made(event); }));
    made.push_back(engine.events().subscribe<actor_stopped>(
        [this](const actor_stopped& event) { book_->ended(event); }));
    made.push_back(
        engine.events().subscribe<dead_letter>([this](const dead_letter& event) { book_->died(event); }));
    for (std::size_t i = 0; i < engine.size(); ++i)
        pulses_.push_back(engine.spawn(spawn_options{.name = fmt::format("{} {}", spared, i),
                                           .placement = placement::chosen,
                                           .strand = static_cast<std::uint32_t>(i)},
            answers_pulse));
    listen(std::in_place_type<actor_stopped>);
    listen(std::in_place_type<dead_letter>);
    listen(std::in_place_type<actor_initialized>);
    listen(std::in_place_type<actor_started>);
    listen(std::in_place_type<actor_restarted>);
    listen(std::in_place_type<restart_limit_reached>);
    listen(std::in_place_type<supervision_decision>);
    listen(std::in_place_type<duplicate_name>);
    made.push_back(engine.events().subscribe<gossip>([this](const gossip& event) {
        if (event.depth > 0)
            engine_->events().publish(gossip{event.depth - 1});
    }));
    {
        const std::lock_guard lock(mutex_);
        std::move(made.begin(), made.end(), std::back_inserter(subscriptions_));
    }
    act_from_outside(random_.next(), 4);
    for (int i = 0; i < 6; ++i)
        spawn_somebody(engine, *book_, random_, engine, 0);
}

void world::act_from_outside(std::uint64_t seed, int count)
{
    outsider somebody(*this, seed);
    for (int i = 0; i < count; ++i)
        somebody.act();
}

void world::flush(std::function<void()> done)
{
    const std::size_t size = engine_->size();
    const auto left = std::make_shared<std::atomic<std::size_t>>(size * size);
    const auto shared = std::make_shared<std::function<void()>>(std::move(done));
    for (std::size_t from = 0; from < size; ++from)
        asio::post(engine_->get_executor(from), [this, left, shared, size] {
            for (std::size_t to = 0; to < size; ++to)
                engine_->wait(nobody_at(*engine_, pulses_[0], to), [left, shared](const error_code&) {
                    if (left->fetch_sub(1) == 1)
                        (*shared)();
                });
        });
}

void world::flush_this_thread()
{
    for (std::size_t to = 0; to < engine_->size(); ++to)
        engine_->wait(nobody_at(*engine_, pulses_[0], to), asio::use_future).get();
}

void world::leave()
{
    const std::lock_guard lock(mutex_);
    subscriptions_.clear();
    for (event_stream::subscription& each : passing_)
        each.cancel();
}

std::vector<std::string_view> world::operations()
{
    std::vector<std::string_view> all;
    for (const operation& each : actor_operations)
        all.push_back(each.name);
    for (const std::string_view each : outsider::names())
        all.push_back(each);
    return all;
}

}  // namespace support
