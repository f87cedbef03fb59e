// SPDX-License-Identifier: MIT

// Goal: whatever is awaited, in whatever combination, no outcome is lost and none comes twice, also when a
// deadline, a message, a stop or another branch ends in the same turn. Method: sources of numbers of every
// kind, from sockets to futures, are read in every combination, while seeds choose the order in which numbers
// are given, timers pass, the sockets' context runs and the strand makes its steps. Each number has to arrive
// once, in its place.

#include <costar/actor/engine.hpp>
#include <costar/actor/future.hpp>
#include <costar/actor/offload.hpp>
#include <costar/actor/stream.hpp>
#include <costar/core/clock.hpp>
#include <costar/core/result.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <support/actors.hpp>
#include <support/catch.hpp>

#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using costar::as_result;
using costar::context;
using costar::errc;
using costar::error_code;
using costar::pid;
using costar::sleep_for;
using costar::task;
using costar::use_task;
using costar::when_all;
using costar::when_any;
using costar::with_timeout;
using support::number;
using namespace std::chrono_literals;

/// A rival of what is awaited.
struct tick {};

/// One strand, the context of its sockets, and the clock; a seed chooses what happens next.
struct small_world {
    explicit small_world(std::uint64_t seed)
        : random(seed),
          engine(
              costar::machine::scheduler::manual{}, {.strands = 1, .clock = &clock, .dead_letter_lines = 0})
    {
        home().choose_order_by(random);
    }

    costar::machine::strand_context& home() { return engine.station_at(0).home(); }
    std::chrono::nanoseconds limit() { return random.below(4) * 10us; }

    /// Does one thing that can be done.
    void step()
    {
        switch (random.below(3)) {
        case 0:
            io.restart();
            io.poll_one();
            break;
        case 1:
            home().step();
            break;
        default:
            if (const std::uint64_t next = home().next_timer(); next < clock.now() + 1'000'000)
                clock.set(std::max(next, clock.now()));
        }
    }

    costar::random_source random;
    costar::manual_clock clock{1'000'000'000};
    asio::io_context io;
    costar::engine engine;
};

// Sources: `begin` gives what is awaited for one number, `value` makes the number of its result, `feed` gives
// the next one when it can be given.

/// Numbers are messages.
struct receives {
    explicit receives(small_world& in) : in(in) {}
    auto begin(context& self) { return self.receive<number>(); }
    int value(costar::message message) { return message.get<number>().value; }
    void feed(int next) { in.engine.send(reader, number{next}); }

    small_world& in;
    pid reader;
};

/// As messages that are waited for with a deadline of their own.
struct receives_in_time : receives {
    using receives::receives;
    auto begin(context& self) { return self.receive<number>(1h); }
};

/// Bytes from a socket.
struct reads {
    explicit reads(small_world& in) : here(in.io), there(in.io) { asio::local::connect_pair(here, there); }
    auto begin(context&) { return here.async_read_some(asio::buffer(byte), use_task); }
    int value(std::size_t) { return byte[0]; }
    void feed(int next)
    {
        const unsigned char sent = static_cast<unsigned char>(next);
        asio::write(there, asio::buffer(&sent, 1));
    }

    stream_protocol::socket here;
    stream_protocol::socket there;
    std::array<unsigned char, 1> byte{};
    pid reader;
};

/// The same in a coroutine of Asio.
struct reads_in_awaitable : reads {
    using reads::reads;
    asio::awaitable<std::size_t> begin(context&) { return read(); }
    asio::awaitable<std::size_t> read()
    {
        co_return co_await here.async_read_some(asio::buffer(byte), asio::use_awaitable);
    }
};

/// The same in a task.
struct reads_in_task : reads {
    using reads::reads;
    task<std::size_t> begin(context&) { return read(); }
    task<std::size_t> read() { co_return co_await here.async_read_some(asio::buffer(byte), use_task); }
};

/// The same with all values of the operation.
struct reads_as_result : reads {
    using reads::reads;
    auto begin(context& self) { return as_result(reads::begin(self)); }
    int value(const costar::result<std::size_t>& got)
    {
        if (!got)
            throw costar::error(got.error());
        return byte[0];
    }
};

/// Bytes that the other side gets, each once.
struct writes : reads {
    using reads::reads;
    auto begin(context&)
    {
        byte[0] = static_cast<unsigned char>(next);
        return here.async_write_some(asio::buffer(byte), use_task);
    }
    int value(std::size_t)
    {
        unsigned char got = 0;
        asio::read(there, asio::buffer(&got, 1));
        CHECK(there.available() == 0);
        ++next;
        return got;
    }
    void feed(int) {}

