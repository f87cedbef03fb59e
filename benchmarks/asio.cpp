// SPDX-License-Identifier: MIT

// The same workloads with Asio alone, in the two ways in which one writes actors with it:
//   asio-strand    an actor is an object with an asio::strand, a message is a function object posted to it;
//   asio-channel   an actor is an awaitable, its mailbox an experimental::channel; one thread, channels are
//   not shared.

#include "harness.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/version.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using bench::order;
using bench::outcome;

/// An io_context and the threads that run it, each pinned.
class runner {
public:
    explicit runner(std::size_t threads, std::size_t first_core = 0)
        : io_(static_cast<int>(threads)), work_(asio::make_work_guard(io_))
    {
        for (std::size_t i = 0; i < threads; ++i)
            threads_.emplace_back([this, core = first_core + i] {
                bench::pin_to(core);
                io_.run();
            });
    }
    ~runner()
    {
        work_.reset();
        io_.stop();
        for (auto& each : threads_)
            each.join();
    }

    asio::io_context& io() noexcept { return io_; }

private:
    asio::io_context io_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::vector<std::thread> threads_;
};

using strand_type = asio::strand<asio::io_context::executor_type>;

struct actor {
    explicit actor(asio::io_context& io) : strand(asio::make_strand(io)) {}

    strand_type strand;
    std::uint64_t count = 0;
};

/// Becomes ready when its count has come down to zero.
class countdown {
public:
    explicit countdown(std::uint64_t count) : left_(count) {}
    void arrive()
    {
        if (left_.fetch_sub(1) == 1)
            done_.set_value();
    }
    void wait() { done_.get_future().get(); }

private:
    std::atomic<std::uint64_t> left_;
    std::promise<void> done_;
};

// asio-strand
// --------------------------------------------------------------------------------------------------

struct player : actor {
    using actor::actor;

    void hit(std::uint64_t number)
    {
        count = number;
        if (number == last) {
            end->arrive();
            return;
        }
        asio::post(peer->strand, [peer = peer, number] { peer->hit(number + 1); });
    }

    player* peer = nullptr;
    std::uint64_t last = 0;
    countdown* end = nullptr;
};

outcome ping_pong(const order& order, std::size_t pairs, std::uint64_t count)
{
    runner run(order.strands);
    countdown end(pairs);
    std::deque<player> players;
    for (std::size_t i = 0; i < 2 * pairs; ++i)
        players.emplace_back(run.io());
    for (std::size_t i = 0; i < 2 * pairs; ++i) {
        players[i].peer = &players[i ^ 1];
        players[i].last = count;
        players[i].end = &end;
    }
    const bench::stopwatch watch;
    for (std::size_t i = 0; i < pairs; ++i)
        asio::post(players[2 * i].strand, [first = &players[2 * i]] { first->hit(0); });
    end.wait();
    auto made = bench::rate("messages", "msg/s", pairs * count, watch);
    made.sent = pairs * count;
    for (std::size_t i = 0; i < pairs; ++i)
        made.received += std::max(players[2 * i].count, players[2 * i + 1].count);
    return made;
}

/// Sends the next batch when the last one has come back.
struct batch_client : actor {
    explicit batch_client(asio::io_context& io) : actor(io), echo(io) {}

    void begin_batch()
    {
        for (int i = 0; i < 100; ++i)
            asio::post(echo.strand, [this] { asio::post(strand, [this] { take_echo(); }); });
    }

    void take_echo()
    {
        if (++count == last)
            end->arrive();
        else if (count % 100 == 0)
            begin_batch();
    }

    actor echo;
    std::uint64_t last = 0;
    countdown* end = nullptr;
};

