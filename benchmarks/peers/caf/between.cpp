// SPDX-License-Identifier: MIT

// R2 to R4 with the io module of CAF: two systems in two processes, with one worker each, beside which the
// module has a thread of its own.

#include "asking.hpp"
#include "harness.hpp"
#include "second_process.hpp"
#include "versions.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using bench::order;
using bench::outcome;
using bench::second_process;
using namespace peer;

constexpr std::size_t load_bytes = 1'000'000;

struct config : caf::actor_system_config {
    config()
    {
        load<caf::io::middleman>();
        set(scheduler + "max-threads", std::int64_t{1});
    }
};

/// The numbers of somebody who sends: how many have left, and how many have come back.
struct sender_state {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    bool is_sending = false;
};

// The second process
// ----------------------------------------------------------------------------------------------------------

caf::behavior echo(caf::event_based_actor* self)
{
    return {[=](std::uint64_t number) { answer(self, number + 1); },
        [=](const std::string& load) { answer(self, load.size()); }};
}

/// One actor for messages, which come back as such, and one for requests; CAF publishes one at a port.
void serve(const second_process::door& door)
{
    config settings;
    caf::actor_system system(settings);
    system.await_actors_before_shutdown(false);
    auto& network = system.middleman();
    const auto messages = network.publish(system.spawn(echo), 0, "127.0.0.1");
    const auto requests = network.publish(system.spawn(answerer), 0, "127.0.0.1");
    if (!messages || !requests)
        throw std::runtime_error("CAF cannot listen");
    door.open(fmt::format("{} {}", *messages, *requests));
    door.wait();
}

// The first process
// ----------------------------------------------------------------------------------------------------------

class connection {
public:
    caf::actor_system& system() noexcept { return system_; }

    /// The actor for messages, and that for requests.
    caf::actor echo() { return find(ports_[0]); }
    caf::actor answerer() { return find(ports_[1]); }

    outcome end(outcome made, std::uint64_t sent, std::uint64_t received)
    {
        made.sent = sent;
        made.received = received;
        made.beside = second_.end();
        return made;
    }

private:
    std::vector<std::uint16_t> ports() const
    {
        char* rest = nullptr;
        const auto first = std::strtoul(second_.address().c_str(), &rest, 10);
        const auto second = std::strtoul(rest, nullptr, 10);
        return {static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(second)};
    }

    caf::actor find(std::uint16_t port)
    {
        auto found = system_.middleman().remote_actor("127.0.0.1", port);
        if (!found)
            throw std::runtime_error("CAF does not connect");
        return *found;
    }

    second_process second_{serve};  // before there are threads
    std::vector<std::uint16_t> ports_ = ports();
    config settings_;
    caf::actor_system system_{settings_};
};

/// The connection, which need not be taken apart: the process ends.
connection& connect()
{
    return *new connection;
}

/// Sends a hundred between two looks at its mailbox, as long as not too many are under way.
caf::behavior pinger(caf::stateful_actor<sender_state>* self, caf::actor to, std::uint64_t count, tally* end)
{
    constexpr std::uint64_t under_way_max = 50'000;
    const auto send_on = [=] {
        sender_state& state = state_of(self);
        const auto may_send = [&] {
            return state.sent < count && state.sent - state.received < under_way_max;
        };
        for (int i = 0; i < 100 && may_send(); ++i)
            tell(self, to, state.sent++);
        state.is_sending = may_send();
        if (state.is_sending)
            tell(self, caf::actor_cast<caf::actor>(self), caf::tick_atom_v);
    };
    return {[=](caf::tick_atom) { send_on(); },
        [=](std::uint64_t) {
            if (++state_of(self).received == count)
                end->arrive(count);
            else if (!state_of(self).is_sending)
                send_on();
        }};
}

outcome pings(const order& order)
{
    const std::uint64_t each_way = order.count(1'000'000);
    connection& over = connect();
    tally end(1);
    const caf::actor sender = over.system().spawn(pinger, over.echo(), each_way, &end);
    const bench::stopwatch watch;
    tell_from_outside(sender, caf::tick_atom_v);
    const std::uint64_t received = end.wait();
    return over.end(bench::rate("messages", "msg/s", 2 * each_way, watch), each_way, received);
}

/// Sends large messages, so many at a time.
caf::behavior shipper(caf::stateful_actor<sender_state>* self, caf::actor to, std::uint64_t count, tally* end)
{
    constexpr std::uint64_t under_way_max = 32;
    const caf::message load = caf::make_message(std::string(load_bytes, 'x'));
    const auto send_on = [=] {
        sender_state& state = state_of(self);
        for (; state.sent < count && state.sent - state.received < under_way_max; ++state.sent)
            tell(self, to, load);
    };
    return {[=](caf::tick_atom) { send_on(); },
        [=](std::uint64_t bytes) {
            sender_state& state = state_of(self);
            state.received += bytes == load_bytes ? 1 : 0;
            if (state.received == count)
                end->arrive(count);
            send_on();
        }};
}

outcome loads(const order& order)
{
    const std::uint64_t number = order.count(2000);
    connection& over = connect();
    tally end(1);
    const caf::actor sender = over.system().spawn(shipper, over.echo(), number, &end);
    const bench::stopwatch watch;
    tell_from_outside(sender, caf::tick_atom_v);
    const std::uint64_t received = end.wait();
    return over.end(bench::rate("bytes", "B/s", number * load_bytes, watch), number, received);
}

/// Lets so many clients ask.
outcome asked(const order& order, std::uint64_t clients, std::uint64_t full, bool timed)
{
    const std::uint64_t count = order.count(full) / clients;
    bench::latencies took(timed ? count : 0);
    connection& over = connect();
    tally end(clients);
    const caf::actor server = over.answerer();
    std::vector<caf::actor> all;
    for (std::uint64_t i = 0; i < clients; ++i)
        all.push_back(over.system().spawn(client, server, count, &end, timed ? &took : nullptr));
    const bench::stopwatch watch;
    for (const caf::actor& each : all)
        tell_from_outside(each, caf::tick_atom_v);
    const std::uint64_t received = end.wait();
    outcome made = bench::rate("asks", "asks/s", clients * count, watch);
    if (timed)
        made.figures = took.figures();
    return over.end(std::move(made), clients * count, received);
}

}  // namespace

int main(int argc, char** argv)
{
#if CAF_VERSION >= 1800
    caf::core::init_global_meta_objects();
    caf::io::middleman::init_global_meta_objects();
#endif
    const std::string caf = "caf";
    return bench::main(argc, argv,
        {
            {"R2", caf, {1}, 50'000, 8, pings},
            {"R3", caf, {1}, 1, 8, [](const order& o) { return asked(o, 1, 20'000, true); }},
            {"R3b", caf, {1}, 64, 8, [](const order& o) { return asked(o, 64, 200'000, false); }},
            {"R4", caf, {1}, 32, load_bytes, loads},
        },
        {caf, version(), "C++",
            "the io module with its defaults, event-based actors, dynamically typed, max-threads = 1 in each "
            "process, beside which the module has threads of its own on the same core"});
}