    int next = 0;
};

/// Connections, each with its number.
struct accepts {
    explicit accepts(small_world& in) : in(in), acceptor(in.io)
    {
        acceptor.open();
        acceptor.bind(stream_protocol::endpoint());  // a name that the system chooses
        acceptor.listen(64);
    }
    auto begin(context&) { return acceptor.async_accept(use_task); }
    int value(stream_protocol::socket accepted)
    {
        unsigned char got = 0;
        asio::read(accepted, asio::buffer(&got, 1));
        return got;
    }
    void feed(int next)
    {
        stream_protocol::socket& client = clients.emplace_back(in.io);
        client.connect(acceptor.local_endpoint());
        const unsigned char sent = static_cast<unsigned char>(next);
        asio::write(client, asio::buffer(&sent, 1));
    }

    small_world& in;
    stream_protocol::acceptor acceptor;
    std::deque<stream_protocol::socket> clients;
    pid reader;
};

/// Values of one of Asio's channels.
struct channel {
    explicit channel(small_world& in) : values(in.io, 64) {}
    auto begin(context&) { return values.async_receive(use_task); }
    int value(int got) { return got; }
    void feed(int next)
    {
        // Not by `try_send`: in Boost 1.81 a channel whose receive was cancelled refuses it.
        values.async_send(error_code(), next, [](error_code sent) { CHECK_FALSE(sent); });
    }

    asio::experimental::channel<void(error_code, int)> values;
    pid reader;
};

/// Asks for the number that was fed next.
struct get_next {
    using reply = int;
};

/// Answers requests in their order with numbers in theirs.
task<> answers(context& self)
{
    std::deque<int> numbers;
    std::deque<costar::message> asked;
    while (auto message = co_await self.receive()) {
        if (message.is<number>())
            numbers.push_back(message.get<number>().value);
        else
            asked.push_back(std::move(message));
        while (!numbers.empty() && !asked.empty()) {
            asked.front().respond(numbers.front());
            numbers.pop_front();
            asked.pop_front();
        }
    }
}

/// Waits for one future after the other.
struct futures {
    explicit futures(small_world& in) : in(in), answering(in.engine.spawn(answers)) {}
    ~futures()
    {
        in.home().enter([this] { asked = {}; });  // a future is dropped on its strand
    }
    auto begin(context& self)
    {
        if (!asked)
            asked = self.ask_future(answering, get_next{}, 1h);
        return asked.wait();
    }
    template <class Nothing>
    int value(Nothing)
    {
        const costar::future<int> ended = std::exchange(asked, {});
        if (ended.state()->failure() != errc{})
            throw costar::error(ended.state()->failure());
        return *ended.state()->value;
    }
    void feed(int next) { in.engine.send(answering, number{next}); }

    small_world& in;
    pid answering;
    costar::future<int> asked;
    pid reader;
};

task<> produces(context&, costar::sink<int> out)
{
    for (int i = 0;; ++i)
        co_await out.put(i);
}

struct streams {
    explicit streams(small_world& in) : in(in) {}
    ~streams()
    {
        in.home().enter([this] { values = {}; });  // as a future
    }
    auto begin(context& self)
    {
        if (!values.producer()) {
            values = costar::make_stream<int>(self, produces);
            values.window(2);
        }
        return values.next(self);
    }
    int value(std::optional<int> got) { return got.value(); }
    void feed(int) {}