outcome batches(const order& order)
{
    const std::size_t pairs = 2 * order.strands;
    const std::uint64_t count = order.count(1'000'000);
    runner run(order.strands);
    countdown end(pairs);
    std::deque<batch_client> clients;
    for (std::size_t i = 0; i < pairs; ++i) {
        batch_client& made = clients.emplace_back(run.io());
        made.last = count;
        made.end = &end;
    }
    const bench::stopwatch watch;
    for (batch_client& each : clients)
        asio::post(each.strand, [&each] { each.begin_batch(); });
    end.wait();
    auto made = bench::rate("messages", "msg/s", 2 * pairs * count, watch);
    made.sent = pairs * count;
    for (const batch_client& each : clients)
        made.received += each.count;
    return made;
}

outcome across(const order& order)
{
    const std::uint64_t count = order.count(60'000);
    runner near(1, 0);
    runner far(1, 1);
    countdown end(1);
    player a(near.io());
    player b(far.io());
    a.peer = &b;
    b.peer = &a;
    a.last = b.last = count;
    a.end = b.end = &end;
    const bench::stopwatch watch;
    asio::post(a.strand, [&a] { a.hit(0); });
    end.wait();
    auto made = bench::rate("messages", "msg/s", count, watch);
    made.sent = count;
    made.received = std::max(a.count, b.count);
    return made;
}

outcome storm(const order& order)
{
    const std::uint64_t count = order.count(10'000'000);
    bench::pin_to(1);
    runner run(1);
    actor target(run.io());
    countdown end(1);
    const bench::stopwatch watch;
    for (std::uint64_t i = 0; i < count; ++i)
        asio::post(target.strand, [&target, i] { target.count += i != UINT64_MAX; });
    asio::post(target.strand, [&end] { end.arrive(); });
    end.wait();
    auto made = bench::duration("until the last is handled", watch);
    made.sent = count;
    made.received = target.count;
    return made;
}

struct source : actor {
    using actor::actor;

    void go_on()
    {
        if (halted->load(std::memory_order_relaxed)) {
            end->arrive();
            return;
        }
        for (int i = 0; i < 100; ++i, ++count) {
            actor& to = (*targets)[at];
            at = at + 1 == targets->size() ? 0 : at + 1;
            asio::post(to.strand, [&to, number = count] { to.count += number != UINT64_MAX; });
        }
        asio::post(strand, [this] { go_on(); });
    }

    std::deque<actor>* targets = nullptr;
    std::size_t at = 0;
    std::atomic<bool>* halted = nullptr;
    countdown* end = nullptr;
};

outcome fan_in(const order& order)
{
    constexpr std::size_t senders = 20;
    constexpr std::size_t receivers = 2000;
    runner run(order.strands);
    std::atomic<bool> halted{false};
    countdown end(senders);
    std::deque<actor> targets;
    for (std::size_t i = 0; i < receivers; ++i)
        targets.emplace_back(run.io());
    std::deque<source> sources;
    const bench::stopwatch watch;
    for (std::size_t i = 0; i < senders; ++i) {
        source& each = sources.emplace_back(run.io());
        each.targets = &targets;
        each.at = i * receivers / senders;
        each.halted = &halted;
        each.end = &end;
        asio::post(each.strand, [&each] { each.go_on(); });
    }
    std::this_thread::sleep_for(order.quick ? 50ms : 5s);
    halted = true;
    end.wait();
    countdown counted(receivers);
    for (actor& each : targets)
        asio::post(each.strand, [&counted] { counted.arrive(); });
    counted.wait();  // strands keep the order of what is posted to them, so all messages are handled now
    std::uint64_t received = 0;
    for (actor& each : targets)
        received += each.count;
    auto made = bench::rate("messages", "msg/s", received, watch);
    made.received = received;
    for (source& each : sources)
        made.sent += each.count;
    return made;
}

outcome crowd(const order& order)
{
    const std::uint64_t count = order.count(1'000'000);
    runner run(order.strands);
    std::vector<std::unique_ptr<actor>> all;
    all.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i)
        all.push_back(nullptr);
    const std::uint64_t before = bench::resident_bytes();
    const bench::stopwatch spawning;
    for (auto& each : all)
        each = std::make_unique<actor>(run.io());
    auto made = bench::duration("spawn all", spawning);
    made.figures.push_back({"memory of an actor",
        static_cast<double>(bench::resident_bytes() - before) / static_cast<double>(count), "B", false});
    countdown handled(count);
    const bench::stopwatch sending;
    for (auto& each : all)
        asio::post(each->strand, [to = each.get(), &handled] {
            ++to->count;
            handled.arrive();
        });
    handled.wait();
    made.figures.push_back({"one message to each", sending.seconds(), "s", false});
    made.sent = count;
    for (auto& each : all)
        made.received += each->count;
    made.note = "a strand and a count, no coroutine";
    return made;
}

