// SPDX-License-Identifier: MIT

// The same workloads with coroutines and a loop that resumes them, and nothing else: no types of messages, no
// stop, no errors, no counts, no second thread, mailboxes of one message. It shows where the limit lies, and
// is no peer.

#include "harness.hpp"

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
using bench::order;
using bench::outcome;

/// An actor: a coroutine, and the messages that wait for it in a chain.
class actor {
public:
    struct message {
        message* next = nullptr;
        std::uint64_t number = 0;
        actor* sender = nullptr;
    };

    std::coroutine_handle<> waiting;
    actor* next_ready = nullptr;
    message* first = nullptr;
    message* last = nullptr;
};

/// What is ready, and messages that can be used again.
class loop {
public:
    void send(actor& to, std::uint64_t number, actor* sender = nullptr)
    {
        actor::message* sent = free_ != nullptr ? std::exchange(free_, free_->next) : &made_.emplace_back();
        *sent = {nullptr, number, sender};
        (to.first == nullptr ? to.first : to.last->next) = sent;
        to.last = sent;
        if (to.waiting && to.first == sent)
            make_ready(to);
    }

    void make_ready(actor& one)
    {
        one.next_ready = nullptr;
        (first_ == nullptr ? first_ : last_->next_ready) = &one;
        last_ = &one;
    }

    std::pair<std::uint64_t, actor*> take(actor& from)
    {
        actor::message* taken = from.first;
        from.first = taken->next;
        taken->next = free_;
        free_ = taken;
        return {taken->number, taken->sender};
    }

    void run()
    {
        while (first_ != nullptr) {
            actor* next = std::exchange(first_, first_->next_ready);
            std::exchange(next->waiting, nullptr).resume();
        }
    }

private:
    actor* first_ = nullptr;
    actor* last_ = nullptr;
    actor::message* free_ = nullptr;
    std::deque<actor::message> made_;
};

loop all;

struct body {
    struct promise_type {
        body get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    std::coroutine_handle<> frame;
};

struct receive {
    actor& self;

    bool await_ready() const noexcept { return self.first != nullptr; }
    void await_suspend(std::coroutine_handle<> frame) const noexcept { self.waiting = frame; }
    std::pair<std::uint64_t, actor*> await_resume() const { return all.take(self); }
};

/// Lets a coroutine be the actor `self`.
void begin(actor& self, body made)
{
    self.waiting = made.frame;
    all.make_ready(self);
}

body ponger(actor& self)
{
    for (;;) {
        const auto [number, sender] = co_await receive{self};
        all.send(*sender, number + 1);
    }
}

body pinger(actor& self, actor& peer, std::uint64_t count, std::uint64_t& number)
{
    while (number < count) {
        all.send(peer, number + 1, &self);
        number = (co_await receive{self}).first;
    }
}

outcome ping_pong(std::size_t pairs, std::uint64_t count)
{
    bench::pin_to(0);
    std::vector<actor> actors(2 * pairs);
    std::vector<std::uint64_t> numbers(pairs);
    for (std::size_t i = 0; i < pairs; ++i) {
        begin(actors[2 * i + 1], ponger(actors[2 * i + 1]));
        begin(actors[2 * i], pinger(actors[2 * i], actors[2 * i + 1], count, numbers[i]));
    }
    const bench::stopwatch watch;
    all.run();
    auto made = bench::rate("messages", "msg/s", pairs * count, watch);
    made.sent = pairs * count;
    for (const std::uint64_t each : numbers)
        made.received += each;
    return made;
}

body ring_node(actor& self, actor& next, std::uint64_t& received)
{
    for (;;) {
        const std::uint64_t hops = (co_await receive{self}).first;
        ++received;
        if (hops != 0)
            all.send(next, hops - 1);
    }
}

outcome ring(std::uint64_t tokens, std::uint64_t total)
{
    constexpr std::size_t nodes = 1000;
    bench::pin_to(0);
    std::vector<actor> actors(nodes);
    std::uint64_t received = 0;
    for (std::size_t i = 0; i < nodes; ++i)
        begin(actors[i], ring_node(actors[i], actors[(i + 1) % nodes], received));
    const std::uint64_t hops = total / tokens;
    for (std::uint64_t i = 0; i < tokens; ++i)
        all.send(actors[0], hops - 1);
    const bench::stopwatch watch;
    all.run();
    auto made = bench::rate("messages", "msg/s", tokens * hops, watch);
    made.sent = tokens * hops;
    made.received = received;
    return made;
}

body idler(actor& self, std::uint64_t& handled)
{
    for (;;) {
        co_await receive{self};
        ++handled;
    }
}

outcome crowd(std::uint64_t count)
{
    bench::pin_to(0);
    std::uint64_t handled = 0;
    const std::uint64_t before = bench::resident_bytes();
    const bench::stopwatch spawning;
    std::vector<actor> actors(count);
    for (actor& each : actors)
        begin(each, idler(each, handled));
    all.run();
    auto made = bench::duration("spawn all", spawning);
    made.figures.push_back({"memory of an actor",
        static_cast<double>(bench::resident_bytes() - before) / static_cast<double>(count), "B", false});
    const bench::stopwatch sending;
    for (actor& each : actors)
        all.send(each, 1);
    all.run();
    made.figures.push_back({"one message to each", sending.seconds(), "s", false});
    made.sent = count;
    made.received = handled;
    return made;
}

body asker(actor& self, actor& server, std::uint64_t count, std::uint64_t& received, bench::latencies* took)
{
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto began = took != nullptr ? clock_type::now() : clock_type::time_point();
        all.send(server, i, &self);
        received += (co_await receive{self}).first - i;
        if (took != nullptr)
            took->add(clock_type::now() - began);
    }
}