    small_world& in;
    costar::stream<int> values;
    pid reader;
};

/// Calls of a function that must not be called in vain.
struct offloads {
    explicit offloads(small_world&) {}
    auto begin(context& self)
    {
        return self.offload([this] { return called++; });
    }
    int value(int got) { return got; }
    void feed(int) {}

    int called = 0;
    pid reader;
};

struct timers {
    explicit timers(small_world& in) : in(in) {}
    auto begin(context&) { return sleep_for(in.limit()); }
    template <class Nothing>
    int value(Nothing)
    {
        return ended++;
    }
    void feed(int) {}

    small_world& in;
    int ended = 0;
    pid reader;
};

// Combinations: each reads until it has seen enough.

constexpr std::size_t enough = 6;
using seen_numbers = std::vector<int>;

template <class Source>
task<> in_time(context& self, small_world* in, Source* from, seen_numbers* seen)
{
    while (seen->size() < enough) {
        const auto read = [](context& self, small_world* in, Source* from) -> task<int> {
            if constexpr (std::is_void_v<costar::machine::awaited_t<decltype(from->begin(self))>>) {
                co_await with_timeout(in->limit(), from->begin(self));
                co_return from->value(0);
            } else {
                co_return from->value(co_await with_timeout(in->limit(), from->begin(self)));
            }
        };
        if (const auto got = co_await as_result(read(self, in, from)))
            seen->push_back(*got);
        else
            CHECK(got.error() == errc::timed_out);
    }
}

template <class Source>
task<> before_a_pause(context& self, small_world* in, Source* from, seen_numbers* seen)
{
    while (seen->size() < enough) {
        auto first = co_await when_any(from->begin(self), sleep_for(in->limit()));
        if (first.index() == 0)
            seen->push_back(from->value(std::get<0>(std::move(first))));
    }
}

template <class Source>
task<> behind_a_pause(context& self, small_world* in, Source* from, seen_numbers* seen)
{
    while (seen->size() < enough) {
        auto first = co_await when_any(sleep_for(in->limit()), from->begin(self));
        if (first.index() == 1)
            seen->push_back(from->value(std::get<1>(std::move(first))));
    }
}

template <class Source>
task<> before_a_message(context& self, small_world*, Source* from, seen_numbers* seen)
{
    while (seen->size() < enough) {
        auto first = co_await when_any(from->begin(self), self.receive());
        if (first.index() == 0)
            seen->push_back(from->value(std::get<0>(std::move(first))));
        else
            CHECK(std::get<1>(first).template is<tick>());
    }
}

template <class Source>
task<> behind_a_message(context& self, small_world*, Source* from, seen_numbers* seen)
{
    while (seen->size() < enough) {
        auto first = co_await when_any(self.receive(), from->begin(self));
        if (first.index() == 1)
            seen->push_back(from->value(std::get<1>(std::move(first))));
        else
            CHECK(std::get<0>(first).template is<tick>());
    }
}

/// Reads until its scope is cancelled.
template <class Source>
task<> reads_on(context& self, Source* from, seen_numbers* seen)
{
    const auto read = [](context& self, Source* from) -> task<int> {
        if constexpr (std::is_void_v<costar::machine::awaited_t<decltype(from->begin(self))>>) {
            co_await from->begin(self);
            co_return from->value(0);
        } else {
            co_return from->value(co_await from->begin(self));
        }
    };
    for (;;)
        seen->push_back(co_await read(self, from));
}

template <class Source>
task<> in_a_branch(context& self, small_world* in, Source* from, seen_numbers* seen)
{
    while (seen->size() < enough)
        co_await when_any(reads_on(self, from, seen), sleep_for(in->limit()));
}

template <class Source>
task<> shielded(context& self, small_world* in, Source* from, seen_numbers* seen)
{
    const auto reads_one = [](context& self, Source* from, seen_numbers* seen) -> task<> {
        if constexpr (std::is_void_v<costar::machine::awaited_t<decltype(from->begin(self))>>) {
            co_await costar::shield(from->begin(self));
            seen->push_back(from->value(0));
        } else {
            seen->push_back(from->value(co_await costar::shield(from->begin(self))));
        }
    };
    while (seen->size() < enough)
        co_await when_any(reads_one(self, from, seen), sleep_for(in->limit()));
}

template <class Source>
task<> beside_a_failure(context& self, small_world* in, Source* from, seen_numbers* seen)
{
    const auto fails = [](small_world* in) -> task<> {
        co_await sleep_for(in->limit());
        throw std::runtime_error("failed");
    };
    while (seen->size() < enough) {
        std::optional<int> got;
        const auto read = [](context& self, Source* from, std::optional<int>* got) -> task<> {
            if constexpr (std::is_void_v<costar::machine::awaited_t<decltype(from->begin(self))>>) {
                co_await from->begin(self);
                *got = from->value(0);
            } else {
                *got = from->value(co_await from->begin(self));
            }
        };
        bool failed = false;
        try {
            co_await when_all(read(self, from, &got), fails(in));
        } catch (const std::runtime_error&) {
            failed = true;
        }
        CHECK(failed);
        if (got)
            seen->push_back(*got);
    }
}

/// Runs one combination with one kind of source, in the order that a seed chooses.
template <class Source, class Body>
seen_numbers run(std::uint64_t seed, Body body)
{
    seen_numbers seen;
    small_world in(seed);
    {
        Source from(in);
        const pid reader = in.engine.spawn(body, &in, &from, &seen);
        from.reader = reader;
        int fed = 0;
        for (int steps = 0; seen.size() < enough && steps < 100'000; ++steps) {
            if (fed < static_cast<int>(enough) && in.random.below(8) == 0)
                from.feed(fed++);
            if (in.random.below(16) == 0 && !std::is_base_of_v<receives, Source>)
                in.engine.send(reader, tick{});
            in.step();
        }
        bool ended = false;
        in.engine.stop(reader, [&](error_code) { ended = true; });
        for (int steps = 0; !ended && steps < 100'000; ++steps)
            in.step();
        CHECK(ended);
    }
    return seen;
}

seen_numbers up_to(std::size_t count)
{
    seen_numbers all(count);
    std::iota(all.begin(), all.end(), 0);
    return all;
}

/// Lets one reader after the other be stopped at any moment.
template <class Source>
seen_numbers run_with_stops(std::uint64_t seed)
{
    seen_numbers seen;
    small_world in(seed);
    {
        Source from(in);
        const auto body = [](context& self, Source* from, seen_numbers* seen) -> task<> {
            co_await reads_on(self, from, seen);
        };
        int fed = 0;
        bool reads = false;
        bool stops = false;
        for (int steps = 0; (seen.size() < enough || reads) && steps < 100'000; ++steps) {
            if (!reads) {
                from.reader = in.engine.spawn(body, &from, &seen);
                reads = true;
                stops = false;
            }
            if (fed < static_cast<int>(enough) && in.random.below(8) == 0)
                from.feed(fed++);
            if (!stops && (in.random.below(12) == 0 || seen.size() >= enough)) {
                stops = true;
                in.engine.stop(from.reader, [&](error_code) { reads = false; });
            }
            in.step();
        }
        CHECK_FALSE(reads);
    }
    return seen;
}

/// Reads from two sources at once.
task<> reads_both(context& self, reads* one, reads* other, seen_numbers* of_one, seen_numbers* of_other)
{
    while (of_one->size() < enough || of_other->size() < enough) {
        auto first = co_await when_any(one->begin(self), other->begin(self));
        if (const auto* got = first.completed<0>())
            of_one->push_back(one->value(*got));
        if (const auto* got = first.completed<1>())
            of_other->push_back(other->value(*got));
    }
}

/// Asks in time, until enough answers have come.
task<> asks_in_time(context& self, small_world* in, pid answering, seen_numbers* seen)
{
    while (seen->size() < enough) {
        const auto limit = in->limit();
        const auto given = in->random.below(2) == 0
            ? co_await as_result(with_timeout(limit, self.ask(answering, get_next{}, 1h)))
            : co_await as_result(self.ask(answering, get_next{}, limit));
        if (given)
            seen->push_back(*given);
        else
            CHECK(given.error() == errc::timed_out);
    }
}

constexpr std::uint64_t seeds = 60;

template <class Source, class Body>
void check_all_seeds(const char* what, Body body)
{
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        INFO(what << ", seed " << seed);
        const seen_numbers seen = run<Source>(seed, body);
        REQUIRE(seen.size() >= enough);
        REQUIRE(seen == up_to(seen.size()));
    }
}

}  // namespace