struct ring_node : actor {
    using actor::actor;

    void pass(std::uint64_t hops)
    {
        ++count;
        if (hops == 0)
            end->arrive();
        else
            asio::post(next->strand, [next = next, hops] { next->pass(hops - 1); });
    }

    ring_node* next = nullptr;
    countdown* end = nullptr;
};

outcome ring(const order& order, std::uint64_t tokens, std::uint64_t total)
{
    constexpr std::size_t nodes = 1000;
    runner run(order.strands);
    countdown end(tokens);
    std::deque<ring_node> all;
    for (std::size_t i = 0; i < nodes; ++i)
        all.emplace_back(run.io()).end = &end;
    for (std::size_t i = 0; i < nodes; ++i)
        all[i].next = &all[(i + 1) % nodes];
    const std::uint64_t hops = total / tokens;
    const bench::stopwatch watch;
    for (std::uint64_t i = 0; i < tokens; ++i)
        asio::post(all[0].strand, [&all, hops] { all[0].pass(hops - 1); });
    end.wait();
    auto made = bench::rate("messages", "msg/s", tokens * hops, watch);
    made.sent = tokens * hops;
    for (ring_node& each : all)
        made.received += each.count;
    return made;
}

/// Asks `server` one question after the other; a question is posted to it, the answer is posted back.
struct client : actor {
    using actor::actor;

    void ask()
    {
        began = took != nullptr ? clock_type::now() : clock_type::time_point();
        asio::post(server->strand, [this, number = count] {
            asio::post(strand, [this, answer = number + 1] { answered(answer); });
        });
    }

    void answered(std::uint64_t answer)
    {
        if (took != nullptr)
            took->add(clock_type::now() - began);
        count = answer;
        if (count == last)
            end->arrive();
        else
            ask();
    }

    actor* server = nullptr;
    std::uint64_t last = 0;
    countdown* end = nullptr;
    bench::latencies* took = nullptr;
    clock_type::time_point began;
};