outcome asks(std::uint64_t clients, std::uint64_t total, bool timed)
{
    bench::pin_to(0);
    const std::uint64_t count = total / clients;
    bench::latencies took(timed ? count : 0);
    std::vector<actor> actors(clients + 1);
    std::uint64_t received = 0;
    begin(actors[0], ponger(actors[0]));
    for (std::uint64_t i = 1; i <= clients; ++i)
        begin(actors[i], asker(actors[i], actors[0], count, received, timed ? &took : nullptr));
    const bench::stopwatch watch;
    all.run();
    auto made = bench::rate("asks", "asks/s", clients * count, watch);
    if (timed)
        made.figures = took.figures();
    made.sent = clients * count;
    made.received = received;
    return made;
}

/// A node of the tree, and where its sum goes.
body branch(actor& parent, std::unique_ptr<actor> self, std::uint64_t first, std::uint64_t size)
{
    std::uint64_t sum = first;
    if (size > 1) {
        sum = 0;
        const std::uint64_t part = size / 10;
        for (std::uint64_t i = 0; i < 10; ++i) {
            // Depth first: the child runs now, and waits only for its own children.
            branch(*self, std::make_unique<actor>(), first + i * part, part).frame.resume();
            sum += (co_await receive{*self}).first;
        }
    }
    all.send(parent, sum);
}

outcome tree(std::uint64_t leaves)
{
    bench::pin_to(0);
    actor root;
    const bench::stopwatch watch;
    branch(root, std::make_unique<actor>(), 0, leaves).frame.resume();
    all.run();
    auto made = bench::duration("until the sum is known", watch);
    made.sent = leaves * (leaves - 1) / 2;
    made.received = all.take(root).first;
    return made;
}

}  // namespace

int main(int argc, char** argv)
{
    const std::string peer = "loop";
    return bench::main(argc, argv,
        {
            {"W1a", peer, {1}, 1, 8, [](const order& o) { return ping_pong(1, o.count(40'000'000)); }},
            {"W1b", peer, {1}, 4, 8, [](const order& o) { return ping_pong(4, o.count(10'000'000)); }},
            {"W4", peer, {1}, 1, 8, [](const order& o) { return crowd(o.count(1'000'000)); }},
            {"W5a", peer, {1}, 1, 8, [](const order& o) { return ring(1, o.count(40'000'000)); }},
            {"W5b", peer, {1}, 100, 8, [](const order& o) { return ring(100, o.count(40'000'000)); }},
            {"W6a", peer, {1}, 1, 8, [](const order& o) { return asks(1, o.count(1'000'000), true); }},
            {"W6b", peer, {1}, 64, 8, [](const order& o) { return asks(64, o.count(20'000'000), false); }},
            {"W7", peer, {1}, 0, 8, [](const order& o) { return tree(o.quick ? 10'000 : 1'000'000); }},
        },
        {peer, "0.1.0", "C++",
            "no peer: coroutines and a loop that resumes them, one thread, pinned, to show where the limit "
            "lies"});
}