TEMPLATE_TEST_CASE("outcomes: none is lost and none comes twice, whatever ends at the same time",
    "[testing][outcomes]", receives, receives_in_time, reads, reads_in_awaitable, reads_in_task,
    reads_as_result, writes, accepts, channel, futures, streams, offloads, timers)
{
    check_all_seeds<TestType>("with_timeout", in_time<TestType>);
    if constexpr (!std::is_same_v<TestType, reads_as_result>) {  // it ends with a value when it is cancelled
        check_all_seeds<TestType>("when_any, before a pause", before_a_pause<TestType>);
        check_all_seeds<TestType>("when_any, behind a pause", behind_a_pause<TestType>);
    }
    if constexpr (!std::is_base_of_v<receives, TestType> && !std::is_same_v<TestType, reads_as_result>) {
        check_all_seeds<TestType>("when_any, before a message", before_a_message<TestType>);
        check_all_seeds<TestType>("when_any, behind a message", behind_a_message<TestType>);
    }
    check_all_seeds<TestType>("a branch that is cancelled", in_a_branch<TestType>);
    check_all_seeds<TestType>("shield", shielded<TestType>);
    check_all_seeds<TestType>("when_all with a failure", beside_a_failure<TestType>);
}

TEMPLATE_TEST_CASE("outcomes: none is lost when its reader is stopped", "[testing][outcomes]", reads,
    reads_in_awaitable, reads_in_task, writes, accepts, channel, timers)
{
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        INFO("seed " << seed);
        const seen_numbers seen = run_with_stops<TestType>(seed);
        REQUIRE(seen.size() >= enough);
        REQUIRE(seen == up_to(seen.size()));
    }
}