outcome sequential_asks(const order& order)
{
    const std::uint64_t count = order.count(250'000);
    bench::latencies took(count);
    runner run(order.strands);
    actor server(run.io());
    client asking(run.io());
    countdown end(1);
    asking.server = &server;
    asking.last = count;
    asking.end = &end;
    asking.took = &took;
    const bench::stopwatch watch;
    asio::post(asking.strand, [&asking] { asking.ask(); });
    end.wait();
    outcome made;
    made.allocations = watch.allocations();
    made.sent = count;
    made.received = asking.count;
    made.figures = took.figures();
    return made;
}

outcome many_asks(const order& order)
{
    constexpr std::uint64_t outstanding = 64;
    const std::uint64_t count = order.count(2'000'000) / outstanding;
    runner run(order.strands);
    actor server(run.io());
    countdown end(outstanding);
    std::deque<client> clients;
    for (std::uint64_t i = 0; i < outstanding; ++i) {
        client& each = clients.emplace_back(run.io());
        each.server = &server;
        each.last = count;
        each.end = &end;
    }
    const bench::stopwatch watch;
    for (client& each : clients)
        asio::post(each.strand, [&each] { each.ask(); });
    end.wait();
    auto made = bench::rate("asks", "asks/s", outstanding * count, watch);
    made.sent = outstanding * count;
    for (client& each : clients)
        made.received += each.count;
    return made;
}

struct tree_node : actor {
    tree_node(asio::io_context& io, tree_node* parent) : actor(io), parent(parent) {}

    void begin(asio::io_context& io, std::uint64_t first, std::uint64_t size)
    {
        if (size == 1) {
            tell(first);
            return;
        }
        const std::uint64_t part = size / 10;
        for (std::uint64_t i = 0; i < 10; ++i) {
            auto* child = new tree_node(io, this);
            asio::post(child->strand,
                [child, &io, first = first + i * part, part] { child->begin(io, first, part); });
        }
    }

    void take(std::uint64_t sum)
    {
        count += sum;
        if (++heard == 10)
            tell(count);
    }

    void tell(std::uint64_t sum)
    {
        asio::post(parent->strand, [to = parent, sum] { to->take(sum); });
        delete this;
    }

    tree_node* parent;
    int heard = 0;
};

outcome tree(const order& order)
{
    const std::uint64_t leaves = order.quick ? 10'000 : 1'000'000;
    runner run(order.strands);
    tree_node outside(run.io(), nullptr);  // hears one sum, the root's
    auto* root = new tree_node(run.io(), &outside);
    const bench::stopwatch watch;
    asio::post(root->strand, [root, &run, leaves] { root->begin(run.io(), 0, leaves); });
    std::uint64_t sum = 0;
    while (sum == 0) {
        std::promise<std::uint64_t> looked;
        asio::post(outside.strand, [&] { looked.set_value(outside.count); });
        sum = looked.get_future().get();
        if (sum == 0)
            std::this_thread::sleep_for(1ms);
    }
    auto made = bench::duration("until the sum is known", watch);
    made.sent = leaves * (leaves - 1) / 2;
    made.received = sum;
    return made;
}

// asio-channel
// -------------------------------------------------------------------------------------------------

using mailbox = asio::experimental::channel<asio::io_context::executor_type,
    void(boost::system::error_code, std::uint64_t)>;
constexpr std::size_t mailbox_size = 128;

asio::awaitable<void> channel_player(
    mailbox& own, mailbox& peer, std::uint64_t count, std::uint64_t& received, countdown& end)
{
    for (std::uint64_t i = 0; i < count / 2; ++i) {
        received = co_await own.async_receive(asio::use_awaitable);
        co_await peer.async_send(boost::system::error_code(), received + 1, asio::use_awaitable);
    }
    end.arrive();
}

outcome channel_ping_pong(const order&, std::size_t pairs, std::uint64_t count)
{
    count = (count + 1) / 2 * 2;
    asio::io_context io(1);
    countdown end(2 * pairs);
    std::deque<mailbox> boxes;
    std::vector<std::uint64_t> received(2 * pairs);
    for (std::size_t i = 0; i < 2 * pairs; ++i)
        boxes.emplace_back(io.get_executor(), mailbox_size);
    for (std::size_t i = 0; i < 2 * pairs; ++i)
        asio::co_spawn(io, channel_player(boxes[i], boxes[i ^ 1], count, received[i], end), asio::detached);
    for (std::size_t i = 0; i < pairs; ++i)
        boxes[2 * i].try_send(boost::system::error_code(), 1);
    bench::pin_to(0);
    const bench::stopwatch watch;
    io.run();
    auto made = bench::rate("messages", "msg/s", pairs * count, watch);
    made.sent = pairs * count;
    for (std::size_t i = 0; i < pairs; ++i)
        made.received += std::max(received[2 * i], received[2 * i + 1]);
    return made;
}

asio::awaitable<void> channel_node(
    mailbox& own, mailbox& next, std::uint64_t& received, std::uint64_t& tokens, asio::io_context& io)
{
    for (;;) {
        const std::uint64_t hops = co_await own.async_receive(asio::use_awaitable);
        ++received;
        if (hops != 0)
            co_await next.async_send(boost::system::error_code(), hops - 1, asio::use_awaitable);
        else if (--tokens == 0)
            io.stop();
    }
}

outcome channel_ring(const order&, std::uint64_t tokens, std::uint64_t total)
{
    constexpr std::size_t nodes = 1000;
    asio::io_context io(1);
    std::deque<mailbox> boxes;
    std::vector<std::uint64_t> received(nodes);
    std::uint64_t left = tokens;
    for (std::size_t i = 0; i < nodes; ++i)
        boxes.emplace_back(io.get_executor(), mailbox_size);
    for (std::size_t i = 0; i < nodes; ++i)
        asio::co_spawn(
            io, channel_node(boxes[i], boxes[(i + 1) % nodes], received[i], left, io), asio::detached);
    const std::uint64_t hops = total / tokens;
    for (std::uint64_t i = 0; i < tokens; ++i)
        boxes[0].try_send(boost::system::error_code(), hops - 1);
    bench::pin_to(0);
    const bench::stopwatch watch;
    io.run();
    auto made = bench::rate("messages", "msg/s", tokens * hops, watch);
    made.sent = tokens * hops;
    for (const std::uint64_t each : received)
        made.received += each;
    return made;
}

/// A question names the mailbox for its answer.
using questions = asio::experimental::channel<asio::io_context::executor_type,
    void(boost::system::error_code, std::uint64_t, mailbox*)>;

asio::awaitable<void> channel_server(questions& own)
{
    for (;;) {
        const auto [number, answer] = co_await own.async_receive(asio::use_awaitable);
        co_await answer->async_send(boost::system::error_code(), number + 1, asio::use_awaitable);
    }
}

asio::awaitable<void> channel_client(mailbox& own, questions& server, std::uint64_t count,
    std::uint64_t& received, bench::latencies* took, std::uint64_t& clients, asio::io_context& io)
{
    while (received < count) {
        const auto began = took != nullptr ? clock_type::now() : clock_type::time_point();
        co_await server.async_send(boost::system::error_code(), received, &own, asio::use_awaitable);
        received = co_await own.async_receive(asio::use_awaitable);
        if (took != nullptr)
            took->add(clock_type::now() - began);
    }
    if (--clients == 0)
        io.stop();
}

outcome channel_asks(const order&, std::uint64_t clients, std::uint64_t total, bool timed)
{
    const std::uint64_t count = total / clients;
    bench::latencies took(timed ? count : 0);
    asio::io_context io(1);
    questions asked(io.get_executor(), mailbox_size);
    std::deque<mailbox> boxes;
    std::vector<std::uint64_t> received(clients);
    std::uint64_t left = clients;
    asio::co_spawn(io, channel_server(asked), asio::detached);
    for (std::uint64_t i = 0; i < clients; ++i) {
        mailbox& box = boxes.emplace_back(io.get_executor(), mailbox_size);
        asio::co_spawn(io, channel_client(box, asked, count, received[i], timed ? &took : nullptr, left, io),
            asio::detached);
    }
    bench::pin_to(0);
    const bench::stopwatch watch;
    io.run();
    auto made = bench::rate("asks", "asks/s", clients * count, watch);
    if (timed)
        made.figures = took.figures();
    made.sent = clients * count;
    for (const std::uint64_t each : received)
        made.received += each;
    return made;
}

asio::awaitable<void> channel_source(std::deque<mailbox>& targets, std::size_t at, const bool& halted,
    std::uint64_t& sent, std::size_t& sources, asio::io_context& io)
{
    while (!halted) {
        co_await targets[at].async_send(boost::system::error_code(), sent++, asio::use_awaitable);
        at = at + 1 == targets.size() ? 0 : at + 1;
    }
    if (--sources == 0)
        io.stop();
}

asio::awaitable<void> channel_counter(mailbox& own, std::uint64_t& received)
{
    for (;;) {
        co_await own.async_receive(asio::use_awaitable);
        ++received;
    }
}

outcome channel_fan_in(const order& order)
{
    constexpr std::size_t senders = 20;
    constexpr std::size_t receivers = 2000;
    asio::io_context io(1);
    std::deque<mailbox> boxes;
    std::vector<std::uint64_t> sent(senders);
    std::uint64_t received = 0;
    std::size_t left = senders;
    bool halted = false;
    for (std::size_t i = 0; i < receivers; ++i) {
        boxes.emplace_back(io.get_executor(), mailbox_size);
        asio::co_spawn(io, channel_counter(boxes[i], received), asio::detached);
    }
    for (std::size_t i = 0; i < senders; ++i)
        asio::co_spawn(
            io, channel_source(boxes, i * receivers / senders, halted, sent[i], left, io), asio::detached);
    asio::steady_timer end(io, order.quick ? 50ms : 5s);
    end.async_wait([&halted](boost::system::error_code) { halted = true; });
    bench::pin_to(0);
    const bench::stopwatch watch;
    io.run();
    auto made = bench::rate("messages", "msg/s", received, watch);
    io.restart();
    io.poll();  // what still lay in the mailboxes
    made.received = received;
    for (const std::uint64_t each : sent)
        made.sent += each;
    return made;
}

outcome channel_crowd(const order& order)
{
    const std::uint64_t count = order.count(1'000'000);
    asio::io_context io(1);
    std::deque<mailbox> boxes;
    std::uint64_t received = 0;
    bench::pin_to(0);
    const std::uint64_t before = bench::resident_bytes();
    const bench::stopwatch spawning;
    for (std::uint64_t i = 0; i < count; ++i) {
        boxes.emplace_back(io.get_executor(), mailbox_size);
        asio::co_spawn(io, channel_counter(boxes.back(), received), asio::detached);
    }
    io.poll();  // all of them wait for a message now
    auto made = bench::duration("spawn all", spawning);
    made.figures.push_back({"memory of an actor",
        static_cast<double>(bench::resident_bytes() - before) / static_cast<double>(count), "B", false});
    const bench::stopwatch sending;
    for (mailbox& each : boxes)
        each.try_send(boost::system::error_code(), 1);
    io.poll();
    made.figures.push_back({"one message to each", sending.seconds(), "s", false});
    made.sent = count;
    made.received = received;
    return made;
}

/// Sums the numbers of its leaves and sends the sum to its parent.
asio::awaitable<void> channel_skynet(
    asio::io_context& io, mailbox& parent, std::uint64_t first, std::uint64_t size)
{
    std::uint64_t sum = first;
    if (size != 1) {
        sum = 0;
        mailbox own(io.get_executor(), 10);
        const std::uint64_t part = size / 10;
        for (std::uint64_t i = 0; i < 10; ++i)
            asio::co_spawn(io, channel_skynet(io, own, first + i * part, part), asio::detached);
        for (int i = 0; i < 10; ++i)
            sum += co_await own.async_receive(asio::use_awaitable);
    }
    co_await parent.async_send(boost::system::error_code(), sum, asio::use_awaitable);
}

outcome channel_tree(const order& order)
{
    const std::uint64_t leaves = order.quick ? 10'000 : 1'000'000;
    asio::io_context io(1);
    mailbox outside(io.get_executor(), 1);
    bench::pin_to(0);
    const bench::stopwatch watch;
    asio::co_spawn(io, channel_skynet(io, outside, 0, leaves), asio::detached);
    io.run();
    auto made = bench::duration("until the sum is known", watch);
    made.sent = leaves * (leaves - 1) / 2;
    outside.try_receive([&made](boost::system::error_code, std::uint64_t sum) { made.received = sum; });
    return made;
}

asio::awaitable<void> channel_echo(mailbox& own, mailbox& peer)
{
    for (;;) {
        const std::uint64_t number = co_await own.async_receive(asio::use_awaitable);
        co_await peer.async_send(boost::system::error_code(), number, asio::use_awaitable);
    }
}

asio::awaitable<void> channel_batches_of(mailbox& own, mailbox& peer, std::uint64_t count,
    std::uint64_t& received, std::size_t& clients, asio::io_context& io)
{
    while (received < count) {
        for (int i = 0; i < 100; ++i)
            co_await peer.async_send(boost::system::error_code(), received, asio::use_awaitable);
        for (int i = 0; i < 100; ++i, ++received)
            co_await own.async_receive(asio::use_awaitable);
    }
    if (--clients == 0)
        io.stop();
}

outcome channel_batches(const order& order)
{
    constexpr std::size_t pairs = 2;
    const std::uint64_t count = order.count(250'000) / 100 * 100;
    asio::io_context io(1);
    std::deque<mailbox> boxes;
    std::vector<std::uint64_t> received(pairs);
    std::size_t left = pairs;
    for (std::size_t i = 0; i < 2 * pairs; ++i)
        boxes.emplace_back(io.get_executor(), mailbox_size);
    for (std::size_t i = 0; i < pairs; ++i) {
        mailbox& own = boxes[2 * i];
        mailbox& peer = boxes[2 * i + 1];
        asio::co_spawn(io, channel_echo(peer, own), asio::detached);
        asio::co_spawn(io, channel_batches_of(own, peer, count, received[i], left, io), asio::detached);
    }
    bench::pin_to(0);
    const bench::stopwatch watch;
    io.run();
    auto made = bench::rate("messages", "msg/s", 2 * pairs * count, watch);
    made.sent = pairs * count;
    for (const std::uint64_t each : received)
        made.received += each;
    return made;
}

}  // namespace

int main(int argc, char** argv)
{
    const std::string posts = "asio-strand";
    const std::string channels = "asio-channel";
    return bench::main(argc, argv,
        {
            {"W1a", posts, {1, 2}, 1, 8, [](const order& o) { return ping_pong(o, 1, o.count(2'000'000)); }},
            {"W1b", posts, {1, 2}, 4, 8, [](const order& o) { return ping_pong(o, 4, o.count(500'000)); }},
            {"W2", posts, {1}, 0, 8, storm},
            {"W3", posts, {1, 2}, 0, 8, fan_in},
            {"W4", posts, {1}, 1, 8, crowd},
            {"W5a", posts, {1, 2}, 1, 8, [](const order& o) { return ring(o, 1, o.count(2'000'000)); }},
            {"W5b", posts, {1, 2}, 100, 8, [](const order& o) { return ring(o, 100, o.count(2'000'000)); }},
            {"W6a", posts, {1}, 1, 8, sequential_asks},
            {"W6b", posts, {1, 2}, 64, 8, many_asks},
            {"W7", posts, {1, 2}, 0, 8, tree},
            {"W8parked", posts, {2}, 1, 8, across},
            {"P1", posts, {1, 2}, 100, 8, batches},
            {"W1a", channels, {1}, 1, 8,
                [](const order& o) { return channel_ping_pong(o, 1, o.count(2'000'000)); }},
            {"W1b", channels, {1}, 4, 8,
                [](const order& o) { return channel_ping_pong(o, 4, o.count(500'000)); }},
            {"W3", channels, {1}, 0, 8, channel_fan_in},
            {"W4", channels, {1}, 1, 8, channel_crowd},
            {"W5a", channels, {1}, 1, 8,
                [](const order& o) { return channel_ring(o, 1, o.count(2'000'000)); }},
            {"W5b", channels, {1}, 100, 8,
                [](const order& o) { return channel_ring(o, 100, o.count(2'000'000)); }},
            {"W6a", channels, {1}, 1, 8,
                [](const order& o) { return channel_asks(o, 1, o.count(250'000), true); }},
            {"W6b", channels, {1}, 64, 8,
                [](const order& o) { return channel_asks(o, 64, o.count(2'000'000), false); }},
            {"W7", channels, {1}, 0, 8, channel_tree},
            {"P1", channels, {1}, 100, 8, channel_batches},
        },
        {"asio", BOOST_LIB_VERSION, "C++",
            "asio-strand: an io_context run by pinned threads, an actor is a strand, messages are posted; "
            "asio-channel: an io_context run by one thread, an actor is an awaitable with an "
            "experimental::channel"});
}