TEST_CASE("outcomes: of two reads that complete together both are there", "[testing][outcomes]")
{
    for (std::uint64_t seed = 1; seed <= 10 * seeds; ++seed) {
        INFO("seed " << seed);
        small_world in(seed);
        reads one(in);
        reads other(in);
        seen_numbers of_one;
        seen_numbers of_other;
        bool ended = false;
        const pid reader = in.engine.spawn(reads_both, &one, &other, &of_one, &of_other);
        in.engine.wait(reader, [&](error_code) { ended = true; });
        const auto feed = [&](reads& to, int& fed) {
            if (in.random.below(8) == 0)
                to.feed(fed++);
        };
        for (int steps = 0, to_one = 0, to_other = 0; !ended && steps < 100'000; ++steps) {
            feed(one, to_one);
            feed(other, to_other);
            in.step();
        }
        REQUIRE(ended);
        REQUIRE(of_one == up_to(of_one.size()));
        REQUIRE(of_other == up_to(of_other.size()));
    }
}

TEST_CASE("outcomes: an answer is had, or it was late", "[testing][outcomes]")
{
    for (std::uint64_t seed = 1; seed <= 10 * seeds; ++seed) {
        INFO("seed " << seed);
        small_world in(seed);
        seen_numbers seen;
        bool ended = false;
        const pid answering = in.engine.spawn(answers);
        const pid asking = in.engine.spawn(asks_in_time, &in, answering, &seen);
        in.engine.wait(asking, [&](error_code) { ended = true; });
        int fed = 0;
        for (int steps = 0; !ended && steps < 100'000; ++steps) {
            if (in.random.below(8) == 0)
                in.engine.send(answering, number{fed++});
            in.step();
        }
        REQUIRE(ended);
        REQUIRE(std::is_sorted(seen.begin(), seen.end()));
        REQUIRE(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
        // Up to the last answer that was had, each was had or late.
        const auto late = static_cast<std::uint64_t>(seen.back()) + 1 - seen.size();
        REQUIRE(in.engine.figures().late_replies >= late);
    }
}
